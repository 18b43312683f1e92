"""A store's sets, reps or samples as a file: CSV, JSON lines or Parquet.

`columns.py` says what a row is, with the type and unit of each column. `rows.py` reads the store a
page at a time. `writing.py` makes the file: nothing has the name before it is complete. Memory
is bounded by a page of sets and a batch of rows, however many years there are.
"""

from legcurl.export.columns import TABLES, Column, What
from legcurl.export.rows import rows
from legcurl.export.writing import FORMATS, write

__all__ = ["FORMATS", "TABLES", "Column", "What", "rows", "write"]
