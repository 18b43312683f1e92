"""A whole sensor on a bench: wired as in main.py, with hosts at the other ends of its links."""

import struct

import sensor.links.usb as usb
import wire_reference
from board_port import BoardPort
from flash_chip import Flash, use
from sensor.anglelog import AngleLog
from sensor.clock import SensorClock
from sensor.commands import Commands, Identity
from sensor.crash import CrashLog
from sensor.health import Counters, Health, Watchdog
from sensor.light import Light
from sensor.loop import Loop
from sensor.sampler import Sampler
from sensor.session import HostSession
from sensor.settings import CalibrationRecord, FlashRecord, Settings
from sensor.trust import Trust
from simclock import clock
from wire_reference import ANSWER, GAP, SAMPLES, request

BOOT_ID = 2881903541
SENSOR_ID = "e66058388317812f"
NOW = (1 << 64) - 1
EVICTED, PAUSED = 1, 3

HELLO, START, STOP, PING, STATISTICS = 0x01, 0x02, 0x03, 0x04, 0x05
SETTINGS_GET, SETTINGS_PUT, CALIBRATION_GET, CALIBRATION_PUT = 0x06, 0x07, 0x08, 0x09
IDENTIFY, REBOOT, BOOTLOADER, CHALLENGE, AUTHORIZED = 0x0A, 0x0B, 0x0C, 0x0D, 0x0E
PROVE, KEY_PUT, MAINTENANCE, CRASH_LOG = 0x0F, 0x10, 0x11, 0x12

OK, UNKNOWN_OP, BAD_REQUEST, NOT_ALLOWED, BUSY = 0, 1, 2, 3, 4
STALE_BOOT_ID, STORAGE_FAILED, INTERNAL_ERROR = 5, 6, 7


class Ramp:
    """An encoder whose angle is a function of the sample's number, so that none can go astray."""

    kind = "ramp"
    counts = 4096
    shift = 4
    referenced_by = None

    def __init__(self):
        self.angle = 0
        self.status = 0
        self.number = -1
        self.agc = None
        self.slips = 0
        self.magnitude = None
        self.looks = 0

    def read(self):
        self.number += 1
        self.angle = self.number * 48 % 65536

    def look(self):
        self.looks += 1

    def recover(self):
        pass


class AirLink:
    """A link without a wire: whoever is in range may connect. Takes so many bytes at a time."""

    kind = "air"
    wired = False

    def __init__(self, mtu=20):
        self.hung_up = True
        self.connection = 0
        self.incoming = bytearray()
        self.heard = bytearray()
        self.described = None
        self.open = True  # there is room for bytes
        self._mtu = mtu
        self._taken = 0

    def connect(self):
        """Another host is there."""
        self.connection += 1
        self.hung_up = False
        self.incoming = bytearray()
        self.heard = bytearray()
        self._taken = 0

    def disconnect(self):
        self.hung_up = True

    def tend(self):
        pass

    def close(self):
        self.hung_up = True

    def hear(self):
        pass

    def begin(self, frame_type):
        pass

    def want_output(self, wanted):
        pass

    def describe(self, name, key_id):
        self.described = (name, key_id)

    def figures(self):
        return {"connections": self.connection}

    def read_byte(self):
        if self._taken == len(self.incoming):
            return -1
        self._taken += 1
        return self.incoming[self._taken - 1]

    def write(self, view):
        if self.hung_up or not self.open:
            return 0
        piece = bytes(view[: self._mtu])
        self.heard.extend(piece)
        return len(piece)


