"""What the page shows while it is open: it follows the service and tells every viewer.

Moving figures and whole states of the machines go to all viewers (event_stream.py), a machine's
trace to those that show that machine (live_trace.py). Pictures of stored sets are drawn in a
process of their own (chart_worker.py), and the newest are kept.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from legcurl.events import Event, Progress, SetStarted
from legcurl.gym.measures import Measure
from legcurl.web.chart_worker import Painter
from legcurl.web.event_stream import Broadcast
from legcurl.web.live_trace import TracePacer
from legcurl.web.responses import machine_json, moving

if TYPE_CHECKING:
    from legcurl.gym.machine import Machine
    from legcurl.service.service import Service
    from legcurl.store.records import StoredSet
    from legcurl.web.authentication import Access

PICTURES_KEPT = 32  # about 60 kB each


class LivePage:
    """The page of one service; `access` decides who may see and change it."""

    def __init__(self, service: Service, access: Access) -> None:
        self.service = service
        self.access = access
        self.client_names: dict[str, str] = {}  # by id
        self._names = self._machine_names()
        self.broadcast = Broadcast(tuple(self._names), self.snapshot, self.recent_trace)
        self._stages: dict[str, str] = {}  # as shown
        self._last_sets: dict[str, str] = {}  # ids of stored sets, by machine
        self._pacers: defaultdict[str, TracePacer] = defaultdict(TracePacer)
        self._painter = Painter()
        self._pictures: dict[object, bytes] = {}
        service.follow(self)
        service.metrics.add(self)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the page and its service."""
        self.client_names = {
            client.id: client.name or "" for client in self.service.store.clients()
        }
        async with self._painter:
            sending = asyncio.create_task(self.broadcast.run(), name="broadcast")
            try:
                async with self.service.running():
                    yield
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    def end(self) -> None:
        """Close every viewer's stream, because the service ends."""
        self.broadcast.end()

    def snapshot(self, machine_id: str) -> dict[str, Any]:
        """A machine's whole state."""
        expected = self.service.writer.expected(machine_id)
        return machine_json(
            self.service.gym.machines[machine_id],
            expected,
            client_name=self.client_names.get(expected.client_id or "", ""),
            set_id=self._last_sets.get(machine_id),
        )

    def recent_trace(self, machine_id: str) -> list[dict[str, Any]]:
        """The trace that a new viewer of a machine begins with; empty if the machine is gone."""
        pacer = self._pacers.get(machine_id)
        return [] if pacer is None else [{"machine": machine_id, **p} for p in pacer.recent()]

    async def picture(self, stored: StoredSet) -> bytes:
        """The PNG file of a set as it stands, drawn at the first request."""
        as_it_stands = (stored.id, stored.machine.name, stored.corrections)
        known = self._pictures.get(as_it_stands)
        if known is None:
            trace = await self.service.writer.ask(lambda store: store.trace(stored.id))
            known = await self._painter.paint(stored, trace)
            while len(self._pictures) >= PICTURES_KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[as_it_stands] = known
        return known

    # It follows the service.

    def happened(self, machine: Machine, event: Event) -> None:
        """Tell the viewers."""
        machine_id = machine.setup.id
        if isinstance(event, SetStarted):
            self._last_sets.pop(machine_id, None)
        figures = moving(machine.state)
        self.broadcast.moved(machine_id, figures)
        # With its first motion a set begins on the page, which clears what was shown of the last.
        stage = machine.state.as_shown().stage
        begun = self._stages.get(machine_id) != stage
        self._stages[machine_id] = stage
        if begun or not isinstance(event, Progress):
            self.broadcast.changed(machine_id)

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Tell the viewers of this machine's trace; keep the newest for viewers to come."""
        machine_id = machine.setup.id
        pacer = self._pacers[machine_id]
        if not self.broadcast.watched(machine_id):
            pacer.put_aside(machine, t_us, angle_deg)
            return
        piece = pacer.push(machine, t_us, angle_deg)
        if piece is not None:
            self.broadcast.traced(machine_id, {"machine": machine_id, **piece})

    def needs_from_s(self, machine: Machine) -> None:
        """Viewers see the present: no samples of the past are needed."""

    def machines_changed(self) -> None:
        """Tell the viewers which machines there are and what they are called."""
        before, self._names = self._names, self._machine_names()
        for machine_id in before.keys() - self._names.keys():
            self._pacers.pop(machine_id, None)
            self._last_sets.pop(machine_id, None)
            self._stages.pop(machine_id, None)
        if list(before) != list(self._names):
            self.broadcast.room(tuple(self._names))
        for machine_id, name in self._names.items():
            if before.get(machine_id, name) != name:
                self.broadcast.changed(machine_id)

    def entry_changed(self, machine_id: str) -> None:
        """Tell the viewers."""
        self.broadcast.changed(machine_id)

    def set_stored(self, machine: Machine, set_id: str) -> None:
        """Tell the viewers; the set is its machine's last one until the next begins."""
        machine_id = machine.setup.id
        self.broadcast.stored({"machine": machine_id, "set_id": set_id})
        if self.service.gym.machines.get(machine_id) is not machine:
            return
        if machine.state.stage != "during":
            self._last_sets[machine_id] = set_id
        self.broadcast.changed(machine_id)

    def measures(self) -> Iterator[Measure]:
        """Its figures for /metrics."""
        yield Measure("legcurl_viewers", "Open pages.", self.broadcast.viewers)
        yield Measure(
            "legcurl_viewer_messages_skipped",
            "Messages that slow pages lost; they were given the newest state instead.",
            self.broadcast.skipped,
            "counter",
        )

    def _machine_names(self) -> dict[str, str]:
        return {name: machine.name for name, machine in self.service.gym.machines.items()}
