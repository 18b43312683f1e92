"""`collect`: stores the sets of many gyms from a broker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import broker_from
from legcurl.cli.shared.output import PlainLines, logged_warnings_to, write_json, write_line
from legcurl.cli.shared.signals import run_until_ended

if TYPE_CHECKING:
    from legcurl.mqtt.collector import CollectorFigures

TELL_S = 10.0  # between two lines


@click.command(short_help="Gather the sets of many gyms into one store.")
@click.option("--broker", metavar="URL", required=True, help="mqtt[s]://[USER@]HOST[:PORT]")
@click.option("--store", metavar="URL", required=True, help="Where sets are kept.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path), help="Certificate authority of the broker."
)
@click.option(
    "--share",
    default="collectors",
    show_default=True,
    help="The group of collectors that share the messages.",
)
@click.option("--id", "name", help="This collector's own name.  [default: of this computer]")
@click.option("--leave", is_flag=True, help="Store the waiting messages, and end the session.")
@click.option("--json", "as_json", is_flag=True, help="Print figures as JSON.")
def collect(
    broker: str,
    store: str,
    ca_file: Path | None,
    share: str,
    name: str | None,
    leave: bool,
    as_json: bool,
) -> None:
    """Gather the sets that gyms publish into one store, until it is stopped.

    Any number of collectors may run with the same --share, each with an --id of its own: the
    broker keeps a collector's messages until the same id is back. The password comes
    from the environment: LEGCURL_MQTT_PASSWORD.
    """
    from legcurl.errors import ConfigError

    try:
        from legcurl.mqtt.collector import Collector
        from legcurl.store import open_store
    except ImportError as error:
        raise ConfigError(
            f"legcurl collect needs more packages ({error.name}): "
            "pip install 'legcurl[serve,mqtt,postgres]'"
        ) from error
    if not share or set(share) & set("/+#\0"):
        raise ConfigError(f"{share!r} is not a valid group: use a name without / + and #.")
    settings = broker_from(broker, ca_file)
    name = name or f"legcurl-collect-{os.uname().nodename}"
    figures = _Figures(as_json=as_json)
    with open_store(store) as opened, logged_warnings_to(PlainLines(), "legcurl"):
        collector = Collector(settings, opened, name=name, share=share, counted=figures.told)
        if not as_json:
            write_line(f"Collecting from {settings.where} as {name}.")
        try:
            run_until_ended(collector.leave() if leave else collector.run())
        finally:
            figures.tell(collector.figures)


class _Figures:
    """Writes the figures at once, and then every TELL_S if they have changed."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told_s = 0.0
        self._told: CollectorFigures | None = None

    def told(self, figures: CollectorFigures) -> None:
        """Take changed figures."""
        import time

        before = self._told
        if (
            before is None
            or figures.connected != before.connected
            or (time.monotonic() - self._told_s >= TELL_S)
        ):
            self.tell(figures)
            self._told_s = time.monotonic()

    def tell(self, figures: CollectorFigures) -> None:
        """Write them if they are new."""
        from dataclasses import asdict

        if figures == self._told:
            return
        self._told = figures
        if self._as_json:
            write_json(asdict(figures))
        else:
            write_line(
                f"{'connected' if figures.connected else 'not connected'}: "
                f"{figures.stored} stored, {figures.known} known before, "
                f"{figures.erased} erased, {figures.dead} could not be read"
            )
