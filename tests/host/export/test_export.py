"""`legcurl export`: rows of sets, reps and samples, complete, typed, and never half a file."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from legcurl.errors import StoreError
from legcurl.export import TABLES, rows, write
from legcurl.store import Expected, Machine, SetQuery, open_store
from made_sets import FIRST, measured, new_set
from running import Terminal, command, run
from selection import first_short

SETS = 7


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store of two clients on two machines."""
    url = f"sqlite:///{tmp_path / 'gym.db'}"
    with open_store(url) as store:
        for name in ("Anna", '=HYPERLINK("http://x")'):
            store.add_client(name)
        anna = next(client for client in store.clients() if client.name == "Anna")
        for number in range(SETS):
            machine = Machine(f"curl-{number % 2}", "=1+1")
            who = Expected(anna.id, 40.0) if number < 3 else Expected()
            store.add_set(new_set(number, machine=machine, expected=who))
        store.correct("set-0001", "delete", None, who="coach")
        store.change_set("set-0002", {"note": "@SUM(A1)"})
    return url


def anna(url: str) -> str:
    with open_store(url) as store:
        return next(client.id for client in store.clients() if client.name == "Anna")


def exported(url: str, *options: str) -> str:
    done = run("export", "--store", url, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_set_is_a_row_newest_first_with_units_in_the_head(url: str):
    found = list(csv.DictReader(io.StringIO(exported(url))))
    assert [one["id"] for one in found] == [f"set-{n:04}" for n in reversed(range(SETS))]
    assert found[-1]["started"] == FIRST.astimezone(UTC).isoformat()
    assert found[-1]["load_kg"] == "40.0"
    _, result = measured()
    assert float(found[0]["time_under_load_s"]) == result.time_under_load_s
    assert {one["id"]: one["deleted"] for one in found}["set-0001"] == "True"


def test_nothing_in_a_csv_is_a_formula(url: str):
    found = list(csv.reader(io.StringIO(exported(url))))
    assert {"'=1+1", "'@SUM(A1)"} <= {cell for row in found for cell in row}
    assert not [cell for row in found for cell in row if cell[:1] in ("=", "@", "+")]


@pytest.mark.long
def test_json_lines_hold_the_same_and_each_is_an_object(url: str):
    found = [json.loads(line) for line in exported(url, "--format", "jsonl").splitlines()]
    assert len(found) == SETS
    assert set(found[0]) == {column.name for column in TABLES["sets"]}
    assert found[0]["machine"] == "=1+1", "here it is no formula"
    assert found[0]["client_id"] is None


@pytest.mark.long
def test_export_holds_only_the_selected_sets(url: str):
    def ids(*options: str) -> list[str]:
        lines = exported(url, "--format", "jsonl", *options).splitlines()
        return [json.loads(line)["id"] for line in lines]

    assert ids("--client", anna(url)) == ["set-0002", "set-0001", "set-0000"]
    assert ids("--machine", "curl-1") == ["set-0005", "set-0003", "set-0001"]
    day = FIRST.astimezone().date().isoformat()
    assert len(ids("--from", day, "--to", day)) == SETS
    assert ids("--from", "2026-03-04") == []
    assert ids("--from", "2026-03-02T09:40+00:00", "--to", "2026-03-02T09:44+00:00") == ["set-0004"]


@pytest.mark.long
def test_reps_and_samples_are_rows_of_their_set(url: str):
    trace, result = measured()
    reps = [
        json.loads(line)
        for line in exported(url, "--what", "reps", "--format", "jsonl").splitlines()
    ]
    assert len(reps) == SETS * len(result.reps)
    assert [rep["number"] for rep in reps[: len(result.reps)]] == [r.number for r in result.reps]
    assert reps[0]["hold_s"] == result.reps[0].hold_s
    samples = exported(url, "--what", "traces", "--machine", "curl-1", "--format", "jsonl")
    assert len(samples.splitlines()) == 3 * len(trace.t_us)


def test_parquet_knows_types_and_units(url: str, tmp_path: Path):
    file = tmp_path / "sets.parquet"
    told = json.loads(exported(url, "--out", str(file), "--json"))
    assert told == {
        "file": str(file),
        "format": "parquet",
        "what": "sets",
        "sets": SETS,
        "rows": SETS,
    }
    table = pq.read_table(file)
    assert table.num_rows == SETS
    field = table.schema.field("time_under_load_s")
    assert (str(field.type), field.metadata[b"unit"]) == ("double", b"s")
    assert str(table.schema.field("started").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("completed_reps").type) == "int64"
    assert table.column("load_kg").null_count == SETS - 3
    assert table.column("started").to_pylist()[-1] == FIRST


@pytest.mark.parametrize("form", first_short(["csv", "jsonl", "parquet"]))
def test_a_file_is_replaced_only_by_force(url: str, tmp_path: Path, form: str):
    file = tmp_path / f"sets.{form}"
    file.write_text("precious")
    done = run("export", "--store", url, "--out", str(file))
    assert done.returncode == 7
    assert "--force" in done.stderr
    assert file.read_text() == "precious"
    exported(url, "--out", str(file), "--force")
    assert file.read_bytes() != b"precious"
    assert [one.name for one in tmp_path.iterdir() if ".part" in one.name] == []


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_interrupted_export_leaves_no_file(tmp_path: Path, form: str):
    def broken():
        yield tuple(None for _ in TABLES["sets"])
        raise StoreError("The disk is gone.")

    file = tmp_path / "sets"
    with pytest.raises(StoreError, match="gone"):
        write(file, form, TABLES["sets"], broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_any_size_is_read_in_pages(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["legcurl.export.rows"], "PAGE", 2)
    with open_store(url) as store:
        read: list[int] = []
        found = rows(store, SetQuery(), "sets", read.append)
        next(found)
        assert read == [], "nothing is read ahead"
        assert len(list(found)) == SETS - 1
        assert read == list(range(1, SETS + 1))


@pytest.mark.long
def test_a_closed_pipe_or_full_disk_gives_no_traceback(url: str):
    export = shlex.join(command("export", "--store", url, "--what", "traces"))
    for into in ("| head -n 1", "> /dev/full"):
        done = subprocess.run(["bash", "-c", f"{export} {into}"], capture_output=True, text=True)
        assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


@pytest.mark.long
def test_an_empty_table_gives_a_header_and_a_note(url: str, tmp_path: Path):
    for form in ("csv", "jsonl", "parquet"):
        file = tmp_path / f"none.{form}"
        done = run("export", "--store", url, "--machine", "nobody", "--out", str(file))
        assert done.returncode == 0
        assert "no rows" in done.stderr
        assert file.exists()
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--client", "nobody"), 6, "no client"),
        (("--from", "yesterday"), 2, "2026-03-02"),
        (("--format", "parquet"), 2, "--out"),
        (("--json",), 2, "--out"),
        (("--out", "/nowhere/at/all.csv"), 7, "cannot be written"),
    ],
)
def test_export_refuses_invalid_arguments(
    url: str, options: tuple[str, ...], code: int, words: str
):
    done = run("export", "--store", url, *options)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path):
    done = run("export", "--store", f"sqlite:///{tmp_path / 'none.db'}")
    assert done.returncode == 7
    assert "no store" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_a_short_export_shows_no_bar(url: str, tmp_path: Path):
    with Terminal("export", "--store", url, "--out", str(tmp_path / "sets.csv")) as terminal:
        assert terminal.end() == 0
        assert b"Exporting" not in terminal.seen
        assert b"7 rows" in terminal.seen
