"""What is SQLite's alone: files that are locked, damaged, of another version, or on a bad disk."""

from __future__ import annotations

import sqlite3

import pytest
from legcurl.errors import StoreError
from legcurl.store import open_store


def test_a_newer_database_is_refused_and_left_as_it_is(sqlite_url, tmp_path):
    open_store(sqlite_url).close()
    database = sqlite3.connect(tmp_path / "legcurl.db")
    database.execute("update alembic_version set version_num = '9999'")
    database.commit()
    database.close()
    before = (tmp_path / "legcurl.db").read_bytes()
    with pytest.raises(StoreError, match="newer than this legcurl"):
        open_store(sqlite_url)
    assert (tmp_path / "legcurl.db").read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(sqlite_url, tmp_path):
    (tmp_path / "legcurl.db").write_bytes(b"what is this? " * 500)
    with pytest.raises(StoreError, match="not a database"):
        open_store(sqlite_url)
    assert (tmp_path / "legcurl.db").read_bytes() == b"what is this? " * 500


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StoreError, match="unable to open"):
        open_store(f"sqlite:///{tmp_path}/no/such/folder/legcurl.db")
    with pytest.raises(StoreError, match="no such store"):
        open_store("what")
