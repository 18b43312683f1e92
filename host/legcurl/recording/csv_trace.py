"""Angle traces as CSV, read and written.

A trace is text with the header `t_s,angle_deg` (more columns, in any order, are allowed), plain
or gzipped. `TraceReader` gives it in chunks of a few thousand samples, so that a file of any
length needs bounded memory. Small faults (repeated times, a cut last line, missing angles) are
skipped or given as NaN, counted, and listed by `warnings()`. A file that is no trace (missing
columns, text, a clock that jumps back) raises an InputError that names the line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import IO

from legcurl.errors import InputError, StoreError

TIME_COLUMN = "t_s"
ANGLE_COLUMN = "angle_deg"
HEADER = f"{TIME_COLUMN},{ANGLE_COLUMN}"

BLOCK_BYTES = 1 << 17  # read at a time: about 8000 rows, so a chunk of that many samples
MAX_LINE_BYTES = 4096  # a row of two numbers needs 20
MAX_STEP_BACK_S = 1.0  # batching on a link can reorder so much; more is another recording
MAX_ANGLE_DEG = 36_000.0  # a hundred turns, more than an unwrapped lever reaches
RATE_HZ = (40.0, 1000.0)  # tested with the detection
MIN_RATE_HZ = 5.0  # below it no rep can be timed; usually milliseconds taken for seconds
MIN_ROWS_FOR_RATE = 20
MIN_SAMPLES = 40  # a second at the lowest rate: no rep fits in less

_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_NO_ANGLE = frozenset({"", "na", "n/a", "nil", "none", "null"})  # what tables write for "missing"


@dataclass(frozen=True, slots=True)
class TraceChunk:
    """Consecutive samples: times in µs, rising, and raw angles in degrees, NaN where unknown."""

    t_us: list[int]
    angle_deg: list[float]


class TraceReader:
    """Iterate once over a trace's chunks; `samples` and `warnings()` are complete afterwards.

    `source` is a file's name, or an open file such as a pipe.
    """

    def __init__(self, source: str | Path | BufferedReader) -> None:
        self._source = source
        self.name = str(source.name if isinstance(source, BufferedReader) else source)
        self.samples = 0
        self.repeated_times = 0
        self.backward_times = 0
        self.unknown_times = 0
        self.wild_angles = 0
        self.cut_short = False
        self.rate_hz: float | None = None
        self._file: BufferedReader | None = None
        self._line = 0
        self._last_us: int | None = None
        self._time_column = 0
        self._angle_column = 1

    def __iter__(self) -> Iterator[TraceChunk]:
        try:
            with self._opened() as file:
                self._file = file
                if file.peek(2)[:2] == _GZIP_MAGIC:
                    with gzip.open(file, "rb") as unpacked:
                        yield from self._chunks(unpacked)
                else:
                    yield from self._chunks(file)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{self.name}: the gzip data is damaged after line {self._line} ({error}): "
                "copy the file again from where it came."
            ) from error
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror or error}.") from error
        if not self.samples:
            raise InputError(f"{self.name} holds no samples below its header.")

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that were read, before unpacking; 0 for a pipe."""
        file = self._file
        return file.tell() if file and not file.closed and file.seekable() else 0

    def warnings(self) -> list[str]:
        """What was skipped or is doubtful, a sentence each."""
        found = []
        if self.repeated_times:
            found.append(f"{_rows(self.repeated_times)} repeated a time: the first was kept")
        if self.backward_times:
            found.append(f"{_rows(self.backward_times)} went back in time: skipped")
        if self.unknown_times:
            found.append(f"{_rows(self.unknown_times)} had no time: skipped")
        if self.wild_angles:
            found.append(f"{_rows(self.wild_angles)} had an impossible angle: taken as unknown")
        if self.cut_short:
            found.append(f"the file breaks off in line {self._line}: read up to there")
        if self.samples < MIN_SAMPLES:
            found.append(f"only {self.samples} samples: too short for a rep")
        if self.rate_hz and not RATE_HZ[0] <= self.rate_hz <= RATE_HZ[1]:
            found.append(
                f"{self.rate_hz:.0f} samples/s, but detection was tried "
                f"with {RATE_HZ[0]:.0f} to {RATE_HZ[1]:.0f}: take its times with care"
            )
        return found

    def _opened(self) -> BufferedReader:
        if isinstance(self._source, BufferedReader):
            return self._source
        return open(self._source, "rb")

    def _chunks(self, file: BufferedReader | gzip.GzipFile) -> Iterator[TraceChunk]:
        """Cut the bytes into lines, a block at a time; the unfinished line waits for the next."""
        rest = b""
        while block := self._read(file):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if len(rest) > MAX_LINE_BYTES:
                raise self._error(self._line + len(lines) + 1, "is too long for a row of numbers")
            yield from self._parse(lines)
        if rest:
            yield from self._parse([rest], unfinished=True)

    def _read(self, file: BufferedReader | gzip.GzipFile) -> bytes:
        try:
            return file.read(BLOCK_BYTES)
        except EOFError:  # gzip data that is cut short: keep what came before
            self.cut_short = True
            return b""

    def _parse(self, lines: list[bytes], *, unfinished: bool = False) -> Iterator[TraceChunk]:
        start = 0
        if not self._line:
            if not lines:
                return
            self._read_header(lines[0])
            self._line = start = 1
        t_us: list[int] = []
        angle_deg: list[float] = []
        time_column, angle_column = self._time_column, self._angle_column
        last_us = self._last_us
        for number, line in enumerate(lines[start:], self._line + 1):
            fields = line.split(b",")
            try:
                t = round(float(fields[time_column]) * 1e6)
                angle = float(fields[angle_column])
            except (ValueError, OverflowError, IndexError):
                row = self._unusual_row(line, number, unfinished)
                if row is None:
                    continue
                t, angle = row
            if last_us is not None and t <= last_us:
                self._count_step_back(number, last_us - t)
                continue
            if not -MAX_ANGLE_DEG <= angle <= MAX_ANGLE_DEG:
                self.wild_angles += angle == angle
                angle = nan
            t_us.append(t)
            angle_deg.append(angle)
            last_us = t
        self._line += len(lines) - start
        self._last_us = last_us
        if t_us:
            if self.rate_hz is None:
                self._measure_rate(t_us)
            self.samples += len(t_us)
            yield TraceChunk(t_us, angle_deg)

    def _read_header(self, line: bytes) -> None:
        if line.startswith(_UTF16_BOMS):
            raise self._error(1, "is UTF-16: save the file as CSV in UTF-8")
        if b"\0" in line:
            raise self._error(1, "is not text: this file is no CSV")
        text = line.removeprefix(_UTF8_BOM).decode("utf-8", "replace").strip()
        names = [name.strip().strip('"') for name in text.split(",")]
        missing = [name for name in (TIME_COLUMN, ANGLE_COLUMN) if name not in names]
        if missing:
            remedy = f"the header must name {TIME_COLUMN} (seconds) and {ANGLE_COLUMN} (degrees)"
            if TIME_COLUMN in text and ANGLE_COLUMN in text:
                remedy = "separate the columns by commas"
            raise self._error(
                1, f"is {_excerpt(line)}, without the column {' or '.join(missing)}: {remedy}"
            )
        self._time_column = names.index(TIME_COLUMN)
        self._angle_column = names.index(ANGLE_COLUMN)

    def _unusual_row(self, line: bytes, number: int, unfinished: bool) -> tuple[int, float] | None:
        """Read a row that is quoted, blank, incomplete or no row; None to skip it."""
        fields = [
            field.strip().strip('"').strip().lower()
            for field in line.decode("utf-8", "replace").split(",")
        ]
        if fields == [""]:
            return None
        if len(fields) <= max(self._time_column, self._angle_column):
            if unfinished:
                self.cut_short = True
                return None
            raise self._error(number, f"is {_excerpt(line)}: a column is missing")
        time, angle = fields[self._time_column], fields[self._angle_column]
        try:
            t_s = float(time) if time not in _NO_ANGLE else nan
            angle_deg = float(angle) if angle not in _NO_ANGLE else nan
        except ValueError:
            if unfinished:
                self.cut_short = True
                return None
            raise self._error(number, f"is {_excerpt(line)}: these are no numbers") from None
        if not isfinite(t_s):
            self.unknown_times += 1
            return None
        return round(t_s * 1e6), angle_deg

    def _count_step_back(self, number: int, back_us: int) -> None:
        if back_us == 0:
            self.repeated_times += 1
        elif back_us <= MAX_STEP_BACK_S * 1e6:
            self.backward_times += 1
        else:
            raise self._error(
                number,
                f"goes back in time by {back_us / 1e6:.1f} s: "
                "split the file there, it seems to hold two recordings",
            )

    def _measure_rate(self, t_us: list[int]) -> None:
        if len(t_us) < MIN_ROWS_FOR_RATE:
            return
        interval_s = median(later - now for now, later in pairwise(t_us)) / 1e6
        self.rate_hz = 1.0 / interval_s
        if self.rate_hz < MIN_RATE_HZ:
            raise InputError(
                f"{self.name}: samples are {interval_s:.3g} s apart, too far to time a rep. "
                f"{TIME_COLUMN} must be in seconds; divide it by 1000 if it is in milliseconds."
            )

    def _error(self, line: int, what: str) -> InputError:
        return InputError(f"{self.name}: line {line} {what}.")


class TraceWriter:
    """Write a trace row by row; a name that ends in `.gz` is compressed. A context manager."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.samples = 0
        try:
            self._file: IO[str] = (
                gzip.open(self.path, "wt", encoding="ascii", newline="\n")  # noqa: SIM115
                if self.path.suffix == ".gz"
                else self.path.open("w", encoding="ascii", newline="\n")
            )
            self._file.write(HEADER + "\n")
        except OSError as error:
            raise self._error(error) from error

    def write(self, t_s: float, angle_deg: float) -> None:
        """Append one sample; NaN for an unknown angle."""
        try:
            self._file.write(f"{t_s:.6f},{angle_deg:.4f}\n")
        except OSError as error:
            raise self._error(error) from error
        self.samples += 1

    def close(self) -> None:
        """Write what is buffered and close the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._error(error) from error

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _error(self, error: OSError) -> StoreError:
        return StoreError(f"{self.path} cannot be written: {error.strerror or error}.")


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _excerpt(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= 40 else text[:37] + "...")
