"""Exports a store: sets, reps or samples in, a CSV, JSON lines or Parquet file out.

`columns.py` defines the columns with type and unit, `rows.py` reads the store a page at a time,
`writing.py` writes the file, which gets its name when it is complete. Memory is bounded by a page
of sets and a batch of rows.
"""

from legcurl.export.columns import TABLES, Column, What
from legcurl.export.rows import rows
from legcurl.export.writing import FORMATS, write

__all__ = ["FORMATS", "TABLES", "Column", "What", "rows", "write"]
