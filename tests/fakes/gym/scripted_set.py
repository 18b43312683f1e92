"""Events of a set as a station would give them, written down rather than detected.

Views and commands are tested on what they do with events; where the events come from is others'
matter. `a_set()` is a set of seven good reps that ends in a failed eighth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from legcurl.events import (
    Event,
    FailureSuspected,
    MuscleSuccess,
    Phase,
    PhaseChanged,
    Progress,
    RepEnded,
    RepResult,
    SensorSeen,
    SetEnded,
    SetResult,
    SetStarted,
)

SENSOR = SensorSeen(
    sensor_id="e66058388317812f",
    boot_id=2881903541,
    name="Leg curl 1",
    board="pico_w",
    firmware="0.1.0",
    rate_hz=100.0,
)
GRID_S = 0.1
FIRST_REP_S = 4.0
EXTENDED_DEG = 212.3
ROM_DEG = 96.0


@dataclass(frozen=True)
class Plan:
    """One attempt: how long it goes up, holds and goes down, and how far it gets."""

    up_s: float
    hold_s: float
    down_s: float
    reach: float = 0.98
    rest_s: float = 0.4


GOOD = (
    Plan(2.6, 3.2, 3.9),
    Plan(2.7, 3.1, 4.0),
    Plan(2.9, 3.4, 3.7),
    Plan(3.1, 2.6, 3.6),
    Plan(3.6, 3.1, 3.5, rest_s=1.6),
    Plan(4.3, 3.0, 3.1, reach=0.96),
    Plan(5.2, 3.1, 2.8, reach=0.95),
)
FAILED = Plan(6.1, 0.0, 1.9, reach=0.58)


def rep(number: int, plan: Plan, start_s: float, *, failed: bool = False) -> RepResult:
    top_s = start_s + plan.up_s
    hold_end_s = top_s + plan.hold_s
    return RepResult(
        number=number,
        completed=not failed and plan.reach >= 0.9,
        failed=failed,
        failure="mid_lift" if failed else None,
        start_s=start_s,
        hold_start_s=top_s,
        hold_end_s=hold_end_s,
        end_s=hold_end_s + plan.down_s,
        known_s=hold_end_s + plan.down_s + 0.3,
        concentric_s=plan.up_s,
        hold_s=plan.hold_s,
        eccentric_s=plan.down_s,
        rest_before_s=plan.rest_s if number > 1 else 0.0,
        peak_deg=plan.reach * ROM_DEG,
        rom_fraction=plan.reach,
        hold_met=plan.hold_s >= 3.0,
        full_rom=plan.reach >= 0.9,
        fail_s=hold_end_s if failed else None,
        evidence="crept for 2.4 s at 58 % of the range" if failed else None,
    )


def moving(plan: Plan, start_s: float, done: int, set_began_s: float) -> Iterator[Event]:
    """The live picture during one attempt, phase by phase, on the grid."""
    legs: tuple[tuple[Phase, float, float, float], ...] = (
        ("concentric", plan.up_s, 0.0, plan.reach),
        ("hold", plan.hold_s, plan.reach, plan.reach),
        ("eccentric", plan.down_s, plan.reach, 0.0),
    )
    began_s = start_s
    for phase, lasts_s, low, high in legs:
        if lasts_s <= 0:
            continue
        yield PhaseChanged(began_s, phase)
        for step in range(round(lasts_s / GRID_S)):
            since_s = step * GRID_S
            fraction = low + (high - low) * since_s / lasts_s
            t_s = began_s + since_s
            yield Progress(
                t_s=t_s,
                angle_deg=EXTENDED_DEG + fraction * ROM_DEG,
                rom_fraction=fraction,
                phase=phase,
                completed_reps=done,
                hold_s=since_s if phase == "hold" else 0.0,
                set_s=t_s - set_began_s,
            )
        began_s += lasts_s
    yield PhaseChanged(began_s, "bottom")


def resting(from_s: float, lasts_s: float, done: int = 0, set_s: float = 0.0) -> Iterator[Event]:
    for step in range(round(lasts_s / GRID_S)):
        since_s = step * GRID_S
        set_now_s = set_s + since_s if set_s else 0.0
        yield Progress(from_s + since_s, EXTENDED_DEG, 0.0, "bottom", done, 0.0, set_now_s)


def a_set(*, good: tuple[Plan, ...] = GOOD, failed: Plan | None = FAILED) -> Iterator[Event]:
    """Every event from the sensor's first word to the set's end."""
    yield SENSOR
    yield from resting(0.0, FIRST_REP_S)
    now_s = FIRST_REP_S
    reps: list[RepResult] = []
    for plan in (*good, failed):
        if plan is None:
            continue
        number = len(reps) + 1
        done = sum(one.completed for one in reps)
        if number > 1:
            yield from resting(now_s, plan.rest_s, done, now_s - FIRST_REP_S)
            now_s += plan.rest_s
        measured = rep(number, plan, now_s, failed=plan is failed)
        if plan is failed:
            cut_s = plan.up_s * 0.7
            for event in moving(plan, now_s, done, FIRST_REP_S):
                yield event
                if isinstance(event, Progress) and abs(event.t_s - now_s - cut_s) < GRID_S / 2:
                    yield FailureSuspected(event.t_s, event.t_s, 0.55, "creeping at 55 % for 1.4 s")
        else:
            yield from moving(plan, now_s, done, FIRST_REP_S)
        now_s = measured.end_s
        if number == 1:
            yield SetStarted(measured.known_s, FIRST_REP_S)
        reps.append(measured)
        done = sum(one.completed for one in reps)
        if measured.failed:
            assert measured.fail_s is not None
            assert measured.evidence is not None
            yield MuscleSuccess(measured.known_s, measured.fail_s, "mid_lift", measured.evidence)
        yield RepEnded(measured.known_s, measured, done)
    result = set_of(reps)
    yield SetEnded(result.outcome_known_s, result)


def set_of(reps: list[RepResult]) -> SetResult:
    last = reps[-1]
    return SetResult(
        start_s=reps[0].start_s,
        end_s=last.end_s,
        outcome="muscle_success" if last.failed else "stopped",
        outcome_s=last.fail_s,
        outcome_known_s=last.end_s + 4.0,
        time_under_load_s=last.end_s - reps[0].start_s,
        completed_reps=sum(one.completed for one in reps),
        reps=tuple(reps),
        rom_deg=ROM_DEG,
        velocity_loss=0.48,
        rom_loss=0.03,
    )
