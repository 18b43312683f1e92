"""Whether it is our own sensor that answers over the radio, and our leave to change it.

"Who may" in docs/protocol.md, from the host's side. Over a cable there is nothing to ask: who
holds it holds the sensor. Over Bluetooth anybody can answer under any name. A computer that has
the key of a sensor has it prove, on every connection and before anything else of it counts, that
it has the same one: with a nonce that was never used, so that what was overheard proves nothing.
A computer without the key takes what comes, and says so, because reading is open to everybody.

The key is found by the id that the sensor claims. So this shows that what claims to be *this*
sensor is it, not that it is the one that somebody wanted: a neighbour's sensor has an id of its
own, and the address names which one is meant.
"""

from __future__ import annotations

import hmac
import logging
import os
from typing import Protocol

from legcurl.commands import Hello, Op
from legcurl.errors import ImpostorError, RequestRefusedError, WrongKeyError
from legcurl.exchange import Exchange
from legcurl.frame import Answer, encode_request
from legcurl.trust import NONCE_BYTES, authorized_request, key_id, proof

log = logging.getLogger(__name__)

# What the sensor does over the radio only for who has the key.
CHANGES = frozenset((Op.SETTINGS_PUT, Op.CALIBRATION_PUT, Op.REBOOT, Op.BOOTLOADER))


class Keys(Protocol):
    """Where the keys of this computer's sensors are."""

    def key(self, sensor_id: str) -> bytes | None:
        """The key of that sensor, or None if this computer has none."""
        ...


class Guard:
    """Looks after one station's sensor."""

    def __init__(self, name: str, keys: Keys) -> None:
        self._name = name
        self._keys = keys
        self._noted = False

    async def check(self, exchange: Exchange, hello: Hello) -> None:
        """Return if this is the sensor whose key we have, or if we have none for it.

        Raises WrongKeyError or ImpostorError, and what asking may raise.
        """
        key = self._keys.key(hello.sensor_id)
        if key is None:
            self._note(hello)
            return
        who = f"{self._name}: sensor {hello.sensor_id} ({hello.name or 'no name'})"
        if hello.key_id != key_id(key):
            theirs = f"the key {hello.key_id}" if hello.key_id else "no key"
            raise WrongKeyError(
                f"{who} says it has {theirs}; this computer knows it by {key_id(key)}. It may be "
                "another device under its name. If it was reset or paired elsewhere, connect it "
                "by USB and run: legcurl pair serial:PORT"
            )
        nonce = os.urandom(NONCE_BYTES)
        answer = await exchange.ask(
            Op.PROVE, lambda number: encode_request(number, Op.PROVE, nonce)
        )
        expected = proof(key, nonce, hello.boot_id, hello.sensor_id)
        if answer.result != 0 or not hmac.compare_digest(answer.payload, expected):
            raise ImpostorError(
                f"{who} cannot prove that it has its key: another device poses as it. Nothing of "
                "it was used. Look for it, or connect the true sensor by USB."
            )

    async def granted(self, exchange: Exchange, hello: Hello, op: Op, payload: bytes) -> Answer:
        """Have something changed, with the key. Raises RequestRefusedError without one."""
        key = self.key_of(hello)
        challenge = await exchange.granted(
            Op.CHALLENGE, lambda number: encode_request(number, Op.CHALLENGE)
        )
        nonce = challenge.payload
        # Once: the nonce is used up by the first, and a second would be refused in its place.
        return await exchange.granted(
            Op.AUTHORIZED,
            lambda number: authorized_request(number, op, payload, key, nonce),
            repeats=False,
        )

    def key_of(self, hello: Hello) -> bytes:
        """The key with which this sensor may be changed. Raises RequestRefusedError without one."""
        key = self._keys.key(hello.sensor_id)
        if key is None:
            raise RequestRefusedError(
                f"{self._name}: what changes a sensor over Bluetooth needs its key, and this "
                f"computer has none for sensor {hello.sensor_id}. Connect it by USB and run: "
                "legcurl pair serial:PORT"
            )
        return key

    def _note(self, hello: Hello) -> None:
        if self._noted:
            return
        self._noted = True
        if hello.key_id is None:
            log.info("%s has no key yet: any device could pose as it.", self._name)
        else:
            log.warning(
                "%s has a key that this computer does not have, so any device could pose as it. "
                "Connect it by USB and run: legcurl pair serial:PORT",
                self._name,
            )
