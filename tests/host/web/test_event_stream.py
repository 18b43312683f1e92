"""Live events: everybody is told the same, nobody waits for anybody, and nobody stays wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from legcurl.events import LinkChanged, PhaseChanged, Progress, SensorSeen
from legcurl.service.service import Service
from legcurl.store import open_store
from legcurl.web import event_stream, server
from legcurl.web.authentication import Access
from legcurl.web.event_stream import QUEUE, Broadcast
from legcurl.web.live_page import LivePage
from legcurl.web.responses import MOVING
from room import NAMES, StillGym, room
from served import Message, Page, messages_in, served
from timings import LIMIT_S, until

MACHINES = ("curl-1", "curl-2")


class Told:
    """A broadcast of two machines, whose whole state is how often they changed."""

    def __init__(self) -> None:
        self.changes: dict[str, int] = dict.fromkeys(MACHINES, 0)
        self.broadcast = Broadcast(
            MACHINES,
            lambda name: {"id": name, "n": self.changes[name]},
            lambda name: [{"machine": name, "t": [1.0]}],
        )

    def change(self, machine: str = "curl-1", times: int = 1) -> None:
        for _ in range(times):
            self.changes[machine] += 1
            self.broadcast.changed(machine)

    def viewer(
        self, last_id: int | None = None, machine: str | None = None
    ) -> AsyncIterator[bytes]:
        return self.broadcast.follow(machine, last_id)


async def heard(viewer: AsyncIterator[bytes]) -> list[Message]:
    """What a viewer is given at once."""
    return messages_in(await anext(viewer))


def states(messages: list[Message]) -> list[tuple[str, int]]:
    return [(m.payload["id"], m.payload["n"]) for m in messages if m.event == "machine"]


async def test_a_new_page_is_greeted_and_gets_every_machine() -> None:
    told = Told()
    told.change("curl-2", 3)
    messages = await heard(told.viewer())
    assert messages[0].event == "hello"
    assert messages[0].payload["machines"] == list(MACHINES)
    assert messages[0].payload["moving"] == list(MOVING)
    assert states(messages) == [("curl-1", 0), ("curl-2", 3)]


async def test_ids_grow_and_fit_into_a_number_of_javascript() -> None:
    told = Told()
    viewer = told.viewer()
    await heard(viewer)
    told.change(times=5)
    ids = [message.id or 0 for message in await heard(viewer)]
    assert ids == sorted(set(ids))
    assert len(ids) == 5
    assert 0 < min(ids) < max(ids) < 2**53


async def test_a_returning_page_gets_only_what_it_missed() -> None:
    told = Told()
    viewer = told.viewer()
    await heard(viewer)
    told.change(times=3)
    seen = await heard(viewer)
    told.change("curl-2", times=2)
    told.broadcast.stored({"machine": "curl-1", "set_id": "a"})
    messages = await heard(told.viewer(last_id=seen[-1].id))
    assert [message.event for message in messages] == ["hello", "machine", "machine", "set"]
    assert states(messages) == [("curl-2", 1), ("curl-2", 2)]


async def test_a_returning_page_that_missed_nothing_is_only_greeted() -> None:
    told = Told()
    told.change()
    last = (await heard(told.viewer()))[-1].id
    assert [message.event for message in await heard(told.viewer(last_id=last))] == ["hello"]


async def test_a_page_away_too_long_gets_every_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "KEPT", 10)
    told = Told()
    told.change()
    last = (await heard(told.viewer()))[-1].id
    told.change(times=11)
    messages = await heard(told.viewer(last_id=last))
    assert states(messages) == [("curl-1", 12), ("curl-2", 0)]


async def test_an_id_of_another_run_is_never_taken_for_one_of_this() -> None:
    ids = []
    for _ in range(50):
        told = Told()
        told.change(times=3)
        ids.append((await heard(told.viewer()))[-1].id)
    told = Told()
    told.change(times=5)
    for last in (*ids, 0, 1, 2**53, 10**17):
        assert states(await heard(told.viewer(last_id=last))) == [("curl-1", 5), ("curl-2", 0)]


async def test_moving_figures_of_a_short_while_go_together_and_the_newest_win() -> None:
    told = Told()
    running = asyncio.create_task(told.broadcast.run())
    viewer = told.viewer()
    await heard(viewer)
    for n in range(5):
        told.broadcast.moved("curl-1", [n])
        told.broadcast.moved("curl-2", [10 * n])
    (message,) = await heard(viewer)
    assert message.event == "moving"
    assert message.payload == {"m": {"curl-1": [4], "curl-2": [40]}}
    assert message.id is None
    running.cancel()


async def test_machines_that_did_not_move_are_left_out() -> None:
    told = Told()
    running = asyncio.create_task(told.broadcast.run())
    viewer = told.viewer()
    await heard(viewer)
    told.broadcast.moved("curl-2", [1])
    assert (await heard(viewer))[0].payload == {"m": {"curl-2": [1]}}
    running.cancel()


async def test_a_sign_of_life_comes_when_nothing_moves_and_when_much_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "ALIVE_S", 0.05)
    told = Told()
    running = asyncio.create_task(told.broadcast.run())
    viewer = told.viewer()
    await heard(viewer)
    assert [message.event for message in await heard(viewer)] == ["alive"]
    events: set[str] = set()
    for n in range(20):
        told.broadcast.moved("curl-1", [n])
        events |= {message.event for message in await heard(viewer)}
    assert events == {"alive", "moving"}
    running.cancel()


async def test_a_new_page_gets_motion_since_each_machine_was_last_sent() -> None:
    told = Told()
    told.change()
    told.broadcast.moved("curl-1", [7])
    messages = await heard(told.viewer())
    assert states(messages) == [("curl-1", 1), ("curl-2", 0)]
    assert messages[-1].event == "moving"
    assert messages[-1].payload == {"m": {"curl-1": [7]}}


async def test_a_hundred_pages_that_come_at_once_have_each_machine_encoded_once() -> None:
    told = Told()
    asked: list[str] = []
    snapshot = told.broadcast._snapshot
    told.broadcast._snapshot = lambda name: [asked.append(name), snapshot(name)][1]
    for _ in range(100):
        await heard(told.viewer())
    assert sorted(asked) == list(MACHINES)


async def test_a_trace_goes_to_pages_of_that_machine() -> None:
    told = Told()
    one, other, room_view = (told.viewer(machine=name) for name in (*MACHINES, None))
    assert [m.event for m in await heard(one)][-1] == "trace", "it begins with the last 20 s"
    assert [m.event for m in await heard(other)][-1] == "trace"
    assert "trace" not in [m.event for m in await heard(room_view)]
    assert told.broadcast.watched("curl-1")
    told.broadcast.traced("curl-1", {"machine": "curl-1", "t": [2.0]})
    told.change()
    assert [m.event for m in await heard(one)] == ["trace", "machine"]
    assert [m.event for m in await heard(other)] == ["machine"]
    assert [m.event for m in await heard(room_view)] == ["machine"]


async def test_a_slow_page_is_told_the_loss_and_then_the_current_state() -> None:
    told = Told()
    slow, quick = told.viewer(), told.viewer()
    await heard(slow)
    await heard(quick)
    told.change()
    assert states(await heard(slow)) == states(await heard(quick)) == [("curl-1", 1)]
    seen: list[Message] = []
    for _ in range(300):
        told.change()
        seen += await heard(quick)
    assert states(seen) == [("curl-1", n) for n in range(2, 302)], "the quick one notices nothing"
    # Its socket takes bytes again: first what had been handed to the socket, then the truth.
    messages = await heard(slow)
    assert messages[0].event == "gone"
    assert messages[0].payload == {"skipped": 300}
    assert states(messages) == [("curl-1", 301), ("curl-2", 0)]
    assert told.broadcast.skipped == 300
    told.change()
    assert states(await heard(slow)) == [("curl-1", 302)], "and goes on"


async def test_a_viewers_queue_is_bounded() -> None:
    told = Told()
    slow = told.viewer()
    await heard(slow)
    told.change(times=10_000)
    (viewer,) = told.broadcast._viewers
    assert len(viewer._queue) <= QUEUE
    assert len(told.broadcast._kept) <= event_stream.KEPT


async def test_a_closed_page_is_forgotten() -> None:
    told = Told()
    async with aclosing(told.viewer()) as viewer:  # type: ignore[type-var]
        await heard(viewer)
        assert told.broadcast.viewers == 1
    assert told.broadcast.viewers == 0


# On a real socket


@pytest.fixture
async def live(tmp_path: Path):
    from legcurl.gym.machine import MachineSetup

    setups = [MachineSetup(f"machine-{n}", name, "sim:") for n, name in enumerate(NAMES, 1)]
    with open_store(f"sqlite:///{tmp_path / 'live.db'}") as store:
        yield LivePage(Service(StillGym(setups), store), Access({}))


def tell(live: LivePage, *events: Any, machine: str = "machine-1") -> None:
    for event in events:
        live.service.gym.machines[machine].bus.tell(event)


SEEN = SensorSeen("0123", 7, "Leg curl 9", "pico_w", "0.1.0", 100.0)


async def test_a_page_sees_what_happens_on_a_machine(live: LivePage) -> None:
    async with served(live) as port, Page(port) as page:
        assert page.status == 200
        await page.until("machine")
        tell(live, SEEN)
        message = await page.until("machine")
        while message.payload["sensor"] is None:
            message = await page.until("machine")
        assert message.payload["link"] == "up"
        tell(live, Progress(2.0, 100.0, 0.5, "concentric", 0, 0.0, 0.0))
        figures = (await page.until("moving")).payload["m"]["machine-1"]
        assert figures[:3] == [2.0, 0.5, "concentric"]
        tell(live, LinkChanged("lost", "unplugged"))
        assert (await page.until("machine")).payload["link_reason"] == "unplugged"


async def test_a_page_that_reloads_goes_on_and_one_with_nonsense_begins(live: LivePage) -> None:
    async with served(live) as port:
        async with Page(port) as page:
            tell(live, SEEN)
            last = None
            while last is None or last.payload["sensor"] is None:
                last = await page.until("machine")
        tell(live, PhaseChanged(3.0, "hold"))
        async with Page(port, last_id=last.id) as page:
            assert (await page.next()).event == "hello"
            message = await page.next()
            assert message.payload["phase"] == "hold"
            assert message.id == (last.id or 0) + 1
        for nonsense in ("?last_event_id=-5", "?last_event_id=x", "?last_event_id=%C2%B2"):
            async with Page(port, query=nonsense) as page:
                await page.next()
                machines = [(await page.next()).payload["id"] for _ in NAMES]
                assert machines == ["machine-1", "machine-2"]


async def test_a_page_that_does_not_read_delays_nobody_and_is_told(live: LivePage) -> None:
    async with served(live) as port, Page(port, buffer=4096) as slow, Page(port) as quick:
        await slow.next()
        await quick.next()
        told: list[object] = []

        async def read() -> None:
            while (message := await quick.until("set")).payload["set_id"] != "last":
                told.append(message.payload["set_id"])

        reading = asyncio.create_task(read())
        padding = "x" * 4000
        for number in range(1500):  # 6 MB: more than any socket's buffer
            live.broadcast.stored({"set_id": number, "padding": padding})
            await asyncio.sleep(0.001)
        live.broadcast.stored({"set_id": "last"})
        await reading
        assert told == list(range(1500)), "the quick one never has more than a queue before it"
        assert all(len(viewer._queue) <= QUEUE for viewer in live.broadcast._viewers)
        gone = await slow.until("gone")
        assert gone.payload["skipped"] > 0
        assert (await slow.next()).payload["id"] == "machine-1"
        assert (await slow.next()).payload["id"] == "machine-2"
        tell(live, SEEN)
        message = await slow.until("machine")
        while message.payload["sensor"] is None:
            message = await slow.until("machine")


async def test_fifty_pages_are_told_the_same(live: LivePage) -> None:
    async with served(live) as port:
        pages = [Page(port) for _ in range(50)]
        await asyncio.gather(*(page.__aenter__() for page in pages))
        assert live.broadcast.viewers == 50
        await asyncio.gather(*(page.next() for page in pages))
        tell(live, SEEN, PhaseChanged(1.0, "hold"))
        for page in pages:
            message = await page.until("machine")
            while message.payload["phase"] != "hold":
                message = await page.until("machine")
        await asyncio.gather(*(page.__aexit__() for page in pages))
        await until(lambda: not live.broadcast.viewers)


async def test_more_pages_than_there_is_room_for_are_asked_to_come_again(
    live: LivePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "VIEWERS_MAX", 1)
    async with served(live) as port, Page(port) as first, Page(port) as second:
        assert (first.status, second.status) == (200, 503)


async def test_the_service_ends_at_once_though_pages_are_open(
    live: LivePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself: long before the server would cut them off."""
    monkeypatch.setattr(server, "GRACEFUL_S", 2 * LIMIT_S)
    async with asyncio.timeout(LIMIT_S), served(live) as port:
        async with Page(port) as page:
            await page.next()
        page = await Page(port).__aenter__()
    with pytest.raises(EOFError):
        await page.until("never")
    await page.__aexit__()


async def test_a_head_request_makes_no_viewer(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        answer = await here.client.head("/api/events")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert here.page.broadcast.viewers == 0
