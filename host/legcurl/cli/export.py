"""`export`: sets, reps or samples of the store as a file."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import Day, json_option, store_option, store_to_read
from legcurl.cli.shared.output import reader_needed, tell, write_json, write_line
from legcurl.cli.shared.progress import progress_if_long

if TYPE_CHECKING:
    from legcurl.export import What
    from legcurl.export.writing import Form

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl"}


@click.command(short_help="Write sets, reps or samples to a file.")
@click.option("--client", "client_id", metavar="ID", help="Only this client's.")
@click.option("--machine", "machine_id", metavar="ID", help="Only this machine's.")
@click.option("--from", "since", type=Day(), metavar="DAY", help="Only from this day on.")
@click.option("--to", "until", type=Day(end=True), metavar="DAY", help="Only up to this day.")
@click.option(
    "--what",
    type=click.Choice(["sets", "reps", "traces"]),
    default="sets",
    show_default=True,
    help="A row for each set, each rep, or each sample.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet", "jsonl"]),
    help="[default: what FILE's ending says, else csv]",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="[default: stdout]")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@store_option
@json_option
def export(
    client_id: str | None,
    machine_id: str | None,
    since: datetime | None,
    until: datetime | None,
    what: What,
    form: Form | None,
    out: Path | None,
    force: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Write what the store holds, for spreadsheets and programs.

    Units are in the columns' names, and in Parquet also in their metadata. Sets that a coach took
    out are in it, and marked. A service may be running meanwhile.
    """
    if form is None:
        form = ENDINGS.get(out.suffix.lower(), "csv") if out is not None else "csv"  # type: ignore[assignment]
    if out is None and (form == "parquet" or as_json):
        raise click.UsageError("Name a file with --out: this does not belong on stdout.")
    assert form is not None
    with store_to_read(url) as store:
        from legcurl.export import TABLES, rows, write
        from legcurl.store import SetQuery

        if client_id is not None:
            store.client(client_id)
        query = SetQuery(machine_id=machine_id, client_id=client_id, since=since, until=until)
        sets = store.count_sets(query)
        with progress_if_long(f"Exporting {what}", sets) as done, reader_needed():
            found = rows(store, query, what, done)
            count = write(out or sys.stdout.buffer, form, TABLES[what], found, force=force)
    if out is None:
        return
    if as_json:
        told = {"file": str(out), "format": form, "what": what, "sets": sets, "rows": count}
        write_json(told)
    else:
        write_line(f"{out}: {count} rows, of {sets} sets")
    if not sets:
        tell("warning: there is no such set, so the file has no rows.")
