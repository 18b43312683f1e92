"""The crash log: uncaught exceptions, kept in flash until a host asks for them.

The sensor writes an uncaught exception to crash.log and restarts the board. The log is text of at
most 4 kB; the oldest whole entries make room. If the same kind of exception comes again from the
same line, whatever its message, the entry's count goes up and the next start waits longer: flash
wears out, and with a minute between starts it lasts for years.
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
_ENTRY_BYTES = const(1000)  # the most that one answer holds
_TRACE_BYTES = const(880)
_MESSAGE_BYTES = const(400)  # of these for the exception itself
_HEAD_BYTES = const(200)  # kept of a text that is too long
_MARK = b"=== "  # begins the first line of an entry, and no other line

_FRAME = b'  File "'  # begins the line of each frame, the innermost last
_CUT = b"..."  # a line in place of the cut part

_LONG_RUN_S = const(600)  # a sensor that ran so long is not in a loop of crashes
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
        """Log an exception if flash allows; returns the seconds to wait before a restart."""
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
            pass  # a sensor that runs without a log is better than none
        if uptime_s >= _LONG_RUN_S:
            return 0
        return min(1 << min(times, 6), _LONGEST_PAUSE_S)


def _trace(error):
    """The traceback of `error`; of a long one, its beginning and its end."""
    gc.collect()  # the exception may be a full heap
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
    """`text`, or its beginning and its end if it is longer than `size`."""
    if len(text) <= size:
        return text
    cut = b"\n" + _CUT + b"\n"
    return text[:_HEAD_BYTES] + cut + text[_HEAD_BYTES + len(cut) - size :]


def _place(trace):
    """The innermost frame of a trace, and the exception without its message."""
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
