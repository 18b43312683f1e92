"""Recordings: files of the items that a session consumed; replaying one gives the same events.

The file is what a serial link would carry: packets of COBS, each a frame with a CRC-32, each
ending in a zero (docs/protocol.md). The first is a header, then come the sensor's frames as they
were received, byte for byte, with annotations (notes) of link and clocks between them:

    0x70  header   JSON: format, legcurl, started, source, calibration, in_order, method
    0x71  note     JSON: {"note": "link", "state": …, "reason": …}
                         {"note": "restart", "boot_id": …, "zero_us": …}
                         {"note": "clock", "zero_us": …, "t_us": …, "wall_us": …, "rate": …,
                          "host_us": …, "host_boot": …}
                         {"note": "learnt", "direction": …, "blind": …}

The sensor's hello is kept as a frame, again after every reconnect, so the header does not repeat
it. Of the answers only hello and start are kept, because no other changes events
(session.HEEDED_OPS).

The framing limits damage. A file that ends in the middle of a write loses one packet. A damaged
place loses the packets that it touches: the reader goes on at the next zero and gives a DamageNote,
which the session treats as a gap. A file without its header is still readable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, Self

from legcurl._version import __version__
from legcurl.errors import CalibrationError, ConfigError, InputError, StoreError
from legcurl.motion import Calibration
from legcurl.protocol.frame import (
    CRC_BYTES,
    Answer,
    DecoderCounts,
    FrameDecoder,
    PacketSplitter,
    encode_frame,
)
from legcurl.session.annotations import (
    ClockNote,
    DamageNote,
    LearntNote,
    LinkNote,
    Note,
    RestartNote,
)
from legcurl.session.sensor_session import HEEDED_OPS, Item
from legcurl.training_method import STANDARD, TrainingMethod, read_method

FORMAT = 1  # changes when an old reader would misread something; additions do not change it
HEADER = 0x70
NOTE = 0x71
SUFFIX = ".legcurl"
READ_BYTES = 1 << 16
# In which a reader must find an intact packet, or the file is no recording. A lost sector is 4 kB;
# a text or picture of this length has no correct CRC by chance.
SEARCH_BYTES = 1 << 16
SOURCE_MAX_CHARS = 120  # a header must fit a frame of 1024 bytes, however it is escaped
# Marks damage in the copy of a damaged recording: a packet with invalid COBS.
DAMAGE_PACKET = b"\xff\0"
_KINDS = {LinkNote: "link", RestartNote: "restart", ClockNote: "clock", LearntNote: "learnt"}


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The header of a recording."""

    started: datetime | None = None  # wall time, with its zone, when the recorder began
    source: str = ""  # the address that was recorded
    calibration: Calibration | None = None  # of the session, not the sensor's own
    method: TrainingMethod = STANDARD
    legcurl: str = __version__
    format: int = FORMAT
    # The recorder left out frames that the session could not use, so a jump of the index is a hole.
    # Recordings from before this field also hold refused frames that came again later.
    in_order: bool = False


class RecordingWriter:
    """Writes a recording. `write` has handed its items to the operating system when it returns.

    An existing file is not overwritten. Raises StoreError if the file cannot be written.
    """

    def __init__(
        self, target: str | Path | BinaryIO, header: RecordingHeader | None = None
    ) -> None:
        self._size = 0
        self._owned = isinstance(target, str | Path)
        self.name = str(target) if self._owned else str(getattr(target, "name", "recording"))
        if isinstance(target, str | Path):
            try:
                self._file: BinaryIO = open(target, "xb")  # noqa: SIM115 - closed by close()
            except FileExistsError:
                raise StoreError(
                    f"{target} exists already: record into another file, or move it away first."
                ) from None
            except OSError as error:
                raise StoreError(f"{target} cannot be written: {error.strerror}.") from error
        else:
            self._file = target
        try:
            self._append(_header_packet(header or RecordingHeader()))
        except StoreError:
            if self._owned:
                with suppress(OSError):  # close tries to flush again
                    self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._size

    def fileno(self) -> int:
        """The file's descriptor, to sync it."""
        return self._file.fileno()

    def write(self, *items: Item) -> None:
        """Append items that the session consumed, in order, and flush."""
        packets = b"".join(_packet_of(item) for item in items if _matters(item))
        if packets:
            self._append(packets)

    def close(self) -> None:
        """Sync and close the file, if this opened it; may be repeated."""
        if not self._owned or self._file.closed:
            return
        try:
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        except OSError as error:
            raise StoreError(f"{self.name} may be cut short: {error.strerror}.") from error

    def _append(self, packets: bytes) -> None:
        try:
            self._size += self._file.write(packets)
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"{self.name} cannot be written on: {error.strerror}. What it holds is readable."
            ) from error


