"""One simulated person on one machine: everything drawn from a seed before the first second.

`Traits` are the ranges to draw from; a family narrows the few that make it what it is and leaves
the rest wide, so that no two sets share a machine, a strength curve or a tempo. `draw` turns
traits into a `Scenario`. The weight follows from the load (a fraction of what this lifter can just
lift through his sticking point when fresh), the fatigue rate from the reps he manages at
`REFERENCE_LOAD`; so a lighter weight gives more reps and a heavier one fewer, without being told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import radians
from random import Random

from legcurl.simulator.encoder import EncoderSpec
from legcurl.simulator.endurance import demand_of, fatigue_rate
from legcurl.simulator.intent import LifterSpec
from legcurl.simulator.lifter import Behaviour, Lifter
from legcurl.simulator.machine import GRAVITY_M_S2, MachineSpec
from legcurl.simulator.muscle import MuscleSpec

REFERENCE_LOAD = 0.8  # the load at which a lifter's number of reps is known

SLIP_AT_S = (20.0, 60.0)  # in mid-set

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Traits:
    """Ranges to draw a lifter, a machine and a sensor from."""

    reps: Range = (6.7, 10.9)  # to failure at REFERENCE_LOAD; 7.5 is a safe 7, 7.9 nearly an 8
    rom_deg: Range = (80.0, 110.0)
    concentric_deg_s: Range = (20.0, 42.0)
    eccentric_deg_s: Range = (12.0, 32.0)
    hold_s: Range = (2.6, 3.6)
    hold_variation_s: Range = (0.15, 0.6)
    tempo_variation: Range = (0.05, 0.12)
    turnaround_s: Range = (0.1, 0.7)
    overshoot_deg: Range = (0.0, 4.5)
    sag_deg_s: Range = (-0.8, 0.4)
    wander_deg: Range = (0.05, 0.5)
    wobble: Range = (0.03, 0.2)
    tremor_deg: Range = (0.005, 0.06)
    patience_s: Range = (1.5, 4.0)
    grind_s: Range = (6.0, 13.0)
    letting_go: Range = (0.4, 0.97)
    touches: float = 0.4  # probability that the weight rests between reps
    content: Range = (0.96, 0.985)
    sticking: Range = (0.35, 0.88)  # where on the way the load is hardest, of the ROM
    bump: Range = (0.12, 0.32)  # how much harder there
    bump_width: Range = (0.14, 0.45)  # of the ROM
    friction: Range = (0.01, 0.05)  # of the weight
    lever_inertia: Range = (0.8, 2.2)
    gravity_nm: Range = (5.0, 14.0)
    cam_m: Range = (0.13, 0.24)
    cam_breadth: Range = (0.9, 1.15)  # of the muscle's: above 1, the ends of the way are harder
    strength_nm: Range = (120.0, 280.0)
    v_max_deg_s: Range = (600.0, 1000.0)
    rest_below_deg: Range = (3.0, 9.0)  # of the extended end
    slack_deg: Range = (0.0, 2.0)
    cable_n_m: Range = (80_000.0, 160_000.0)
    stop_nm_rad: Range = (1500.0, 5000.0)
    noise_deg: Range = (0.015, 0.05)
    bend_deg: Range = (0.0, 0.8)
    bend2_deg: Range = (0.0, 0.4)
    hum_deg: Range = (0.0, 0.0)
    slip_deg: Range = (0.0, 0.0)
    drift_deg_min: Range = (-0.15, 0.15)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who lifts what, on what, seen by what."""

    machine: MachineSpec
    muscle: MuscleSpec
    lifter: LifterSpec
    encoder: EncoderSpec
    reps_known: float  # to failure at REFERENCE_LOAD, as drawn; the physics may differ by one


Program = Callable[[Lifter], Behaviour]


