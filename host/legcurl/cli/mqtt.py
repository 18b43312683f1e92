"""`mqtt`: whether the broker can be used, and telling it again what it was told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from legcurl.cli.shared.options import broker_from
from legcurl.cli.shared.output import write_json, write_line

CHECK_ID = "legcurl-check"


@click.group(short_help="Check the broker; send sets again.")
def mqtt() -> None:
    """Look after the way from this gym to its broker."""


@mqtt.command()
@click.option("--broker", metavar="URL", required=True, help="mqtt[s]://[USER@]HOST[:PORT]")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Who signed the broker's name.")
@click.option("--gym", metavar="ID", default="check", show_default=True, help="As which gym.")
@click.option("--json", "as_json", is_flag=True)
def check(broker: str, ca_file: Path | None, gym: str, as_json: bool) -> None:
    """Connect to the broker and publish to this gym's topics, as `serve` would.

    What is published is an empty message on legcurl/GYM/check, which the broker does not keep. A
    broker that cannot be used is exit code 3, with why.
    """
    import asyncio

    from legcurl.errors import ConfigError
    from legcurl.identifiers import GYM_ID, GYM_ID_MAX, id_rule

    if not GYM_ID.fullmatch(gym):
        raise click.BadParameter(
            f"{gym!r} is no gym's id: use {id_rule(GYM_ID_MAX)}.",
            param_hint="--gym",
        )
    try:
        from legcurl.mqtt.connection import NO_SUBSCRIBERS, Connection
    except ImportError as error:
        raise ConfigError(
            f"legcurl mqtt needs more packages ({error.name}): pip install 'legcurl[mqtt]'"
        ) from error
    settings = broker_from(broker, ca_file)

    async def try_it() -> bool:
        connection = await Connection.open(settings, f"{CHECK_ID}-{gym}")
        try:
            return await connection.publish(f"legcurl/{gym}/check", b"") != NO_SUBSCRIBERS
        finally:
            await connection.close()

    heard = asyncio.run(try_it())
    if as_json:
        write_json({"broker": settings.where, "usable": True, "heard": heard})
        return
    write_line(f"{settings.where} can be used.")
    if not heard:
        write_line(f"There is no subscriber to legcurl/{gym}/check there.")


@mqtt.command()
@click.option("--store", metavar="URL", required=True, help="The gym's store.")
@click.option(
    "--since",
    metavar="DATE",
    required=True,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Sets from then on, UTC.",
)
@click.option("--json", "as_json", is_flag=True)
def resend(store: str, since: datetime, as_json: bool) -> None:
    """Tell the broker of this gym's sets again.

    For a central store that lacks some, or a gym that has begun to publish. It is harmless: a
    center that knows a set sees that by its revision. The service sends them within seconds, while
    it runs.
    """
    from functools import partial

    from legcurl.cli.shared.progress import progress
    from legcurl.store import open_store
    from legcurl.store.locations import needed_store
    from legcurl.store.replication import outbox

    count, after = 0, ""
    moment = since.replace(tzinfo=UTC)
    with open_store(needed_store(store)) as opened:
        total = opened.within(partial(outbox.count_since, since=moment))
        with progress("Sending again", total) as done:
            while True:
                some, after = opened.within(
                    partial(outbox.announce_again, since=moment, after=after)
                )
                count += some
                done(count)
                if not after:
                    break
    if as_json:
        write_json({"sets": count})
    else:
        write_line(f"{count} sets are in the outbox again.")
