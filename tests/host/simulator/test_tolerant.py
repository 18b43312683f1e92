"""What comes too late from Bumble's controller or from a peer troubles nobody."""

from __future__ import annotations

import asyncio
import logging

import pytest
from bumble.att import ATT_CID
from legcurl.simulator.radio import Central, VirtualRadio
from legcurl.simulator.radio.central import plain
from radio_time import in_radio_time
from scripted_firmware import ADDRESS, pair

READ_RESPONSE = b"\x0b\x01"


@in_radio_time
async def test_the_end_of_a_connection_that_is_over_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Central(VirtualRadio()) as central:
        with caplog.at_level(logging.WARNING):
            central.device.host.emit("disconnection", 0x40, 0x16)
    assert caplog.records == []


@in_radio_time
async def test_the_answer_to_a_cancelled_request_breaks_nothing() -> None:
    async with pair() as (_, central):
        connection = await central.connect(ADDRESS, 5.0)
        assert plain(connection.peer_address) == ADDRESS
        asked = asyncio.create_task(connection.gatt_client.read_value(3))
        while (pending := connection.gatt_client.pending_response) is None:
            await asyncio.sleep(0)
        asked.cancel()
        while not pending.done():
            await asyncio.sleep(0)
        assert connection.gatt_client.pending_response is pending, "the moment between the two"
        central.device.l2cap_channel_manager.on_pdu(connection, ATT_CID, READ_RESPONSE)
        with pytest.raises(asyncio.CancelledError):
            await asked
        await connection.disconnect()


@in_radio_time
async def test_the_answer_to_a_cancelled_command_breaks_nothing() -> None:
    async with Central(VirtualRadio()) as central:
        host = central.device.host
        host.pending_response = asyncio.get_running_loop().create_future()
        host.pending_response.cancel()
        host.on_command_processed(None)  # pyright: ignore[reportArgumentType]
        host.pending_response = None
