"""Sets and sessions as some recorder would have written them, with their truth.

`make_set(family, seed)` and `make_session(seed)` are for work on detection: sample rates, clocks,
jitter and lost batches of other recorders than ours, in front of the same lifters and machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from random import Random
from typing import Any

from capture import CaptureSpec, captured, draw_capture
from legcurl.links.sim_address import SimOptions
from legcurl.simulator.encoder import Encoder
from legcurl.simulator.truth import RepTruth, SetTruth
from legcurl.simulator.world import World

SESSION_RATES_HZ = (25.0, 200.0)


@dataclass(frozen=True, slots=True)
class SimulatedSet:
    """One set as recorded, and what it really was. All times on the recorder's clock."""

    family: str
    seed: int
    rate_hz: float
    t_s: list[float]
    angle_deg: list[float]  # raw sensor degrees in [0, 360), nan where the sensor reports a fault
    flexion_deg: list[float]  # the exact flexion at each sample, for plots
    truth: SetTruth
    extended_deg: float  # the installer's calibration, raw sensor degrees
    flexed_deg: float

    def as_json(self) -> dict[str, Any]:
        """The truth with everything a scorer needs, as JSON."""
        return {
            "family": self.family,
            "seed": self.seed,
            "sample_rate_hz": self.rate_hz,
            "calibration": {
                "extended_deg": round(self.extended_deg, 3),
                "flexed_deg": round(self.flexed_deg, 3),
            },
            **self.truth.as_json(),
        }


@dataclass(frozen=True, slots=True)
class SimulatedSession:
    """A session of ordinary people as recorded, and what it really was."""

    seed: int
    rate_hz: float
    t_s: list[float]
    angle_deg: list[float]  # raw sensor degrees in [0, 360), nan where the sensor reports a fault
    flexion_deg: list[float]  # the exact flexion at each sample, for plots
    sets: tuple[SetTruth, ...]
    optional: tuple[RepTruth, ...]  # lifts that may be listed or not
    extended_deg: float  # the installer's calibration, raw sensor degrees
    flexed_deg: float
    direction: int  # of flexion on the sensor's axis
    events: tuple[str, ...]  # what is out of the ordinary, in words


def make_set(family: str, seed: int, rate_hz: float | None = None) -> SimulatedSet:
    """Simulate one set of a family; the same arguments give the same set for ever."""
    world = World(SimOptions(seed=seed, lifter=family, pace="fast"))
    flexion, truth = world.played()
    spec, (times, angles, exact) = _recorded(world, flexion, world.rng("capture"), rate_hz)
    return SimulatedSet(
        family=family,
        seed=seed,
        rate_hz=spec.rate_hz,
        t_s=times,
        angle_deg=angles,
        flexion_deg=exact,
        truth=truth.sets[0].shifted(spec.clock_s),
        extended_deg=truth.extended_deg,
        flexed_deg=truth.flexed_deg,
    )


def make_session(seed: int) -> SimulatedSession:
    """Simulate one session of `lifter=person`; a seed gives the same session for ever."""
    world = World(SimOptions(seed=seed, lifter="person", pace="fast"))
    flexion, truth = world.played()
    rng = world.rng("capture")
    low, high = (log(rate) for rate in SESSION_RATES_HZ)
    rate_hz = round(exp(rng.uniform(low, high)), 3)
    spec, (times, angles, exact) = _recorded(world, flexion, rng, rate_hz)
    return SimulatedSession(
        seed=seed,
        rate_hz=spec.rate_hz,
        t_s=times,
        angle_deg=angles,
        flexion_deg=exact,
        sets=tuple(one.shifted(spec.clock_s) for one in truth.sets),
        optional=tuple(one.shifted(spec.clock_s) for one in truth.optional),
        extended_deg=truth.extended_deg,
        flexed_deg=truth.flexed_deg,
        direction=world.scenario.encoder.direction,
        events=world.session.events if world.session is not None else (),
    )


def _recorded(
    world: World, flexion_deg: list[float], rng: Random, rate_hz: float | None
) -> tuple[CaptureSpec, tuple[list[float], list[float], list[float]]]:
    """The recorder that is drawn, and what it writes."""
    spec = draw_capture(rng, rate_hz, world.family.loses_batches)
    encoder = Encoder(world.scenario.encoder, world.rng("encoder"))
    return spec, captured(flexion_deg, encoder, world.fault_schedule(), spec, rng)
