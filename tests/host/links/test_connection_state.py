"""The connection's states: the table is whole, and a feed goes through it as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import pytest
from fake_sensor import FakeSensor, leg_curls
from legcurl.errors import PortNotFoundError
from legcurl.session.sensor_session import SensorSession
from legcurl.station.connection_state import (
    TRANSITIONS,
    ConnectionEvent,
    IllegalEventError,
    State,
    state_after,
)
from legcurl.station.event_queue import EventQueue
from legcurl.station.key_ring import PairedSensor
from legcurl.station.live_feed import STEPS, LiveFeed
from legcurl.station.peer_authentication import PeerAuthentication
from live_sensor import STALE, START, Connection, LiveSensor, LoopbackRoute

ANGLES = leg_curls(count=2)

# Each event by the states that have it. What is not here is illegal.
LEGAL = {
    ConnectionEvent.RESTORED: {"RESTORING": "CONNECTING"},
    ConnectionEvent.CONNECTED: {"CONNECTING": "GREETING"},
    ConnectionEvent.TRUSTED: {"GREETING": "STARTING", "PROVING": "STARTING"},
    ConnectionEvent.UNPROVED: {"GREETING": "PROVING"},
    ConnectionEvent.GRANTED: {"STARTING": "STREAMING", "RESUMING": "STREAMING"},
    ConnectionEvent.LACKING: {"STREAMING": "RESUMING"},
    ConnectionEvent.RESTARTED: dict.fromkeys(("STARTING", "STREAMING", "RESUMING"), "GREETING"),
    ConnectionEvent.SILENT: dict.fromkeys(("STREAMING", "RESUMING"), "GREETING"),
    ConnectionEvent.LOST: dict.fromkeys(
        ("CONNECTING", "GREETING", "PROVING", "STARTING", "STREAMING", "RESUMING"), "PAUSING"
    ),
    ConnectionEvent.PAUSED: {"PAUSING": "CONNECTING"},
    ConnectionEvent.ENDED: dict.fromkeys(
        ("GREETING", "PROVING", "STARTING", "STREAMING", "RESUMING"), "ENDED"
    ),
}


class NoKeys:
    """A key ring without a key."""

    def key(self, sensor_id: str) -> bytes | None:
        return None

    def sensors(self) -> Iterable[PairedSensor]:
        return ()


@pytest.mark.parametrize(("state", "event"), list(product(State, ConnectionEvent)))
def test_every_event_in_every_state_leads_on_or_is_illegal(
    state: State, event: ConnectionEvent
) -> None:
    target = LEGAL[event].get(state.name)
    if target is None:
        with pytest.raises(IllegalEventError, match=f"{event.name} cannot happen in {state.name}"):
            state_after(state, event)
    else:
        assert state_after(state, event) is State[target]


def reachable_from(state: State) -> set[State]:
    found: set[State] = set()
    waiting = [state]
    while waiting:
        fresh = set(TRANSITIONS[waiting.pop()].values()) - found
        found |= fresh
        waiting += fresh
    return found


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDED])
def test_no_state_is_a_dead_end(state: State) -> None:
    assert {State.STREAMING, State.ENDED} <= reachable_from(state)


def test_every_state_but_the_end_has_a_step() -> None:
    assert set(STEPS) == set(State) - {State.ENDED}


def test_every_state_on_a_link_can_lose_it() -> None:
    linked = reachable_from(State.CONNECTING) - {State.CONNECTING, State.PAUSING, State.ENDED}
    for state in linked:
        assert state_after(state, ConnectionEvent.LOST) is State.PAUSING


class Watched:
    """A feed on a sensor in memory, the events it meets, and what to do when it meets one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("legcurl.concurrency.BACKOFF_FIRST_S", 0.005)
        monkeypatch.setattr("legcurl.station.live_feed.state_after", self._note)
        self.path: list[str] = []
        self.on: dict[ConnectionEvent, Callable[[], None]] = {}  # once

    async def run(
        self,
        sensor: LiveSensor,
        *plan: Connection,
        authentication: PeerAuthentication | None = None,
        silence_s: float = 60.0,
    ) -> None:
        route = LoopbackRoute(sensor, *plan, silence_s=silence_s, wired=authentication is None)
        feed = LiveFeed(
            route, EventQueue(SensorSession(), limit=10**6), authentication=authentication
        )
        try:
            await feed.run()
        finally:
            assert route.open_links == 0
        assert feed.state is State.ENDED

    def _note(self, state: State, event: ConnectionEvent) -> State:
        self.path.append(event.name)
        self.on.pop(event, lambda: None)()
        return state_after(state, event)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


STARTED = ("TRUSTED", "GRANTED")


async def test_a_link_that_never_breaks_goes_straight_to_the_end(watched: Watched) -> None:
    await watched.run(LiveSensor(FakeSensor(ANGLES)))
    assert watched.path == ["CONNECTED", *STARTED, "ENDED"]


async def test_a_broken_link_pauses_and_connects_again(watched: Watched) -> None:
    away = Connection(refused=PortNotFoundError("loop: gone"))
    plan = (Connection(cut_after=3000), away, Connection())
    await watched.run(LiveSensor(FakeSensor(ANGLES)), *plan)
    started = ["CONNECTED", *STARTED]
    assert watched.path == [*started, *("LOST", "PAUSED") * 2, *started, "ENDED"]


async def test_a_lost_frame_is_asked_for_on_the_same_link(watched: Watched) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.loses = {500}
    await watched.run(sensor)
    assert watched.path == ["CONNECTED", *STARTED, "LACKING", "GRANTED", "ENDED"]


async def test_a_silent_sensor_is_greeted_on_the_same_link(watched: Watched) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.stalls_at = 1000
    await watched.run(sensor, silence_s=0.3)
    assert watched.path == ["CONNECTED", *STARTED, "SILENT", *STARTED, "ENDED"]


async def test_a_restarted_sensor_is_greeted_on_the_same_link(watched: Watched) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES, boot_id=77))
    after = FakeSensor(ANGLES, boot_id=78, time_us=100_000)
    watched.on[ConnectionEvent.GRANTED] = lambda: sensor.restart(after)
    await watched.run(sensor)
    assert watched.path == ["CONNECTED", *STARTED, "RESTARTED", *STARTED, "ENDED"]


async def test_a_stale_boot_id_is_greeted_on_the_same_link(watched: Watched) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    sensor.refuses = {START: [STALE]}
    await watched.run(sensor)
    assert watched.path == ["CONNECTED", "TRUSTED", "RESTARTED", *STARTED, "ENDED"]


async def test_a_sensor_over_the_air_proves_its_identity_first(watched: Watched) -> None:
    sensor = LiveSensor(FakeSensor(ANGLES))
    await watched.run(sensor, authentication=PeerAuthentication("loop:", NoKeys()))
    assert watched.path == ["CONNECTED", "UNPROVED", *STARTED, "ENDED"]


async def test_a_first_connection_that_fails_ends_the_feed(watched: Watched) -> None:
    refused = Connection(refused=PortNotFoundError("loop: no such port"))
    with pytest.raises(PortNotFoundError):
        await watched.run(LiveSensor(FakeSensor(ANGLES)), refused)
    assert watched.path == []
