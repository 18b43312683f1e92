"""Requests to a sensor and the answers to them: "Requests" in docs/protocol.md.

Builders give the bytes to send. Readers take an Answer whose result is ok and give typed values;
they raise FrameError for a payload that breaks the protocol. `refusal` gives the error of an answer
that is not ok. The station decides when to send a request; this module has no I/O and no clock.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from legcurl.errors import FrameError, RequestRefusedError
from legcurl.protocol.frame import PERIOD_MIN_US, TURN, Answer, encode_request

LOWEST_MAJOR = 1  # the protocol versions that this host speaks
HIGHEST_MAJOR = 1
FROM_NOW = (1 << 64) - 1  # `start`: skip what the log holds
ANY_BOOT = 0  # `start`: the boot that the sensor is in
BOOT_ID_MAX = (1 << 32) - 1
TIME_MAX_US = 1 << 52  # of a sensor's clock: 142 years; later, wall times have no year
INDEX_MAX = (1 << 63) - 1  # of samples: at 1 kHz a sensor needs 300 million years to reach it
INTEGER_DIGITS_MAX = 300  # of JSON: `float` overflows at 309
RATE_MAX_HZ = 1e6 / PERIOD_MIN_US
OLDEST = 0  # `start`: all that the log still holds
PROMPT_SINCE = (1, 1)  # the protocol version whose `start` knows `prompt_ms`


class Op(IntEnum):
    """The requests."""

    HELLO = 0x01
    START = 0x02
    STOP = 0x03
    PING = 0x04
    STATISTICS = 0x05
    SETTINGS_GET = 0x06
    SETTINGS_PUT = 0x07
    CALIBRATION_GET = 0x08
    CALIBRATION_PUT = 0x09
    IDENTIFY = 0x0A
    REBOOT = 0x0B
    BOOTLOADER = 0x0C
    CHALLENGE = 0x0D
    AUTHORIZED = 0x0E
    PROVE = 0x0F
    KEY_PUT = 0x10
    MAINTENANCE = 0x11
    CRASH_LOG = 0x12


class Result(IntEnum):
    """Results of requests. A newer sensor may send others."""

    OK = 0
    UNKNOWN_OP = 1
    BAD_REQUEST = 2
    NOT_ALLOWED = 3
    BUSY = 4
    STALE_BOOT_ID = 5
    STORAGE_FAILED = 6
    INTERNAL_ERROR = 7


@dataclass(frozen=True, slots=True)
class Hello:
    """What a sensor says of itself. With another major version, only the first three are set."""

    protocol: tuple[int, int]
    firmware: str
    sensor_id: str
    boot_id: int = 0
    boot_reason: str = "unknown"
    name: str = ""
    board: str = "unknown"
    encoder: str = "unknown"
    counts: int = 0  # of one turn
    referenced_by: str | None = None  # rest, index; None: by nothing, or unknown
    rate_hz: float = 0.0
    frame_ms: int = 0
    first: int = 0  # oldest index in the log
    next: int = 0  # index of the next sample to be taken
    time_us: int = 0  # the sensor's clock
    timer: str = "unknown"  # "hard": a hardware timer keeps the sampling period; else "soft"
    micropython: str = "unknown"  # version
    key_id: str | None = None  # None: no key, or a firmware without keys
    calibration: tuple[int, int] | None = None  # wire angles at legs straight and fully flexed
    direction: int = 0  # of the lever from one to the other; 0: the shorter way

    @property
    def speaks_ours(self) -> bool:
        """Whether this host speaks the sensor's major version."""
        return LOWEST_MAJOR <= self.protocol[0] <= HIGHEST_MAJOR


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The answer to start: the boot, the first index that is sent, the next that is sampled."""

    boot_id: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to ping: the token that was sent, and the sensor's clock in µs."""

    token: int
    time_us: int


def hello_request(request_id: int) -> bytes:
    """Ask a sensor for its Hello, with the protocol versions that this host speaks."""
    return encode_request(request_id, Op.HELLO, bytes((LOWEST_MAJOR, HIGHEST_MAJOR)))


def start_request(request_id: int, boot_id: int, from_index: int, prompt_ms: int = 0) -> bytes:
    """Ask for the stream from an index on; ANY_BOOT accepts the log of any boot.

    With `prompt_ms` the sensor sends a frame that is not full after that time. Sensors accept it
    since protocol PROMPT_SINCE.
    """
    payload = boot_id.to_bytes(4, "little") + from_index.to_bytes(8, "little")
    if prompt_ms:
        payload += bytes((prompt_ms,))
    return encode_request(request_id, Op.START, payload)


def ping_request(request_id: int, token: int) -> bytes:
    """Ask for the sensor's clock."""
    return encode_request(request_id, Op.PING, token.to_bytes(8, "little"))


def refusal(answer: Answer) -> RequestRefusedError | None:
    """The error of an answer that is not ok; None if it is ok."""
    if answer.result == Result.OK:
        return None
    op = _name_of(Op, answer.op)
    result = _name_of(Result, answer.result)
    reason = ""
    if answer.result != Result.STALE_BOOT_ID and answer.payload:
        reason = f": {answer.payload.decode('utf-8', 'replace')}"
    return RequestRefusedError(f"The sensor refused {op} ({result}){reason}.")


