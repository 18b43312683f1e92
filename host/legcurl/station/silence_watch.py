"""Notices that a streaming sensor has fallen silent.

It runs beside the receiver, because a time limit on each read would cost more than the reading.
Only time in which the receiver waits for the link counts: while it waits for the reader of the
events, the silence is ours.
"""

from __future__ import annotations

import asyncio

LOOKS = 8  # in the length of a silence, at whether one could begin


class SilenceWatch:
    """The watch over one link; a silence is `silence_s` long."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._since_s: float | None = None  # loop time at which the receiver began to wait

    def listening(self) -> None:
        """The receiver waits for the link from now on."""
        self._since_s = asyncio.get_running_loop().time()

    def heard(self) -> None:
        """Something came."""
        self._since_s = None

    async def wait(self) -> None:
        """Return when a silence is over-long."""
        loop = asyncio.get_running_loop()
        look_s = self._silence_s / LOOKS
        while True:
            since_s = self._since_s
            if since_s is None:
                await asyncio.sleep(look_s)
            elif (left_s := since_s + self._silence_s - loop.time()) > 0:
                await asyncio.sleep(left_s)
            else:
                # The host itself may have been busy: let it read what has come meanwhile.
                await asyncio.sleep(look_s)
                if self._since_s == since_s:
                    return
