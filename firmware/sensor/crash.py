"""What the sensor died of, kept in flash for whoever comes to look.

An exception that nobody caught is written to crash.log, and the board restarts: a sensor that
streams again is worth more than one that stands still with its reason on display. The log is text
of at most 4 kB; the oldest entries make room, whole. A sensor that dies of the same thing again
has that counted, and waits longer before each new start: flash wears out, and a minute between
starts makes that a matter of years.
"""

import gc
import io
import os
import sys

from micropython import const

from sensor import FIRMWARE_VERSION

_LOG = "crash.log"
_NEW = "crash.new"
_LOG_BYTES = const(4096)
_ENTRY_BYTES = const(1000)  # what the answer to one request takes
_TRACE_BYTES = const(880)
_TRACE_HEAD = const(200)
_MARK = b"=== "  # begins the first line of an entry, and no other line

_LONG_RUN_S = const(600)  # who lived so long is not in a loop of crashes
_LONGEST_PAUSE_S = const(60)


class CrashLog:
    """The log in flash."""

    def __init__(self):
        self._entries = _read()  # bytes each, oldest first

    def __len__(self):
        return len(self._entries)

    def tail(self, size):
        """The newest entries, oldest first: as many whole ones as fit `size` bytes."""
        text = b""
        for entry in reversed(self._entries):
            if len(entry) + len(text) > size:
                break
            text = entry + text
        return text

    def keep(self, error, uptime_s, boot_reason):
        """Write down what was raised, if that can be; how many seconds to wait before a restart."""
        trace = _trace(error)
        times = 1
        entries = self._entries
        if entries:
            before, _, last_trace = entries[-1].partition(b"\n")
            if last_trace == trace:
                entries.pop()
                times = _times(before) + 1
        head = "%sfirmware %s, %d s after a start by %s, times in a row: %d\n" % (
            _MARK.decode(),
            FIRMWARE_VERSION,
            uptime_s,
            boot_reason,
            times,
        )
        entries.append(head.encode() + trace)
        while sum(len(entry) for entry in entries) > _LOG_BYTES:
            del entries[0]
        try:
            _write(b"".join(entries))
        except (OSError, MemoryError):
            pass  # to run again is worth more than to know why it had to
        if uptime_s >= _LONG_RUN_S:
            return 0
        return min(1 << min(times, 6), _LONGEST_PAUSE_S)


def _trace(error):
    """The traceback of `error`: its beginning and its end, where it is long."""
    gc.collect()  # it may have died of a full heap
    text = io.StringIO()
    try:
        sys.print_exception(error, text)
        trace = text.getvalue().encode()
    except MemoryError:
        trace = type(error).__name__.encode() + b"\n"
    if len(trace) > _TRACE_BYTES:
        trace = trace[:_TRACE_HEAD] + b"\n...\n" + trace[_TRACE_HEAD + 5 - _TRACE_BYTES :]
    trace = trace.replace(b"\n" + _MARK, b"\n ")
    return trace if trace.endswith(b"\n") else trace + b"\n"


def _times(head):
    try:
        return int(head.rpartition(b" ")[2])
    except ValueError:
        return 1


def _read():
    try:
        with open(_LOG, "rb") as file:
            text = b"\n" + file.read(_LOG_BYTES)
    except OSError:
        return []
    parts = text.split(b"\n" + _MARK)
    return [_MARK + part.rstrip(b"\n") + b"\n" for part in parts[1:]]


def _write(text):
    with open(_NEW, "wb") as file:
        file.write(text)
    try:
        os.rename(_NEW, _LOG)
    except OSError:  # FAT does not replace
        os.remove(_LOG)
        os.rename(_NEW, _LOG)
    if hasattr(os, "sync"):
        os.sync()
