"""Writes rows to a file, which gets its name when it is complete."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from legcurl.durable_file import complete_file
from legcurl.errors import ConfigError, StoreError
from legcurl.export.columns import Column
from legcurl.export.csv_injection import escape_formula

Form = Literal["csv", "parquet", "jsonl"]
FORMATS: tuple[Form, ...] = ("csv", "parquet", "jsonl")
BATCH = 20_000  # rows of a group in Parquet: 2 MB in memory

Rows = Iterable[tuple[Any, ...]]


def write(
    out: Path | IO[bytes], form: Form, columns: Sequence[Column], rows: Rows, *, force: bool = False
) -> int:
    """Write all rows, and return their number.

    `force` replaces a file that exists. Raises StoreError if it exists or cannot be written,
    ConfigError if the format needs a missing package.
    """
    if form == "parquet":
        _need_pyarrow()
    if not isinstance(out, Path):
        return _WRITERS[form](out, columns, rows)
    if out.exists() and not force:
        raise _exists(out)
    try:
        with complete_file(out, replace=force) as file:
            return _WRITERS[form](file, columns, rows)
    except FileExistsError as error:
        raise _exists(out) from error
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror or error}.") from error


def _exists(file: Path) -> StoreError:
    return StoreError(f"{file} exists already: name another, or add --force.")


def _write_csv(out: IO[bytes], columns: Sequence[Column], rows: Rows) -> int:
    text = io.TextIOWrapper(out, "utf-8", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    count = 0
    for row in rows:
        writer.writerow([escape_formula(_plain(cell)) for cell in row])
        count += 1
    text.flush()
    text.detach()
    return count


def _write_jsonl(out: IO[bytes], columns: Sequence[Column], rows: Rows) -> int:
    names = [column.name for column in columns]
    count = 0
    for row in rows:
        told = dict(zip(names, map(_plain, row), strict=True))
        out.write(json.dumps(told, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        count += 1
    out.flush()
    return count


def _write_parquet(out: IO[bytes], columns: Sequence[Column], rows: Rows) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "moment": pa.timestamp("us", "UTC"),
    }
    schema = pa.schema(
        [
            pa.field(
                column.name,
                types[column.kind],
                metadata={"description": column.what}
                | ({"unit": column.unit} if column.unit else {}),
            )
            for column in columns
        ]
    )
    count = 0
    waiting = iter(rows)
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        while batch := list(islice(waiting, BATCH)):
            cells = list(zip(*batch, strict=True))
            arrays = [pa.array(one, field.type) for one, field in zip(cells, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


_WRITERS: dict[Form, Callable[[IO[bytes], Sequence[Column], Rows], int]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}


def _plain(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime) else cell


def _need_pyarrow() -> None:
    try:
        import pyarrow as _  # noqa: F401 - is it installed?
    except ImportError as error:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed: pip install 'legcurl[parquet]'"
        ) from error
