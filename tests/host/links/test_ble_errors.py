"""Every way in which Bluetooth can refuse is an error of its own, and says what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)
from fake_bluetooth import FakeBluetooth, FakeClient, Peripheral
from fake_sensor import FakeSensor, leg_curls
from legcurl.errors import (
    AdapterError,
    AdapterNotFoundError,
    AdapterOffError,
    AdapterPermissionError,
    BluetoothServiceError,
    LinkLostError,
    SensorAmbiguousError,
    SensorInUseError,
    SensorNotFoundError,
    SensorUnreachableError,
    ServiceMissingError,
)
from legcurl.links.address import BleAddress
from legcurl.links.ble import errors
from legcurl.links.ble.gatt import ANSWERS, REQUESTS, SAMPLES
from legcurl.links.ble.link import BleLink, BleRoute
from legcurl.links.ble.lock import lock_sensor
from live_sensor import LiveSensor
from virtual_time import in_virtual_time

ANGLES = leg_curls(count=1)
Reason = BleakBluetoothNotAvailableReason


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proves nothing here."""
    for name, seconds in (
        ("LOOK_S", 0.6),
        ("SETTLE_S", 0.1),
        ("SETTLE_ANY_S", 0.15),
        ("FREE_S", 0.2),
        ("CONNECT_S", 0.8),
        ("WRITE_S", 0.3),
    ):
        monkeypatch.setattr(f"legcurl.links.ble.link.{name}", seconds)
    monkeypatch.setattr("legcurl.links.ble.adapter.SLICE_S", 0.1)
    monkeypatch.setattr("legcurl.links.ble.adapter.SWITCH_S", 0.5)
    monkeypatch.setattr("legcurl.links.ble.errors.LINUX", True)
    monkeypatch.setattr("bleak_retry_connector.BLEAK_BACKOFF_TIME", 0.01)


def leg_curl(name: str = "Leg curl 1", address: str = "E6:60:58:38:83:17", **how) -> Peripheral:
    return Peripheral(name, address, sensor=LiveSensor(FakeSensor(ANGLES)), **how)


def route(bluetooth: FakeBluetooth, target: str = "Leg curl 1", adapter: str = "") -> BleRoute:
    address = BleAddress(target, adapter)
    return BleRoute(address, scanner=bluetooth.scanner, client=bluetooth.client)


async def connected(bluetooth: FakeBluetooth, target: str = "Leg curl 1") -> BleLink:
    return await route(bluetooth, target).connect()


def dbus(name: str, *body: str) -> Callable[[], BleakDBusError]:
    return lambda: BleakDBusError(name, list(body))


def unavailable(reason: Reason) -> Callable[[], BleakBluetoothNotAvailableError]:
    return lambda: BleakBluetoothNotAvailableError("as bleak says", reason)


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (unavailable(Reason.NO_BLUETOOTH), AdapterNotFoundError, "by USB"),
        (unavailable(Reason.NO_BLE_CENTRAL_ROLE), AdapterNotFoundError, "Low Energy"),
        (unavailable(Reason.POWERED_OFF), AdapterOffError, "rfkill unblock bluetooth"),
        (unavailable(Reason.DENIED_BY_USER), AdapterPermissionError, "as bleak says"),
        (unavailable(Reason.DENIED_BY_SYSTEM), AdapterPermissionError, "group bluetooth"),
        (unavailable(Reason.DENIED_BY_UNKNOWN), AdapterPermissionError, "group bluetooth"),
        (unavailable(Reason.UNKNOWN), AdapterError, "off and on again"),
        (dbus("org.bluez.Error.NotReady", "Resource Not Ready"), AdapterOffError, "power on"),
        (
            dbus("org.freedesktop.DBus.Error.AccessDenied", "Rejected send message"),
            AdapterPermissionError,
            "Rejected send message",
        ),
        (
            dbus("org.freedesktop.DBus.Error.ServiceUnknown", "The name is not activatable"),
            BluetoothServiceError,
            "systemctl start bluetooth",
        ),
        (
            dbus("org.freedesktop.DBus.Error.Spawn.ChildExited", "exited with status 1"),
            BluetoothServiceError,
            "systemctl start bluetooth",
        ),
        (
            dbus(
                "org.freedesktop.DBus.Error.UnknownObject",
                'Method "SetDiscoveryFilter" on interface "org.bluez.Adapter1" doesn\'t exist',
            ),
            AdapterNotFoundError,
            "unplugged",
        ),
        (
            dbus("org.bluez.Error.InProgress", "Operation already in progress"),
            AdapterError,
            "Another program",
        ),
        (lambda: FileNotFoundError(2, "No such file"), BluetoothServiceError, "/run/dbus"),
        (lambda: ConnectionRefusedError(111, "refused"), BluetoothServiceError, "/run/dbus"),
        (lambda: PermissionError(13, "Permission denied"), AdapterPermissionError, "container"),
        (EOFError, BluetoothServiceError, "systemctl start bluetooth"),
        (lambda: BleakError("Bleak requires BlueZ >= 5.55."), BluetoothServiceError, "too old"),
        (lambda: BleakError("something new"), AdapterError, "something new"),
    ],
)
@in_virtual_time
async def test_unusable_bluetooth_tells_the_cause_and_the_remedy(
    trouble: Callable[[], Exception], kind: type[AdapterError], words: str
) -> None:
    bluetooth = FakeBluetooth(leg_curl())
    bluetooth.scan_fails = [trouble()]
    with pytest.raises(AdapterError) as caught:
        await connected(bluetooth)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert caught.value.exit_code == (4 if kind is AdapterPermissionError else 3)


