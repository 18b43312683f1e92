"""What the sensor died of, kept in flash for whoever comes to look.

An exception that nobody caught is written to crash.log, and the board restarts: a sensor that
streams again is worth more than one that stands still with its reason on display. The log is text
of at most 4 kB; the oldest entries make room, whole. A sensor that dies of the same kind of
exception in the same line again, whatever the message says, has that counted, and waits longer
before each new start: flash wears out, and a minute between starts makes that a matter of years.
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
_MESSAGE_BYTES = const(400)  # of them for the exception itself
_HEAD_BYTES = const(200)  # of what is too long
_MARK = b"=== "  # begins the first line of an entry, and no other line

_FRAME = b'  File "'  # begins the line of each frame, the innermost last
_CUT = b"..."  # a line in the place of what was left out

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
            if uptime_s < _LONG_RUN_S and _place(last_trace) == _place(trace):
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
        # The stubs know neither StringIO nor what may be printed to.
        sys.print_exception(error, text)  # pyright: ignore[reportArgumentType]
        trace = text.getvalue().encode()  # pyright: ignore[reportAttributeAccessIssue]
    except MemoryError:
        trace = type(error).__name__.encode() + b"\n"
    at = _message_at(trace)
    trace = _cut(trace[:at], _TRACE_BYTES - _MESSAGE_BYTES) + _cut(trace[at:], _MESSAGE_BYTES)
    trace = trace.replace(b"\n" + _MARK, b"\n ")
    return trace if trace.endswith(b"\n") else trace + b"\n"


def _cut(text, size):
    """The beginning and the end of `text`, where it is long."""
    if len(text) <= size:
        return text
    cut = b"\n" + _CUT + b"\n"
    return text[:_HEAD_BYTES] + cut + text[_HEAD_BYTES + len(cut) - size :]


def _place(trace):
    """What died where: the innermost frame of a trace, and the exception without its message."""
    at = _message_at(trace)
    frame = trace[trace.rfind(_FRAME, 0, at) : at] if at else b""
    return frame.partition(b"\n")[0], trace[at:].partition(b"\n")[0].partition(b":")[0]


def _message_at(trace):
    """Where the exception stands: in the first line that belongs to no frame."""
    at = trace.find(_FRAME) + 1
    before = b""
    for line in trace[at:].split(b"\n") if at else ():
        if not line.startswith((b" ", _CUT, _FRAME[1:])) and before != _CUT:
            break
        before = line
        at += len(line) + 1
    return at


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
