"""`pair`: gives a sensor a key over its cable, and stores it in this computer's key ring."""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import ConfigError, ImpostorError, SensorError, WrongKeyError

if TYPE_CHECKING:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.links.address import Address
    from legcurl.protocol.requests import Hello
    from legcurl.station.key_ring import KeyRing

SCHEMA = 1


@click.command(short_help="Give a sensor its key, over a cable.")
@click.argument("address")
@click.option(
    "--show",
    is_flag=True,
    help="Only show the sensor's key id, and whether this computer has the key.",
)
@click.option("--erase", is_flag=True, help="Erase the key, here and in the sensor.")
@json_option
def pair(address: str, show: bool, erase: bool, as_json: bool) -> None:
    """Pair the sensor at ADDRESS with this computer: make a key, put it there, and keep it here.

    The key goes over a cable only. Afterwards this computer can change the sensor over Bluetooth,
    and detects an impostor. Over Bluetooth, `pair` checks that the sensor has the known key.
    """
    if show and erase:
        raise click.UsageError("Give either --show or --erase.")
    from legcurl.links.address import parse

    run_until_ended(_pair(parse(address), show, erase, as_json))


async def _pair(where: Address, show: bool, erase: bool, as_json: bool) -> None:
    from legcurl.install.checks.monitored_sensor import MonitoredSensor
    from legcurl.links.address import SimAddress
    from legcurl.station.key_ring import KeyRing

    ring = KeyRing()
    async with MonitoredSensor(where) as sensor:
        hello = sensor.hello
        if erase:
            _by_cable_only(sensor, "A key can be erased")
            said = await _erase(sensor, hello, ring)
        elif show or not sensor.wired:
            said = await _verified(sensor, hello, ring)
        else:
            said = await _give(sensor, hello, ring)
        key = ring.key(hello.sensor_id)
        if isinstance(where, SimAddress) and not (show or erase):
            ring.remove(hello.sensor_id)
            said += " The sensor is simulated and ends here, so the key was discarded."
    if as_json:
        write_json(_document(where, hello, key))
    else:
        write_line(said)


async def _give(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    """Store a new key in the ring, then in the sensor, and have the sensor prove it.

    The ring comes first: a key that only the sensor has can be erased by cable only.
    """
    from legcurl.protocol.authentication import key_id
    from legcurl.protocol.requests import Op
    from legcurl.station.key_ring import new_key

    before = ring.key(hello.sensor_id)
    key = new_key()
    ring.put(hello.sensor_id, key, hello.name)
    try:
        answer = await sensor.station.request(Op.KEY_PUT, key)
    except BaseException:
        _put_back(ring, hello, before)
        raise
    if answer.payload.decode("utf-8", "replace") != key_id(key):
        _put_back(ring, hello, before)
        raise SensorError(
            f"{sensor.name}: the sensor reports another key than it was given. Pair it again."
        )
    await _prove(sensor, hello, key)
    was = "" if before is None else " The old key is void."
    return f"{_who(hello)} has the key {key_id(key)}; so has this computer ({ring.path}).{was}"


async def _erase(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    from legcurl.protocol.requests import Op

    await sensor.station.request(Op.KEY_PUT)
    known = ring.remove(hello.sensor_id)
    here = "It was removed from this computer too." if known else "This computer had none for it."
    return f"{_who(hello)} has no key any more. {here}"


async def _verified(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    """Have the sensor prove that it has the known key. Raises WrongKeyError or ImpostorError."""
    from legcurl.install.checks.findings import command
    from legcurl.protocol.authentication import key_id

    key = ring.key(hello.sensor_id)
    by_cable = (
        f"Run: {command('pair', str(sensor.address))}"
        if sensor.wired
        else "Connect it by cable and run: legcurl pair serial:PORT"
    )
    if hello.key_id is None:
        if key is None:
            return f"{_who(hello)} has no key, and neither has this computer for it. {by_cable}"
        raise WrongKeyError(
            f"{_who(hello)} has no key, but this computer has its key {key_id(key)}: it was reset "
            f"or replaced. {by_cable}"
        )
    if key is None:
        return f"{_who(hello)} has the key {hello.key_id}, which this computer lacks. {by_cable}"
    if key_id(key) != hello.key_id:
        raise WrongKeyError(
            f"{_who(hello)} has the key {hello.key_id}, and this computer knows it by "
            f"{key_id(key)}: it was paired elsewhere since. {by_cable}"
        )
    await _prove(sensor, hello, key)
    return f"{_who(hello)} has proved that it has the key {hello.key_id}, which this computer has."


async def _prove(sensor: MonitoredSensor, hello: Hello, key: bytes) -> None:
    """Have the sensor prove its key with a new nonce."""
    from legcurl.protocol.authentication import NONCE_BYTES, proof
    from legcurl.protocol.requests import Op

    nonce = os.urandom(NONCE_BYTES)
    answer = await sensor.station.request(Op.PROVE, nonce)
    expected = proof(key, nonce, sensor.hello.boot_id, hello.sensor_id)
    if not hmac.compare_digest(answer.payload, expected):
        raise ImpostorError(
            f"{_who(hello)} cannot prove that it has its key. If this is your own sensor, connect "
            "it by cable and pair it again."
        )


def _by_cable_only(sensor: MonitoredSensor, what: str) -> None:
    if not sensor.wired:
        raise ConfigError(f"{what} by cable only: connect the sensor and use serial:PORT.")


def _put_back(ring: KeyRing, hello: Hello, before: bytes | None) -> None:
    if before is None:
        ring.remove(hello.sensor_id)
    else:
        ring.put(hello.sensor_id, before, hello.name)


def _who(hello: Hello) -> str:
    return f"{hello.name or 'The sensor'} ({hello.sensor_id})"


def _document(where: Address, hello: Hello, key: bytes | None) -> dict[str, object]:
    from legcurl.protocol.authentication import key_id

    return {
        "schema": SCHEMA,
        "address": str(where),
        "sensor_id": hello.sensor_id,
        "name": hello.name,
        "key_here": None if key is None else key_id(key),
    }
