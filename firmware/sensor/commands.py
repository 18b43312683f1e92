"""Answers the requests of a host: "Requests" in docs/protocol.md.

A request never raises: an error comes back as a result and a message for people, which says what
was wrong and what to do.

One table holds for each op the allowed length of the payload, which is checked before it is
parsed, and the permission. Most requests are answered at once. The handler of one that writes to
flash is a generator of steps; the main loop calls `work`, one step a turn, and the answer is sent
when all is in flash. There is one such job at a time: other changes are answered with "busy".
"""

import json
import sys
from collections import OrderedDict

import machine
from micropython import const

from sensor import FIRMWARE_VERSION, PROTOCOL_MAJOR, PROTOCOL_MINOR, maintenance
from sensor.frame import MAX_BODY
from sensor.trust import KEY_SIZE, MAC_SIZE, NONCE_SIZE, NotAllowed

OK = const(0)
UNKNOWN_OP = const(1)
BAD_REQUEST = const(2)
NOT_ALLOWED = const(3)
BUSY = const(4)
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
CHALLENGE = const(0x0D)
AUTHORIZED = const(0x0E)
PROVE = const(0x0F)
KEY_PUT = const(0x10)
MAINTENANCE = const(0x11)
CRASH_LOG = const(0x12)

# Permissions.
_ALL = const(0)  # every host
_TRUSTED = const(1)  # a host on the cable, or one that has proved that it has the key
_WIRED = const(2)  # a host on the cable

_NOW = 0xFFFFFFFFFFFFFFFF
_MAX_PAYLOAD = MAX_BODY - 3
_CRASH_BYTES = const(1000)
# All settings with every letter of the name escaped take 238 bytes. The limit protects the parser
# from deep nesting (a list takes some 50 bytes of heap).
_MAX_JSON = const(256)


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


class Job:
    """A request in progress; once it is `done`, `result` and `payload` answer it."""

    def __init__(self):
        self.done = False
        self.result = OK
        self.payload = b""

    def end(self, result, payload):
        """This is the answer."""
        self.done = True
        self.result = result
        self.payload = payload


