"""The one word that matters now about a machine, for terminal and page alike.

In: the machine's state as shown. Out: a key; `HEADLINES` has the word of each.
"""

from __future__ import annotations

from typing import Literal

from legcurl.events import Outcome, Phase
from legcurl.gym.machine_state import MachineState

Headline = Literal[
    "success",
    "stopped",
    "interrupted",
    "connecting",
    "lost",
    "ended",
    "blind",
    "doubt",
    "ready",
    "rest",
    "lift",
    "hold",
    "lower",
]

HEADLINES: dict[Headline, str] = {
    "success": "MUSCLE SUCCESS",
    "stopped": "STOPPED",
    "interrupted": "BROKEN OFF",
    "connecting": "WAIT",
    "lost": "NO LINK",
    "ended": "ENDED",
    "blind": "FAULT",
    "doubt": "FAIL?",
    "ready": "READY",
    "rest": "REST",
    "lift": "LIFT",
    "hold": "HOLD",
    "lower": "LOWER",
}

_OUTCOMES: dict[Outcome, Headline] = {
    "muscle_success": "success",
    "stopped": "stopped",
    "interrupted": "interrupted",
}
_PHASES: dict[Phase, Headline] = {
    "unknown": "ready",
    "bottom": "rest",
    "concentric": "lift",
    "hold": "hold",
    "eccentric": "lower",
}
_LINKS: dict[str, Headline] = {"connecting": "connecting", "lost": "lost", "ended": "ended"}


def headline(state: MachineState) -> Headline:
    """The most pressing: a success and a set that is over stay true whatever the link does."""
    if state.result is not None:
        return _OUTCOMES[state.result.outcome]
    if state.success is not None:
        return "success"
    if state.link in _LINKS:
        return _LINKS[state.link]
    if state.blind:
        return "blind"
    if state.doubt is not None:
        return "doubt"
    if state.stage == "before" and state.phase == "bottom":
        return "ready"
    return _PHASES[state.phase]
