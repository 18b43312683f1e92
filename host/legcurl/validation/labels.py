"""Labelled moments of recordings, from JSON or CSV; the format is told in docs/validate.md.

A label file belongs to the one recording whose name it begins with (`anna.csv.gz`,
`anna.labels.json`), or, as `labels.json` or `labels.csv`, to the recordings that it names in its
own folder and below. Times are seconds of the recording, or of a film with an offset to add.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from legcurl.errors import InputError

Span = tuple[float, float]

MOMENTS = ("top", "hold_start", "hold_end", "failure", "optional", "offset")
CSV_COLUMNS = ("moment", "t_s")
_LISTS = ("tops_s", "holds_s", "failures_s", "optional_s")
_NUMBERS = ("offset_s", "extended_deg", "flexed_deg")
_FIELDS = (*_LISTS, *_NUMBERS, "source")
_IGNORED = ("note",)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one recording. Moments are in s of the recording, rising."""

    tops_s: tuple[float, ...]  # of every lift: partial and failed ones too
    holds_s: tuple[Span, ...] | None = None  # None: not labelled
    failures_s: tuple[float, ...] | None = ()  # where a failed rep begins to go down
    optional_s: tuple[float, ...] = ()  # within movements that may be listed or not
    source: str | None = None  # the group it is counted in; None: its folder
    extended_deg: float | None = None  # the lifter's range in raw sensor degrees, if calibrated
    flexed_deg: float | None = None

    @property
    def last_s(self) -> float:
        """The last labelled moment."""
        moments = [*self.tops_s, *(self.failures_s or ()), *self.optional_s]
        return max([*moments, *(end for _, end in self.holds_s or ())], default=0.0)


def parse_json(text: str, name: str, *, many: bool) -> dict[str, Labels]:
    """Labels by recording; `many`: the file names its recordings, else the key is ''.

    Raises InputError that names the file and the field.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} is no JSON: {error}.") from error
    if not many:
        return {"": _labels(document, name)}
    recordings = document.get("recordings") if isinstance(document, dict) else None
    if not isinstance(recordings, dict):
        raise InputError(
            f"{name} has no object 'recordings': write "
            '{"recordings": {"FILE.csv": {"tops_s": [12.3]}}}.'
        )
    return {file: _labels(fields, f"{name}, {file}") for file, fields in recordings.items()}


def parse_csv(text: str, name: str, *, many: bool) -> dict[str, Labels]:
    """The same of a table with the columns moment and t_s, and recording if `many`."""
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    columns = (*CSV_COLUMNS, "recording") if many else CSV_COLUMNS
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{name}, line 1: there is no column {missing[0]}; it needs {columns}.")
    found: dict[str, dict[str, Any]] = {}
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        fields = found.setdefault((row.get("recording") or "").strip() if many else "", {})
        _add_row(fields, (row["moment"] or "").strip(), (row["t_s"] or "").strip(), where)
    for file, fields in found.items():
        if "open_hold_s" in fields:
            raise InputError(
                f"{name}{f', {file}' if file else ''}: the hold that starts at "
                f"{fields['open_hold_s']:g} s has no hold_end."
            )
    return {file: _labels(fields, f"{name}, {file}".rstrip(", ")) for file, fields in found.items()}


def _add_row(fields: dict[str, Any], moment: str, value: str, where: str) -> None:
    if moment not in MOMENTS:
        raise InputError(f"{where}: {moment!r} is no moment; it has to be one of {MOMENTS}.")
    if moment == "failure" and value == "unknown":
        fields["failures_s"] = None
        return
    try:
        t_s = float(value)
    except ValueError:
        raise InputError(f"{where}: {value!r} is no time; write seconds, such as 12.34.") from None
    if moment == "offset":
        fields["offset_s"] = t_s
    elif moment == "hold_start":
        if "open_hold_s" in fields:
            raise InputError(f"{where}: a second hold_start; the hold before has no hold_end.")
        fields["open_hold_s"] = t_s
    elif moment == "hold_end":
        if "open_hold_s" not in fields:
            raise InputError(f"{where}: a hold_end without a hold_start before it.")
        fields.setdefault("holds_s", []).append([fields.pop("open_hold_s"), t_s])
    else:
        name = {"top": "tops_s", "failure": "failures_s", "optional": "optional_s"}[moment]
        fields.setdefault(name, []).append(t_s)


def _labels(fields: object, where: str) -> Labels:
    if not isinstance(fields, dict):
        raise InputError(f"{where}: this is no object; write {{'tops_s': [12.3]}}.")
    unknown = sorted(fields.keys() - {*_FIELDS, *_IGNORED})
    if unknown:
        raise InputError(f"{where}: there is no field {unknown[0]!r}; it has {_FIELDS}.")
    if "tops_s" not in fields:
        raise InputError(f"{where}: tops_s is missing; label the top of every lift, or write [].")
    numbers = {name: _number(fields, name, where) for name in _NUMBERS}
    offset_s = numbers["offset_s"] or 0.0
    if (numbers["extended_deg"] is None) != (numbers["flexed_deg"] is None):
        raise InputError(f"{where}: extended_deg and flexed_deg are two ends: give both.")
    source = fields.get("source")
    if source is not None and not isinstance(source, str):
        raise InputError(f"{where}: source has to be a text.")
    failures = fields.get("failures_s", [])
    holds = fields.get("holds_s")
    return Labels(
        tops_s=_moments(fields["tops_s"], "tops_s", where, offset_s),
        holds_s=None if holds is None else _holds(holds, where, offset_s),
        failures_s=(
            None if failures is None else _moments(failures, "failures_s", where, offset_s)
        ),
        optional_s=_moments(fields.get("optional_s", []), "optional_s", where, offset_s),
        source=source,
        extended_deg=numbers["extended_deg"],
        flexed_deg=numbers["flexed_deg"],
    )


def _number(fields: Mapping[str, Any], name: str, where: str) -> float | None:
    value = fields.get(name)
    if value is not None and not _is_number(value):
        raise InputError(f"{where}: {name} has to be a number, and is {value!r}.")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _moments(values: object, name: str, where: str, offset_s: float) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise InputError(f"{where}: {name} has to be a list of seconds, such as [12.3, 19.8].")
    return _rising((float(value) + offset_s for value in values), name, where)


def _holds(values: object, where: str, offset_s: float) -> tuple[Span, ...]:
    if not isinstance(values, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in values
    ):
        raise InputError(f"{where}: holds_s has to be a list of pairs, such as [[10.1, 13.2]].")
    for start_s, end_s in values:
        if end_s < start_s:
            raise InputError(f"{where}: the hold from {start_s:g} s ends before, at {end_s:g} s.")
    flat = _rising((t + offset_s for pair in values for t in pair), "holds_s", where)
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _rising(moments: Iterable[float], name: str, where: str) -> tuple[float, ...]:
    found = tuple(moments)
    for before_s, after_s in pairwise(found):
        if after_s < before_s:
            raise InputError(
                f"{where}: {name} goes back from {before_s:g} to {after_s:g} s: one is mistyped."
            )
    return found
