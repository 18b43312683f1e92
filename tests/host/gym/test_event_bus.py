"""Many sinks on one station: nobody waits for a viewer, and a reader loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import count
from random import Random

import pytest
from legcurl.events import Cue, Event, LinkChanged, PhaseChanged, Progress
from legcurl.gym.event_bus import (
    PICTURES_AHEAD,
    READER_ROOM,
    VIEWER_ROOM,
    Hub,
    Reader,
    Resync,
    Viewer,
)
from legcurl.gym.machine_state import ViewState
from timings import LIMIT_S


def pictures(number: int) -> list[Event]:
    return [Progress(n / 10, 10.0 + n, None, "concentric", 0, 0.0, 0.0) for n in range(number)]


def story(number: int, seed: int = 1) -> list[Event]:
    """Pictures, with a word in between now and then."""
    rng = Random(seed)
    events: list[Event] = []
    for picture in pictures(number):
        events.append(picture)
        assert isinstance(picture, Progress)
        if rng.random() < 0.2:
            phase = rng.choice(("bottom", "concentric", "hold"))
            events.append(PhaseChanged(picture.t_s, phase))
        if rng.random() < 0.05:
            events.append(Cue(picture.t_s, rng.choice(("squeeze", "slower_down"))))
    return events


def folded(events: Iterable[Event]) -> ViewState:
    state = ViewState()
    for event in events:
        state = state.apply(event)
    return state


class Station:
    """Gives events as fast as they are taken, and counts how many were."""

    def __init__(self, events: list[Event], *, unhurried: bool = False) -> None:
        self.given = 0
        self._events = events
        self._unhurried = unhurried

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            self.given += 1
            yield event
            if self._unhurried:
                await asyncio.sleep(0)


async def seen_by(viewer: Viewer[ViewState], into: list[Event | Resync[ViewState]]) -> None:
    async for what in viewer:
        into.append(what)


def shown(seen: list[Event | Resync[ViewState]]) -> ViewState:
    """What a viewer shows that folds what it is given."""
    state = ViewState()
    for what in seen:
        state = what.state if isinstance(what, Resync) else state.apply(what)
    return state


async def test_a_reader_gets_every_event_in_order() -> None:
    events = story(10_000)
    hub = Hub(ViewState())
    got: list[Event] = []

    async def keep(reader: Reader) -> None:
        async for event in reader:
            got.append(event)
            if len(got) % 1000 == 0:
                await asyncio.sleep(0.001)

    hub.attach("store", keep)
    await hub.run(Station(events).events())
    assert got == events
    assert hub.state == folded(events)


async def test_a_slow_reader_holds_the_station_back_and_is_named() -> None:
    """What waits for it stays in the sensor's log, and memory is bounded."""
    station = Station(story(20_000))
    hub = Hub(ViewState())
    reader = hub.read("store")
    running = asyncio.create_task(hub.run(station.events()))
    while hub.held_by != "store":
        await asyncio.sleep(0.01)
    assert station.given == READER_ROOM
    got = [await anext(reader) for _ in range(READER_ROOM // 2)]
    while station.given == READER_ROOM or hub.held_by is None:
        await asyncio.sleep(0.01)
    assert station.given == READER_ROOM + READER_ROOM // 2
    got += [event async for event in reader]
    await running
    assert got == story(20_000)
    assert hub.held_by is None


async def test_a_closed_reader_delays_no_other() -> None:
    station = Station(story(20_000))
    hub = Hub(ViewState())
    reader = hub.read("store")
    running = asyncio.create_task(hub.run(station.events()))
    while hub.held_by is None:
        await asyncio.sleep(0.01)
    reader.close()
    await running
    assert station.given == len(story(20_000))


async def test_a_stuck_viewer_delays_no_other_and_has_a_bounded_queue() -> None:
    events = story(20_000)
    hub = Hub(ViewState())
    stuck = hub.watch("stuck")
    await anext(stuck)
    got: list[Event] = []

    async def keep(reader: Reader) -> None:
        got.extend([event async for event in reader])

    hub.attach("store", keep)
    async with asyncio.timeout(LIMIT_S):
        await hub.run(Station(events).events())
    assert got == events
    left: list[Event | Resync[ViewState]] = []
    await seen_by(stuck, left)
    assert len(left) == 1, "one word says it all"
    assert left == [Resync(hub.state, stuck.skipped)]
    assert stuck.skipped + stuck.replaced == len(events), "and what it missed is counted"


@pytest.mark.parametrize("pause_s", [0.0, 0.0005, 0.02])
async def test_a_slow_viewer_is_behind_and_never_wrong(pause_s: float) -> None:
    """Whatever it missed, what it shows at the end is what everybody shows."""
    events = story(6000)
    hub = Hub(ViewState())
    seen: list[Event | Resync[ViewState]] = []

    async def show(viewer: Viewer[ViewState]) -> None:
        async for what in viewer:
            seen.append(what)
            await asyncio.sleep(pause_s)

    hub.attach("page", show, everything=False)
    await hub.run(Station(events, unhurried=True).events())
    assert shown(seen) == folded(events)
    if pause_s > 0.001:
        told = sum(what.skipped for what in seen if isinstance(what, Resync))
        assert told > 0
        assert len(seen) < len(events) / 10


async def test_of_pictures_not_looked_at_the_newest_is_kept() -> None:
    hub = Hub(ViewState())
    viewer = hub.watch("page")
    await anext(viewer)
    events = pictures(1000)
    await hub.run(Station(events).events())
    seen = [what async for what in viewer]
    assert seen == [*events[: PICTURES_AHEAD - 1], Resync(folded(events), 0)]
    assert viewer.replaced == 1000 - PICTURES_AHEAD
    assert viewer.skipped == 0, "no word was lost"


async def test_words_are_skipped_only_with_a_notice_and_the_state() -> None:
    events: list[Event] = [PhaseChanged(n / 10, ("bottom", "hold")[n % 2]) for n in range(1000)]
    hub = Hub(ViewState())
    viewer = hub.watch("page")
    assert await anext(viewer) == Resync(ViewState(), 0)
    await hub.run(Station(events).events())
    assert [what async for what in viewer] == [Resync(folded(events), 1000)]


async def test_a_viewer_that_joins_late_begins_with_the_state() -> None:
    events = story(500)
    hub = Hub(ViewState())
    await hub.run(Station(events).events())
    viewer = hub.watch("late")
    assert [what async for what in viewer] == [Resync(folded(events), 0)]


async def test_fifty_viewers_of_all_speeds_end_with_the_same_picture() -> None:
    events = story(3000)
    hub = Hub(ViewState())
    seen: list[list[Event | Resync[ViewState]]] = [[] for _ in range(50)]

    def viewer_of(number: int):
        rng = Random(number)

        async def show(viewer: Viewer[ViewState]) -> None:
            async for what in viewer:
                seen[number].append(what)
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.0, number / 5000)))

        return show

    for number in range(50):
        hub.attach(f"page {number}", viewer_of(number), everything=False)
    await hub.run(Station(events, unhurried=True).events())
    assert all(shown(one) == hub.state for one in seen)
    assert not hub.failures


