"""One machine's events to all that follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import count
from random import Random

import pytest
from legcurl.events import Cue, Event, LinkChanged, PhaseChanged, Progress
from legcurl.gym.event_bus import EventBus
from legcurl.gym.machine_state import MachineState


def story(number: int, seed: int = 1) -> list[Event]:
    """Moving figures, with another event in between now and then."""
    rng = Random(seed)
    events: list[Event] = []
    for n in range(number):
        events.append(Progress(n / 10, 10.0 + n, None, "concentric", 0, 0.0, 0.0))
        if rng.random() < 0.2:
            events.append(PhaseChanged(n / 10, rng.choice(("bottom", "concentric", "hold"))))
        if rng.random() < 0.05:
            events.append(Cue(n / 10, rng.choice(("squeeze", "slower_down"))))
    return events


async def station(events: Iterable[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


async def test_a_listener_gets_every_event_in_order_when_the_state_holds_it() -> None:
    events = story(1000)
    bus, heard, ends = EventBus(), [], []
    states = [state := MachineState()] + [state := state.apply(event) for event in events]
    bus.listen(
        "test", lambda event: heard.append((event, bus.state)), lambda: ends.append(len(heard))
    )
    await bus.run(station(events))
    assert heard == list(zip(events, states[1:], strict=True))
    assert ends == [len(events)], "told once, after the last event"


async def test_a_listener_that_fails_is_named_and_the_others_go_on(caplog) -> None:
    events = story(100)
    bus, got = EventBus(), []

    def fail(_event: Event) -> None:
        raise OSError("the disk is full")

    bus.listen("csv", fail)
    bus.listen("store", got.append)
    await bus.run(station(events))
    assert got == events
    assert str(bus.failures["csv"]) == "the disk is full"
    assert caplog.text.count("csv failed") == 1, "once is enough for the log"


async def test_what_ends_the_events_is_raised_after_the_last_of_them() -> None:
    async def breaking() -> AsyncIterator[Event]:
        for event in story(100):
            yield event
        raise ConnectionError("gone for good")

    bus, got = EventBus(), []
    bus.listen("store", got.append)
    with pytest.raises(ConnectionError, match="gone for good"):
        await bus.run(breaking())
    assert got == story(100)


async def test_events_without_a_pause_leave_other_tasks_their_turn() -> None:
    bus = EventBus()
    endless = (LinkChanged("lost", str(number)) for number in count())
    running = asyncio.create_task(bus.run(station(endless)))
    async with asyncio.timeout(10.0):
        for _ in range(3):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bus.state.link == "lost"
    assert asyncio.all_tasks() == {asyncio.current_task()}
