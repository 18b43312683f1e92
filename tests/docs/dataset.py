"""One set of a family as some recorder would have written it, with its truth.

`make_set(family, seed)` is for work on detection: sample rates, clocks, jitter and lost batches of
other recorders than ours, in front of the same lifter and machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capture import captured, draw_capture
from legcurl.links.sim_address import SimOptions
from legcurl.simulator.encoder import Encoder
from legcurl.simulator.truth import SetTruth
from legcurl.simulator.world import World


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


def make_set(family: str, seed: int, rate_hz: float | None = None) -> SimulatedSet:
    """Simulate one set of a family; the same arguments give the same set for ever."""
    world = World(SimOptions(seed=seed, lifter=family, pace="fast"))
    flexion, truth = world.played()
    rng = world.rng("capture")
    spec = draw_capture(rng, rate_hz, world.family.loses_batches)
    encoder = Encoder(world.scenario.encoder, world.rng("encoder"))
    times, angles, exact = captured(flexion, encoder, world.fault_schedule(), spec, rng)
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
