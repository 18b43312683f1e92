"""The one word: the most pressing of what a state holds, and the same for terminal and page."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from legcurl.events import FailureSuspected, MuscleSuccess, SetEnded
from legcurl.gym.machine_state import MachineState
from legcurl.presentation.headline import HEADLINES, Headline, headline
from legcurl.web.responses import MOVING, moving
from scripted_set import a_set

ENDED = next(event for event in a_set() if isinstance(event, SetEnded)).set
SUCCESS = next(event for event in a_set() if isinstance(event, MuscleSuccess))
DOUBT = next(event for event in a_set() if isinstance(event, FailureSuspected))
LIFTING = MachineState(link="up", stage="during", phase="concentric", faults=("no_magnet",))


def test_every_headline_has_a_word() -> None:
    assert set(HEADLINES) == set(get_args(Headline))


@pytest.mark.parametrize(
    ("state", "key"),
    [
        (replace(LIFTING, link="lost", doubt=DOUBT, success=SUCCESS), "success"),
        (replace(LIFTING, link="lost", doubt=DOUBT), "lost"),
        (replace(LIFTING, doubt=DOUBT), "blind"),
        (replace(LIFTING, faults=(), doubt=DOUBT), "doubt"),
        (replace(LIFTING, faults=()), "lift"),
        (replace(LIFTING, faults=(), stage="before", phase="bottom"), "ready"),
        (replace(LIFTING, faults=(), phase="bottom"), "rest"),
        (replace(LIFTING, stage="after", link="lost", result=ENDED), "success"),
        (
            replace(LIFTING, stage="after", result=replace(ENDED, outcome="stopped")),
            "stopped",
        ),
        (MachineState(), "connecting"),
    ],
)
def test_the_most_pressing_comes_first(state: MachineState, key: Headline) -> None:
    assert headline(state) == key
    assert dict(zip(MOVING, moving(state), strict=True))["headline"] == headline(state.as_shown())


def test_a_set_is_shown_from_its_first_motion_and_its_clock_runs() -> None:
    last = MachineState(link="up", stage="after", result=ENDED, reps=ENDED.reps, set_s=80.0)
    lifting = replace(last, phase="concentric", reached_fraction=0.3, moving_s=1.2)
    shown = lifting.as_shown()
    assert (shown.stage, shown.set_s, shown.reps, shown.result) == ("during", 1.2, (), None)
    settling = replace(lifting, reached_fraction=0.2)
    assert settling.as_shown() == settling
