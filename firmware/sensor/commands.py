"""Requests: what a host may ask, and what it is answered. See "Requests" in docs/protocol.md.

A request never raises: whatever is wrong with it comes back as a result and a message. The
message is for a person, so it says what was wrong.
"""

import gc
import json
from collections import OrderedDict

from micropython import const

from sensor import FIRMWARE_VERSION, PROTOCOL_MAJOR, PROTOCOL_MINOR
from sensor.frame import MAX_BODY

OK = const(0)
UNKNOWN_OP = const(1)
BAD_REQUEST = const(2)
STALE_BOOT_ID = const(5)
STORAGE_FAILED = const(6)
INTERNAL_ERROR = const(7)

HELLO = const(0x01)
START = const(0x02)
STOP = const(0x03)
PING = const(0x04)
STATISTICS = const(0x05)
SETTINGS_GET = const(0x06)
SETTINGS_PUT = const(0x07)
CALIBRATION_GET = const(0x08)
CALIBRATION_PUT = const(0x09)
IDENTIFY = const(0x0A)
REBOOT = const(0x0B)
BOOTLOADER = const(0x0C)

_NOW = 0xFFFFFFFFFFFFFFFF
_MAX_PAYLOAD = MAX_BODY - 3


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is answered with a result other than ok."""

    def __init__(self, result, payload):
        super().__init__(result)
        self.result = result
        self.payload = payload


class Identity:
    """What a sensor is, from one start to the next."""

    def __init__(self, board, sensor_id, boot_id, boot_reason):
        self.board = board
        self.sensor_id = sensor_id
        self.boot_id = boot_id
        self.boot_reason = boot_reason


class Commands:
    """Answers requests. `restart` is set when one asks for it: REBOOT or BOOTLOADER."""

    def __init__(
        self, identity, sampler, encoder, log, clock, settings, calibration, health, counters
    ):
        self.restart = 0
        self._identity = identity
        self._sampler = sampler
        self._encoder = encoder
        self._log = log
        self._clock = clock
        self._settings = settings
        self._calibration = calibration
        self._health = health
        self._counters = counters
        self._handlers = {
            HELLO: self._hello,
            START: self._start,
            STOP: self._stop,
            PING: self._ping,
            STATISTICS: self._statistics,
            SETTINGS_GET: self._settings_get,
            SETTINGS_PUT: self._settings_put,
            CALIBRATION_GET: self._calibration_get,
            CALIBRATION_PUT: self._calibration_put,
            IDENTIFY: self._identify,
            REBOOT: self._reboot,
            BOOTLOADER: self._bootloader,
        }

    def answer(self, session, op, payload):
        """The result and payload of the answer to one request of `session`."""
        handler = self._handlers.get(op)
        if handler is None:
            return UNKNOWN_OP, b"this firmware knows no request 0x%02x" % op
        try:
            answer = handler(session, payload)
        except Refused as refused:
            return refused.result, refused.payload
        except ValueError as error:
            return BAD_REQUEST, _message(error)
        except OSError as error:
            return STORAGE_FAILED, b"the flash refused: " + _message(error)
        except Exception as error:  # noqa: BLE001 - a request must not stop the samples
            return INTERNAL_ERROR, _message(error)
        return OK, answer

    def apply_settings(self):
        """Begin sampling as the settings say."""
        settings = self._settings
        self._log.set_run_length(settings.rate_hz * settings.frame_ms // 1000)
        self._sampler.start(settings.rate_hz)

    def _hello(self, _session, payload):
        _expect(payload, 2)
        identity = self._identity
        log = self._log
        self._sampler.drain()
        return _json(
            OrderedDict(
                (
                    ("protocol", (PROTOCOL_MAJOR, PROTOCOL_MINOR)),
                    ("firmware", FIRMWARE_VERSION),
                    ("board", identity.board),
                    ("sensor_id", identity.sensor_id),
                    ("boot_id", identity.boot_id),
                    ("boot_reason", identity.boot_reason),
                    ("name", self._settings.name),
                    (
                        "encoder",
                        OrderedDict(
                            (("kind", self._encoder.kind), ("counts", self._encoder.counts))
                        ),
                    ),
                    ("rate_hz", self._settings.rate_hz),
                    ("frame_ms", self._settings.frame_ms),
                    (
                        "log",
                        OrderedDict(
                            (
                                ("first", log.first_index),
                                ("next", log.next_index),
                                ("bytes", log.size),
                            )
                        ),
                    ),
                    ("time_us", self._clock.now_us()),
                    ("timer", "hard" if self._sampler.hard else "soft"),
                    ("calibration", self._calibration.value),
                )
            )
        )

    def _start(self, session, payload):
        _expect(payload, 12)
        true_id = self._identity.boot_id
        boot_id = int.from_bytes(payload[:4], "little")
        if boot_id not in (0, true_id):
            raise Refused(STALE_BOOT_ID, true_id.to_bytes(4, "little"))
        self._sampler.drain()
        next_index = self._log.next_index
        index = int.from_bytes(payload[4:], "little")
        if index == _NOW:
            index = next_index
        if index > next_index:
            raise ValueError("start from %d: the next sample is %d" % (index, next_index))
        first = self._log.seek(session.cursor, index)
        session.streaming = True
        return (
            true_id.to_bytes(4, "little")
            + first.to_bytes(8, "little")
            + next_index.to_bytes(8, "little")
        )

    def _stop(self, session, payload):
        _expect(payload, 0)
        session.streaming = False
        return b""

    def _ping(self, _session, payload):
        _expect(payload, 8)
        return bytes(payload) + self._clock.now_us().to_bytes(8, "little")

    def _statistics(self, _session, payload):
        _expect(payload, 0)
        counters = self._counters
        return _json(
            OrderedDict(
                (
                    ("uptime_ms", self._clock.now_us() // 1000),
                    ("samples", counters.samples),
                    ("missed_ticks", counters.missed_ticks),
                    ("ring_overruns", counters.ring_overruns),
                    ("evicted", counters.evicted),
                    ("bus_errors", counters.bus_errors),
                    ("magnet_faults", counters.magnet_faults),
                    ("frames_sent", counters.frames_sent),
                    ("frames_deferred", counters.frames_deferred),
                    ("bytes_received", counters.bytes_received),
                    ("bad_frames", counters.bad_frames),
                    ("requests", counters.requests),
                    ("free_heap", gc.mem_free()),
                    ("loop_max_us", counters.loop_max_us),
                )
            )
        )

    def _settings_get(self, _session, payload):
        _expect(payload, 0)
        return _json(self._settings.fields())

    def _settings_put(self, _session, payload):
        settings = self._settings
        rate_hz = settings.rate_hz
        settings.change(_parse(payload))
        if settings.rate_hz != rate_hz:
            self._sampler.stop()
            self._log.close_run()
            self.apply_settings()
        else:
            self._log.set_run_length(rate_hz * settings.frame_ms // 1000)
        return _json(settings.fields())

    def _calibration_get(self, _session, payload):
        _expect(payload, 0)
        return _json(self._calibration.value)

    def _calibration_put(self, _session, payload):
        self._calibration.change(_parse(payload))
        return _json(self._calibration.value)

    def _identify(self, _session, payload):
        _expect(payload, 1)
        self._health.identify(payload[0])
        return b""

    def _reboot(self, _session, payload):
        _expect(payload, 0)
        self.restart = REBOOT
        return b""

    def _bootloader(self, _session, payload):
        _expect(payload, 0)
        self.restart = BOOTLOADER
        return b""


def _expect(payload, length):
    if len(payload) != length:
        raise ValueError("the payload must have %d bytes, not %d" % (length, len(payload)))


def _parse(payload):
    try:
        return json.loads(payload)
    except (ValueError, RuntimeError):  # CPython: nested too deep
        raise ValueError("the payload is not JSON") from None


def _json(value):
    text = json.dumps(value).encode()
    if len(text) > _MAX_PAYLOAD:
        raise RuntimeError("the answer does not fit a frame")
    return text


def _message(error):
    return str(error)[:60].encode()
