"""One machine's events to all that follow it.

    bus = EventBus()
    bus.listen("log", write_down)
    await bus.run(station.events())

`state` is folded from the events, once, for everybody: a part that comes late begins with it. A
listener is called with every event when `state` holds it. It returns at once; whatever takes long
(a disk, a slow terminal, a page) has a queue of its own behind its listener.

A listener that fails is named in `failures`; the others do not notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable

from legcurl.events import Event
from legcurl.gym.machine_state import MachineState
from legcurl.training_method import STANDARD, TrainingMethod

log = logging.getLogger(__name__)

TURN = 64  # events before other tasks have their turn in the event loop


class EventBus:
    """Hands on the events of one machine; `state` is its state after the last of them."""

    def __init__(self, method: TrainingMethod = STANDARD) -> None:
        self.state = MachineState(method=method)
        self.failures: dict[str, Exception] = {}  # the newest, by the listener's name
        self._listeners: dict[str, Callable[[Event], None]] = {}
        self._at_end: list[Callable[[], None]] = []

    def listen(
        self, name: str, hear: Callable[[Event], None], at_end: Callable[[], None] | None = None
    ) -> None:
        """Call `hear` with every event from here on, and `at_end` when there are no more."""
        self._listeners[name] = hear
        if at_end is not None:
            self._at_end.append(at_end)

    def tell(self, event: Event) -> None:
        """Hand on one event."""
        self.state = self.state.apply(event)
        for name, hear in self._listeners.items():
            self.call(name, hear, event)

    def call(self, name: str, function: Callable[..., object], *arguments: object) -> None:
        """Call a listener's function. What it raises is kept, and logged the first time."""
        try:
            function(*arguments)
        except Exception as error:
            if name not in self.failures:  # events are many
                log.exception("%s failed; the others go on.", name)
            self.failures[name] = error

    async def run(self, events: AsyncIterable[Event]) -> None:
        """Hand on all events until they end. Raises what the events raise."""
        handed = 0
        async for event in events:
            self.tell(event)
            handed += 1
            if handed % TURN == 0:
                await asyncio.sleep(0)
        for end in self._at_end:
            end()