async def test_a_sink_that_fails_is_named_and_the_others_go_on(caplog) -> None:
    events = story(10_000)
    hub = Hub(ViewState())
    got: list[Event] = []

    async def fail(reader: Reader) -> None:
        for number in count():
            await anext(reader)
            if number == 100:
                raise OSError("the disk is full")

    async def keep(reader: Reader) -> None:
        got.extend([event async for event in reader])

    hub.attach("csv", fail)
    hub.attach("store", keep)
    await hub.run(Station(events).events())
    assert got == events
    assert str(hub.failures["csv"]) == "the disk is full"
    assert "csv failed" in caplog.text


async def test_a_stations_end_is_told_after_the_sinks_are_done() -> None:
    async def breaking() -> AsyncIterator[Event]:
        for event in story(100):
            yield event
        raise ConnectionError("gone for good")

    hub = Hub(ViewState())
    got: list[Event] = []

    async def keep(reader: Reader) -> None:
        got.extend([event async for event in reader])

    hub.attach("store", keep)
    with pytest.raises(ConnectionError, match="gone for good"):
        await hub.run(breaking())
    assert got == story(100)


async def test_leaving_leaves_no_task_behind() -> None:
    async def endless() -> AsyncIterator[Event]:
        for number in count():
            yield LinkChanged("lost", str(number))
            await asyncio.sleep(0.001)

    async def keep(reader: Reader) -> None:
        async for _ in reader:
            pass

    async def sleep_on(_: Viewer[ViewState]) -> None:
        await asyncio.sleep(3600)

    hub = Hub(ViewState())
    hub.attach("store", keep)
    hub.attach("page", sleep_on, everything=False)
    running = asyncio.create_task(hub.run(endless()))
    await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_viewers_that_leave_are_forgotten() -> None:
    hub = Hub(ViewState())
    viewers = [hub.watch(f"page {number}") for number in range(10)]
    assert hub.viewers == 10
    for viewer in viewers:
        viewer.close()
        assert [what async for what in viewer] == []
    assert hub.viewers == 0
    assert VIEWER_ROOM < READER_ROOM
