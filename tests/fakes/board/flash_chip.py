"""A board's flash: a small file system that may lose its power, or be full, at any step."""

import sensor.crash as crash
import sensor.maintenance as maintenance
import sensor.settings as storage
from simclock import clock

# What the sensor may be given: littlefs, and FAT that writes at once, or when it is told to.
FILE_SYSTEMS = ((False, False), (True, False), (True, True))


class PowerCut(BaseException):
    """The flash lost its power."""


class Flash:
    """Files in flash, which loses its power after `energy` steps.

    A step is an opening, a byte, a closing, a renaming, a removal, a sync. `early`: bytes are in
    flash as they are written (FAT); else a file changes when it is closed (littlefs). With `cache`
    too, the other extreme of FAT: the directory changes at every step, but what is written into a
    file waits for the next sync, and a power cut takes it away. A file that was renamed before it
    was synced is then in place, and empty.
    """

    ENOENT = 2
    EIO = 5

    def __init__(self, early, cache=False):
        self.files = {}
        self.early = early
        self.cache = cache
        self._waiting = []  # paths whose content is in the cache alone
        self.energy = None
        self.steps = 0
        self.full = False
        self.takes_us = 0  # each call that changes something: at worst a sector is erased
        self.calls = 0

    def step(self):
        if self.energy is not None and self.steps >= self.energy:
            for path in self._waiting:
                self.files[path] = b""
            self._waiting = []
            raise PowerCut
        self.steps += 1

    def waits(self, path):
        """Whether a power cut would take this file's content away."""
        return path in self._waiting

    def wrote(self, path, content):
        """The file has this content, if only in the cache."""
        self.files[path] = content
        if self.cache and path not in self._waiting:
            self._waiting.append(path)

    def called(self):
        self.calls += 1
        if self.takes_us:
            clock.sleep(self.takes_us)

    def open(self, path, mode):
        return FlashFile(self, path, mode)

    def rename(self, old, new):
        self.called()
        self.step()
        if old not in self.files:
            raise OSError(self.ENOENT)
        if self.early and new in self.files:  # FAT does not replace
            raise OSError(self.EIO)
        self.files[new] = self.files.pop(old)
        self._waiting = [new if path == old else path for path in self._waiting if path != new]

    def remove(self, path):
        self.called()
        self.step()
        if path not in self.files:
            raise OSError(self.ENOENT)
        del self.files[path]
        self._waiting = [other for other in self._waiting if other != path]

    def stat(self, path):
        if path not in self.files:
            raise OSError(self.ENOENT)

    def sync(self):
        self.called()
        self.step()
        self._waiting = []


class FlashFile:
    def __init__(self, flash, path, mode):
        self._flash = flash
        self._path = path
        self._writing = mode == "wb"
        self._content = b""
        if self._writing:
            flash.called()
            flash.step()
            if flash.early or path not in flash.files:
                flash.wrote(path, b"")
        elif path not in flash.files:
            raise OSError(flash.ENOENT)
        else:
            self._content = flash.files[path]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._writing and error is None:
            self._flash.called()
            self._flash.step()
            self._flash.wrote(self._path, self._content)

    def read(self, size=None):
        return self._content if size is None else self._content[:size]

    def write(self, content):
        self._flash.called()
        if self._flash.full:
            raise OSError(28)
        for i in range(len(content)):
            self._flash.step()
            self._content += content[i : i + 1]
            if self._flash.early:
                self._flash.wrote(self._path, self._content)

    def flush(self):
        pass


def use(flash):
    """Put all that the sensor stores on this flash."""
    for module in (storage, crash, maintenance):
        module.os = flash
        module.open = flash.open
    return flash
