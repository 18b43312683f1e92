"""A sensor by Bluetooth Low Energy, through bleak: BlueZ on Linux, CoreBluetooth on macOS.

    BleRoute.connect   look for it (adapter.py) → connect → check the table → subscribe
    BleLink            notifications → whole packets (receive_buffer.py) → read; write → requests

The route searches for the sensor before every connection, so stale things (the system's handle of
a device, the number of an adapter that was unplugged) do no harm. If several sensors could be
meant, the first connection waits until every sensor in range was heard, and later ones go to the
same sensor as soon as it is heard.

Every wait for the radio or the system has a limit: with BlueZ a write to a device that is gone
hangs for 30 s. `disconnect()` follows every connection, however it ended: bleak would keep its
D-Bus connection otherwise, and BlueZ would deliver each notification of the next one twice.

The operating system pairs nothing. The station checks the sensor's identity
(station/peer_authentication.py), with a key of the sensor and not of the radio.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from legcurl.concurrency import until_first
from legcurl.errors import (
    BluetoothMissingError,
    LinkLostError,
    SensorAmbiguousError,
    SensorInUseError,
    SensorNotFoundError,
    SensorUnreachableError,
    ServiceMissingError,
)
from legcurl.links.address import BleAddress
from legcurl.links.ble.gatt import ANSWERS, REQUESTS, SAMPLES, SERVICE, Sighting, is_address
from legcurl.links.ble.lock import lock_sensor
from legcurl.links.ble.receive_buffer import ReceiveBuffer
from legcurl.links.route import READ_BYTES, SILENCE_S

try:
    from bleak import BleakClient
    from bleak_retry_connector import clear_cache, establish_connection
    from bleak_retry_connector.bluez import get_connected_devices

    from legcurl.links.ble.adapter import Adapter, Search, shared_adapter
    from legcurl.links.ble.errors import TROUBLES, adapter_trouble, words_of
except ModuleNotFoundError as missing:
    raise BluetoothMissingError(
        f"Bluetooth needs bleak, which is not installed ({missing}). "
        "Run: pip install 'legcurl[ble]'"
    ) from missing

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner

    from legcurl.file_lock import FileLock

log = logging.getLogger(__name__)

LOOK_S = 10.0  # for a sensor; it advertises several times a second, but a radio misses many
SETTLE_S = 2.0  # until every sensor in range was heard, when a name may be that of several
SETTLE_ANY_S = 3.0  # the same for "any sensor": a user would not notice a wrong one
# A host that vanished has the sensor until the supervision timeout: 0.4 s with BlueZ, up to 6 s
# elsewhere.
FREE_S = 4.0
CONNECT_S = 15.0  # with discovery of services and subscriptions; usually one to three seconds
ATTEMPTS = 2  # within CONNECT_S: the first often fails at once
WRITE_S = 5.0  # for one request; several hiccups of the radio, but not BlueZ's 30 s
DISCONNECT_S = 5.0
PATIENCE_S = 8.0  # for an answer: longer than WRITE_S, so that the message names the one at fault
PIECE_MIN_BYTES = 20  # of the smallest MTU: 23 − 3
PIECE_MAX_BYTES = 509  # of the largest that matters: 512 is the longest value there is
LISTED = 6  # sensors named in a message


async def look_around(
    seconds: float, *, adapter: str = "", scanner: type[BaseBleakScanner] | None = None
) -> list[Sighting]:
    """Every sensor in range, the strongest first. Raises AdapterError."""
    shared = shared_adapter(adapter, scanner)
    async with shared.search() as search:
        while search.scanned_s < seconds:
            await search.news(seconds)
        return search.heard


class BleRoute:
    """The way to the sensor that an address names.

    `scanner` and `client` are bleak's backends where they are not the system's own.
    """

    silence_s = SILENCE_S
    patience_s = PATIENCE_S
    pace = 1.0
    wired = False

    def __init__(
        self,
        address: BleAddress,
        *,
        scanner: type[BaseBleakScanner] | None = None,
        client: type[BaseBleakClient] | None = None,
    ) -> None:
        self.name = str(address)
        self._address = address
        self._scanner = scanner
        self._client = client
        self._adapter: Adapter | None = None  # kept: it is shared while it is referred to
        self._settled: str | None = None  # identity of the sensor that was connected first

    async def connect(self) -> BleLink:
        """Look for the sensor and connect to it."""
        self._adapter = shared_adapter(self._address.adapter, self._scanner)
        try:
            return await self._connect(self._adapter)
        except ServiceMissingError:
            # The system had kept the table of an earlier firmware; it is cleared now.
            return await self._connect(self._adapter)

    async def close(self) -> None:
        """Give up the adapter."""
        self._adapter = None

    async def _connect(self, adapter: Adapter) -> BleLink:
        sighting = await self._find(adapter)
        who = sighting.name or self.name
        lock = None if self._client is not None else lock_sensor(sighting.address, name=who)
        link = BleLink(who, lock)
        try:
            await self._check_free(sighting)
            async with adapter.connecting():
                await self._open(adapter, sighting, link)
        except BaseException:
            await link.close()
            raise
        self._settled = _identity(sighting)
        return link

    async def _find(self, adapter: Adapter) -> Sighting:
        async with adapter.search() as search:
            while True:
                scanned_s = search.scanned_s
                found = self._choose(search, scanned_s)
                if found is not None:
                    return found
                if scanned_s >= LOOK_S:
                    raise SensorNotFoundError(self._not_found(search.heard))
                await search.news(self._next_look_s(scanned_s))

    def _choose(self, search: Search, scanned_s: float) -> Sighting | None:
        """The sensor that the target names, or None while that is not certain."""
        target = self._address.target
        meant = [heard for heard in search.present if heard.is_meant_by(target)]
        same = [sighting for sighting in meant if _identity(sighting) == self._settled]
        if same:
            meant = same
        elif self._settled is not None and not (target and scanned_s >= LOOK_S):
            return None  # a replaced board may have the name; a neighbour is not taken for it
        elif scanned_s < self._settle_s():
            return None
        if len(meant) > 1:
            raise SensorAmbiguousError(
                f"{self.name}: {len(meant)} sensors in range answer to that: {_listed(meant)}. "
                "Name one by its address, as in ble:" + meant[0].address
            )
        if not meant or (meant[0].in_use and scanned_s < FREE_S):
            return None
        return meant[0]

    def _settle_s(self) -> float:
        target = self._address.target
        if is_address(target):
            return 0.0
        return SETTLE_S if target else SETTLE_ANY_S

    def _next_look_s(self, scanned_s: float) -> float:
        """When to choose again even if nothing more is heard."""
        return min(moment for moment in (self._settle_s(), FREE_S, LOOK_S) if moment > scanned_s)

    async def _check_free(self, sighting: Sighting) -> None:
        if not sighting.in_use:
            return
        # BlueZ keeps the connection of a program that crashed: then it is this computer that has
        # the sensor, and no other legcurl on it, or it would have the lock.
        if self._client is None and await get_connected_devices(sighting.device):
            return
        raise SensorInUseError(
            f"{sighting.name or self.name} ({sighting.address}) is in use by another host, and "
            "serves one at a time: end the other (a legcurl on another computer, a phone), or wait."
        )

    async def _open(self, adapter: Adapter, sighting: Sighting, link: BleLink) -> None:
        who = f"{sighting.name or self.name} ({sighting.address})"
        try:
            async with asyncio.timeout(CONNECT_S):
                client = await establish_connection(
                    BleakClient,
                    sighting.device,
                    sighting.name or sighting.address,
                    disconnected_callback=link.dropped,
                    max_attempts=ATTEMPTS,
                    use_services_cache=False,
                    backend=self._client,
                )
                await link.open(client)
        except TROUBLES as error:
            trouble = adapter_trouble(error, adapter.name)
            if trouble is not None:
                raise trouble from error
            raise SensorUnreachableError(_unreachable(who, sighting, link, error)) from error
        except ServiceMissingError:
            if self._client is None:
                await clear_cache(sighting.address)
            raise

    def _not_found(self, heard: list[Sighting]) -> str:
        looked = f"within {LOOK_S:.0f} s"
        near = (
            "Is it switched on, and within some ten metres? Bodies and steel take much of that. "
            "A sensor serves one host at a time and may have Bluetooth switched off: by USB, "
            "legcurl sensors says."
        )
        if not heard:
            return f"{self.name}: no legcurl sensor at all was heard {looked}. {near}"
        return (
            f"{self.name}: no such sensor was heard {looked}, but {_listed(heard)}. Is the name "
            f"right? {near}"
        )


class BleLink:
    """A connection to a sensor. Made by BleRoute."""

    def __init__(self, name: str, lock: FileLock | None) -> None:
        self._name = name
        self._lock = lock
        self._client: BleakClient | None = None
        self._requests: BleakGATTCharacteristic | None = None
        self._buffer = ReceiveBuffer()
        self._stalled = False
        self._arrived = asyncio.Event()
        self._gone = asyncio.Event()
        self._why: str | None = None  # the connection ended
        self._half_sent = False

    @property
    def left_out(self) -> int:
        """Packets dropped because the buffer was full; the host asks for them again."""
        return self._buffer.left_out

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return self._why is not None

    async def open(self, client: BleakClient) -> None:
        """Check that this is a sensor and subscribe. Raises ServiceMissingError or bleak's."""
        self._client = client
        service = client.services.get_service(SERVICE)
        found = {uuid: service and service.get_characteristic(uuid) for uuid in _NEEDED}
        answers, samples, requests = (found[uuid] for uuid in _NEEDED)
        if not answers or not samples or not requests:
            missing = "service" if service is None else "characteristics"
            raise ServiceMissingError(
                f"{self._name} advertises as a legcurl sensor, but has not all of our {missing}. "
                "If it was just updated, switch Bluetooth off and on again, so that the system "
                "forgets what it was; else install this version's firmware on it."
            )
        self._requests = requests
        await client.start_notify(answers, self._hear_answers)
        await client.start_notify(samples, self._hear_samples)

    def dropped(self, _client: BleakClient) -> None:
        """The system says that the connection has ended."""
        self._end("out of range, switched off, or this computer's Bluetooth is")

    async def read(self) -> bytes:
        """Wait for bytes; see Link. What came before a connection was lost is given first."""
        await asyncio.sleep(0)  # reading a full buffer would keep other tasks from running
        while True:
            if chunk := self._buffer.take(READ_BYTES):
                self._stalled = self._buffer.full
                return chunk
            self._check()
            self._arrived.clear()
            await self._arrived.wait()

    async def write(self, packet: bytes) -> None:
        """Send it all; see Link."""
        self._check()
        try:
            async with asyncio.timeout(WRITE_S):
                await until_first(self._send(packet), self._gone.wait())
        except TimeoutError:
            self._end(f"it took no request for {WRITE_S:.0f} s")
        except TROUBLES as error:
            self._end(words_of(error))
        self._check()

    async def close(self) -> None:
        """Disconnect, even if the connection was lost; see Link."""
        self._end("closed")
        self._buffer = ReceiveBuffer()
        client, self._client = self._client, None
        try:
            if client is not None:
                async with asyncio.timeout(DISCONNECT_S):
                    await client.disconnect()
        except TROUBLES as error:
            log.info("%s: the connection did not end as it should: %s", self._name, words_of(error))
        finally:
            if self._lock is not None:
                self._lock.release()

    async def _send(self, packet: bytes) -> None:
        assert self._client is not None, "write() comes after open()"
        assert self._requests is not None
        if self._half_sent:  # an earlier request was cancelled half way: end it
            packet = b"\0" + packet
        self._half_sent = True
        size = self._requests.max_write_without_response_size
        size = min(max(size, PIECE_MIN_BYTES), PIECE_MAX_BYTES)
        for at in range(0, len(packet), size):
            piece = packet[at : at + size]
            await self._client.write_gatt_char(self._requests, piece, response=True)
        self._half_sent = False

    def _hear_answers(self, _from: BleakGATTCharacteristic, piece: bytearray) -> None:
        self._buffer.push_answers(piece)
        self._arrived.set()

    def _hear_samples(self, _from: BleakGATTCharacteristic, piece: bytearray) -> None:
        self._buffer.push_samples(piece)
        self._arrived.set()
        if self._buffer.full and not self._stalled:
            self._stalled = True
            log.warning(
                "%s: its samples are not read, and the buffer is full. The rest stays in its log "
                "until they are.",
                self._name,
            )

    def _end(self, why: str) -> None:
        if self._why is None:
            self._why = why
        self._gone.set()
        self._arrived.set()

    def _check(self) -> None:
        if self._why is None:
            return
        raise LinkLostError(f"The connection to {self._name} was lost: {self._why}.")


_NEEDED = (ANSWERS, SAMPLES, REQUESTS)


def _identity(sighting: Sighting) -> str:
    return sighting.id_tail or sighting.address


def _listed(sightings: list[Sighting]) -> str:
    shown = ", ".join(map(str, sightings[:LISTED]))
    return shown if len(sightings) <= LISTED else f"{shown} and {len(sightings) - LISTED} more"


def _unreachable(who: str, sighting: Sighting, link: BleLink, error: Exception) -> str:
    if link.lost:
        return (
            f"{who} ended the connection at once. Another host was quicker, or it is at the edge "
            f"of what this computer hears ({sighting.rssi} dBm): bring the two closer together."
        )
    return (
        f"{who} was heard with {sighting.rssi} dBm, but no connection came about within "
        f"{CONNECT_S:.0f} s ({words_of(error)}). Bring computer and sensor closer together; if "
        "they are, switch this computer's Bluetooth off and on again."
    )