class Commands:
    """Answers requests. `restart` is set when one asks for it: REBOOT, BOOTLOADER, MAINTENANCE."""

    def __init__(
        self,
        identity,
        sampler,
        encoder,
        log,
        clock,
        settings,
        calibration,
        trust,
        health,
        crashes,
        links,
    ):
        self.restart = 0
        self._identity = identity
        self._sampler = sampler
        self._encoder = encoder
        self._log = log
        self._clock = clock
        self._settings = settings
        self._calibration = calibration
        self._trust = trust
        self._health = health
        self._crashes = crashes
        self._links = links
        self._job = None  # the one that writes to flash
        self._steps = iter(())
        # By op: the handler, the shortest and the longest payload, and who may ask.
        self._requests = {
            HELLO: (self._hello, 2, 2, _ALL),
            START: (self._start, 12, 13, _ALL),
            STOP: (self._stop, 0, 0, _ALL),
            PING: (self._ping, 8, 8, _ALL),
            STATISTICS: (self._statistics, 0, 0, _ALL),
            SETTINGS_GET: (self._settings_get, 0, 0, _ALL),
            SETTINGS_PUT: (self._settings_put, 0, _MAX_JSON, _TRUSTED),
            CALIBRATION_GET: (self._calibration_get, 0, 0, _ALL),
            CALIBRATION_PUT: (self._calibration_put, 0, _MAX_JSON, _TRUSTED),
            IDENTIFY: (self._identify, 1, 1, _ALL),
            REBOOT: (self._reboot, 0, 0, _TRUSTED),
            BOOTLOADER: (self._bootloader, 0, 0, _TRUSTED),
            CHALLENGE: (self._challenge, 0, 0, _ALL),
            AUTHORIZED: (self._authorized, MAC_SIZE + 1, MAC_SIZE + 1 + _MAX_JSON, _ALL),
            PROVE: (self._prove, NONCE_SIZE, NONCE_SIZE, _ALL),
            KEY_PUT: (self._key_put, 0, KEY_SIZE, _WIRED),
            MAINTENANCE: (self._maintenance, 0, 0, _WIRED),
            CRASH_LOG: (self._crash_log, 0, 0, _ALL),
        }

    @property
    def busy(self):
        """Whether there is a job for `work`."""
        return self._job is not None

    def begin(self, session, op, payload):
        """Take one request of `session`; returns the Job that holds its answer when it is done."""
        self._health.hear_host()
        job = Job()
        try:
            outcome = self._perform(session, op, payload, session.wired)
        except Exception as error:  # noqa: BLE001 - a request must not stop the samples
            job.end(*_refusal(error))
            return job
        if isinstance(outcome, bytes):
            job.end(OK, outcome)
        else:
            self._job = job
            self._steps = outcome
        return job

    def work(self):
        """Take one step of the job in progress, if there is one."""
        job = self._job
        if job is None:
            return
        try:
            next(self._steps)
        except StopIteration as end:
            job.end(OK, end.value)
        except Exception as error:  # noqa: BLE001 - as above
            job.end(*_refusal(error))
        if job.done:
            self._job = None
            self._steps = iter(())

    def describe(self):
        """Tell the links the sensor's name."""
        for link in self._links:
            link.describe(self._settings.name, self._trust.key_id)

    def apply_settings(self):
        """Begin sampling as the settings say."""
        settings = self._settings
        self._log.set_run_length(settings.rate_hz * settings.frame_ms // 1000)
        self._sampler.start(settings.rate_hz)

    def _perform(self, session, op, payload, trusted):
        """The payload of the answer, or a generator that ends with it."""
        request = self._requests.get(op)
        if request is None:
            raise Refused(UNKNOWN_OP, b"this firmware knows no request 0x%02x" % op)
        handler, shortest, longest, who = request
        if who == _WIRED and not session.wired:
            raise NotAllowed("this goes over the sensor's cable only")
        if who == _TRUSTED and not trusted:
            raise NotAllowed("over the air this takes the sensor's key: see legcurl pair")
        size = len(payload)
        if not shortest <= size <= longest:
            wanted = longest if shortest == longest else "%d to %d" % (shortest, longest)
            raise ValueError("the payload must have %s bytes, not %d" % (wanted, size))
        if (who or op == AUTHORIZED) and self._job is not None:
            raise Refused(BUSY, b"something is being stored: ask again")
        return handler(session, payload)

    def _hello(self, _session, _payload):
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
                            (
                                ("kind", self._encoder.kind),
                                ("counts", self._encoder.counts),
                                ("referenced_by", self._encoder.referenced_by),
                            )
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
                    ("micropython", _micropython()),
                    ("key_id", self._trust.key_id),
                    ("calibration", self._calibration.value),
                )
            )
        )

    def _start(self, session, payload):
        true_id = self._identity.boot_id
        boot_id = int.from_bytes(payload[:4], "little")
        if boot_id not in (0, true_id):
            raise Refused(STALE_BOOT_ID, true_id.to_bytes(4, "little"))
        self._sampler.drain()
        next_index = self._log.next_index
        index = int.from_bytes(payload[4:12], "little")
        if index == _NOW:
            index = next_index
        if index > next_index:
            raise ValueError("start from %d: the next sample is %d" % (index, next_index))
        first = self._log.seek(session.cursor, index)
        session.streaming = True
        prompt_ms = payload[12] if len(payload) > 12 else 0
        session.ahead = max(1, self._settings.rate_hz * prompt_ms // 1000) if prompt_ms else 0
        return (
            true_id.to_bytes(4, "little")
            + first.to_bytes(8, "little")
            + next_index.to_bytes(8, "little")
        )

    def _stop(self, session, _payload):
        session.streaming = False
        return b""

    def _ping(self, _session, payload):
        return bytes(payload) + self._clock.now_us().to_bytes(8, "little")

    def _statistics(self, _session, _payload):
        figures = self._health.figures()
        figures["crashes"] = len(self._crashes)
        figures["broken_records"] = sum(
            part.broken for part in (self._settings, self._calibration, self._trust)
        )
        for link in self._links:
            of_link = link.figures()
            if of_link is not None:
                figures[link.kind] = of_link
        return _json(figures)

    def _settings_get(self, _session, _payload):
        return _json(self._settings.fields())

    def _settings_put(self, _session, payload):
        settings = self._settings
        rate_hz = settings.rate_hz
        yield from settings.change(_parse(payload))
        if settings.rate_hz != rate_hz:
            self._sampler.stop()
            self._log.close_run()
            self.apply_settings()
        else:
            self._log.set_run_length(rate_hz * settings.frame_ms // 1000)
        self.describe()
        return _json(settings.fields())

    def _calibration_get(self, _session, _payload):
        return _json(self._calibration.value)

    def _calibration_put(self, _session, payload):
        yield from self._calibration.change(_parse(payload))
        return _json(self._calibration.value)

    def _identify(self, _session, payload):
        self._health.identify(payload[0])
        return b""

    def _reboot(self, _session, _payload):
        self.restart = REBOOT
        return b""

    def _bootloader(self, _session, _payload):
        if not hasattr(machine, "bootloader"):
            raise ValueError("this board enters its bootloader by its buttons only")
        self.restart = BOOTLOADER
        return b""

    def _challenge(self, session, _payload):
        session.challenge = self._trust.challenge()
        return session.challenge.nonce

    def _authorized(self, session, payload):
        op = payload[MAC_SIZE]
        inner = payload[MAC_SIZE + 1 :]
        self._trust.check(session, payload[:MAC_SIZE], op, inner)
        return self._perform(session, op, inner, True)

    def _prove(self, _session, payload):
        return self._trust.prove(payload, self._identity.boot_id, self._identity.sensor_id)

    def _key_put(self, _session, payload):
        yield from self._trust.change(payload)
        self.describe()
        return (self._trust.key_id or "").encode()

    def _maintenance(self, _session, _payload):
        maintenance.ask()
        self.restart = MAINTENANCE
        return b""

    def _crash_log(self, _session, _payload):
        return self._crashes.tail(_CRASH_BYTES)


def _parse(payload):
    try:
        return json.loads(payload)
    except (ValueError, TypeError, RuntimeError):  # also a list for a key; nested too deep
        raise ValueError("the payload is not JSON") from None


def _json(value):
    text = json.dumps(value).encode()
    if len(text) > _MAX_PAYLOAD:
        raise RuntimeError("the answer does not fit a frame")
    return text


def _micropython():
    return ".".join(str(part) for part in sys.implementation.version[:3])


def _refusal(error):
    """Result and message for what a handler raised."""
    if isinstance(error, Refused):
        return error.result, error.payload
    message = str(error)[:100].encode()
    if isinstance(error, NotAllowed):
        return NOT_ALLOWED, message
    if isinstance(error, ValueError):
        return BAD_REQUEST, message
    if isinstance(error, OSError):
        return STORAGE_FAILED, b"the flash refused: " + message
    return INTERNAL_ERROR, message