def draw(rng: Random, traits: Traits, load: float) -> Scenario:
    """Draw everything; the order of draws is part of what a seed means."""

    def within(bounds: Range) -> float:
        return rng.uniform(*bounds)

    rom_deg = within(traits.rom_deg)
    rom = radians(rom_deg)
    lifter = LifterSpec(
        rom_deg=rom_deg,
        concentric_deg_s=within(traits.concentric_deg_s),
        eccentric_deg_s=within(traits.eccentric_deg_s),
        hold_s=within(traits.hold_s),
        hold_variation_s=within(traits.hold_variation_s),
        tempo_variation=within(traits.tempo_variation),
        turnaround_s=within(traits.turnaround_s),
        overshoot_deg=within(traits.overshoot_deg),
        sag_deg_s=within(traits.sag_deg_s),
        wander_deg=within(traits.wander_deg),
        wobble=within(traits.wobble),
        tremor_deg=within(traits.tremor_deg),
        tremor_hz=rng.uniform(7.0, 11.0),
        content_fraction=within(traits.content),
        patience_s=within(traits.patience_s),
        grind_s=within(traits.grind_s),
        letting_go=within(traits.letting_go),
        touches=rng.random() < traits.touches,
    )
    muscle = MuscleSpec(
        strength_nm=within(traits.strength_nm),
        best_rad=rom * rng.uniform(0.3, 0.6),
        breadth_rad=radians(rng.uniform(110.0, 170.0)),
        v_max_rad_s=radians(within(traits.v_max_deg_s)),
        hill_shape=rng.uniform(0.35, 0.6),
        eccentric_gain=rng.uniform(1.25, 1.45),
        activation_s=rng.uniform(0.03, 0.06),
    )
    rest = -radians(within(traits.rest_below_deg))
    machine = MachineSpec(
        rest_rad=rest,
        limit_rad=rom + radians(rng.uniform(8.0, 20.0)),
        slack_rad=radians(within(traits.slack_deg)),
        lever_inertia_kg_m2=within(traits.lever_inertia),
        gravity_nm=within(traits.gravity_nm),
        gravity_phase_rad=rng.uniform(-0.2, 0.2),
        cam_m=within(traits.cam_m),
        cam_best_rad=muscle.best_rad + radians(rng.uniform(-6.0, 6.0)),
        cam_breadth_rad=muscle.breadth_rad * within(traits.cam_breadth),
        cam_bump=within(traits.bump),
        cam_bump_rad=rom * within(traits.sticking),
        cam_bump_width_rad=2.0 * rom * within(traits.bump_width),
        lever_friction_nm=rng.uniform(0.5, 2.5),
        lever_drag_nm_s=rng.uniform(0.3, 1.5),
        cable_n_m=within(traits.cable_n_m),
        cable_damping_n_s_m=rng.uniform(200.0, 800.0),
        stop_nm_rad=within(traits.stop_nm_rad),
        stop_damping_nm_s=rng.uniform(8.0, 40.0),
    )
    friction = within(traits.friction)
    known = weighted(machine, muscle, rom_deg, REFERENCE_LOAD, friction)
    reps = within(traits.reps)
    rate = fatigue_rate(demand_of(known, muscle, rom_deg), muscle, lifter, reps)
    muscle = replace(muscle, fatigue_s=rate, recovery_s=0.1 * rate)
    return Scenario(
        machine=weighted(machine, muscle, rom_deg, load, friction),
        muscle=muscle,
        lifter=lifter,
        encoder=_draw_encoder(rng, traits),
        reps_known=reps,
    )


def weighted(
    machine: MachineSpec, muscle: MuscleSpec, rom_deg: float, load: float, friction: float
) -> MachineSpec:
    """The machine with the pin at the weight that makes `load` at the sticking point."""
    low, high = 1.0, 400.0
    tried = machine
    for _ in range(24):
        stack = 0.5 * (low + high)
        tried = replace(machine, stack_kg=stack, stack_friction_n=friction * stack * GRAVITY_M_S2)
        if demand_of(tried, muscle, rom_deg).hardest < load:
            low = stack
        else:
            high = stack
    return tried


def _draw_encoder(rng: Random, traits: Traits) -> EncoderSpec:
    return EncoderSpec(
        offset_deg=rng.uniform(0.0, 360.0),
        direction=rng.choice((1, -1)),
        noise_deg=rng.uniform(*traits.noise_deg),
        bend_deg=rng.uniform(*traits.bend_deg),
        bend_rad=rng.uniform(0.0, 6.28),
        bend2_deg=rng.uniform(*traits.bend2_deg),
        bend2_rad=rng.uniform(0.0, 6.28),
        hum_deg=rng.uniform(*traits.hum_deg),
        drift_deg_s=rng.uniform(*traits.drift_deg_min) / 60.0,
        slip_deg=rng.uniform(*traits.slip_deg) * rng.choice((1, -1)),
        slip_at_s=rng.uniform(*SLIP_AT_S),
    )
