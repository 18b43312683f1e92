"""Pings on one link: a few at once, then one every PING_EVERY_S."""

from __future__ import annotations

import logging
from time import monotonic

from legcurl.errors import FrameError, RequestRefusedError
from legcurl.protocol.requests import Op, ping_request, read_ping
from legcurl.station.clock_sync import PING_EVERY_S, ClockModel
from legcurl.station.request_client import REPEAT_S, NoAnswerError, RequestClient

log = logging.getLogger(__name__)

QUICK_PINGS = 4  # at once, so that wall time is known when the first rep is
QUICK_PING_S = 0.25


class ClockPings:
    """When to ping, and the ping."""

    def __init__(self) -> None:
        self._sent = 0
        self._due_s = monotonic()

    def wait_s(self) -> float:
        """How long until the next ping is due."""
        return max(self._due_s - monotonic(), 0.0)

    async def ping(self, client: RequestClient, clock: ClockModel, name: str) -> None:
        """Compare the clocks once; without an answer in time, the next ping does."""
        self._sent += 1
        token, sent_s = self._sent, monotonic()
        try:
            answer = await client.granted(
                Op.PING, lambda number: ping_request(number, token), patience_s=REPEAT_S
            )
            pong = read_ping(answer)
            if pong.token == token:
                clock.ping(sent_s, pong.time_us, client.answered_s)
        except (NoAnswerError, RequestRefusedError, FrameError) as error:
            log.debug("%s: no time of the sensor's clock: %s", name, error)
        quick = self._sent < QUICK_PINGS or clock.doubted
        self._due_s = sent_s + (QUICK_PING_S if quick else PING_EVERY_S)
