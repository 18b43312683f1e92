"""A sensor proves its identity over the radio; the host proves that it may change the sensor.

"Who may" in docs/protocol.md, from the host's side. Over a cable no proof is needed. Over Bluetooth
any device can answer under any name. If this computer has the sensor's key, the sensor proves on
every connection that it has the same one, and its frames are ignored until then. The proof is of
a nonce that was never used, so an overheard proof is worth nothing. Without a key the host reads
what comes, because reading is open to all, and logs that.

The host finds the key by the id that the device claims, and an impostor may claim an id without a
key. So unknown devices are accepted only if no paired sensor is expected: not in the place of a
sensor that has proved its identity to this station, and not under a name or an id of the key ring.
A ring holds no Bluetooth addresses, so a target that is one has only the first protection.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Iterable
from typing import Protocol

from legcurl.errors import ImpostorError, RequestRefusedError, WrongKeyError
from legcurl.protocol.authentication import NONCE_BYTES, authorized_request, key_id, proof
from legcurl.protocol.frame import Answer, Frame, encode_request
from legcurl.protocol.requests import Hello, Op
from legcurl.station.key_ring import PairedSensor
from legcurl.station.request_client import RequestClient

log = logging.getLogger(__name__)

# What the sensor does over the radio only with its key.
CHANGES = frozenset((Op.SETTINGS_PUT, Op.CALIBRATION_PUT, Op.REBOOT, Op.BOOTLOADER))


class Keys(Protocol):
    """The keys of this computer's sensors."""

    def key(self, sensor_id: str) -> bytes | None:
        """The key of that sensor, or None if this computer has none."""
        ...

    def sensors(self) -> Iterable[PairedSensor]:
        """All sensors that this computer has a key for."""
        ...


class PeerAuthentication:
    """For one station. `target` is what its address calls the sensor; empty: any in range."""

    def __init__(self, name: str, keys: Keys, target: str = "") -> None:
        self._name = name
        self._keys = keys
        self._target = target
        self._noted = False
        self._proved: str | None = None  # id of the sensor that last proved itself

    async def check(self, client: RequestClient, hello: Hello) -> None:
        """Return if the sensor has proved its identity, or if no paired sensor is expected.

        Raises WrongKeyError, ImpostorError, and what RequestClient.ask raises.
        """
        key = self._keys.key(hello.sensor_id)
        who = f"{self._name}: sensor {hello.sensor_id} ({hello.name or 'no name'})"
        if key is None:
            expected = self._expected()
            if expected is not None:
                raise ImpostorError(
                    f"{who} answers in the place of sensor {expected}, and this computer has no "
                    "key for it: another device poses as that sensor. Nothing of it was used. If "
                    "you have replaced the board, connect it by USB and run: legcurl pair "
                    "serial:PORT"
                )
            self._note(hello)
            return
        if hello.key_id != key_id(key):
            theirs = f"the key {hello.key_id}" if hello.key_id else "no key"
            raise WrongKeyError(
                f"{who} says it has {theirs}; this computer knows it by {key_id(key)}. It may be "
                "another device under its name. If it was reset or paired elsewhere, connect it "
                "by USB and run: legcurl pair serial:PORT"
            )
        nonce = os.urandom(NONCE_BYTES)
        answer = await client.ask(Op.PROVE, lambda number: encode_request(number, Op.PROVE, nonce))
        expected = proof(key, nonce, hello.boot_id, hello.sensor_id)
        if answer.result != 0 or not hmac.compare_digest(answer.payload, expected):
            raise ImpostorError(
                f"{who} cannot prove that it has its key: another device poses as it. Nothing of "
                "it was used. Look for it, or connect the true sensor by USB."
            )
        self._proved = hello.sensor_id

    async def granted(self, client: RequestClient, hello: Hello, op: Op, payload: bytes) -> Answer:
        """Send a request that changes the sensor. Raises RequestRefusedError without a key."""
        key = self.key_of(hello)
        challenge = await client.granted(
            Op.CHALLENGE, lambda number: encode_request(number, Op.CHALLENGE)
        )
        nonce = challenge.payload
        # Sent once: the first uses the nonce up, so a second would be refused.
        return await client.granted(
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

    def _expected(self) -> str | None:
        """Id of the paired sensor that should answer, if there is one."""
        if self._proved is not None:
            return self._proved
        meant = (sensor for sensor in self._keys.sensors() if sensor.is_meant_by(self._target))
        return next((sensor.sensor_id for sensor in meant), None)

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


class TrustGate:
    """The gate of one connection: open if no proof is needed, else from the proof on."""

    def __init__(self, authentication: PeerAuthentication | None) -> None:
        self.is_open = authentication is None
        self._authentication = authentication
        self._held: list[tuple[Answer, float]] = []  # answers to hello, and when they came

    def admits(self, frame: Frame, received_s: float) -> bool:
        """Whether a frame counts now. Before the proof, hellos wait and the rest is ignored."""
        if not self.is_open and isinstance(frame, Answer):
            self._held.append((frame, received_s))
        return self.is_open

    async def prove(self, client: RequestClient, hello: Hello) -> list[tuple[Answer, float]]:
        """Have the sensor prove its identity; gives the hellos that waited. Raises as `check`."""
        if self._authentication is not None:
            await self._authentication.check(client, hello)
        self.is_open = True
        held, self._held = self._held, []
        return held
