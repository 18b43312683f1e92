"""Families of simulated sets, by name: the lifters of `sim:?lifter=NAME`, and test sets.

A family is what detection must cope with, in a sentence, made of traits (ranges to draw from), a
program, and perhaps a troubled sensor. The first five are the lifters that `sim:` is used with;
then the 24 families that docs/detection.md names; then nastier ones. LIFTERS has two
more: an ordinary person, and the installer, who makes no set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from legcurl.simulator import programs as p
from legcurl.simulator.fault_schedule import FaultWindow, glitching_at_start, troubled
from legcurl.simulator.scenario import Program, Traits

_WIDE = Traits()
_TO_FAILURE = p.lifting(before=p.perhaps_fidgeting, after=p.fidgeting_afterwards)

# Sticking in mid-range, so that a failure shows plainly.
_MIDWAY = Traits(
    reps=(7.5, 10.2),
    sticking=(0.38, 0.7),
    bump=(0.18, 0.32),
    bump_width=(0.15, 0.25),
    cam_breadth=(0.85, 1.0),
    gravity_nm=(3.0, 9.0),
)
_FRESH = (10.0, 16.0)  # a lifter who has reps to spare
_LOW = Traits(sticking=(0.1, 0.24), bump=(0.25, 0.4), bump_width=(0.1, 0.16))
_FAST = Traits(
    concentric_deg_s=(45.0, 75.0),
    eccentric_deg_s=(60.0, 110.0),
    hold_s=(0.0, 0.2),
    turnaround_s=(0.0, 0.4),
)


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of set."""

    about: str
    traits: Traits = _WIDE
    program: Program = _TO_FAILURE
    faults: Callable[[Random], list[FaultWindow]] | None = None
    loses_batches: bool = False  # more than others, on the way to the recorder
    others_calibration: bool = False  # the installer's record is of another lifter
    begins_flexed: bool = False  # the lever is pinned near the top when the world begins
    installs: bool = False  # no set: goes on for as long as the world, and faults stand
    ordinary: bool = False  # person and session are drawn instead of traits and program


