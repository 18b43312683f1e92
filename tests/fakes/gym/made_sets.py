"""Sets to store: measured by the product from simulated lifters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from legcurl.links.sim_address import parse_address
from legcurl.motion import analyze
from legcurl.simulator.world import World
from legcurl.store import Machine, NewSet
from legcurl.store.records import Expected, Trace

FIRST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MACHINE = Machine("curl-1", "Leg curl 1")


@cache
def measured(lifter: str = "steady", seed: int = 5):
    """The samples of a simulated set, and the set as measured."""
    samples = list(
        World(parse_address(f"sim:?lifter={lifter}&seed={seed}&pace=fast")).sensor_trace(100)
    )
    t_s = [t for t, _ in samples]
    angle_deg = [angle for _, angle in samples]
    (result,) = analyze(t_s, angle_deg)
    return Trace(tuple(round(t * 1e6) for t in t_s), tuple(angle_deg)), result


def new_set(number: int = 0, *, lifter: str = "steady", seed: int = 5, **fields: object) -> NewSet:
    """One set of several; later numbers are later sets."""
    trace, result = measured(lifter, seed)
    values: dict[str, object] = {
        "id": f"set-{number:04}",
        "machine": MACHINE,
        "started": FIRST + timedelta(minutes=3 * number),
        "result": result,
        "trace": trace,
        "expected": Expected(),
    }
    return NewSet(**(values | fields))  # type: ignore[arg-type]
