"""A recording as a feed: its items in recorded time, faster, or as fast as they are taken."""

from __future__ import annotations

import asyncio
import logging

from legcurl.links.address import Pace
from legcurl.recording.file import Recording
from legcurl.recording.replay import note_holes
from legcurl.station.event_queue import EventQueue

log = logging.getLogger(__name__)


class ReplayFeed:
    """The items of a recording, in recorded time, faster, or as fast as they are taken."""

    def __init__(self, recording: Recording, pace: Pace, queue: EventQueue) -> None:
        self.ready = asyncio.Event()
        self._recording = recording
        self._pace = None if isinstance(pace, str) else pace
        self._queue = queue

    async def run(self) -> None:
        """Hand on all items, each when the time of its samples has come."""
        self.ready.set()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        began_us: int | None = None
        for item in self._recording:
            self._queue.take([item])
            await self._queue.room()
            now_us = self._queue.session.time_us
            due_s = began_s
            if self._pace is not None and now_us is not None:
                began_us = now_us if began_us is None else began_us
                due_s += (now_us - began_us) / 1e6 / self._pace
            await asyncio.sleep(max(due_s - loop.time(), 0.0))
        note_holes(self._recording, self._queue.session)
        if self._recording.damage:
            log.warning("%s: %s; the rest was read.", self._recording.name, self._recording.damage)

    async def close(self) -> None:
        """Close the file."""
        self._recording.close()
