"""The virtual radio: when packets move, what loss and silence do, and who is told."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from bumble import hci
from bumble.core import CommandTimeoutError, TimeoutError
from bumble.device import AdvertisingType, Connection, ConnectionParametersPreferences, Device
from legcurl.simulator.radio.air import VirtualRadio, connection_parameters
from legcurl.simulator.radio.central import power
from legcurl.simulator.radio.controller import VirtualController
from radio_time import RadioTimeLoop, in_radio_time, now

ATT_NOTIFICATION = b"\x1b\x10\x00"
LOST = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
ADVERTISEMENT = b"\x02\x01\x06"
RESPONSE = b"\x03\x09me"


class End:
    """A device at one end of a connection, and when what came there."""

    def __init__(self, device: Device, connection: Connection) -> None:
        self.device = device
        self.connection = connection
        self.ended: list[tuple[float, int]] = []
        self.got: list[tuple[float, bytes]] = []
        connection.on("disconnection", lambda reason: self.ended.append((now(), reason)))
        # A channel of its own: nothing but the link below.
        device.l2cap_channel_manager.register_fixed_channel(
            0x3A, lambda _, payload: self.got.append((now(), payload))
        )

    def send(self, payload: bytes) -> None:
        self.connection.send_l2cap_pdu(0x3A, payload)

    @property
    def controller(self) -> VirtualController:
        controller = self.device.host.hci_sink.controller  # type: ignore[union-attr]
        assert isinstance(controller, VirtualController)
        return controller


def device_on(radio: VirtualRadio, address: str) -> Device:
    controller = VirtualController(address, radio, address)
    device = power(controller, "device")
    device.host.hci_sink.controller = controller  # type: ignore[union-attr]
    return device


async def peripheral_on(
    radio: VirtualRadio,
    address: str,
    kind: AdvertisingType = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
) -> Device:
    device = device_on(radio, address)
    await device.power_on()
    await device.start_advertising(
        kind,
        own_address_type=hci.OwnAddressType.PUBLIC,
        advertising_data=ADVERTISEMENT,
        scan_response_data=RESPONSE,
        advertising_interval_min=100,
        advertising_interval_max=100,
    )
    return device


async def central_on(radio: VirtualRadio, address: str = "F0:00:00:00:00:01") -> Device:
    device = device_on(radio, address)
    await device.power_on()
    return device


async def connect(
    radio: VirtualRadio, central: Device, peripheral: Device, timeout_s: float = 10.0
) -> tuple[End, End]:
    how = radio.preferred
    preferences = ConnectionParametersPreferences(
        connection_interval_min=how.interval * 1.25,
        connection_interval_max=how.interval * 1.25,
        supervision_timeout=how.timeout * 10,
    )
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    peripheral.once("connection", accepted.set_result)
    connection = await central.connect(
        peripheral.public_address,
        connection_parameters_preferences={hci.Phy.LE_1M: preferences},
        own_address_type=hci.OwnAddressType.PUBLIC,
        timeout=timeout_s,
    )
    return End(central, connection), End(peripheral, await accepted)


async def connected(radio: VirtualRadio, number: int = 2) -> tuple[End, End]:
    """A host and a sensor that are connected."""
    peripheral = await peripheral_on(radio, f"02:00:00:00:00:{number:02X}")
    central = await central_on(radio, f"F0:00:00:00:00:{number:02X}")
    ends = await connect(radio, central, peripheral)
    await asyncio.sleep(1.0)  # what the two have to say to each other at first
    return ends


def multiples(times: list[float], step: float) -> list[float]:
    return [
        abs((after - before) / step - round((after - before) / step))
        for before, after in pairwise(times)
    ]


@pytest.mark.parametrize(
    ("asked_s", "units"), [(0.0075, 6), (0.03, 24), (0.0311, 25), (0.1, 80), (4.0, 3200)]
)
def test_an_interval_is_a_multiple_of_one_and_a_quarter_ms(asked_s: float, units: int) -> None:
    assert connection_parameters(asked_s, None).interval == units


@pytest.mark.parametrize(
    ("interval_s", "timeout_s"), [(0.005, None), (4.1, None), (1.0, 2.0), (0.03, 33.0)]
)
def test_parameters_that_no_central_may_ask_for_are_refused(interval_s, timeout_s) -> None:
    with pytest.raises(ValueError, match=r"interval|timeout"):
        connection_parameters(interval_s, timeout_s)


def test_the_timeout_is_longer_than_two_of_any_interval() -> None:
    for interval_s in (0.0075, 0.03, 1.0, 4.0):
        how = connection_parameters(interval_s, None)
        assert 2 * how.interval_s < how.timeout_s <= 32.0


@in_radio_time
async def test_data_moves_at_connection_events_only() -> None:
    radio = VirtualRadio(interval_s=0.05)
    host, sensor = await connected(radio)
    for number in range(40):
        sensor.send(bytes((number,)))
        await asyncio.sleep(0.013)
    await asyncio.sleep(1.0)
    assert [payload[0] for _, payload in host.got] == list(range(40)), "in order, each once"
    times = sorted({time for time, _ in host.got})
    assert max(multiples(times, 0.05)) < 1e-6
    assert len(times) > 5


@in_radio_time
async def test_an_event_carries_what_its_time_on_air_allows() -> None:
    radio = VirtualRadio(interval_s=0.0075, packets_an_event=100)
    host, sensor = await connected(radio)
    for _ in range(12):
        sensor.send(bytes(240))
    await asyncio.sleep(1.0)
    times = [time for time, _ in host.got]
    # (10 + 244) bytes of 8 µs, an empty packet of 80 µs, and 150 µs twice: 2.4 ms, three in 7.5.
    assert max(times.count(time) for time in times) == 3


@in_radio_time
async def test_an_event_carries_no_more_packets_than_the_controller_takes() -> None:
    radio = VirtualRadio(interval_s=0.03, packets_an_event=4)
    host, sensor = await connected(radio)
    for _ in range(12):
        sensor.send(bytes(20))
    await asyncio.sleep(1.0)
    times = [time for time, _ in host.got]
    assert [times.count(time) for time in sorted(set(times))] == [4, 4, 4]


@in_radio_time
async def test_loss_delays_and_never_loses() -> None:
    delays = []
    for loss in (0.0, 0.5):
        radio = VirtualRadio(interval_s=0.03, loss=loss, seed=7)
        host, sensor = await connected(radio)
        sent = []
        for number in range(200):
            sent.append(now())
            sensor.send(number.to_bytes(2, "big"))
            await asyncio.sleep(0.1)
        await asyncio.sleep(5.0)
        assert [int.from_bytes(payload, "big") for _, payload in host.got] == list(range(200))
        delays.append(sum(time - began for (time, _), began in zip(host.got, sent, strict=True)))
        assert not host.ended
    # Each try fails with one half: on average one interval more.
    assert delays[1] - delays[0] == pytest.approx(200 * 0.03, rel=0.35)


@in_radio_time
async def test_a_busy_computer_that_skips_events_loses_no_connection() -> None:
    radio = VirtualRadio(interval_s=0.03, timeout_s=0.5, loss=0.5, seed=7)
    host, sensor = await connected(radio)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RadioTimeLoop)
    for number in range(50):
        sensor.send(bytes((number,)))
        await asyncio.sleep(0.04)
        loop.stall(0.6)
    await asyncio.sleep(1.0)
    assert (len(host.got), host.ended) == (50, [])


@in_radio_time
async def test_a_connection_ends_when_every_event_is_lost_for_the_timeout() -> None:
    radio = VirtualRadio(interval_s=0.03, timeout_s=0.5)
    host, sensor = await connected(radio)
    began = now()
    radio.loss = 1.0
    sensor.send(b"x")
    await asyncio.sleep(2.0)
    assert host.ended[0][1] == sensor.ended[0][1] == LOST
    assert host.ended[0][0] - began == pytest.approx(0.5, abs=0.04)


async def arrivals(seed: int, *, busy: bool = False) -> list[float]:
    """When 60 packets came, beside another connection that is busy or not."""
    radio = VirtualRadio(interval_s=0.03, loss=0.4, seed=seed)
    host, sensor = await connected(radio, 2)
    _, other = await connected(radio, 3)
    await asyncio.sleep(0.0071)  # between events, where rounding decides nothing
    began = now()
    for number in range(60):
        sensor.send(bytes((number,)))
        if busy:
            other.send(bytes(200))
        await asyncio.sleep(0.0503)
    await asyncio.sleep(3.0)
    return [round(time - began, 6) for time, _ in host.got]


@in_radio_time
async def test_the_same_seed_loses_the_same_and_another_does_not() -> None:
    once = await arrivals(1)
    assert len(once) == 60
    assert await arrivals(1) == once
    assert await arrivals(2) != once


@in_radio_time
async def test_losses_of_a_connection_do_not_depend_on_others() -> None:
    assert await arrivals(5, busy=True) == await arrivals(5)


@in_radio_time
async def test_a_silence_shorter_than_the_timeout_delays_and_no_more() -> None:
    radio = VirtualRadio(timeout_s=5.0)
    host, sensor = await connected(radio)
    began = now()
    radio.silence(sensor.controller, 4.0)
    sensor.send(b"up")
    host.send(b"down")
    await asyncio.sleep(3.9)
    assert host.got == sensor.got == []
    await asyncio.sleep(1.0)
    assert [payload for _, payload in host.got + sensor.got] == [b"up", b"down"]
    assert host.got[0][0] - began >= 4.0
    assert not host.ended
    assert not sensor.ended


@in_radio_time
async def test_a_longer_silence_ends_both_ends_after_the_timeout() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    host, sensor = await connected(radio)
    began = now()
    radio.silence(sensor.controller, 10.0)
    sensor.send(b"never")
    await asyncio.sleep(5.0)
    for end in (host, sensor):
        ((ended, reason),) = end.ended
        assert reason == LOST
        assert ended - began == pytest.approx(2.0, abs=0.01)
    assert radio.connections == 0
    await asyncio.sleep(10.0)
    assert host.got == []


@in_radio_time
async def test_a_power_cut_is_noticed_by_the_other_end_alone() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    host, sensor = await connected(radio)
    sensor.controller.detach()
    await asyncio.sleep(3.0)
    assert [reason for _, reason in host.ended] == [LOST]
    assert sensor.ended == []
    assert radio.connections == 0


@in_radio_time
async def test_packets_sent_before_a_disconnection_arrive_before_it() -> None:
    radio = VirtualRadio()
    host, sensor = await connected(radio)
    for number in range(30):
        sensor.send(bytes((number,)))
    await sensor.connection.disconnect()
    await asyncio.sleep(1.0)
    assert len(host.got) == 30
    ((ended, reason),) = host.ended
    assert reason == hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
    assert ended >= host.got[-1][0]


@in_radio_time
async def test_both_ends_know_the_parameters_and_follow_their_change() -> None:
    radio = VirtualRadio(interval_s=0.05, timeout_s=3.0)
    host, sensor = await connected(radio)
    for end in (host, sensor):
        assert end.connection.parameters.connection_interval == pytest.approx(50.0)
        assert end.connection.parameters.supervision_timeout == pytest.approx(3000.0)
    await host.connection.update_parameters(100.0, 100.0, 0, 4000.0)
    await asyncio.sleep(1.0)
    assert sensor.connection.parameters.connection_interval == pytest.approx(100.0)
    for _ in range(8):
        sensor.send(b"x")
        await asyncio.sleep(0.03)
    await asyncio.sleep(1.0)
    times = sorted({time for time, _ in host.got})
    assert min(after - before for before, after in pairwise(times)) == pytest.approx(0.1)


@in_radio_time
async def test_a_faster_clock_makes_everything_faster() -> None:
    took = []
    for pace in (1.0, 10.0):
        radio = VirtualRadio(interval_s=0.1, timeout_s=2.0, pace=pace)
        host, sensor = await connected(radio)
        began = now()
        for _ in range(60):
            sensor.send(b"x")
        radio.later(1.5, radio.silence, sensor.controller)
        while not host.ended:
            await asyncio.sleep(0.001)
        took.append((host.got[-1][0] - began, host.ended[0][0] - began))
    assert took[0][0] / took[1][0] == pytest.approx(10.0, rel=0.3)
    assert took[0][1] / took[1][1] == pytest.approx(10.0, rel=0.05)


@in_radio_time
async def test_a_scan_response_goes_to_active_scanners_only() -> None:
    radio = VirtualRadio()
    await peripheral_on(radio, "02:00:00:00:00:02")
    for active, said in ((True, ADVERTISEMENT + RESPONSE), (False, ADVERTISEMENT)):
        scanner = await central_on(radio, f"F0:00:00:00:00:{active:02X}")
        heard = []
        scanner.on("advertisement", heard.append)
        await scanner.start_scanning(active=active, filter_duplicates=False)
        began = now()
        await asyncio.sleep(1.05)
        assert bytes(heard[-1].data) == said
        assert heard[-1].is_connectable
        assert len(heard) == pytest.approx((now() - began) / 0.1, abs=1.5), "every 100 ms"
        await scanner.stop_scanning()


@in_radio_time
async def test_a_non_connectable_device_is_heard_and_refuses_connections() -> None:
    radio = VirtualRadio()
    peripheral = await peripheral_on(
        radio, "02:00:00:00:00:02", AdvertisingType.UNDIRECTED_SCANNABLE
    )
    central = await central_on(radio)
    heard = []
    central.on("advertisement", heard.append)
    await central.start_scanning(active=True, filter_duplicates=False)
    with pytest.raises((TimeoutError, CommandTimeoutError)):
        await connect(radio, central, peripheral, timeout_s=3.0)
    assert bytes(heard[-1].data) == ADVERTISEMENT + RESPONSE
    assert not heard[-1].is_connectable
    # The attempt was cancelled, and is not in the way of the next.
    other = await peripheral_on(radio, "02:00:00:00:00:03")
    host, _ = await connect(radio, central, other)
    assert host.connection.peer_address == other.public_address


@in_radio_time
async def test_a_host_that_resets_is_silent_to_its_peers() -> None:
    radio = VirtualRadio(timeout_s=2.0)
    host, sensor = await connected(radio)
    await host.device.host.reset()
    await asyncio.sleep(3.0)
    assert [reason for _, reason in sensor.ended] == [LOST]
    assert radio.connections == 0


@in_radio_time
async def test_an_address_is_that_of_one_device() -> None:
    radio = VirtualRadio()
    await peripheral_on(radio, "02:00:00:00:00:02")
    with pytest.raises(ValueError, match="already"):
        device_on(radio, "02:00:00:00:00:02")
