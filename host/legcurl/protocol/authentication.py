"""How a host and a sensor prove to each other that they have the same key: docs/security.md."""

from __future__ import annotations

import hashlib
import hmac

from legcurl.protocol.frame import encode_request
from legcurl.protocol.requests import Op

KEY_BYTES = 32
NONCE_BYTES = 16
KEY_ID_DIGITS = 8
_REQUEST = b"legcurl 1 request"
_SENSOR = b"legcurl 1 sensor"


def key_id(key: bytes) -> str:
    """The public name of a key: the first KEY_ID_DIGITS of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:KEY_ID_DIGITS]


def request_mac(key: bytes, nonce: bytes, op: int, payload: bytes) -> bytes:
    """The HMAC that authorises one request; `nonce` makes it valid once."""
    return _hmac(key, _REQUEST + nonce + bytes((op,)) + payload)


def authorized_request(
    request_id: int, op: Op | int, payload: bytes, key: bytes, nonce: bytes
) -> bytes:
    """A request with its HMAC; `nonce` is the payload of the answer to Op.CHALLENGE."""
    mac = request_mac(key, nonce, op, payload)
    return encode_request(request_id, Op.AUTHORIZED, mac + bytes((op,)) + payload)


def proof(key: bytes, nonce: bytes, boot_id: int, sensor_id: str) -> bytes:
    """The answer to Op.PROVE with `nonce` of a sensor that has the key."""
    return _hmac(key, _SENSOR + nonce + boot_id.to_bytes(4, "little") + sensor_id.encode())


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
