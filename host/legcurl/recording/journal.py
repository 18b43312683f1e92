"""Journals what a station receives, so that a set survives a crash of the program.

A journal is a folder of segments. Each is a recording (file.py) of some minutes that `legcurl
analyze` reads. `write` hands frames to the operating system, so `kill -9` loses nothing; a thread
syncs them to the disk about once a second, so a power cut loses a second, which the sensor's own
log still has. After a start a station replays `items` before it connects, and asks the sensor for
the samples after them: the open set continues.

A segment begins with a preamble (hello, first index, clocks, what the session had learnt), so it
can be read alone; a reader that comes from the segment before skips it. So old segments are deleted
once no set needs them, and a machine that was idle over the weekend starts quickly. A program that
starts begins a new segment, because the end of the last may be damaged.

After a power cut the end of a segment may be missing or overwritten, while a later write survived.
Up to UNRELIABLE_US of samples after a damaged place are dropped, and the sensor is asked for them.
If there are more, the place becomes a gap, because the sensor's log may not reach back so far.

If the journal cannot be written (the disk is full, read-only or gone), the station goes on:
`trouble` says why, `unwritten` counts the lost items, and the journal tries again.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from legcurl import durable_file
from legcurl.errors import FrameError, InputError, StoreError
from legcurl.protocol.frame import Answer, FrameDecoder, FrameType, Gap, Samples, encode_frame
from legcurl.protocol.requests import Op, Result, read_hello, read_start
from legcurl.recording.file import SUFFIX, Recording, RecordingHeader, RecordingWriter
from legcurl.session.annotations import WALL_UNKNOWN, ClockNote, DamageNote, LearntNote, LinkNote
from legcurl.training_method import STANDARD, TrainingMethod

if TYPE_CHECKING:
    from legcurl.motion import Calibration
    from legcurl.session.sensor_session import Item

log = logging.getLogger(__name__)

SEGMENT_US = 300_000_000  # of session time in a segment
SEGMENT_BYTES = 1 << 18  # which ends a segment earlier: at 400 Hz, or with many annotations
LOOK_EVERY_US = 500_000  # of the sensor's time, between two checks of clocks, session and size
CLOCK_EVERY_US = 10_000_000  # between two annotations of the clocks: 100 ppm drift by 1 ms
CLOCK_MOVED_US = 20_000  # which is written at once: a clock was set, or the estimate improved
UNRELIABLE_US = 10_000_000  # of samples; a power cut damages the last second or two
RETRY_S = 5.0  # after a failed write
SYNC_EVERY_S = 1.0  # which a power cut may lose, if the disk keeps up
END_WAIT_S = 2.0  # for the disk, at the end
ASIDE = "unreadable"  # the folder for segments that a session could not take


@dataclass(slots=True)
class _Segment:
    """A file of the journal."""

    path: Path
    start_us: int | None  # session time of its first sample; None without a preamble


class Journal:
    """The journal of one machine, for one station at a time.

    `source`, `calibration` and `method` go into each segment's header. Disk errors are not raised:
    see `trouble`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str = "",
        calibration: Calibration | None = None,
        method: TrainingMethod = STANDARD,
    ) -> None:
        self.trouble = ""  # why writing fails; empty if it does not
        self.unwritten = 0  # items that could not be written
        self.damaged = 0  # places that could not be read at the last start
        self.clock: Callable[[], ClockNote | None] = lambda: None  # the clocks of now
        self.learnt: Callable[[], LearntNote | None] = lambda: None  # of the session now
        self.needed_from_us: Callable[[], int | None] = lambda: None  # None: all of it
        self._folder = folder
        self._source = source
        self._calibration = calibration
        self._method = method
        self._segments: list[_Segment] | None = None  # oldest first; None: not listed yet
        self._writer: RecordingWriter | None = None
        self._hello: Answer | None = None  # the sensor's last
        self._clock: ClockNote | None = None  # the last one written
        self._learnt: LearntNote | None = None  # the last one written
        self._failed: OSError | StoreError | None = None  # the error of the last sync
        self._looked_us = 0  # the sensor's time at the last check
        self._retry_at_s = 0.0
        self._lock = threading.Lock()  # between the writing and the syncing thread
        self._unsynced: list[RecordingWriter] = []  # of ended segments
        self._new_file = False

    def items(self) -> Iterator[Item]:
        """The items of earlier stations in order, as far as they can be read.

        A DamageNote stands only where samples are missing: the sensor has sent again what the
        damaged end of a segment lost.
        """
        self.damaged = 0
        self._segments = []
        damage_filter = _DamageFilter()
        for path in self._files():
            segment = _Segment(path, None)
            self._segments.append(segment)
            in_preamble = True
            for item in self._read(path):
                if isinstance(item, DamageNote):
                    self.damaged += 1
                if in_preamble and isinstance(item, ClockNote):
                    segment.start_us = item.t_us
                if isinstance(item, Answer) and item.op == Op.HELLO and item.result == Result.OK:
                    self._hello = item
                in_preamble = in_preamble and isinstance(item, Answer | ClockNote | LearntNote)
                if not (in_preamble and damage_filter.begun):
                    yield from damage_filter.push(item)
        yield from damage_filter.finish()

    def write(self, *items: Item) -> None:
        """Append items that the session consumed, in order."""
        if self._writer is None and self._retry_at_s > monotonic():
            self.unwritten += len(items)
            return
        try:
            self._raise_failure()
            self._append(items)
        except (StoreError, OSError) as error:
            self.unwritten += len(items)
            if not self.trouble:
                log.warning("The journal cannot be written, and the station goes on: %s", error)
            self.trouble = str(error)
            self._clock = None
            self._end_segment()
            self._retry_at_s = monotonic() + RETRY_S
        else:
            if self.trouble:
                log.warning("The journal is written again; it lacks %d frames.", self.unwritten)
            self.trouble = ""

    def close(self) -> None:
        """Do nothing: the segment stays open for the next station."""

    def end(self) -> None:
        """Sync and close all of it."""
        self._end_segment()
        self.sync()

    def sync(self) -> None:
        """Sync what was written. Call it from a thread that may block."""
        with self._lock:
            ended, self._unsynced = self._unsynced, []
            new_file, self._new_file = self._new_file, False
            present = os.dup(self._writer.fileno()) if self._writer is not None else None
        try:
            for writer in ended:
                writer.close()
            if present is not None:
                os.fdatasync(present)
            if new_file:  # and the folders on the way to it, which may be as new
                for folder in (self._folder, *self._folder.parents[:2]):
                    durable_file.sync(folder)
            elif present is not None and os.fstat(present).st_nlink == 0:
                raise FileNotFoundError(2, f"Its file in {self._folder} was deleted")
        except (StoreError, OSError) as error:
            if not self.trouble:
                self._failed = error  # the writing thread logs it and begins a new segment
        finally:
            if present is not None:
                os.close(present)

    def _raise_failure(self) -> None:
        """Raise the error of the syncing thread."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def set_aside(self) -> None:
        """Move segments that a session could not replay to ASIDE; the next station starts anew."""
        self._end_segment()
        aside = self._folder / ASIDE
        try:
            aside.mkdir(exist_ok=True)
            for path in self._files():
                path.replace(aside / path.name)
        except OSError as error:
            log.warning("%s cannot be put aside: %s", self._folder, error)
        self._segments = None
        self._hello = None

    def _append(self, items: tuple[Item, ...]) -> None:
        goes_on = all(isinstance(item, Samples | Gap) for item in items)
        if goes_on and self._writer is not None and not self._checks_due(items[-1]):
            self._writer.write(*items)
            return
        clock = self.clock()
        if self._writer is not None and goes_on and self._full(clock):
            self._end_segment()
            self._delete_old_segments()
        if self._writer is None:
            self._open(items[0] if goes_on else None, clock)
        assert self._writer is not None
        if clock is not None and self._clock_moved(clock):
            self._clock = clock
            items = (*items, clock)
        learnt = self.learnt()
        if learnt is not None and learnt != self._learnt:
            self._learnt = learnt
            items = (*items, learnt)
        for item in items:
            if isinstance(item, Answer) and item.op == Op.HELLO and item.result == Result.OK:
                self._hello = item
        self._writer.write(*items)

    def _checks_due(self, newest: Item) -> bool:
        """Whether clocks, learnt values and the segment's size are due for a check.

        A watched machine sends 25 frames a second; checking each would only cost time.
        """
        if not isinstance(newest, Samples):
            return True
        if 0 <= newest.t_us - self._looked_us < LOOK_EVERY_US:
            return False
        self._looked_us = newest.t_us
        return True

    def _clock_moved(self, clock: ClockNote) -> bool:
        """Whether the clocks differ from the last annotation of them."""
        last = self._clock
        if last is None or not 0 <= clock.t_us - last.t_us < CLOCK_EVERY_US:
            return True
        if clock.wall_us == last.wall_us == WALL_UNKNOWN:
            return False
        foreseen_us = last.wall_us + (clock.t_us - last.t_us) * last.rate
        return abs(clock.wall_us - foreseen_us) > CLOCK_MOVED_US

    def _full(self, clock: ClockNote | None) -> bool:
        assert self._writer is not None
        assert self._segments is not None
        if self._writer.size >= SEGMENT_BYTES:
            return True
        began_us = self._segments[-1].start_us or 0
        return clock is not None and clock.t_us - began_us >= SEGMENT_US

    def _open(self, first: Item | None, clock: ClockNote | None) -> None:
        """Begin a segment, with a preamble if `first` continues a stream."""
        if self._segments is None:
            self._segments = [_Segment(path, None) for path in self._files()]
        number = int(self._segments[-1].path.stem) + 1 if self._segments else 1
        path = self._folder / f"{number:08}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be made: {error.strerror}.") from error
        started = datetime.now().astimezone()
        header = RecordingHeader(
            started, self._source, self._calibration, self._method, in_order=True
        )
        segment = _Segment(path, None)
        self._segments.append(segment)  # also if opening fails: its number is used up
        try:
            writer = RecordingWriter(path, header)
        except StoreError:
            with suppress(OSError):  # else each attempt on a full disk leaves an empty file
                path.unlink(missing_ok=True)
            raise
        with self._lock:
            self._writer = writer
            self._new_file = True
        if isinstance(first, Samples | Gap) and self._hello is not None and clock is not None:
            granted = _granted(read_hello(self._hello).boot_id, first.index)
            learnt = self.learnt()
            writer.write(self._hello, granted, clock, *([] if learnt is None else [learnt]))
            segment.start_us = clock.t_us
            self._clock, self._learnt = clock, learnt

    def _end_segment(self) -> None:
        """End the current segment."""
        with self._lock:
            if self._writer is not None:
                self._unsynced.append(self._writer)
                self._writer = None

    def _delete_old_segments(self) -> None:
        """Delete segments that end before `needed_from_us`."""
        needed_us = self.needed_from_us()
        if needed_us is None or not self._segments:
            return
        keep = 0
        for place, segment in enumerate(self._segments):
            if segment.start_us is not None and segment.start_us <= needed_us:
                keep = place
        gone, self._segments = self._segments[:keep], self._segments[keep:]
        for segment in gone:
            try:
                segment.path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s cannot be removed: %s", segment.path, error)

    @property
    def size_bytes(self) -> int:
        """Bytes on the disk."""
        size = 0
        for file in self._files():
            with suppress(OSError):  # it was deleted meanwhile
                size += file.stat().st_size
        return size

    def _files(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if path.stem.isdecimal()]
        except OSError:
            return []
        return sorted(path for path in found if path.suffix == SUFFIX)

    def _read(self, path: Path) -> Iterator[Item]:
        """The items of one segment; an unreadable segment gives a DamageNote."""
        try:
            with Recording(path) as recording:
                yield from recording
        except InputError as error:
            log.warning("%s", error)
            yield DamageNote()


class Syncer:
    """Syncs journals one after the other, in a thread of its own, which a slow disk may block.

    `journals` gives the journals of now.
    """

    def __init__(
        self, journals: Callable[[], Iterable[Journal]], every_s: float = SYNC_EVERY_S
    ) -> None:
        self._journals = journals
        self._every_s = every_s
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="journals", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Sync and end all journals, or give up after END_WAIT_S."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(END_WAIT_S)
            if self._thread.is_alive():
                log.warning(
                    "The disk of the journals does not answer: the last second may be lost."
                )

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            for journal in list(self._journals()):
                journal.sync()
        for journal in list(self._journals()):
            journal.end()


def _length(item: Samples | Gap) -> int:
    return item.count if isinstance(item, Gap) else len(item.angles)


class _DamageFilter:
    """Passes on a journal's items without the unreliable ones after a damaged place."""

    def __init__(self) -> None:
        self.begun = False  # samples were passed on
        self._expected: int | None = None  # the index after them
        self._boot_id: int | None = None
        self._held: list[Item] = []  # since a damaged place

    def push(self, item: Item) -> list[Item]:
        """Take the next item; give the items that can be passed on."""
        if isinstance(item, Answer) and item.op == Op.START and item.result == Result.OK:
            return self._started(item)
        if isinstance(item, DamageNote) or (self._held and not isinstance(item, Samples | Gap)):
            self._held.append(item)
            return []
        if not isinstance(item, Samples | Gap):
            return [item]
        given: list[Item] = [item]
        if self._held and self._expected is None:
            given, self._held = [*self._held, item], []
        elif self._held and item.index > (self._expected or 0):
            self._held.append(item)
            if _duration_us(*self._held) <= UNRELIABLE_US:
                return []
            given, self._held = self._held, []
        elif self._held:
            given = [*self._drop_held(), item]
        self.begun = True
        self._expected = item.index + _length(item)
        return given

    def finish(self) -> list[Item]:
        """End: drop held samples, which the sensor is asked for; keep LinkNotes."""
        return [item for item in self._held if isinstance(item, LinkNote)]

    def _started(self, answer: Answer) -> list[Item]:
        try:
            start = read_start(answer)
        except FrameError:
            return [answer]  # the session counts it
        if start.boot_id == self._boot_id:
            return [*self._drop_held(), answer]
        given, self._held = (
            [*self._held, answer],
            [],
        )  # the sensor's log of that boot is gone: keep all
        self._boot_id, self._expected = start.boot_id, start.first
        return given

    def _drop_held(self) -> list[Item]:
        """Drop held samples, which follow again; without samples only the damage is dropped."""
        held, self._held = self._held, []
        if _duration_us(*held):
            return []
        return [item for item in held if not isinstance(item, DamageNote)]


def _duration_us(*items: Item) -> int:
    """The duration of the samples among items."""
    return sum(len(item.angles) * item.period_us for item in items if isinstance(item, Samples))


def _granted(boot_id: int, first: int) -> Answer:
    """The answer to a start from index `first`, for a preamble."""
    index = first.to_bytes(8, "little")
    payload = boot_id.to_bytes(4, "little") + index + index
    decoder = FrameDecoder()
    packet = encode_frame(FrameType.ANSWER, bytes((0, Op.START, Result.OK)) + payload)
    (answer,) = decoder.push(packet)
    assert isinstance(answer, Answer)
    return answer
