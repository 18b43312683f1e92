"""All that a station takes, on disk as it comes, so that a set outlives the program.

A journal is a folder of segments, each an ordinary recording (file.py) of some minutes that
`legcurl analyze` reads. What `write` took is in the hands of the system, so `kill -9` loses
nothing; a thread brings it to the disk about once a second, so a power cut loses a second, which
the sensor's own log still has. After a start a station takes `items` before it connects, and asks
the sensor from the first index that they lack: the open set goes on as if nothing had happened.

A segment begins with what it takes to stand alone: who the sensor is, from which index it streams,
how the clocks lie, and what the session had learnt (the preamble; a reader that comes from the
segment before passes over it). So old segments can be let go of once no set needs them, a machine
that stood idle over the weekend is restored in no time, and its next set is what it would have
been. A program that starts writes a segment of its own, never on one whose end may be torn.

After a power cut the end of a segment may be missing or be somebody else's bytes, while a later
write survived. So little behind a damaged place is not given (LOOSE_US): the sensor is asked for
it. If there is more, the place is a gap, for who knows what the sensor still has.

The journal is a help, not a condition. Where it cannot be written (the disk is full, read-only or
gone) the station goes on; `trouble` says so, `unwritten` counts what is not on it, and it is tried
again.
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

if TYPE_CHECKING:
    from legcurl.motion import Calibration
    from legcurl.session.sensor_session import Item

log = logging.getLogger(__name__)

SEGMENT_US = 300_000_000  # of session time in a segment: what is let go of at once
SEGMENT_BYTES = 1 << 18  # or so much of it: at 400 Hz, with damage or chatter
LOOK_EVERY_US = 500_000  # of the sensor's time, between two looks at anything but the samples
CLOCK_EVERY_US = 10_000_000  # between two notes of the clocks: they part by 1 ms at 100 ppm
CLOCK_MOVED_US = 20_000  # what is noted at once: a clock that was set, or a better comparison
LOOSE_US = 10_000_000  # of samples: the power went within a second or two of the damaged place
RETRY_S = 5.0  # until a journal that could not be written is tried again
SYNC_EVERY_S = 1.0  # how much a power cut may take, where the disk keeps up
FAREWELL_S = 2.0  # for the disk, at the end
ASIDE = "unreadable"  # the folder for segments that a session could not take


@dataclass(slots=True)
class _Segment:
    """A file of the journal, and from when on it has samples."""

    path: Path
    start_us: int | None  # session time of its first sample; None where it cannot stand alone


class Journal:
    """One machine's journal. Belongs to one station at a time, and outlives it.

    `source` and `calibration` go into each segment's header. Raises nothing for what the disk does.
    """

    def __init__(
        self, folder: Path, *, source: str = "", calibration: Calibration | None = None
    ) -> None:
        self.trouble = ""  # why nothing is written, if it is not
        self.unwritten = 0  # items that are not on the journal
        self.damaged = 0  # places that could not be read at the last start
        self.clock: Callable[[], ClockNote | None] = lambda: None  # how the clocks lie now
        self.learnt: Callable[[], LearntNote | None] = lambda: None  # what the session knows now
        self.needed_from_us: Callable[[], int | None] = lambda: None  # None: all of it
        self._folder = folder
        self._source = source
        self._calibration = calibration
        self._segments: list[_Segment] | None = None  # oldest first; None: not looked yet
        self._writer: RecordingWriter | None = None
        self._hello: Answer | None = None  # the sensor's last
        self._clock: ClockNote | None = None  # the last note of the clocks
        self._learnt: LearntNote | None = None  # and of what the session knew
        self._failed: OSError | StoreError | None = None  # why the file is not safe on the disk
        self._looked_us = 0  # the sensor's time at the last look
        self._retry_at_s = 0.0
        self._lock = threading.Lock()  # between the writing thread and the one that syncs
        self._unsynced: list[RecordingWriter] = []  # with the last segments, until they are on disk
        self._new_file = False

    def items(self) -> Iterator[Item]:
        """What earlier stations took, in its order, as far as it can be read.

        Damage shows as a DamageNote only where something is really missing: what a torn end of a
        segment lost, the sensor sent again.
        """
        self.damaged = 0
        self._segments = []
        sieve = _Sieve()
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
                if not (in_preamble and sieve.begun):
                    yield from sieve.push(item)
        yield from sieve.finish()

    def write(self, *items: Item) -> None:
        """Append what the session consumed, in its order."""
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
            self._let_go()
            self._retry_at_s = monotonic() + RETRY_S
        else:
            if self.trouble:
                log.warning("The journal is written again; it lacks %d frames.", self.unwritten)
            self.trouble = ""

    def close(self) -> None:
        """A station has ended; the segment stays open for the next one."""

    def end(self) -> None:
        """Bring all of it to the disk and let go of it."""
        self._let_go()
        self.sync()

    def sync(self) -> None:
        """Bring to the disk what was written. Called from a thread that may wait."""
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
                self._failed = error  # the writing thread says so, and begins another segment
        finally:
            if present is not None:
                os.close(present)

    def _raise_failure(self) -> None:
        """Raise what the syncing thread met."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def set_aside(self) -> None:
        """Put away segments that a session could not take: the next station begins without them."""
        self._let_go()
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
        if goes_on and self._writer is not None and not self._looks_again(items[-1]):
            self._writer.write(*items)
            return
        clock = self.clock()
        if self._writer is not None and goes_on and self._full(clock):
            self._let_go()
            self._forget()
        if self._writer is None:
            self._open(items[0] if goes_on else None, clock)
        assert self._writer is not None
        if clock is not None and self._is_news(clock):
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

    def _looks_again(self, newest: Item) -> bool:
        """Whether it is time to look at the clocks, at what was learnt, and at the segment's end.

        25 frames a second come from a machine that somebody watches; none of these hurries so.
        """
        if not isinstance(newest, Samples):
            return True
        if 0 <= newest.t_us - self._looked_us < LOOK_EVERY_US:
            return False
        self._looked_us = newest.t_us
        return True

    def _is_news(self, clock: ClockNote) -> bool:
        """Whether the clocks lie otherwise than the last note says."""
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
        """A new segment; with a preamble, where `first` goes on in the middle of a stream."""
        if self._segments is None:
            self._segments = [_Segment(path, None) for path in self._files()]
        number = int(self._segments[-1].path.stem) + 1 if self._segments else 1
        path = self._folder / f"{number:08}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be made: {error.strerror}.") from error
        started = datetime.now().astimezone()
        header = RecordingHeader(started, self._source, self._calibration, in_order=True)
        segment = _Segment(path, None)
        self._segments.append(segment)  # also if it comes to nothing: its number is used up
        try:
            writer = RecordingWriter(path, header)
        except StoreError:
            with suppress(OSError):  # a full disk has room for names, one at every attempt
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

    def _let_go(self) -> None:
        """Write no more on the present segment."""
        with self._lock:
            if self._writer is not None:
                self._unsynced.append(self._writer)
                self._writer = None

    def _forget(self) -> None:
        """Remove the segments before the last one that begins before everything still needed."""
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
        """What it takes on the disk, as far as it has been written."""
        size = 0
        for file in self._files():
            with suppress(OSError):  # it was let go of just now
                size += file.stat().st_size
        return size

    def _files(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if path.stem.isdecimal()]
        except OSError:
            return []
        return sorted(path for path in found if path.suffix == SUFFIX)

    def _read(self, path: Path) -> Iterator[Item]:
        """The items of one segment; one that cannot be read at all counts as damage."""
        try:
            with Recording(path) as recording:
                yield from recording
        except InputError as error:
            log.warning("%s", error)
            yield DamageNote()


