"""Every state that a machine can be seen in, on a stage: for looking at, and for rules that hold
in all of them.

Each is a machine of its own with a set played up to that moment, so one stage shows all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from legcurl.events import Cue, LinkChanged, SensorTrouble
from legcurl.gym.machine_state import MachineState
from stage import Moment, Stage

STEADY = "sim:?seed=7"
EARLY = "sim:?seed=3&lifter=early"
SLOPPY = "sim:?seed=4&lifter=sloppy"
QUITS = "sim:?seed=5&lifter=quits"


@dataclass(frozen=True)
class Seen:
    """One state: how to get a machine into it."""

    name: str
    address: str
    until: Moment
    then: Callable[[Stage, str], None] = lambda stage, machine: None


def _in(phase: str, reps: int, seconds: float = 0.8) -> Moment:
    return lambda state: (
        state.phase == phase
        and state.completed_reps == reps
        and state.t_s - state.phase_since_s > seconds
    )


def _held(seconds: float, reps: int) -> Moment:
    return lambda state: (
        state.phase == "hold" and state.completed_reps == reps and state.hold_s > seconds
    )


def _after(state: MachineState) -> bool:
    return state.stage == "after"


def _lost(stage: Stage, machine: str) -> None:
    reason = "serial:/dev/ttyACM0 is gone: plug the sensor in again."
    stage.tell(machine, LinkChanged("lost", reason))


def _no_magnet(stage: Stage, machine: str) -> None:
    state = stage.service.gym.machines[machine].state
    stage.tell(machine, SensorTrouble(state.t_s, "no_magnet", True))


def _cue(stage: Stage, machine: str) -> None:
    state = stage.service.gym.machines[machine].state
    stage.tell(machine, Cue(state.t_s, "slower_down"))


STATES = (
    Seen("before", STEADY, lambda state: state.t_s > 3),
    Seen("lift", STEADY, _in("concentric", 2, 1.5)),
    Seen("hold", STEADY, _held(1.7, 3)),
    Seen("held", "sim:?seed=12", lambda state: state.phase == "hold" and state.hold_s > 3.5),
    Seen("lower", STEADY, _in("eccentric", 3, 1.5), _cue),
    Seen("rest", QUITS, _in("bottom", 3, 0.8)),
    Seen("doubt", STEADY, lambda state: state.doubt is not None),
    Seen("success", STEADY, lambda state: state.success is not None),
    Seen("stopped", QUITS, _after),
    Seen("lost", STEADY, _in("concentric", 4), _lost),
    Seen("fault", EARLY, _in("concentric", 2), _no_magnet),
    Seen("ended", EARLY, _after),
)


def show_all(stage: Stage) -> dict[str, str]:
    """Play every state on a stage of as many machines; gives the machine of each."""
    shown = {}
    for number, seen in enumerate(STATES, 1):
        machine = f"machine-{number}"
        stage.play(machine, seen.address, seen.until)
        seen.then(stage, machine)
        shown[seen.name] = machine
    return shown
