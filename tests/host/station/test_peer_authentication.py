"""An impostor has the sensor's name, its id, and everything that it ever said, but not its key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from fake_bluetooth import FakeBluetooth, Peripheral
from fake_sensor import FakeSensor, decoded, leg_curls, lines, told
from legcurl.errors import ImpostorError, RequestRefusedError, WrongKeyError
from legcurl.events import Event, LinkChanged
from legcurl.links.address import BleAddress
from legcurl.links.ble.link import BleRoute
from legcurl.protocol.authentication import key_id, proof, request_mac
from legcurl.session.sensor_session import SensorSession
from legcurl.station import key_ring
from legcurl.station.event_queue import EventQueue
from legcurl.station.live_feed import LiveFeed
from legcurl.station.peer_authentication import PeerAuthentication
from legcurl.station.station import Station
from live_sensor import HELLO, START, LiveSensor, LoopbackRoute
from timings import LIMIT_S
from virtual_time import in_virtual_time

ANGLES = leg_curls(count=2)
SENSOR_ID = "e66058388317812f"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
SETTINGS_PUT, CHALLENGE, AUTHORIZED, PROVE = 0x07, 0x0D, 0x0E, 0x0F
NOT_ALLOWED = 3


class PairedSensor(LiveSensor):
    """One that has a key, and keeps to "Who may"."""

    def __init__(self, log: FakeSensor, key: bytes = KEY) -> None:
        super().__init__(log, key_id=key_id(key))
        self.key = key
        self.proofs: list[bytes] = []
        self.changed: list[bytes] = []
        self._nonces = 0

    def prove(self, nonce: bytes) -> bytes:
        return proof(self.key, nonce, self.log.boot_id, self.log.sensor_id)

    def _answer(self, number: int, op: int, payload: bytes) -> bytes:
        if op == PROVE and not self.refuses.get(op):
            self.proofs.append(self.prove(payload))
            return self._result(number, op, 0, self.proofs[-1])
        if op == CHALLENGE:
            self._nonces += 1
            return self._result(number, op, 0, self._nonce())
        if op == AUTHORIZED:
            mac, wanted, rest = payload[:32], payload[32], payload[33:]
            if mac != request_mac(self.key, self._nonce(), wanted, rest):
                return self._result(number, op, NOT_ALLOWED, b"that is not this sensor's key")
            self.changed.append(rest)
            return self._result(number, op, 0, rest)
        if op == SETTINGS_PUT:
            return self._result(number, op, NOT_ALLOWED, b"authorized only")
        return super()._answer(number, op, payload)

    def _nonce(self) -> bytes:
        return self._nonces.to_bytes(16, "little")


class Impostor(PairedSensor):
    """It replays what it overheard, and talks before it is asked."""

    def __init__(self, log: FakeSensor, overheard: list[bytes]) -> None:
        super().__init__(log)
        self.overheard = overheard

    def connected(self) -> None:
        super().connected()
        self.output += self.log.boot() + self.log.samples(0, 25)

    def prove(self, nonce: bytes) -> bytes:
        return self.overheard[0]


class Ring:
    """Keys by sensor id; of sensors that had the name `name` when they were paired."""

    name = "Leg curl 1"

    def __init__(self, **keys: bytes) -> None:
        self.keys = keys

    def key(self, sensor_id: str) -> bytes | None:
        return self.keys.get(sensor_id)

    def sensors(self) -> list[key_ring.PairedSensor]:
        return [key_ring.PairedSensor(each, self.name, key) for each, key in self.keys.items()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_FIRST_S", 0.005)
    monkeypatch.setattr("legcurl.concurrency.BACKOFF_MAX_S", 0.02)
    monkeypatch.setattr("legcurl.links.ble.link.SETTLE_S", 0.05)
    monkeypatch.setattr("legcurl.links.ble.adapter.SLICE_S", 0.1)


def leg_curl(sensor: LiveSensor) -> Peripheral:
    return Peripheral("Leg curl 1", "E6:01", sensor=sensor)


def station_on(bluetooth: FakeBluetooth, ring: Ring, target: str = "Leg curl 1") -> Station:
    address = BleAddress(target)
    route = BleRoute(address, scanner=bluetooth.scanner, client=bluetooth.client)
    queue = EventQueue(SensorSession())
    authentication = PeerAuthentication(route.name, ring, target)
    return Station(route.name, LiveFeed(route, queue, authentication=authentication), queue)


async def events_until(station: Station, enough: Callable[[], bool]) -> list[Event]:
    async def stop_then() -> None:
        while not enough():
            await asyncio.sleep(0.01)
        await station.stop()

    async with asyncio.timeout(LIMIT_S), station:
        stopping = asyncio.create_task(stop_then())
        events = [event async for event in station.events()]
        await stopping
    return events


@in_virtual_time
async def test_a_paired_sensor_proves_itself_before_anything_of_it_counts() -> None:
    sensor = PairedSensor(FakeSensor(ANGLES))
    station = station_on(FakeBluetooth(leg_curl(sensor)), Ring(**{SENSOR_ID: KEY}))
    events = await events_until(station, lambda: station.session.next_index == len(ANGLES))
    assert [op for op, _ in sensor.requests][:3] == [HELLO, PROVE, START]
    assert lines(events) == lines(told(decoded(FakeSensor(ANGLES).packets())))


@in_virtual_time
async def test_no_two_proofs_are_asked_for_with_the_same_nonce() -> None:
    sensor = PairedSensor(FakeSensor(ANGLES))
    bluetooth = FakeBluetooth(leg_curl(sensor))
    for _ in range(3):
        async with station_on(bluetooth, Ring(**{SENSOR_ID: KEY})):
            pass
    assert len(set(sensor.proofs)) == 3


@in_virtual_time
async def test_an_impostor_that_replays_a_proof_is_refused_and_named() -> None:
    overheard = [proof(KEY, bytes(16), 77, SENSOR_ID)]
    sensor = Impostor(FakeSensor(ANGLES), overheard)
    station = station_on(FakeBluetooth(leg_curl(sensor)), Ring(**{SENSOR_ID: KEY}))
    with pytest.raises(ImpostorError, match=f"sensor {SENSOR_ID} \\(Leg curl 1\\) cannot prove"):
        async with station:
            pass
    assert station.hello is None
    assert station.session.counts.samples == 0
    assert START not in [op for op, _ in sensor.requests]


@in_virtual_time
async def test_an_impostor_that_refuses_to_prove_itself_is_refused() -> None:
    sensor = PairedSensor(FakeSensor(ANGLES))
    sensor.refuses = {PROVE: [NOT_ALLOWED]}
    with pytest.raises(ImpostorError):
        async with station_on(FakeBluetooth(leg_curl(sensor)), Ring(**{SENSOR_ID: KEY})):
            pass


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["none", "another"])
@in_virtual_time
async def test_a_sensor_with_another_key_or_none_is_refused_and_named(key: bytes | None) -> None:
    log = FakeSensor(ANGLES)
    sensor = LiveSensor(log) if key is None else PairedSensor(log, key)
    with pytest.raises(WrongKeyError) as caught:
        async with station_on(FakeBluetooth(leg_curl(sensor)), Ring(**{SENSOR_ID: KEY})):
            pass
    assert f"sensor {SENSOR_ID} (Leg curl 1)" in str(caught.value)
    assert ("no key" if key is None else key_id(key)) in str(caught.value)
    assert key_id(KEY) in str(caught.value)
    assert "legcurl pair" in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("target", ["Leg curl 1", "leg CURL 1", SENSOR_ID, SENSOR_ID[-4:]])
@in_virtual_time
async def test_an_id_without_a_key_is_no_paired_sensor(target: str) -> None:
    """It answers to the name, and as its id says one that is not on the ring."""
    stranger = LiveSensor(FakeSensor(ANGLES, sensor_id="0123456789abcdef"))
    peripheral = leg_curl(stranger)
    peripheral.id_tail = SENSOR_ID[-8:]
    ring = Ring(**{SENSOR_ID: KEY})
    station = station_on(FakeBluetooth(peripheral), ring, target)
    with pytest.raises(ImpostorError, match=f"0123456789abcdef .* in the place of .*{SENSOR_ID}"):
        async with station:
            pass
    assert station.hello is None
    assert START not in [op for op, _ in stranger.requests]


@in_virtual_time
async def test_an_unpaired_sensor_is_read_beside_a_paired_one() -> None:
    neighbour = LiveSensor(FakeSensor(ANGLES, sensor_id="0123456789abcdef"))
    ring = Ring(**{SENSOR_ID: KEY})
    ring.name = "Leg curl 2"
    async with station_on(FakeBluetooth(leg_curl(neighbour)), ring) as station:
        assert station.hello is not None


@in_virtual_time
async def test_a_board_that_was_replaced_is_taken_once_it_is_paired() -> None:
    ring = Ring(**{SENSOR_ID: KEY})
    board = PairedSensor(FakeSensor(ANGLES, sensor_id="0123456789abcdef"), OTHER_KEY)
    bluetooth = FakeBluetooth(leg_curl(board))
    with pytest.raises(ImpostorError, match="legcurl pair serial:PORT"):
        async with station_on(bluetooth, ring):
            pass
    ring.keys["0123456789abcdef"] = OTHER_KEY
    async with station_on(bluetooth, ring) as station:
        assert station.hello is not None


@pytest.mark.parametrize("claims", [SENSOR_ID, "0123456789abcdef"], ids=["its id", "another"])
@in_virtual_time
async def test_an_impostor_in_mid_set_is_waited_out(claims: str) -> None:
    """It cannot end, spoil or restart the set: that goes on when the true sensor is back."""
    true = PairedSensor(FakeSensor(ANGLES))
    bluetooth = FakeBluetooth(leg_curl(true))
    ring = Ring(**{SENSOR_ID: KEY})
    ring.name = "as it was called when it was paired"
    station = station_on(bluetooth, ring)
    impostor = Impostor(FakeSensor(ANGLES[::-1], boot_id=4711, sensor_id=claims), true.proofs)

    async def interlude() -> None:
        while (station.session.next_index or 0) < 500:
            await asyncio.sleep(0.001)
        peripheral = bluetooth.peripherals[0]
        peripheral.sensor = impostor
        peripheral.drop()
        while [op for op, _ in impostor.requests].count(HELLO) < 3:
            await asyncio.sleep(0.01)
        peripheral.sensor = true
        peripheral.drop()

    trouble = asyncio.create_task(interlude())
    events = await events_until(station, lambda: station.session.next_index == len(ANGLES))
    await trouble
    unbroken = lines(told(decoded(FakeSensor(ANGLES).packets())))
    assert lines(event for event in events if not isinstance(event, LinkChanged)) == unbroken
    assert START not in [op for op, _ in impostor.requests]


@in_virtual_time
async def test_a_sensor_with_an_unknown_key_is_read_with_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sensor = PairedSensor(FakeSensor(ANGLES))
    async with station_on(FakeBluetooth(leg_curl(sensor)), Ring()) as station:
        assert station.hello is not None
    assert "any device could pose as it" in caplog.text
    assert PROVE not in [op for op, _ in sensor.requests]


@in_virtual_time
async def test_changes_go_with_the_key_and_not_without() -> None:
    sensor = PairedSensor(FakeSensor(ANGLES))
    bluetooth = FakeBluetooth(leg_curl(sensor))
    async with station_on(bluetooth, Ring(**{SENSOR_ID: KEY})) as station:
        await station.change_settings(name="Leg curl 2")
        await station.change_settings(rate_hz=200)
        station.require_leave()
    async with station_on(bluetooth, Ring()) as station:
        with pytest.raises(RequestRefusedError, match="legcurl pair serial:"):
            await station.change_settings(name="Mine now")
        with pytest.raises(RequestRefusedError, match="legcurl pair serial:"):
            station.require_leave()
    assert sensor.changed == [b'{"name": "Leg curl 2"}', b'{"rate_hz": 200}']


@in_virtual_time
async def test_an_authorized_request_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its nonce is used up: a repetition would be refused in its place."""
    monkeypatch.setattr("legcurl.station.request_client.REPEAT_S", 0.05)
    sensor = PairedSensor(FakeSensor(ANGLES))
    bluetooth = FakeBluetooth(leg_curl(sensor))
    async with station_on(bluetooth, Ring(**{SENSOR_ID: KEY})) as station:
        sensor.deaf_to = {AUTHORIZED: 1}
        changing = asyncio.create_task(station.change_settings(name="Leg curl 2"))
        while AUTHORIZED not in [op for op, _ in sensor.requests]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # ten times what any other request is repeated after
        changing.cancel()
        await asyncio.wait({changing})
        assert changing.cancelled(), "it still waits for its answer"
    assert [op for op, _ in sensor.requests].count(AUTHORIZED) == 1


@in_virtual_time
async def test_over_a_cable_no_proof_is_asked() -> None:
    sensor = PairedSensor(FakeSensor(ANGLES))
    route = LoopbackRoute(sensor, wired=True)
    queue = EventQueue(SensorSession())
    authentication = PeerAuthentication(route.name, Ring(**{SENSOR_ID: OTHER_KEY}))
    async with Station(
        route.name, LiveFeed(route, queue, authentication=authentication), queue
    ) as station:
        with pytest.raises(RequestRefusedError, match="authorized only"):
            await station.change_settings(name="as the cable's own fake says")
    assert PROVE not in [op for op, _ in sensor.requests]
