"""A set as a program gets it: rate, clock, resolution and lost batches of some link and chip.

The firmware's own path is exact and is tested as such. Detection also meets other recorders (and
`legcurl analyze` any CSV), so the sets it is measured on come at 50, 100 or 200 Hz, with jittering
time stamps, from encoders of other resolutions, and with batches missing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import inf, nan
from random import Random

from legcurl.simulator.encoder import Encoder, quantised
from legcurl.simulator.fault_schedule import FaultSchedule, StandingFaults
from legcurl.simulator.machine import STEP_S

RATES_HZ = (50.0, 100.0, 100.0, 100.0, 200.0)
STEPS_A_TURN = (4096, 4096, 4096, 2400, 16384)  # AS5600; 600-line quadrature; AS5048A
LATEST_START_S = 4000.0  # sensors do not boot when a set begins


@dataclass(frozen=True, slots=True)
class CaptureSpec:
    """One recorder."""

    rate_hz: float
    steps: int = 4096
    jitter_s: float = 0.0
    time_step_s: float = 1e-4
    lost_every_s: float = inf  # mean time between lost batches
    lost_s: float = 0.15  # mean length of one
    clock_s: float = 0.0  # the recorder's clock when the world's is 0


def draw_capture(rng: Random, rate_hz: float | None, loses_batches: bool) -> CaptureSpec:
    """A recorder as they come."""
    rate = rng.choice(RATES_HZ)
    return CaptureSpec(
        rate_hz=rate_hz or rate,
        steps=rng.choice(STEPS_A_TURN),
        jitter_s=rng.choice((0.0, 0.1, 0.25)) / (rate_hz or rate),
        time_step_s=rng.choice((1e-3, 1e-4, 1e-4)),
        lost_every_s=6.0 if loses_batches else rng.choice((inf, inf, 40.0, 15.0)),
        lost_s=rng.uniform(0.04, 0.2),
        clock_s=round(rng.uniform(0.0, LATEST_START_S), 1),
    )


def captured(
    flexion_deg: list[float],
    encoder: Encoder,
    faults: FaultSchedule | StandingFaults,
    spec: CaptureSpec,
    rng: Random,
) -> tuple[list[float], list[float], list[float]]:
    """Time stamps, raw angles (nan under known faults) and the exact flexion at each."""
    times: list[float] = []
    angles: list[float] = []
    exact: list[float] = []
    losses = _losses(spec, rng, len(flexion_deg) * STEP_S)
    last = len(flexion_deg) - 1
    kept = nan
    for tick in range(int(last * STEP_S * spec.rate_hz)):
        due_s = tick / spec.rate_hz
        position = due_s / STEP_S
        index = min(last - 1, int(position))
        share = position - index
        flexion = flexion_deg[index] + (flexion_deg[index + 1] - flexion_deg[index]) * share
        trouble = faults.at(due_s)
        shown = encoder.read(flexion, due_s) if trouble.wild_deg is None else trouble.wild_deg
        if trouble.blind:
            shown = nan
        elif trouble.stuck and kept == kept:
            shown = kept
        else:
            shown = kept = quantised(shown, spec.steps)
        if bisect_right(losses, due_s) % 2:
            continue
        jitter = rng.gauss(0.0, spec.jitter_s) if spec.jitter_s else 0.0
        limit = 0.45 / spec.rate_hz
        stamp = spec.clock_s + due_s + min(limit, max(-limit, jitter))
        times.append(round(round(stamp / spec.time_step_s) * spec.time_step_s, 6))
        angles.append(shown)
        exact.append(flexion)
    return times, angles, exact


def _losses(spec: CaptureSpec, rng: Random, length_s: float) -> list[float]:
    """Starts and ends of lost batches, alternating."""
    edges: list[float] = []
    t_s = 0.0
    while spec.lost_every_s < inf:
        t_s += rng.expovariate(1.0 / spec.lost_every_s)
        if t_s >= length_s:
            break
        edges.append(t_s)
        t_s += rng.expovariate(1.0 / spec.lost_s)
        edges.append(t_s)
    return edges
