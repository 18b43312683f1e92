"""Sets as detection gives them, for tests: reps of 4 s with a hold in their middle."""

from __future__ import annotations

from collections.abc import Sequence

from legcurl.events import RepResult, SetResult

UP_S, HOLD_S, DOWN_S = 1.0, 2.0, 1.0
REP_S = UP_S + HOLD_S + DOWN_S


def rep(start_s: float, *, failed: bool = False) -> RepResult:
    hold_start_s, hold_end_s = start_s + UP_S, start_s + UP_S + HOLD_S
    return RepResult(
        number=1,
        completed=not failed,
        failed=failed,
        failure="mid_lift" if failed else None,
        start_s=start_s,
        hold_start_s=hold_start_s,
        hold_end_s=hold_end_s,
        end_s=start_s + REP_S,
        known_s=start_s + REP_S,
        concentric_s=UP_S,
        hold_s=HOLD_S,
        eccentric_s=DOWN_S,
        rest_before_s=0.0,
        peak_deg=90.0,
        rom_fraction=0.5 if failed else 1.0,
        hold_met=False,
        full_rom=not failed,
        fail_s=hold_end_s if failed else None,
    )


def one_set(reps: Sequence[RepResult]) -> SetResult:
    failed = bool(reps) and reps[-1].failure is not None
    return SetResult(
        start_s=reps[0].start_s,
        end_s=reps[-1].end_s,
        outcome="muscle_success" if failed else "stopped",
        outcome_s=reps[-1].fail_s,
        outcome_known_s=reps[-1].end_s,
        time_under_load_s=10.0,
        completed_reps=sum(one.completed for one in reps),
        reps=tuple(reps),
    )