FAMILIES: Mapping[str, Family] = {
    # Lifters to use `sim:` with.
    "steady": Family(
        "the method as it is meant: 7 to 10 reps, then one that does not go up", _MIDWAY
    ),
    "early": Family(
        "too heavy a day: fails after 3 to 5 reps",
        replace(_MIDWAY, reps=(3.5, 5.4), bump=(0.28, 0.42), sticking=(0.42, 0.7)),
    ),
    "sloppy": Family("fast, hardly a hold, never the same top twice", _FAST, p.lifting(p.sloppy)),
    "quits": Family(
        "stops after 4 to 6 reps without having failed",
        Traits(reps=_FRESH),
        p.lifting(reps=(4, 6)),
    ),
    "partials": Family(
        "cuts reps short by choice, then fails",
        program=p.lifting(p.cutting_short((0.35, 0.8), 0.4)),
    ),
    # The families of docs/detection.md.
    "clean_slow": Family(
        "textbook: slow and even",
        Traits(
            concentric_deg_s=(18.0, 28.0),
            eccentric_deg_s=(10.0, 18.0),
            wobble=(0.01, 0.05),
            wander_deg=(0.02, 0.15),
        ),
    ),
    "fast_sloppy": Family(
        "fast, hardly a hold, never the same top twice",
        _FAST,
        p.lifting(p.sloppy, before=p.perhaps_fidgeting, after=p.fidgeting_afterwards),
    ),
    "tremor": Family(
        "shaking all along",
        Traits(tremor_deg=(0.06, 0.14), wander_deg=(0.4, 1.1), wobble=(0.15, 0.35)),
    ),
    "short_rom": Family(
        "a short lifter, or a stiff one: 45 to 65 degrees",
        Traits(rom_deg=(45.0, 65.0), concentric_deg_s=(15.0, 28.0), rest_below_deg=(3.0, 20.0)),
    ),
    "rom_shrink": Family(
        "each rep a little shorter, by choice, until he fails", program=p.lifting(p.shrinking)
    ),
    "fail_low": Family("the sticking point is low: fails at 15 to 35 % of the way", _LOW),
    "fail_mid": Family("fails in the middle", Traits(sticking=(0.45, 0.65), bump=(0.2, 0.35))),
    "fail_high": Family(
        "fails just below the top",
        Traits(sticking=(0.86, 0.97), bump=(0.2, 0.35), bump_width=(0.08, 0.14)),
    ),
    "long_grind": Family(
        "does not give up: the last reps and the failure take very long",
        Traits(reps=(3.0, 7.0), patience_s=(4.0, 9.0), grind_s=(14.0, 28.0), bump=(0.2, 0.4)),
    ),
    "two_fails": Family("fails, and tries once more", program=p.lifting(attempts=2)),
    "voluntary_stop": Family(
        "stops after 3 to 6 good reps",
        Traits(reps=_FRESH),
        p.lifting(reps=(3, 6), after=p.fidgeting_afterwards),
    ),
    "near_failure_stop": Family(
        "stops when the next rep would be the last",
        Traits(reps=(6.0, 12.5)),
        p.stopping_near_failure,
    ),
    "rest_mid_set": Family(
        "sets the weight down for 4 to 15 s, and goes on",
        program=p.lifting(between=p.resting((3.0, 12.0), 0.4, 2)),
    ),
    "top_pulses": Family("pulses at the top of some reps", program=p.lifting(p.pulsing)),
    "hold_sag": Family(
        "the hold sinks slowly",
        Traits(sag_deg_s=(-2.2, -0.6), hold_s=(2.8, 4.5), hold_variation_s=(0.4, 1.2)),
        p.lifting(after=p.fidgeting_afterwards),
    ),
    "fail_in_hold": Family(
        "hardest at the top: gets there, and holds on until it sinks",
        Traits(
            sticking=(0.98, 1.08),
            bump=(0.15, 0.3),
            bump_width=(0.3, 0.5),
            cam_breadth=(1.0, 1.1),
            gravity_nm=(1.0, 4.0),
            friction=(0.0, 0.012),
            hold_s=(3.5, 5.5),
            content=(0.952, 0.96),
            patience_s=(3.0, 5.0),
        ),
        p.lifting(p.squeezing_out),
    ),
    "ecc_catch": Family(
        "stops, or pulls up again a little, on the way down", program=p.lifting(p.catching)
    ),
    "end_stop_bounce": Family(
        "lets it fall: the lever bounces at the stop",
        Traits(reps=(4.0, 8.0), touches=1.0, stop_nm_rad=(800.0, 2500.0)),
        p.lifting(p.dropping),
    ),
    "fidget_before": Family(
        "tests the weight and shifts in the seat before the first rep",
        program=p.lifting(before=p.fidgeting((3, 6), (3.0, 45.0)), after=p.fidgeting_afterwards),
    ),
    "stack_tap": Family(
        "lets the stack touch down and tap between reps",
        Traits(touches=1.0),
        p.lifting(between=p.tapping, after=p.fidgeting_afterwards),
    ),
    "deliberate_partials": Family(
        "cuts some reps short by choice, clearly",
        program=p.lifting(p.cutting_short((0.3, 0.8), 0.3)),
    ),
    "aborted": Family(
        "lets go in the middle of a rep that would have gone up", Traits(reps=_FRESH), p.aborting
    ),
    "lifter_swap": Family("the calibration is of the lifter before him", others_calibration=True),
    "sensor_faults": Family(
        "magnet losses, spikes, stuck values, all through the set",
        faults=troubled,
        loses_batches=True,
    ),
    # Nastier.
    "double_friction": Family(
        "a neglected machine: twice the worst friction of the others", Traits(friction=(0.08, 0.12))
    ),
    "assisted": Family(
        "the coach helps one rep over the sticking point",
        program=p.lifting(p.assisted_last, after=p.fidgeting_afterwards),
    ),
    "phone_check": Family(
        "one long look at the phone at the bottom: 8 to 17 s, same set",
        program=p.lifting(between=p.phone_check),
    ),
    "negatives": Family(
        "the coach lifts, the lifter lowers slowly", Traits(reps=_FRESH), p.negatives
    ),
    "from_the_top": Family(
        "begins by letting the lever down from where it was pinned",
        program=p.from_the_top,
        begins_flexed=True,
    ),
    "cable_stretch": Family(
        "a soft cable: the stack bobs behind the lever", Traits(cable_n_m=(25_000.0, 60_000.0))
    ),
    "mains_hum": Family("60 Hz hum on the angle, half a degree", Traits(hum_deg=(0.25, 0.6))),
    "bent_scale": Family(
        "a magnet off its centre: 3 degrees of non-linearity", Traits(bend_deg=(2.5, 3.2))
    ),
    "encoder_slip": Family("the magnet slips on its axle in mid-set", Traits(slip_deg=(4.0, 15.0))),
    "setup_dips": Family(
        "swings the empty lever through its full way before the set",
        program=p.setting_up_with_dips,
    ),
    "mid_rep_stalls": Family(
        "stops for seconds on the way up, at will",
        Traits(reps=_FRESH, friction=(0.02, 0.06)),
        p.lifting(p.pausing, reps=(5, 9)),
    ),
    "startup_glitch": Family(
        "wild values while the chip settles after power-on", faults=glitching_at_start
    ),
    "chatter": Family("one degree of noise: a cheap potentiometer", Traits(noise_deg=(0.3, 0.5))),
    "any_partials": Family(
        "turns round anywhere from 20 to 100 % of the way",
        Traits(reps=_FRESH),
        p.lifting(p.cutting_short((0.2, 1.0), 0.6), reps=(6, 12)),
    ),
    "broken_off": Family("the record ends in mid-set", Traits(reps=_FRESH), p.breaking_off),
}

INSTALLER = Family(
    "no lifter: the hand of a technician who calibrates the sensor, slowly, end to end",
    Traits(wander_deg=(0.03, 0.15), wobble=(0.02, 0.1), tremor_deg=(0.0, 0.02)),
    p.installing,
    installs=True,
)

PERSON = Family("an ordinary person, with habits and a session drawn from the seed", ordinary=True)

# What `lifter=` takes.
LIFTERS: Mapping[str, Family] = {**FAMILIES, "person": PERSON, "installer": INSTALLER}