def read_hello(answer: Answer) -> Hello:
    """Read a hello; unknown fields are ignored, invalid optional ones get their defaults."""
    fields = read_json(answer)
    if not isinstance(fields, dict):
        raise FrameError("The sensor's hello is no JSON object.")
    protocol = fields.get("protocol")
    if not (
        isinstance(protocol, list)
        and len(protocol) >= 2
        and all(type(number) is int for number in protocol[:2])
    ):
        raise FrameError("The sensor's hello has no protocol version.")
    hello = Hello(
        protocol=(protocol[0], protocol[1]),
        firmware=_need(fields, "firmware", str),
        sensor_id=_need(fields, "sensor_id", str),
    )
    if not hello.speaks_ours:
        return hello
    boot_id = _need(fields, "boot_id", int)
    if not 0 <= boot_id <= BOOT_ID_MAX:
        raise FrameError(f"The sensor's boot id {boot_id} is none.")
    encoder = _may(fields, "encoder", dict, {})
    log = _may(fields, "log", dict, {})
    return Hello(
        protocol=hello.protocol,
        firmware=hello.firmware,
        sensor_id=hello.sensor_id,
        boot_id=boot_id,
        boot_reason=_may(fields, "boot_reason", str, "unknown"),
        name=_may(fields, "name", str, ""),
        board=_may(fields, "board", str, "unknown"),
        encoder=_may(encoder, "kind", str, "unknown"),
        counts=_whole(encoder, "counts"),
        referenced_by=_may(encoder, "referenced_by", str, "") or None,
        rate_hz=_rate_of(fields.get("rate_hz")),
        frame_ms=_whole(fields, "frame_ms"),
        first=_whole(log, "first"),
        next=_whole(log, "next"),
        time_us=min(_whole(fields, "time_us"), TIME_MAX_US),
        timer=_may(fields, "timer", str, "unknown"),
        micropython=_may(fields, "micropython", str, "unknown"),
        key_id=_may(fields, "key_id", str, "") or None,
        calibration=_calibration_of(fields.get("calibration")),
        direction=_direction_of(fields.get("calibration")),
    )


def read_start(answer: Answer) -> StreamStart:
    """Read an answer to start."""
    payload = answer.payload
    if len(payload) != 20:
        raise FrameError(f"The answer to start has 20 bytes, not {len(payload)}.")
    start = StreamStart(
        boot_id=int.from_bytes(payload[:4], "little"),
        first=int.from_bytes(payload[4:12], "little"),
        next=int.from_bytes(payload[12:], "little"),
    )
    if not start.first <= start.next <= INDEX_MAX:
        raise FrameError(f"The stream cannot start at {start.first} of {start.next} samples.")
    return start


def read_ping(answer: Answer) -> Pong:
    """Read an answer to ping."""
    payload = answer.payload
    if len(payload) != 16:
        raise FrameError(f"The answer to ping has 16 bytes, not {len(payload)}.")
    return Pong(
        token=int.from_bytes(payload[:8], "little"), time_us=int.from_bytes(payload[8:], "little")
    )


def read_json(answer: Answer) -> Any:
    """Read a payload of JSON (hello, statistics, settings, calibration).

    NaN, infinity and integers that `float` cannot hold become None, lone surrogates a question
    mark: later code can neither calculate with them nor encode them.
    """
    try:
        value = _loads(answer.payload)
        if b"\\u" in answer.payload:  # only an escape can hold a lone surrogate
            text = json.dumps(value, ensure_ascii=False)
            value = _loads(text.encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"The sensor's answer is no JSON: {error}.") from error
    return value


def _loads(payload: bytes) -> Any:
    return json.loads(
        payload, parse_int=_integer, parse_float=_finite, parse_constant=lambda _: None
    )


def _integer(text: str) -> int | None:
    return int(text) if len(text) <= INTEGER_DIGITS_MAX else None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_T = TypeVar("_T")


def _need(fields: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FrameError(f"The sensor's hello has no usable field {name!r}.")
    return value


def _may(fields: dict[str, Any], name: str, kind: type[_T], default: _T) -> _T:
    value = fields.get(name)
    return value if isinstance(value, kind) else default


def _whole(fields: dict[str, Any], name: str) -> int:
    """A count or time of at most 64 bits, else 0."""
    value = fields.get(name)
    return value if type(value) is int and 0 <= value < 1 << 64 else 0


def _rate_of(value: Any) -> float:
    if type(value) in (int, float) and 0 < value <= RATE_MAX_HZ:
        return float(value)
    return 0.0


def _calibration_of(record: Any) -> tuple[int, int] | None:
    if not isinstance(record, dict):
        return None
    extended, flexed = record.get("extended_raw"), record.get("flexed_raw")
    if type(extended) is not int or type(flexed) is not int:
        return None
    return (extended, flexed) if 0 <= extended < TURN and 0 <= flexed < TURN else None


def _direction_of(record: Any) -> int:
    direction = record.get("direction") if isinstance(record, dict) else None
    return direction if type(direction) is int and direction in (1, -1) else 0


def _name_of(kind: type[IntEnum], number: int) -> str:
    try:
        return kind(number).name.lower().replace("_", " ")
    except ValueError:
        return f"0x{number:02x}"