@dataclass(slots=True)
class Damage:
    """What could not be read; complete after the last item."""

    places: int = 0  # runs of packets that were not intact
    cut_bytes: int = 0  # of an unfinished packet at the end
    no_header: bool = False
    holes: int = 0  # places with missing frames; set by a session that reads all items

    def __str__(self) -> str:
        told = []
        if self.no_header:
            told.append("its header is lost")
        if self.places:
            told.append(f"it is damaged in {self.places} place{'s' * (self.places > 1)}")
        if self.holes:
            told.append(f"frames are missing in {self.holes} place{'s' * (self.holes > 1)}")
        if self.cut_bytes:
            told.append(f"it ends in the middle of a frame ({self.cut_bytes} bytes of it)")
        return ", ".join(told) or "it is whole"

    def __bool__(self) -> bool:
        return bool(self.places or self.holes or self.cut_bytes or self.no_header)


class Recording:
    """Reads a recording once, from front to back; `header` is read at once.

    Raises InputError for a file that cannot be read, is no recording, or is of a later format.
    """

    def __init__(self, source: str | Path | BinaryIO) -> None:
        self.header = RecordingHeader()
        self.damage = Damage()
        self._decoder = FrameDecoder()
        self._recognised = False  # an intact packet was found
        self._in_damage = False
        self._owned = isinstance(source, str | Path)
        self.name = str(source) if self._owned else str(getattr(source, "name", "recording"))
        if isinstance(source, str | Path):
            try:
                self._file: BinaryIO = open(source, "rb")  # noqa: SIM115 - closed by close()
            except OSError as error:
                raise InputError(f"{source} cannot be read: {error.strerror}.") from error
        else:
            self._file = source
        self._items = self._read()
        self._ahead: list[Item] = []
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Item]:
        yield from self._ahead
        self._ahead = []
        for item in self._items:
            if not isinstance(item, RecordingHeader):  # a second file appended to the first
                yield item

    @property
    def counts(self) -> DecoderCounts:
        """Counts of the packets that were read."""
        return self._decoder.counts

    def close(self) -> None:
        """Close the file, if this opened it; may be repeated."""
        if self._owned:
            self._file.close()

    def _begin(self) -> None:
        """Read the header; if it is lost, up to the first intact item."""
        for item in self._items:
            if isinstance(item, RecordingHeader):
                self.header = item
                return
            self._ahead.append(item)
            if not isinstance(item, DamageNote):
                self.damage.no_header = True
                return
        raise InputError(
            f"{self.name} is no legcurl recording: nothing in it can be read as one. "
            "'legcurl record' makes them."
        )

    def _read(self) -> Iterator[Item | RecordingHeader]:
        splitter = PacketSplitter()
        searched = 0
        while self._recognised or searched < SEARCH_BYTES:
            try:
                chunk = self._file.read(READ_BYTES)
            except OSError as error:
                raise InputError(f"{self.name} cannot be read on: {error.strerror}.") from error
            if not chunk:
                break
            searched += len(chunk)
            for packet in splitter.push(chunk):
                item = self._item_of(packet)
                if item is not None:
                    yield item
        self.damage.cut_bytes = splitter.pending
        self.close()

    def _item_of(self, packet: bytes) -> Item | RecordingHeader | None:
        """Read a packet; None for an unknown kind from a later recorder."""
        raw = self._decoder.unwrap(packet)
        if raw is not None:
            self._recognised = True
            if raw[0] == HEADER:
                return _header_of(raw[1:-CRC_BYTES], self.name)
            if raw[0] == NOTE:
                return _note_of(raw[1:-CRC_BYTES])
            malformed = self._decoder.counts.malformed
            frame = self._decoder.parse(raw)
            if self._decoder.counts.malformed == malformed:
                self._in_damage = False
                return frame
        if self._in_damage:
            return None
        self._in_damage = True
        self.damage.places += 1
        return DamageNote()


