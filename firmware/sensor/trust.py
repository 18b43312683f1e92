"""Authentication: the sensor's key, and the proof that a host has it.

This implements "Who may" in docs/protocol.md. The key comes over the cable and never leaves the
sensor. A host in radio range proves that it has the key by a code (HMAC-SHA256) over its request
and a nonce that the sensor has just drawn for its connection. A nonce is valid once. After a wrong
code the sensor refuses all such requests for a while, on every link and connection, and longer
each time; the cable needs no code.

MicroPython has SHA-256 but no HMAC (RFC 2104).
"""

import os
from hashlib import sha256

from micropython import const

KEY_SIZE = const(32)
NONCE_SIZE = const(16)
MAC_SIZE = const(32)

_BLOCK = const(64)  # of SHA-256, bytes
_KEY_ID_DIGITS = const(8)
_NONCE_LIFE_US = 30_000_000
_FIRST_PENALTY_S = const(1)
_LAST_PENALTY_S = const(64)

_REQUEST = b"legcurl 1 request"
_SENSOR = b"legcurl 1 sensor"


class NotAllowed(Exception):  # noqa: N818 - an answer, not a failure
    """The host lacks the permission; the message says what helps."""


class Challenge:
    """The nonce of one connection."""

    def __init__(self, nonce, expires_us):
        self.nonce = nonce
        self.expires_us = expires_us


class Trust:
    """The sensor's key, or none. `key_id` names it without revealing it."""

    def __init__(self, record, clock, counters):
        self._record = record
        self._clock = clock
        self._counters = counters
        self._key = None
        self.key_id = None
        self._penalty_s = 0
        self._deaf_until_us = 0
        stored = record.load()
        self.broken = record.broken
        if isinstance(stored, str):
            try:
                self._take(bytes.fromhex(stored))
            except ValueError:  # in another firmware's format
                return

    def challenge(self):
        """A fresh Challenge."""
        self._listen()
        return Challenge(os.urandom(NONCE_SIZE), self._clock.now_us() + _NONCE_LIFE_US)

    def check(self, session, mac, op, payload):
        """Return if `mac` proves that the host of `session` has the key, else raise NotAllowed.

        Either way the session's challenge is used up, except while the sensor refuses all.
        """
        self._listen()
        challenge = session.challenge
        session.challenge = None
        if challenge is None:
            raise NotAllowed("ask for a challenge first: each is good for one request")
        if self._clock.now_us() >= challenge.expires_us:
            raise NotAllowed("the challenge has expired: ask for another")
        true_mac = _hmac(self._key, _REQUEST + challenge.nonce + bytes((op,)) + bytes(payload))
        if _same(true_mac, mac):
            self._penalty_s = 0
            return
        self._counters.wrong_keys += 1
        self._penalty_s = min(2 * self._penalty_s, _LAST_PENALTY_S) or _FIRST_PENALTY_S
        self._deaf_until_us = self._clock.now_us() + 1_000_000 * self._penalty_s
        raise NotAllowed("that is not this sensor's key (its key id is %s)" % self.key_id)

    def prove(self, nonce, boot_id, sensor_id):
        """The proof that this sensor has its key."""
        self._need_key()
        told = _SENSOR + bytes(nonce) + boot_id.to_bytes(4, "little") + sensor_id.encode()
        return _hmac(self._key, told)

    def change(self, key):
        """Store and use another key, or none for b"". A generator: one step of flash a turn."""
        if len(key) not in (0, KEY_SIZE):
            raise ValueError("a key has %d bytes, not %d" % (KEY_SIZE, len(key)))
        key = bytes(key) or None
        if key != self._key:
            yield from self._record.store(key and key.hex())
        self._take(key)
        self._penalty_s = 0
        self._deaf_until_us = 0

    def _take(self, key):
        if key is not None and len(key) != KEY_SIZE:
            raise ValueError
        self._key = key
        self.key_id = None if key is None else sha256(key).digest().hex()[:_KEY_ID_DIGITS]

    def _need_key(self):
        if self._key is None:
            raise NotAllowed("this sensor has no key: put one there over its cable (legcurl pair)")

    def _listen(self):
        """Raise NotAllowed without a key, and for a while after a wrong one."""
        self._need_key()
        left_us = self._deaf_until_us - self._clock.now_us()
        if left_us > 0:
            raise NotAllowed("wrong keys were tried: wait %d s" % (left_us // 1_000_000 + 1))


def _hmac(key, message):
    """HMAC-SHA256 of RFC 2104, for a key no longer than a block."""
    padded = key + bytes(_BLOCK - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in padded))
    inner.update(message)
    outer = sha256(bytes(byte ^ 0x5C for byte in padded))
    outer.update(inner.digest())
    return outer.digest()


def _same(expected, got):
    """Whether two codes agree, in a time that does not depend on where they differ."""
    difference = len(expected) ^ len(got)
    for i in range(MAC_SIZE):
        difference |= expected[i] ^ got[i]
    return difference == 0
