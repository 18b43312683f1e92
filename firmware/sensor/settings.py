"""Records in flash: the settings, and the calibration of the machine.

Each is a JSON value in a file of its own, followed by its CRC, so damage shows. A new version is
written beside the old one, synced, and only then renamed into place; the version before is kept.
After a power cut at any moment, the next start finds a whole version: the new one or the one
before.

Flash is slow: to erase a sector takes up to 0.4 s, during which the main loop stands still. So
everything that stores is a generator of single steps, each one call to the file system. The main
loop turns between them: it empties the ring of samples, feeds the watchdog and sends frames. The
value is stored when the generator ends.
"""

import json
import os
from binascii import crc32
from collections import OrderedDict

from micropython import const

_VERSION = const(1)
_NAME_BYTES = const(32)
_RATE_HZ = (20, 400)
_FRAME_MS = (50, 1000)
_RAW = (0, 65535)


class FlashRecord:
    """One JSON value in flash, under `name`.

    `keep_previous` is False for a value that must not return once it is replaced, such as a key.
    """

    def __init__(self, name, keep_previous=True):
        self._current = name + ".json"
        self._new = name + ".new"
        self._previous = name + ".old"
        self._keep_previous = keep_previous
        self.broken = False  # the version that should have been loaded was not whole

    def load(self):
        """The last value stored, or None."""
        # If power failed between the two renames of a store, there is no current file, and the new
        # one is whole. It is put into place at once, before another store would write over it.
        for path in (self._current, self._new, self._previous):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                continue
            text, _, check = content.rpartition(b"\n")
            if check != b"%08x" % crc32(text):
                if path == self._current:
                    self.broken = True
                continue
            stored = json.loads(text)
            if stored["version"] != _VERSION:
                continue
            if path == self._new:
                for _ in self._finish_store():
                    pass
            elif path == self._current and not self._keep_previous:
                _remove(self._previous)
            return stored["value"]
        return None

    def store(self, value):
        """Replace the value, step by step.

        Raises OSError if the flash refuses it; the old one then stays.
        """
        text = json.dumps(OrderedDict((("version", _VERSION), ("value", value)))).encode()
        with open(self._new, "wb") as file:
            yield
            file.write(text + b"\n" + b"%08x" % crc32(text))
            yield
        yield
        _sync()
        yield
        yield from self._finish_store()

    def _finish_store(self):
        """Put the new version, which is whole, into place."""
        _remove(self._previous)
        yield
        try:
            os.rename(self._current, self._previous)
        except OSError:
            if _exists(self._current):
                raise
        yield
        os.rename(self._new, self._current)
        yield
        if not self._keep_previous:
            _remove(self._previous)
            yield
        _sync()


class Settings:
    """The settings in force."""

    def __init__(self, record):
        self._record = record
        self.name = "Leg curl"
        self.rate_hz = 100
        self.frame_ms = 250
        stored = record.load()
        self.broken = record.broken
        if isinstance(stored, dict):
            for field in stored:
                # Another firmware may have stored fields or values that this one does not know:
                # those keep their defaults, and the sensor starts.
                try:
                    _check_setting(field, stored[field])
                except ValueError:
                    continue
                setattr(self, field, stored[field])

    def fields(self):
        """All settings, as the host reads them."""
        return OrderedDict(
            (("name", self.name), ("rate_hz", self.rate_hz), ("frame_ms", self.frame_ms))
        )

    def change(self, changes):
        """Check `changes`, store and take them: all or nothing. A generator, see above.

        ValueError names a field that is unknown or out of range; OSError is the flash's.
        """
        if not isinstance(changes, dict):
            raise ValueError("settings must be a JSON object")  # noqa: TRY004
        for field in changes:
            _check_setting(field, changes[field])
        before = self.fields()
        after = self.fields()
        after.update(changes)
        if after != before:
            yield from self._record.store(after)
            for field in changes:
                setattr(self, field, changes[field])


class CalibrationRecord:
    """The machine's range of motion in wire angles, or None."""

    def __init__(self, record):
        self._record = record
        self.value = None
        stored = record.load()
        self.broken = record.broken
        try:
            _check_calibration(stored)
        except ValueError:  # in another firmware's format
            return
        self.value = _in_order(stored)

    def change(self, calibration):
        """Check and store, in a generator.

        ValueError names what is wrong, OSError is the flash's.
        """
        _check_calibration(calibration)
        calibration = _in_order(calibration)
        if calibration != self.value:
            yield from self._record.store(calibration)
            self.value = calibration


def _check_calibration(calibration):
    if calibration is None:
        return
    if not isinstance(calibration, dict):
        raise ValueError("calibration must be a JSON object or null")  # noqa: TRY004
    for field in calibration:
        value = calibration[field]
        if field in ("extended_raw", "flexed_raw"):
            _check_integer(field, value, _RAW)
        elif field == "direction":
            if type(value) is not int or value not in (1, -1):
                raise ValueError("direction must be 1 or -1")
        else:
            raise ValueError("no such calibration field: " + str(field))
    for field in ("extended_raw", "flexed_raw"):
        if field not in calibration:
            raise ValueError(field + " is missing")
    if calibration["extended_raw"] == calibration["flexed_raw"]:
        raise ValueError("extended_raw and flexed_raw are the same angle")


def _in_order(calibration):
    if calibration is None:
        return None
    fields = ("extended_raw", "flexed_raw", "direction")
    return OrderedDict([(field, calibration[field]) for field in fields if field in calibration])


def _check_setting(field, value):
    if field == "name":
        _check_name(value)
    elif field == "rate_hz":
        _check_integer(field, value, _RATE_HZ)
    elif field == "frame_ms":
        _check_integer(field, value, _FRAME_MS)
    else:
        raise ValueError("no such setting: " + str(field))


def _check_integer(field, value, bounds):
    if type(value) is not int or not bounds[0] <= value <= bounds[1]:
        raise ValueError("%s must be an integer from %d to %d" % (field, bounds[0], bounds[1]))


def _check_name(value):
    if type(value) is not str or not 1 <= len(value.encode()) <= _NAME_BYTES:
        raise ValueError("name must be a text of 1 to %d bytes" % _NAME_BYTES)
    for character in value:
        if ord(character) < 32 or ord(character) == 127:
            raise ValueError("name must not hold control characters")


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        if _exists(path):
            raise


def _exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _sync():
    # littlefs has written a file when it is closed; FAT needs this, where the port has it.
    if hasattr(os, "sync"):
        os.sync()
