"""`reanalyze`: years of sets, measured again by the detection of this version."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import click

from legcurl.cli.shared.options import json_option, store_option
from legcurl.cli.shared.output import warn, write_json, write_line
from legcurl.cli.shared.progress import progress
from legcurl.cli.store import opened_store

SCHEMA = 1
NAMED_MAX = 20  # sets that kept their result are named one by one up to so many


@click.command(short_help="Measure all stored sets again, by this version's detection.")
@store_option
@json_option
def reanalyze(url: str | None, as_json: bool) -> None:
    """Measure every stored set again that an older detection measured, from its raw trace.

    Old results are kept, and corrections stay. It can be ended at any moment (Ctrl-C) and goes on
    where it was when it is started again, also while the service runs.
    """
    with opened_store(url) as store:
        from legcurl.store.maintenance.reanalyze import reanalyze as measure_again
        from legcurl.store.maintenance.reanalyze import waiting

        became: Counter[str] = Counter()
        changed = 0
        left: list[tuple[str, str]] = []
        with progress("Measuring", waiting(store)) as tell:
            for done, one in enumerate(measure_again(store, lambda: datetime.now(UTC)), 1):
                became[one.became] += 1
                changed += one.reps_before != one.reps_after
                if one.became not in ("measured", "the same"):
                    left.append((one.set_id, one.became))
                tell(done)
    if as_json:
        write_json(
            {
                "schema": SCHEMA,
                "sets": sum(became.values()),
                **{name.replace(" ", "_"): became[name] for name in _OUTCOMES},
                "count_changed": changed,
                "left": [{"id": set_id, "why": why} for set_id, why in left],
            }
        )
        return
    for set_id, why in left[:NAMED_MAX]:
        warn(f"{set_id} is as it was: {_WHY[why]}.")
    if len(left) > NAMED_MAX:
        warn(f"and {len(left) - NAMED_MAX} more.")
    write_line(
        f"{became['measured'] + became['the same']} sets measured again, "
        f"{became['measured']} of them differently, {changed} with another count; "
        f"{len(left)} kept as they were."
    )


_OUTCOMES = ("measured", "the same", "no trace", "damaged trace", "no set", "several sets")
_WHY = {
    "no trace": "its trace was not kept",
    "damaged trace": "its trace cannot be read ('legcurl store verify')",
    "no set": "this detection finds no set in its trace",
    "several sets": "this detection finds several sets in its trace",
}
