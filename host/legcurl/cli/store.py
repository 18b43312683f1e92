"""`store`: what the keeper of a database does with it, from backup to erasing a person."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option, store_option
from legcurl.cli.shared.output import write_json, write_line
from legcurl.cli.shared.progress import progress
from legcurl.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from legcurl.store import Store
    from legcurl.store.maintenance.erase_client import ErasedClient

SCHEMA = 1
KILO = 1000.0


@click.group(short_help="Look after the store: backup, verify, vacuum, prune, forget.")
def store() -> None:
    """Look after the database in which sets are kept, also while the service runs.

    --store names it as in 'legcurl serve'; without it, it is the user's own.
    """
    need_packages()


@store.command(short_help="Copy it, also while it is in use.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@store_option
@json_option
def backup(file: Path, url: str | None, as_json: bool) -> None:
    """Copy the store into FILE, whole and checked; a FILE that is there is replaced.

    To restore, end the service, put the copy in the database's place and remove the files beside
    it that end in -wal and -shm.
    """
    from legcurl.store.locations import needed_store
    from legcurl.store.maintenance.backup import back_up

    with progress(f"Copying to {file.name}", 100) as tell:
        size = back_up(needed_store(url), file, _in_percent(tell))
    if as_json:
        write_json({"schema": SCHEMA, "file": str(file), "size_bytes": size})
    else:
        write_line(f"{file}: {_size(size)}, checked.")


@store.command(short_help="Read all of it, and say what is wrong.")
@store_option
@json_option
def verify(url: str | None, as_json: bool) -> None:
    """Read the whole store, every trace included; exit code 7 if anything is wrong with it."""
    from legcurl.store.database import engine_for, url_of
    from legcurl.store.locations import needed_store
    from legcurl.store.maintenance.verify import verify as read_all
    from legcurl.store.store import Store

    # As it is: a damaged database must not be upgraded.
    with Store(engine_for(url_of(needed_store(url)))) as opened, progress("Reading", 100) as tell:
        found = read_all(opened, _in_percent(tell))
    if as_json:
        write_json({"schema": SCHEMA, **asdict(found)})
    else:
        for problem in found.problems:
            write_line(problem)
    if found.problems:
        raise StoreError(
            f"The store is damaged: {len(found.problems)} problems were found. Put a backup in its "
            "place, and keep this one."
        )
    if not as_json:
        write_line(f"{found.sets} sets and {found.traces} traces: all is well.")


@store.command(short_help="Give room that is free in it back to the disk.")
@store_option
def vacuum(url: str | None) -> None:
    """Write the store anew, without what is no longer in it.

    It needs as much room on the disk again while it runs, and sets that end meanwhile wait.
    """
    from legcurl.store.maintenance.retention import vacuum as write_anew
    from legcurl.store.maintenance.verify import size_of

    with opened_store(url) as opened:
        before = size_of(opened)
        write_anew(opened)
        write_line(f"{_size(before)} before, {_size(size_of(opened))} now.")


@store.command(short_help="Let go of old traces and sets, by rule.")
@click.option("--traces-days", type=click.IntRange(1), help="Keep raw traces for so many days.")
@click.option("--sets-days", type=click.IntRange(1), help="Keep sets for so many days.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
@json_option
def prune(
    traces_days: int | None,
    sets_days: int | None,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Let go of what is older than a rule says; without a rule, of events long since sent.

    A set goes with its reps, corrections and trace. The room is used again; 'legcurl store vacuum'
    gives it back to the disk.
    """
    from legcurl.store.maintenance.retention import Retention
    from legcurl.store.maintenance.retention import prune as let_go

    retention = Retention(traces_days, sets_days)
    with opened_store(url) as opened, progress("Letting go", 100) as tell:
        gone = let_go(
            opened, retention, datetime.now(UTC), dry_run=dry_run, report=_in_percent(tell)
        )
    if as_json:
        write_json({"schema": SCHEMA, "dry_run": dry_run, **asdict(gone)})
        return
    would = "would go" if dry_run else "are gone"
    write_line(f"{gone.traces} traces, {gone.sets} sets and {gone.events} sent events {would}.")


@store.command(short_help="Erase a person, with all that is theirs.")
@click.argument("client", metavar="CLIENT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@store_option
@json_option
def forget(client: str, yes: bool, dry_run: bool, url: str | None, as_json: bool) -> None:
    """Erase the person of the id CLIENT: name, sets, reps, corrections and raw traces.

    What is erased is overwritten, and the database written anew. Backups still have it: remove
    them, or forget the person again after restoring one. docs/privacy.md tells what is kept.
    """
    from legcurl.store.maintenance.erase_client import erase_client, find_client

    with opened_store(url) as opened:
        found = find_client(opened, client)
        if not dry_run:
            if not yes:
                _ask(found)
            found = erase_client(opened, client)
    if as_json:
        write_json({"schema": SCHEMA, "dry_run": dry_run, **asdict(found)})
        return
    done = "would be erased" if dry_run else "are erased"
    write_line(f"Client {client}: {found.sets} sets and {found.traces} traces {done}.")
    for place in found.named_in:
        write_line(f"Their name still stands in {place}.")
    if not dry_run:
        write_line("Backups still have them.")


@store.command(short_help="Say what is in it.")
@store_option
@json_option
def info(url: str | None, as_json: bool) -> None:
    """Say where the store is, how large, and what is in it."""
    from legcurl.store.maintenance.verify import measure

    with opened_store(url) as opened:
        found = measure(opened)
    if as_json:
        write_json({"schema": SCHEMA, **asdict(found)})
        return
    write_line(f"{found.place}: {_size(found.size_bytes)}, version {found.version}")
    write_line(", ".join(f"{count} {name}" for name, count in found.counts.items()))
    if found.first is not None:
        write_line(f"sets from {found.first} to {found.last}")
    if found.events_waiting:
        write_line(f"{found.events_waiting} events wait for the broker")


@store.command(short_help="List the clients and their ids.")
@store_option
@json_option
def clients(url: str | None, as_json: bool) -> None:
    """List the clients: the id, since when, and the name if one is kept."""
    with opened_store(url) as opened:
        found = opened.clients()
    if as_json:
        rows = [{"id": c.id, "name": c.name, "since": c.since.isoformat()} for c in found]
        write_json({"schema": SCHEMA, "clients": rows})
        return
    for client in found:
        write_line(f"{client.id}  {client.since.date()}  {client.name or ''}".rstrip())


def opened_store(url: str | None) -> Store:
    """Open a store that is there already; it is brought to this version."""
    need_packages()
    from legcurl.store.locations import open_needed

    return open_needed(url)


def need_packages() -> None:
    """Say which extra is missing, if it is. ConfigError."""
    try:
        import alembic  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"The store needs more packages ({error.name}): pip install 'legcurl[serve]'"
        ) from error


def _ask(found: ErasedClient) -> None:
    """Have the erasing confirmed; a program says --yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: say --yes to erase.")
    if not click.confirm(
        f"Erase client {found.client_id} with {found.sets} sets and {found.traces} traces?",
        err=True,
    ):
        raise click.ClickException("Nothing was erased.")


def _in_percent(tell: Callable[[int], None]) -> Callable[[int, int], None]:
    """A bar of a hundred for work whose length is known only when it has begun."""
    return lambda done, total: tell(100 * done // max(total, 1))


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < KILO:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KILO
    return f"{size:.1f} GB"
