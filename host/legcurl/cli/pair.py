"""`pair`: give a sensor a key over its cable, and keep that key on this computer's ring."""

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
@click.option("--show", is_flag=True, help="Only say which key the sensor has, and whether we do.")
@click.option("--erase", is_flag=True, help="Take the key away, here and from the sensor.")
@json_option
def pair(address: str, show: bool, erase: bool, as_json: bool) -> None:
    """Pair the sensor at ADDRESS with this computer: make a key, put it there, and keep it here.

    The key goes over a cable only. Afterwards this computer can change the sensor over Bluetooth,
    and knows an impostor. Over Bluetooth, `pair` makes sure that the sensor has the key we know.
    """
    if show and erase:
        raise click.UsageError("--show changes nothing and --erase does: give one of them.")
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
            _by_cable_only(sensor, "A key is taken away")
            said = await _erase(sensor, hello, ring)
        elif show or not sensor.wired:
            said = await _verified(sensor, hello, ring)
        else:
            said = await _give(sensor, hello, ring)
        key = ring.key(hello.sensor_id)
        if isinstance(where, SimAddress) and not (show or erase):
            ring.remove(hello.sensor_id)
            said += " It is simulated and ends here, so the key was thrown away."
    if as_json:
        write_json(_document(where, hello, key))
    else:
        write_line(said)


async def _give(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    """Make a key, put it on the ring, then into the sensor, and have that prove it.

    On the ring first: a key that only the sensor has would have to be taken away by cable.
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
        raise SensorError(f"{sensor.name}: the sensor took a key and names another. Pair it again.")
    await _make_sure(sensor, hello, key)
    was = "" if before is None else " The key from before is void."
    return f"{_who(hello)} has the key {key_id(key)}; so has this computer ({ring.path}).{was}"


async def _erase(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    from legcurl.protocol.requests import Op

    await sensor.station.request(Op.KEY_PUT)
    known = ring.remove(hello.sensor_id)
    here = "It was removed from this computer too." if known else "This computer had none for it."
    return f"{_who(hello)} has no key any more. {here}"


async def _verified(sensor: MonitoredSensor, hello: Hello, ring: KeyRing) -> str:
    """Have the sensor prove that it has the key we know; raises if it has another."""
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
            f"{_who(hello)} has no key, and this computer knows it by {key_id(key)}: it was reset, "
            f"or it is another. {by_cable}"
        )
    if key is None:
        return f"{_who(hello)} has the key {hello.key_id}, which this computer lacks. {by_cable}"
    if key_id(key) != hello.key_id:
        raise WrongKeyError(
            f"{_who(hello)} has the key {hello.key_id}, and this computer knows it by "
            f"{key_id(key)}: it was paired elsewhere since. {by_cable}"
        )
    await _make_sure(sensor, hello, key)
    return f"{_who(hello)} has proved that it has the key {hello.key_id}, which this computer has."


async def _make_sure(sensor: MonitoredSensor, hello: Hello, key: bytes) -> None:
    """Let the sensor prove itself against a nonce that was never used."""
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
