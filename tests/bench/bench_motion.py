"""Detection's throughput and delay per push, against the simplest state machine on the same set.

    make bench-motion

Prints samples a second of CPU time for a set as it comes from the sensor (25 samples a push), with
and without the live progress, and the ratio to the hysteresis baseline in the same process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import baselines
from dataset import make_set
from legcurl.motion import Calibration, SetTracker

ROUNDS = 5
PUSH = 25


def best(work: Callable[[], object]) -> float:
    """Least CPU seconds of several rounds."""
    spent = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)


def push_all(
    times: Sequence[int],
    angles: Sequence[float],
    calibration: Calibration | None,
    progress_s: float | None,
) -> None:
    """One set through a tracker."""
    tracker = SetTracker(calibration, progress_s=progress_s)
    for at in range(0, len(times), PUSH):
        tracker.push(times[at : at + PUSH], angles[at : at + PUSH])
    tracker.finish()


def main() -> None:
    """Measure and print."""
    for rate_hz in (50.0, 100.0, 200.0):
        made = make_set("steady", 7, rate_hz)
        times = [round(t * 1e6) for t in made.t_s]
        count = len(times)
        fraction = baselines.fractions(made.angle_deg, made.extended_deg, made.flexed_deg)
        simple = count / best(lambda m=made, f=fraction: baselines.hysteresis(m.t_s, f))
        print(f"{rate_hz:.0f} Hz, {count} samples; hysteresis baseline {simple:,.0f} samples/s")
        calibration = Calibration(made.extended_deg, made.flexed_deg)
        for label, given, progress_s in (
            ("calibrated", calibration, None),
            ("range learnt", None, None),
            ("range learnt, live progress", None, 0.1),
        ):
            rate = count / best(
                lambda t=times, a=made.angle_deg, c=given, p=progress_s: push_all(t, a, c, p)
            )
            print(f"  {label:30s} {rate:>10,.0f} samples/s   {rate / simple:.2f} × baseline")
        delays = []
        tracker = SetTracker(calibration, progress_s=0.1)
        for at in range(0, count, PUSH):
            begin = time.perf_counter()
            tracker.push(times[at : at + PUSH], made.angle_deg[at : at + PUSH])
            delays.append(time.perf_counter() - begin)
        delays.sort()
        print(
            f"  one push of {PUSH}: median {1e3 * statistics.median(delays):.2f} ms, "
            f"99th percentile {1e3 * delays[int(0.99 * len(delays))]:.2f} ms, "
            f"worst {1e3 * delays[-1]:.2f} ms"
        )


if __name__ == "__main__":
    main()
