"""`watch`, `record`, `replay`: a sensor's events, live or from a recording."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.shared.options import calibration_from, calibration_options, json_option
from legcurl.cli.shared.output import EventOutput, logged_warnings_to, output_for_events, write_set
from legcurl.cli.shared.signals import run_until_ended
from legcurl.errors import LinkLostError
from legcurl.events import SetEnded, SetResult

if TYPE_CHECKING:
    from legcurl.links.address import Address
    from legcurl.motion import Calibration

SUMMARIES = 20  # sets written once more after the screen closes

sets_option = click.option(
    "--sets", type=click.IntRange(min=1), metavar="N", help="End after N sets."
)


@click.command(short_help="Follow a sensor live.")
@click.argument("address")
@sets_option
@calibration_options
@click.option(
    "--record",
    "file",
    type=click.Path(path_type=Path, readable=False),
    help="Keep a recording in this file.",
)
@json_option
def watch(
    address: str,
    sets: int | None,
    extended: float | None,
    flexed: float | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Follow the sensor at ADDRESS live, until Ctrl-C or the end of its data.

    On a terminal this is a picture of the set; elsewhere it is a line for each event that
    matters, or with --json one event a line.
    """
    from legcurl.links.address import parse
    from legcurl.station.live_feed import PROMPT_MS

    _follow(
        parse(address),
        output_for_events(as_json=as_json, waiting_for=address, record=file),
        sets=sets,
        calibration=calibration_from(extended, flexed),
        record=file,
        prompt_ms=PROMPT_MS,
    )


@click.command(short_help="Keep everything that a sensor sends.")
@click.argument("address")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@sets_option
@calibration_options
@json_option
def record(
    address: str,
    file: Path,
    sets: int | None,
    extended: float | None,
    flexed: float | None,
    as_json: bool,
) -> None:
    """Keep everything that the sensor at ADDRESS sends in FILE, until Ctrl-C.

    FILE can be read by 'legcurl analyze' and 'legcurl replay', also after a crash or power cut
    in mid-write. It is never overwritten.
    """
    from legcurl.links.address import parse

    _follow(
        parse(address),
        output_for_events(as_json=as_json, waiting_for=address, record=file),
        sets=sets,
        calibration=calibration_from(extended, flexed),
        record=file,
    )


@click.command(short_help="Show a recording again.")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--pace",
    metavar="PACE",
    help="realtime, fast, or a factor such as 8. [default: realtime on a terminal, else fast]",
)
@sets_option
@calibration_options
@json_option
def replay(
    file: Path,
    pace: str | None,
    sets: int | None,
    extended: float | None,
    flexed: float | None,
    as_json: bool,
) -> None:
    """Show the recording FILE again: the same events, whatever the pace."""
    from legcurl.cli.shared.output import can_draw
    from legcurl.links.address import ReplayAddress, parse_pace

    pace = pace or ("realtime" if can_draw() and not as_json else "fast")
    _follow(
        ReplayAddress(file, parse_pace(pace)),
        output_for_events(as_json=as_json, waiting_for=str(file)),
        sets=sets,
        calibration=calibration_from(extended, flexed),
        record=None,
    )


def _follow(
    address: Address,
    output: EventOutput,
    *,
    sets: int | None,
    calibration: Calibration | None,
    record: Path | None,
    prompt_ms: int = 0,
) -> None:
    """Show events until the data or the number of sets ends; then write the sets."""
    ended: deque[SetResult] = deque(maxlen=SUMMARIES)
    try:
        run_until_ended(_show_events(address, output, sets, calibration, record, prompt_ms, ended))
    finally:
        if output.transient:
            for result in ended:
                write_set(result)


async def _show_events(
    address: Address,
    output: EventOutput,
    sets: int | None,
    calibration: Calibration | None,
    record: Path | None,
    prompt_ms: int,
    ended: deque[SetResult],
) -> None:
    from legcurl.station.station import open_station

    with output, logged_warnings_to(output):
        async with open_station(
            address, calibration=calibration, record=record, prompt_ms=prompt_ms
        ) as station:
            output.judge_by(station.session.method)
            count = 0
            async for event in station.events():
                output.show(event)
                if isinstance(event, SetEnded):
                    ended.append(event.set)
                    count += 1
                    if count == sets:
                        return
            output.end_of_events()
    if sets is not None:
        raise LinkLostError(f"{address}: the data ended after {count} of {sets} sets.")
