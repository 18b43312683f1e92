"""Live events to many viewers: each message is encoded once, and no viewer waits for another.

Three kinds of messages, which a viewer that cannot keep up loses in this order: the trace, the
moving figures, and whole states. A whole state says everything about its machine, so a viewer
that lost some is told how many (`gone`) and given the newest state of every machine: it is
behind for a moment and never wrong.

Ids count whole states, stored sets and corrections. A viewer that comes back with the id of the
last one that it saw gets what it missed, as long as that is kept; otherwise the newest state of
every machine, which is as good. Each run of the service counts from a random number of its own, so
that a viewer of another run is never taken for one of this.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from secrets import randbelow
from typing import Any

from legcurl._version import __version__
from legcurl.gym.gym import CROWD
from legcurl.presentation.headline import HEADLINES
from legcurl.web.responses import MOVING

KEPT = 512  # messages with an id: minutes of a busy room, about 1 MB
QUEUE = 64  # messages that wait for one viewer: seconds of moving figures
GATHER_S = 0.03  # figures wait so long for those of other machines: no eye sees it
CROWD_GATHER_S = 0.1  # of more than CROWD machines: tiles are drawn no oftener
ALIVE_S = 5.0  # the page calls itself blind after 7: see stream.mjs
VIEWERS_MAX = 250  # open pages; each costs a socket, and 64 kB if it does not read
RUN_BITS = 32  # of an id: below them the count, above them the run; both fit into a script's number
RUNS = 1 << 20

Snapshot = Callable[[str], dict[str, Any]]
RecentTrace = Callable[[str], list[dict[str, Any]]]


class Viewer:
    """One open page."""

    def __init__(self, machine: str | None) -> None:
        self.machine = machine  # whose trace it wants
        self.skipped = 0  # messages that it lost since it was last told
        self._queue: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._ended = False

    def offer(self, message: bytes) -> None:
        """Hand over a message, or count it as lost."""
        if self.skipped or len(self._queue) >= QUEUE:
            self.skipped += 1
            return
        self._queue.append(message)
        self._news.set()

    def end(self) -> None:
        """There will be no more."""
        self._ended = True
        self._news.set()

    @property
    def ended(self) -> bool:
        """Whether it was let go."""
        return self._ended

    def give_up(self) -> int:
        """How many messages it lost, with those that wait: what comes next is the state."""
        lost = self.skipped + len(self._queue) if self.skipped else 0
        if lost:
            self.skipped = 0
            self._queue.clear()
        return lost

    async def take(self) -> bytes:
        """All that waits, as one piece of text; nothing after the end."""
        while not self._queue and not self._ended:
            self._news.clear()
            await self._news.wait()
        waiting = b"".join(self._queue)
        self._queue.clear()
        return waiting


class Broadcast:
    """Everything that viewers are told. `snapshot(machine)` gives a machine's whole state.

    `recent_trace(machine)` gives the trace that a viewer of that machine should begin with.
    """

    def __init__(
        self, machines: tuple[str, ...], snapshot: Snapshot, recent_trace: RecentTrace
    ) -> None:
        self.skipped = 0  # messages lost by slow viewers, over all
        self._machines = machines
        self._snapshot = snapshot
        self._recent_trace = recent_trace
        self._viewers: set[Viewer] = set()
        self._watched: Counter[str | None] = Counter()  # viewers of each machine's trace
        self._last_id = (1 + randbelow(RUNS)) << RUN_BITS
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._whole: dict[str, bytes] = {}  # each machine as it was last sent
        self._figures: dict[str, list[Any]] = {}  # what has moved since, and before
        self._moved: dict[str, None] = {}  # machines whose figures are not sent yet, in order
        self._moves = asyncio.Event()
        self._ended = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    @property
    def full(self) -> bool:
        """Whether there is room for no more."""
        return len(self._viewers) >= VIEWERS_MAX

    def watched(self, machine: str) -> bool:
        """Whether anybody wants a machine's trace."""
        return machine in self._watched

    def room(self, machines: tuple[str, ...]) -> None:
        """There are other machines now: every viewer is told which, and begins anew with them."""
        self._machines = machines
        for known in (self._whole, self._figures, self._moved):
            for name in [name for name in known if name not in machines]:
                del known[name]
        self._kept.clear()  # a viewer that comes back gets no machine that is gone
        self._last_id += 1
        self._offer(b"".join([self._greeting(), *self._everything()]))

    def moved(self, machine: str, figures: list[Any]) -> None:
        """A machine's moving figures; of several in a short while the newest are sent."""
        self._figures[machine] = figures
        self._moved.setdefault(machine)
        self._moves.set()

    def changed(self, machine: str) -> None:
        """Something else about a machine changed: it is sent whole, at once."""
        self._whole[machine] = self._keep("machine", self._snapshot(machine))

    def stored(self, payload: dict[str, Any]) -> None:
        """A set was stored."""
        self._keep("set", payload)

    def corrected(self, set_id: str) -> None:
        """A stored set is not what it was: who shows it asks again."""
        self._keep("corrected", {"set_id": set_id})

    def traced(self, machine: str, payload: dict[str, Any]) -> None:
        """New samples of a machine, for those who watch it."""
        message = None
        for viewer in self._viewers:
            if viewer.machine == machine:
                message = message or encode("trace", payload)
                viewer.offer(message)

    async def run(self) -> None:
        """Send the moving figures as they come, and a sign of life now and then."""
        loop = asyncio.get_running_loop()
        alive_s = loop.time() + ALIVE_S
        while True:
            try:
                async with asyncio.timeout_at(alive_s):
                    await self._moves.wait()
            except TimeoutError:
                pass
            else:
                crowd = len(self._machines) > CROWD
                await asyncio.sleep(CROWD_GATHER_S if crowd else GATHER_S)
            if self._moved:
                self._offer(self._moving(self._moved))
                self._moved.clear()
                self._moves.clear()
            if loop.time() >= alive_s:
                self._offer(encode("alive", {}))
                alive_s = loop.time() + ALIVE_S

    async def follow(self, machine: str | None, last_id: int | None) -> AsyncIterator[bytes]:
        """All messages for one new viewer, until it goes or the service ends."""
        viewer = Viewer(machine)
        if self._ended:
            viewer.end()
        self._viewers.add(viewer)
        self._watched[machine] += 1
        try:
            yield b"".join(self._welcome(machine, last_id))
            while not viewer.ended:
                yield await viewer.take()
                skipped = viewer.give_up()
                if skipped:
                    self.skipped += skipped
                    gone = encode("gone", {"skipped": skipped})
                    yield b"".join([gone, *self._everything(), *self._trace_for(machine)])
        finally:
            self._viewers.discard(viewer)
            self._watched[machine] -= 1
            self._watched += Counter()  # machines without a viewer are dropped

    def end(self) -> None:
        """Let all viewers go: the service ends."""
        self._ended = True
        self.dismiss()

    def dismiss(self) -> None:
        """Let all viewers go. Who still may look comes back by itself."""
        for viewer in self._viewers:
            viewer.end()

    def _welcome(self, machine: str | None, last_id: int | None) -> list[bytes]:
        """What a new viewer begins with: what it missed, or everything."""
        messages = [self._greeting()]
        first = self._kept[0][0] if self._kept else self._last_id + 1
        if last_id is not None and first - 1 <= last_id <= self._last_id:
            messages += [message for number, message in self._kept if number > last_id]
        else:
            messages += self._everything()
        return messages + self._trace_for(machine)

    def _greeting(self) -> bytes:
        return encode(
            "hello",
            {
                "version": __version__,
                "machines": self._machines,
                "moving": MOVING,
                "headlines": HEADLINES,
            },
        )

    def _trace_for(self, machine: str | None) -> list[bytes]:
        """The last of a machine's trace, for who watches it; a page drops what it has already."""
        if machine is None:
            return []
        return [encode("trace", piece) for piece in self._recent_trace(machine)]

    def _everything(self) -> list[bytes]:
        """Every machine as it was last sent, and what has moved since: nothing is encoded anew."""
        for name in self._machines:
            if name not in self._whole:
                self._whole[name] = encode("machine", self._snapshot(name), self._last_id)
        now = self._moving(self._figures, self._last_id)
        return [*(self._whole[name] for name in self._machines), now]

    def _moving(self, machines: Iterable[str], number: int | None = None) -> bytes:
        return encode("moving", {"m": {name: self._figures[name] for name in machines}}, number)

    def _keep(self, event: str, payload: dict[str, Any]) -> bytes:
        self._last_id += 1
        message = encode(event, payload, self._last_id)
        self._kept.append((self._last_id, message))
        self._offer(message)
        return message

    def _offer(self, message: bytes) -> None:
        for viewer in self._viewers:
            viewer.offer(message)


def encode(event: str, payload: dict[str, Any], number: int | None = None) -> bytes:
    """One server-sent event."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {event}\ndata: {text}\n\n".encode()
