"""What was good about a set and what to work on, in the coach's words.

The coach's page and the printed report show the same sentences: at most three of each, the most
telling first.
"""

from __future__ import annotations

from dataclasses import dataclass

from legcurl.events import SetResult
from legcurl.presentation.wording import beside_target, minutes
from legcurl.training_method import is_rest

SLOW_LOWERING_S = 3.0  # "slowly resists the weight back"
MOST = 3


@dataclass(frozen=True, slots=True)
class Praise:
    """Sentences, the most telling first."""

    good: tuple[str, ...]
    work: tuple[str, ...]


def praise(result: SetResult) -> Praise:
    """What to say of a set."""
    method = result.judged_by
    target = f"{method.hold_target_s:g} seconds"
    good: list[str] = []
    work: list[str] = []
    full = [rep for rep in result.reps if rep.completed]
    met = sum(rep.hold_met for rep in full)
    short = sum(not rep.failed and not rep.full_rom for rep in result.reps)
    rested = sum(is_rest(rep.rest_before_s) for rep in result.reps)
    lowering_s = sum(rep.eccentric_s for rep in full) / max(len(full), 1)

    if result.outcome == "muscle_success":
        good.append("Went to Muscle Success.")
    elif result.outcome == "stopped":
        work.append("Go on until a rep cannot be finished.")
    if full and met == len(full) and method.hold_target_s:
        good.append(f"Every squeeze was held for {target}.")
    elif full and met * 2 >= len(full):
        good.append(f"{met} of {len(full)} squeezes were held for {target}.")
    if full and met < len(full):
        work.append(f"Squeeze longer: {met} of {len(full)} reached {target}.")
    if full and not short:
        good.append("Full range on every rep.")
    if short:
        were = "one rep was" if short == 1 else f"{short} reps were"
        work.append(f"All the way, heels to butt: {were} short.")
    if full and lowering_s >= SLOW_LOWERING_S:
        good.append("Slow and steady on the way down.")
    elif full:
        work.append(
            f"Lower more slowly: {beside_target(lowering_s, SLOW_LOWERING_S)} s on average."
        )
    if rested:
        work.append(f"Keep moving: rested before {'one rep' if rested == 1 else f'{rested} reps'}.")
    shortest_s, longest_s = method.set_window_s
    if result.time_under_load_s < shortest_s and result.outcome == "muscle_success":
        work.append(f"Under {minutes(shortest_s)} min: take less weight.")
    elif result.time_under_load_s > longest_s and result.outcome == "muscle_success":
        work.append(f"Over {minutes(longest_s)} min under load: take more weight.")
    elif shortest_s <= result.time_under_load_s <= longest_s:
        good.append(
            f"{minutes(shortest_s)} to {minutes(longest_s)} min under load, as it should be."
        )
    return Praise(tuple(good[:MOST]), tuple(work[:MOST]))