class Sensor:
    """One start of the sensor; `run` runs its main loop for so long.

    With `flash`, what another one has stored; `air` is its link without a wire.
    """

    def __init__(self, log_bytes=98_304, flash=None, encoder=None):
        clock.set_pace("fast")
        clock.frozen = False
        clock._timers.clear()
        clock.now = clock.booted = 0
        self.flash = use(flash or Flash(False))
        self.port = BoardPort()
        usb.sys = usb.select = self.port
        self.air = AirLink()
        self.encoder = encoder or Ramp()
        self.counters = Counters()
        self.clock = SensorClock()
        self.settings = Settings(FlashRecord("settings"))
        self.calibration = CalibrationRecord(FlashRecord("calibration"))
        self.trust = Trust(FlashRecord("key", keep_previous=False), self.clock, self.counters)
        self.log = AngleLog(log_bytes, 4, self.counters)
        self.sampler = Sampler(self.encoder, self.clock, self.log, self.counters)
        self.light = Light()
        self.watchdog = Watchdog()
        self.health = Health(self.light, self.watchdog, self.encoder, self.clock, self.counters)
        self.crashes = CrashLog()
        self.link = usb.UsbLink()
        self.links = [self.link, self.air]
        self.commands = Commands(
            Identity("bench", SENSOR_ID, BOOT_ID, "power_on"),
            self.sampler,
            self.encoder,
            self.log,
            self.clock,
            self.settings,
            self.calibration,
            self.trust,
            self.health,
            self.crashes,
            self.links,
        )
        self.sessions = [
            HostSession(link, self.log, self.commands, self.counters, BOOT_ID)
            for link in self.links
        ]
        self.session = self.sessions[0]
        self.loop = Loop(
            self.sampler,
            self.log,
            self.sessions,
            self.links,
            self.link,
            self.commands,
            self.health,
            self.counters,
        )
        self.commands.describe()
        for session in self.sessions:
            session.announce()
        self.commands.apply_settings()

    def run(self, ms):
        """Let the main loop run for so long."""
        stop = Stop(clock.now + 1000 * ms, self.commands)
        clock.add_timer(stop)
        self.loop.run()
        clock.remove_timer(stop)
        if self.commands.restart == Stop.reason:
            self.commands.restart = 0
        self.port.drain()

    def ask(self, op, payload=b"", number=1):
        """Result and payload of one request over the cable."""
        self.port.incoming.extend(request(number, op, payload))
        before = len(self.port.heard)
        self.run(20)
        return self._answer(self.port.heard[before:], op, number)

    def ask_by_air(self, op, payload=b"", number=1):
        """Result and payload of one request of whoever is connected without a wire."""
        self.air.incoming.extend(request(number, op, payload))
        before = len(self.air.heard)
        self.run(50)
        return self._answer(self.air.heard[before:], op, number)

    def start(self, index, boot_id=0, prompt_ms=None):
        tail = b"" if prompt_ms is None else bytes((prompt_ms,))
        return self.ask(START, struct.pack("<IQ", boot_id, index) + tail)

    def stream(self):
        """All that the host heard of the log so far: (index, what), in order of arrival."""
        entries, self.bad = entries_of(self.port.heard)
        return entries

    def check_stream(self, first=0):
        """Every sample from `first` on was heard once, and is right."""
        return check_entries(self.stream(), first)

    def _answer(self, heard, op, number):
        frames, bad = wire_reference.frames(heard)
        answers = [body for kind, body in frames if kind == ANSWER]
        assert len(answers) == 1, (len(answers), bad)
        assert answers[0][:2] == bytes((number, op))
        return answers[0][2], answers[0][3:]


class Stop:
    """A timer that ends the main loop at the end of its turn."""

    reason = -1

    def __init__(self, due, commands):
        self.due = due
        self._commands = commands

    def fire(self):
        clock.remove_timer(self)
        self._commands.restart = Stop.reason


def entries_of(heard):
    """(index, what) of every sample and gap in a stream, and how many packets were bad."""
    frames, bad = wire_reference.frames(heard)
    entries = []
    for kind, body in frames:
        if kind in (GAP, SAMPLES):
            entries.extend(wire_reference.entries(kind, body))
    return entries, bad


def check_entries(entries, first=0):
    """How many samples there are; each from `first` on, once, and as the ramp gives it."""
    for i, entry in enumerate(entries):
        index = first + i
        assert entry == (index, ((index + 1) * 10_000, index * 48 % 65536, 0)), entry
    return len(entries)