class Syncer:
    """Brings journals to the disk, one after the other, in a thread of its own.

    `journals` gives those that there are now. A disk that stands still holds up this thread, and
    nothing else.
    """

    def __init__(
        self, journals: Callable[[], Iterable[Journal]], every_s: float = SYNC_EVERY_S
    ) -> None:
        self._journals = journals
        self._every_s = every_s
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="journals", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let go of all journals, when they are on the disk or FAREWELL_S are over."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(FAREWELL_S)
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


class _Sieve:
    """A journal's items, but for little behind a damaged place."""

    def __init__(self) -> None:
        self.begun = False  # samples have been given
        self._expected: int | None = None  # the index that goes on from them
        self._boot_id: int | None = None
        self._held: list[Item] = []  # since a damaged place

    def push(self, item: Item) -> list[Item]:
        """Take the next item; give what can be given by now."""
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
            if _duration_us(*self._held) <= LOOSE_US:
                return []
            given, self._held = self._held, []
        elif self._held:
            given = [*self._asked_again(), item]
        self.begun = True
        self._expected = item.index + _length(item)
        return given

    def finish(self) -> list[Item]:
        """There are no more: what is held is asked for again, the words about the link are kept."""
        return [item for item in self._held if isinstance(item, LinkNote)]

    def _started(self, answer: Answer) -> list[Item]:
        try:
            start = read_start(answer)
        except FrameError:
            return [answer]  # the session counts it
        if start.boot_id == self._boot_id:
            return [*self._asked_again(), answer]
        given, self._held = [*self._held, answer], []  # of a log that is gone, all there is
        self._boot_id, self._expected = start.boot_id, start.first
        return given

    def _asked_again(self) -> list[Item]:
        """Let go of what is held: it comes once more, or what was damaged was no sample."""
        held, self._held = self._held, []
        if _duration_us(*held):
            return []
        return [item for item in held if not isinstance(item, DamageNote)]


def _duration_us(*items: Item) -> int:
    """How long the samples among some items last."""
    return sum(len(item.angles) * item.period_us for item in items if isinstance(item, Samples))


def _granted(boot_id: int, first: int) -> Answer:
    """The answer to a start that would have led to a segment which begins at that index."""
    index = first.to_bytes(8, "little")
    payload = boot_id.to_bytes(4, "little") + index + index
    decoder = FrameDecoder()
    packet = encode_frame(FrameType.ANSWER, bytes((0, Op.START, Result.OK)) + payload)
    (answer,) = decoder.push(packet)
    assert isinstance(answer, Answer)
    return answer
