"""`analyze`: finds the sets in a file with the tracker that also runs live."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from legcurl.cli.shared.options import calibration_from, calibration_options, json_option
from legcurl.cli.shared.output import warn, write_json, write_line, write_set
from legcurl.cli.shared.progress import progress
from legcurl.errors import InputError, StoreError
from legcurl.events import Event, SetEnded, SetResult, plain
from legcurl.recording.csv_trace import TIME_COLUMN, TraceReader

if TYPE_CHECKING:
    from legcurl.motion import Calibration
    from legcurl.presentation.charts import ChartKeeper

SCHEMA = 1
_HEAD_BYTES = 4096  # holds a recording's first record, which ends in a zero byte
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@click.command(short_help="Find the sets in a trace or a recording.")
@click.argument("file", type=click.Path(path_type=Path, readable=False, allow_dash=True))
@calibration_options
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path, readable=False),
    metavar="PICTURE",
    help="Draw the sets into this file too: .png, .svg or .pdf. Needs the extra 'plot'.",
)
@json_option
def analyze(
    file: Path,
    extended: float | None,
    flexed: float | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Find the sets in FILE, causally, as they would have been seen live.

    FILE is CSV with the columns t_s (seconds) and angle_deg (raw sensor degrees), plain or
    gzipped, or a recording made by 'legcurl record'; - reads it from stdin.
    """
    calibration = calibration_from(extended, flexed)
    kept = None if picture is None else _keeper_for(picture)
    sets: list[SetResult] = []
    for event in events_of(file, calibration, kept):
        if isinstance(event, SetEnded):
            sets.append(event.set)
        if kept is not None:
            kept.show(event)
    try:  # the picture first: a reader such as `head` may not want all of the results
        if picture is not None and kept is not None:
            _write_picture(picture, kept, "standard input" if str(file) == "-" else file.name)
    except StoreError:
        _write_sets(sets, as_json)
        raise
    _write_sets(sets, as_json)


class SampleTaker(Protocol):
    """Is given the samples that the tracker is given, before what it says of them."""

    @property
    def progress_s(self) -> float | None:
        """Grid of the Progress events that it wants; None: none."""
        ...

    def take(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take some."""
        ...


def events_of(
    file: Path, calibration: Calibration | None, taker: SampleTaker | None = None
) -> Iterator[Event]:
    """What is detected in a trace or a recording, `-` being stdin; raises InputError."""
    with _opened(file) as source:
        read = _of_recording if _is_recording(source) else _of_trace
        yield from read(source, calibration, taker)


def sets_document(sets: list[SetResult]) -> dict[str, Any]:
    """Sets in the form that `analyze --json` prints."""
    return {"schema": SCHEMA, "sets": plain(sets)}


def _write_sets(sets: list[SetResult], as_json: bool) -> None:
    if as_json:
        write_json(sets_document(sets))
        return
    for result in sets:
        write_set(result)
    if not sets:
        write_line("No set.")


def _keeper_for(picture: Path) -> ChartKeeper:
    """Check that the picture can be made before the file is read."""
    from legcurl.presentation.charts import ChartKeeper
    from legcurl.presentation.charts.page import check_picture

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    check_picture(picture)
    return ChartKeeper()


def _write_picture(picture: Path, kept: ChartKeeper, name: str) -> None:
    from legcurl.presentation.charts.page import write_picture

    for warning in write_picture(picture, kept, name):
        warn(f"{warning}.")


def _opened(file: Path) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if str(file) == "-" else file, "rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


def _is_recording(source: BufferedReader) -> bool:
    """Decide by the first bytes, not the name: frames are separated by zeros, text has none.

    A file with zeros and no intact frame is damaged: text if it has our column, else a recording.
    """
    try:
        head = source.peek(_HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {error.strerror}.") from error
    if head.startswith((_GZIP_MAGIC, *_UTF16_BOMS)):
        return False
    if b"\0" not in head:
        return False
    from legcurl.recording.file import begins_recording

    return begins_recording(head) or TIME_COLUMN.encode() not in head.partition(b"\n")[0]


def _of_trace(
    source: BufferedReader, calibration: Calibration | None, kept: SampleTaker | None
) -> Iterator[Event]:
    from legcurl.motion import SetTracker

    reader = TraceReader(source)
    tracker = SetTracker(calibration, progress_s=None if kept is None else kept.progress_s)
    with progress(f"Reading {Path(reader.name).name}", os.fstat(source.fileno()).st_size) as report:
        for chunk in reader:
            if kept is not None:
                kept.take(chunk.t_us, chunk.angle_deg)
            yield from tracker.push(chunk.t_us, chunk.angle_deg)
            report(reader.bytes_read)
        yield from tracker.finish()
    for warning in reader.warnings():
        warn(f"{reader.name}: {warning}.")


def _of_recording(
    source: BufferedReader, calibration: Calibration | None, kept: SampleTaker | None
) -> Iterator[Event]:
    from legcurl.recording.file import Recording
    from legcurl.recording.replay import replay

    with Recording(source) as recording:
        yield from replay(
            recording,
            calibration,
            progress_s=None if kept is None else kept.progress_s,
            on_samples=None if kept is None else kept.take,
        )
        if recording.damage:
            warn(f"{recording.name}: {recording.damage}; the rest was read.")
