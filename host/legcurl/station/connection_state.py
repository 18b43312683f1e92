"""The states of a live feed's connection, and the one table of what leads from each to which.

The feed (live_feed.py) has one step for each state. A step ends in an event, and the table says
what the feed does next. An error that is not retried ends the feed in any state.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What the feed does at the moment."""

    RESTORING = "reads the journal"
    CONNECTING = "opens a link"
    GREETING = "says hello"
    PROVING = "has the sensor prove its identity"
    STARTING = "asks for the stream"
    STREAMING = "takes samples"
    RESUMING = "asks again for lost frames"
    PAUSING = "waits before it connects again"
    ENDED = "is over: the sensor has ended for good"


class ConnectionEvent(Enum):
    """What a step ended in."""

    RESTORED = "all of the journal is read"
    CONNECTED = "the link is open"
    TRUSTED = "the sensor answered hello; its identity is proved or needs no proof"
    UNPROVED = "the sensor answered hello and has to prove its identity"
    GRANTED = "the sensor streams from the index asked for"
    LACKING = "frames were lost on the way"
    RESTARTED = "the sensor restarted: its log begins anew"
    SILENT = "a streaming sensor has sent nothing for too long; the link may be whole"
    LOST = "the link broke, or what answers refuses or is not our sensor"
    PAUSED = "the pause is over"
    ENDED = "the sensor has ended for good, as only a simulated one does"


class IllegalEventError(RuntimeError):
    """An event in a state that does not have it: a bug in the feed."""


_E = ConnectionEvent
_ON_A_LINK = {_E.LOST: State.PAUSING, _E.ENDED: State.ENDED}

# Greeting comes again on the same link after a restart and after a silence: opening a port
# restarts some boards, and a restart costs the sensor's log.
TRANSITIONS: dict[State, dict[ConnectionEvent, State]] = {
    State.RESTORING: {_E.RESTORED: State.CONNECTING},
    State.CONNECTING: {_E.CONNECTED: State.GREETING, _E.LOST: State.PAUSING},
    State.GREETING: {_E.TRUSTED: State.STARTING, _E.UNPROVED: State.PROVING} | _ON_A_LINK,
    State.PROVING: {_E.TRUSTED: State.STARTING} | _ON_A_LINK,
    State.STARTING: {_E.GRANTED: State.STREAMING, _E.RESTARTED: State.GREETING} | _ON_A_LINK,
    State.STREAMING: {
        _E.LACKING: State.RESUMING,
        _E.RESTARTED: State.GREETING,
        _E.SILENT: State.GREETING,
    }
    | _ON_A_LINK,
    State.RESUMING: {
        _E.GRANTED: State.STREAMING,
        _E.RESTARTED: State.GREETING,
        _E.SILENT: State.GREETING,
    }
    | _ON_A_LINK,
    State.PAUSING: {_E.PAUSED: State.CONNECTING},
    State.ENDED: {},
}


def state_after(state: State, event: ConnectionEvent) -> State:
    """The state that an event leads to. Raises IllegalEventError if the state does not have it."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalEventError(f"{event.name} cannot happen in {state.name}.") from None