@in_virtual_time
async def test_an_adapter_that_is_not_there_is_named() -> None:
    bluetooth = FakeBluetooth(leg_curl())
    bluetooth.scan_fails = [BleakError("adapter 'hci7' not found")]
    with pytest.raises(AdapterNotFoundError, match="no Bluetooth adapter hci7"):
        await route(bluetooth, adapter="hci7").connect()


@in_virtual_time
async def test_elsewhere_than_on_linux_the_remedies_are_that_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("legcurl.links.ble.errors.LINUX", False)
    for reason in (Reason.POWERED_OFF, Reason.DENIED_BY_USER):
        error = errors.adapter_trouble(unavailable(reason)(), "")
        assert "ettings" in str(error)
        assert "bluetoothctl" not in str(error)


@in_virtual_time
async def test_an_adapter_that_is_switched_on_again_is_found_by_the_next_attempt() -> None:
    bluetooth = FakeBluetooth(leg_curl())
    bluetooth.scan_fails = [unavailable(Reason.POWERED_OFF)()]
    way = route(bluetooth)
    with pytest.raises(AdapterOffError):
        await way.connect()
    link = await way.connect()
    await link.close()


def test_without_bleak_the_extra_is_named() -> None:
    """In a process of its own: here bleak is installed."""
    script = (
        "import sys; sys.modules['bleak'] = None\n"
        "from legcurl.cli.app import run; sys.exit(run(['watch', 'ble:Leg curl 1']))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 3
    assert "pip install 'legcurl[ble]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@in_virtual_time
async def test_a_sensor_that_is_not_there_is_told_with_what_was_heard_instead() -> None:
    bluetooth = FakeBluetooth(leg_curl("Leg curl 2", rssi=-71), leg_curl("", "E6:00", rssi=-90))
    with pytest.raises(SensorNotFoundError) as caught:
        await connected(bluetooth)
    assert "Leg curl 2 (E6:60:58:38:83:17, -71 dBm)" in str(caught.value)
    assert "no name (E6:00, -90 dBm)" in str(caught.value)


@in_virtual_time
async def test_a_gym_without_sensors_is_told() -> None:
    with pytest.raises(SensorNotFoundError, match="no legcurl sensor at all"):
        await connected(FakeBluetooth())


@pytest.mark.parametrize(
    "target",
    [
        *("Leg curl 1", "leg CURL 1", "E6:60:58:38:83:17", "e6:60:58:38:83:17"),
        *("8317812f", "812F", "e66058388317812f", ""),
    ],
)
@in_virtual_time
async def test_a_sensor_is_found_by_name_address_or_the_end_of_its_id(target: str) -> None:
    others = [leg_curl("Leg curl 2", "E6:60:58:38:83:18", id_tail="00000002")]
    bluetooth = FakeBluetooth(leg_curl(), *(others if target else []))
    link = await connected(bluetooth, target)
    assert bluetooth.peripherals[0].central is not None
    await link.close()
    assert bluetooth.peripherals[0].central is None


@in_virtual_time
async def test_a_long_name_is_found_though_its_end_is_not_advertised() -> None:
    bluetooth = FakeBluetooth(leg_curl("Beinbeuger liegend, zweite R"))
    link = await connected(bluetooth, "Beinbeuger liegend, zweite Reihe")
    await link.close()


@in_virtual_time
async def test_a_short_name_is_not_taken_for_the_beginning_of_a_long_one() -> None:
    with pytest.raises(SensorNotFoundError):
        await connected(FakeBluetooth(leg_curl("Leg curl 1")), "Leg curl 12")


@pytest.mark.parametrize("target", ["Leg curl", ""])
@in_virtual_time
async def test_an_ambiguous_address_lists_both_sensors(target: str) -> None:
    bluetooth = FakeBluetooth(
        leg_curl("Leg curl", "E6:01", id_tail="00000001"),
        leg_curl("Leg curl", "E6:02", id_tail="00000002", in_use=True),
    )
    with pytest.raises(SensorAmbiguousError) as caught:
        await connected(bluetooth, target)
    assert "E6:01" in str(caught.value)
    assert "E6:02, -60 dBm, in use" in str(caught.value)
    assert not any(peripheral.connections for peripheral in bluetooth.peripherals)


@in_virtual_time
async def test_later_connections_go_to_the_first_sensor() -> None:
    """Though another is in range by then, and though the first is not."""
    first = leg_curl("Leg curl", "E6:01", id_tail="00000001")
    other = leg_curl("Leg curl", "E6:02", id_tail="00000002", silent=True)
    bluetooth = FakeBluetooth(first, other)
    way = route(bluetooth, "")
    await (await way.connect()).close()
    other.silent = False
    await (await way.connect()).close()
    first.silent = True
    with pytest.raises(SensorNotFoundError):
        await way.connect()
    assert (first.connections, other.connections) == (2, 0)


@in_virtual_time
async def test_a_sensor_in_use_is_waited_for_a_moment() -> None:
    """Its host may be this one, which has lost it without the sensor knowing yet."""
    sensor = leg_curl(in_use=True)
    bluetooth = FakeBluetooth(sensor)
    asyncio.get_running_loop().call_later(0.1, setattr, sensor, "in_use", False)
    link = await connected(bluetooth)
    await link.close()


@in_virtual_time
async def test_a_sensor_of_another_host_is_left_alone() -> None:
    bluetooth = FakeBluetooth(leg_curl(in_use=True))
    with pytest.raises(SensorInUseError, match="another host"):
        await connected(bluetooth)
    assert bluetooth.most_connecting == 0


@in_virtual_time
async def test_a_second_legcurl_on_this_computer_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    """BlueZ would let it share the connection. This one has the system's own Bluetooth."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    bluetooth = FakeBluetooth(leg_curl())
    monkeypatch.setattr(
        "bleak.get_platform_scanner_backend_type", lambda: (bluetooth.scanner, "fake")
    )
    monkeypatch.setattr(
        "bleak.get_platform_client_backend_type", lambda: (bluetooth.client, "fake")
    )
    link = await BleRoute(BleAddress("Leg curl 1")).connect()
    script = (
        "import sys; from legcurl.links.ble.lock import lock_sensor;"
        "lock_sensor(sys.argv[1], name='Leg curl')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "E6:60:58:38:83:17"], capture_output=True, text=True
    )
    assert "another legcurl on this computer" in ended.stderr
    await link.close()
    lock_sensor("E6:60:58:38:83:17", name="Leg curl").release()


@in_virtual_time
async def test_a_sensor_out_of_range_is_told_with_its_strength() -> None:
    sensor = leg_curl(rssi=-93, connect_fails=[BleakError("failed"), BleakError("failed again")])
    bluetooth = FakeBluetooth(sensor)
    with pytest.raises(SensorUnreachableError, match=r"-93 dBm.*failed again"):
        await connected(bluetooth)


@in_virtual_time
async def test_a_connection_that_fails_once_is_tried_again() -> None:
    bluetooth = FakeBluetooth(leg_curl(connect_fails=[BleakError("le-connection-abort-by-local")]))
    link = await connected(bluetooth)
    await link.close()


@in_virtual_time
async def test_an_adapter_that_goes_while_connecting_is_named() -> None:
    fails = [BleakDBusError("org.bluez.Error.NotReady", ["Resource Not Ready"]) for _ in range(2)]
    bluetooth = FakeBluetooth(leg_curl(connect_fails=list(fails)))
    with pytest.raises(AdapterOffError):
        await connected(bluetooth)


@in_virtual_time
async def test_a_connection_that_hangs_is_given_up() -> None:
    bluetooth = FakeBluetooth(leg_curl(connect_hangs=True))
    with pytest.raises(SensorUnreachableError, match="no answer in time"):
        await connected(bluetooth)


@in_virtual_time
async def test_a_sensor_that_ends_the_connection_at_once_is_told_so() -> None:
    """As one does that took another host in the same moment."""
    bluetooth = FakeBluetooth(leg_curl(drops_at_once=True))
    with pytest.raises(SensorUnreachableError, match="at once"):
        await connected(bluetooth)


@pytest.mark.parametrize(
    ("table", "words"), [((), "our service"), ((ANSWERS, REQUESTS), "our characteristics")]
)
@in_virtual_time
async def test_a_table_without_our_service_is_told(table: tuple[str, ...], words: str) -> None:
    bluetooth = FakeBluetooth(leg_curl(table=table))
    with pytest.raises(ServiceMissingError, match=words):
        await connected(bluetooth)
    assert bluetooth.peripherals[0].central is None


@in_virtual_time
async def test_a_table_that_was_only_remembered_is_read_again() -> None:
    sensor = leg_curl(table=())
    bluetooth = FakeBluetooth(sensor)

    class Forgetful(FakeClient):
        system = bluetooth

        async def disconnect(self) -> None:
            sensor.table = (ANSWERS, SAMPLES, REQUESTS)
            await super().disconnect()

    bluetooth.client = Forgetful
    link = await connected(bluetooth)
    assert sensor.connections == 2
    await link.close()


@in_virtual_time
async def test_a_lost_connection_is_told_to_readers_and_writers() -> None:
    bluetooth = FakeBluetooth(leg_curl())
    link = await connected(bluetooth)
    bluetooth.peripherals[0].drop()
    with pytest.raises(LinkLostError, match="Leg curl 1 was lost"):
        await link.read()
    with pytest.raises(LinkLostError):
        await link.write(b"\x01\x00")
    await link.close()


@in_virtual_time
async def test_every_lost_connection_is_followed_by_a_disconnect() -> None:
    """Without it BlueZ delivers every notification of the next connection twice."""
    bluetooth = FakeBluetooth(leg_curl())
    link = await connected(bluetooth)
    bluetooth.peripherals[0].drop()
    assert bluetooth.disconnects == 0
    await link.close()
    assert bluetooth.disconnects == 1
    await link.close()


@in_virtual_time
async def test_a_write_that_hangs_ends_the_link_in_time() -> None:
    bluetooth = FakeBluetooth(leg_curl())
    link = await connected(bluetooth)
    bluetooth.peripherals[0].writes_hang = True
    with pytest.raises(LinkLostError, match="took no request"):
        await link.write(b"\x01\x00")
    await link.close()
    assert bluetooth.peripherals[0].central is None


@in_virtual_time
async def test_a_write_ends_with_the_connection() -> None:
    """BlueZ would fail it half a minute later."""
    bluetooth = FakeBluetooth(leg_curl())
    link = await connected(bluetooth)
    bluetooth.peripherals[0].writes_hang = True
    asyncio.get_running_loop().call_later(0.05, bluetooth.peripherals[0].drop)
    with pytest.raises(LinkLostError, match="out of range"):
        await link.write(b"\x01\x00")
    await link.close()


@in_virtual_time
async def test_a_request_that_was_given_up_half_way_does_not_spoil_the_next() -> None:
    bluetooth = FakeBluetooth(leg_curl(mtu=23))
    link = await connected(bluetooth)
    writing = asyncio.ensure_future(link.write(b"\x55" * 100 + b"\x00"))
    while not bluetooth.writes:
        await asyncio.sleep(0.001)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    sent = len(bluetooth.writes)
    bluetooth.peripherals[0].sensor = None
    await link.write(b"\x02\x33\x00")
    assert b"".join(bluetooth.writes[sent:]) == b"\x00\x02\x33\x00"
    await link.close()


@in_virtual_time
async def test_a_scan_that_will_not_stop_costs_nothing() -> None:
    bluetooth = FakeBluetooth(leg_curl())
    bluetooth.stop_fails = [BleakDBusError("org.bluez.Error.InProgress", ["in progress"])]
    link = await connected(bluetooth)
    await link.close()