def begins_recording(head: bytes) -> bool:
    """Whether the first bytes of a file hold an intact packet, usually the header."""
    decoder = FrameDecoder()
    return any(decoder.unwrap(packet) is not None for packet in PacketSplitter().push(head))


def _matters(item: Item) -> bool:
    return not isinstance(item, Answer) or item.op in HEEDED_OPS


def _packet_of(item: Item) -> bytes:
    if isinstance(item, DamageNote):
        return DAMAGE_PACKET
    if isinstance(item, LinkNote | RestartNote | ClockNote | LearntNote):
        return _json_packet(NOTE, {"note": _KINDS[type(item)], **asdict(item)})
    if not item.wire:
        raise ValueError("Only a frame that was received can be recorded: this one has no bytes.")
    return encode_frame(item.wire[0], item.wire[1:-CRC_BYTES])


def _header_packet(header: RecordingHeader) -> bytes:
    calibration = header.calibration
    return _json_packet(
        HEADER,
        {
            "format": header.format,
            "legcurl": header.legcurl,
            "started": None if header.started is None else header.started.isoformat(),
            "source": header.source[:SOURCE_MAX_CHARS],
            "calibration": None if calibration is None else asdict(calibration),
            "in_order": header.in_order,
            **({} if header.method == STANDARD else {"method": asdict(header.method)}),
        },
    )


def _json_packet(record_type: int, record: dict[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return encode_frame(record_type, text.encode("utf-8", "replace"))


def _header_of(body: bytes, name: str) -> RecordingHeader:
    record = _json_of(body)
    written = record.get("format")
    if type(written) is not int or written > FORMAT:
        raise InputError(
            f"{name} was recorded in format {written}, by legcurl {record.get('legcurl')}; "
            f"this is legcurl {__version__}, which reads up to {FORMAT}: update it."
        )
    try:
        calibration = record.get("calibration")
        started = record.get("started")
        return RecordingHeader(
            started=None if started is None else datetime.fromisoformat(started),
            source=str(record.get("source", "")),
            calibration=None if calibration is None else Calibration(**calibration),
            method=read_method(record.get("method") or {}),
            legcurl=str(record.get("legcurl", "")),
            format=written,
            in_order=record.get("in_order") is True,
        )
    except (TypeError, ValueError, CalibrationError, ConfigError) as error:
        raise InputError(f"{name} has an invalid header: {error}") from error


def _note_of(body: bytes) -> Note | None:
    """Read a note; None if it is invalid or unknown."""
    record = _json_of(body)
    kind = record.get("note")
    if kind == "clock":
        return _clock_note_of(record)
    state = record.get("state")
    if kind == "link" and (state == "lost" or state == "restored"):
        return LinkNote(state, str(record.get("reason", "")))
    boot_id, zero_us = record.get("boot_id"), record.get("zero_us")
    if kind == "restart" and type(boot_id) is int and type(zero_us) is int:
        return RestartNote(boot_id, zero_us)
    direction, blind = record.get("direction"), record.get("blind")
    if kind == "learnt" and direction in (-1, 0, 1) and type(blind) is bool:
        return LearntNote(int(direction), blind)
    return None


def _clock_note_of(record: dict[str, Any]) -> ClockNote | None:
    zero_us, rate = record.get("zero_us"), record.get("rate")
    t_us, wall_us = record.get("t_us"), record.get("wall_us")
    if not isinstance(rate, float) or not 0 < rate < inf:
        return None
    if type(zero_us) is not int or type(t_us) is not int or type(wall_us) is not int:
        return None
    host_us, host_boot = record.get("host_us"), record.get("host_boot")
    if type(host_us) is not int or type(host_boot) is not str:
        host_us, host_boot = 0, ""
    return ClockNote(zero_us, t_us, wall_us, rate, host_us, host_boot)


def _json_of(body: bytes) -> dict[str, Any]:
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
