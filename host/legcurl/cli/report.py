"""`report`: one page about a set, or about a client's sets over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import json_option, store_option, store_to_read
from legcurl.cli.shared.output import tell, write_json, write_line
from legcurl.cli.shared.progress import progress_if_long

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from legcurl.store import Store, StoredSet

LATEST = "latest"


@click.command(short_help="Put a set, or a client's progress, on a page.")
@click.argument("set_id", metavar="[SET]", required=False)
@click.option("--client", "client_id", metavar="ID", help="This client's sets over time, instead.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .pdf, .png or .svg. [default: NAME.pdf]",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@store_option
@json_option
def report(
    set_id: str | None,
    client_id: str | None,
    out: Path | None,
    force: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Put a set on one page to hand to a client, or with --client all sets of theirs over time.

    SET is a set's id, or "latest". Needs matplotlib: pip install 'legcurl[plot]'.
    """
    from legcurl.errors import StoreError
    from legcurl.presentation.charts.page import check_picture, own_style, write_figure

    if (set_id is None) is (client_id is None):
        raise click.UsageError('Name a set, or "latest", or a client with --client.')
    with store_to_read(url) as store:
        named = ""
        if set_id is not None:
            set_id = _latest(store) if set_id == LATEST else set_id
            named = store.get_set(set_id).id
        elif client_id is not None:
            named = store.client(client_id).id
        file = out or Path(f"{'set' if set_id else 'client'}-{_plain(named)}.pdf")
        check_picture(file)
        if file.exists() and not force:
            raise StoreError(f"{file} exists already: name another with --out, or add --force.")
        with own_style():
            page = _set(store, named) if set_id is not None else _client(store, named)
            write_figure(file, page)
    if as_json:
        write_json({"file": str(file), "set" if set_id else "client": named})
    else:
        write_line(str(file))


def _set(store: Store, set_id: str) -> Figure:
    from legcurl.presentation.reports.set_report import draw_set_report

    return draw_set_report(store.get_set(set_id), store.trace(set_id))


def _client(store: Store, client_id: str) -> Figure:
    from legcurl.presentation.reports.client_report import draw_client_report

    sets = _sets_of(store, client_id)
    if not sets:
        tell("warning: this client has no sets yet.")
    last_trace = store.trace(sets[-1].id) if sets else None
    return draw_client_report(store.client(client_id), sets, last_trace)


def _sets_of(store: Store, client_id: str) -> list[StoredSet]:
    """A client's sets that count, oldest first."""
    from legcurl.export.rows import stored_sets
    from legcurl.store import SetQuery

    query = SetQuery(client_id=client_id)
    found: list[StoredSet] = []
    with progress_if_long("Reading sets", store.count_sets(query)) as done:
        for number, stored in enumerate(stored_sets(store, query), 1):
            done(number)
            if not stored.deleted:
                found.append(stored)
    return found[::-1]


def _latest(store: Store) -> str:
    """The newest set that counts."""
    from legcurl.errors import NoSuchRecordError
    from legcurl.export.rows import stored_sets
    from legcurl.store import SetQuery

    for stored in stored_sets(store, SetQuery()):
        if not stored.deleted:
            return stored.id
    raise NoSuchRecordError("There is no set in this store yet.")


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
