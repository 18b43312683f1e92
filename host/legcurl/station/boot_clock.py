"""The clock of the sensor's present boot against the host's, across restarts of either.

A `ClockModel` holds for one boot. Each hello says which boot answers, so a new one gets a new model
here, and the old model tells how long the restart took. A restart can keep the boot id; then the
sensor's clock shows it, because it began after the last sample came.
"""

from __future__ import annotations

import time

from legcurl.errors import FrameError
from legcurl.protocol.frame import Answer
from legcurl.protocol.requests import Hello, Op, Result, read_hello
from legcurl.session.annotations import RestartNote
from legcurl.station.clock_sync import THERE_BY_RADIO, THERE_BY_WIRE, ClockModel
from legcurl.station.wall_clock import PastClocks, WallLine

# From the last sample of a boot to zero of the next one's clock: no board is back sooner.
RESTART_LEAST_S = 0.2


class BootClock:
    """What the host knows of the sensor's clock.

    `pace` is how many sensor seconds go by in one of the host; None: they cannot be compared.
    """

    def __init__(self, pace: float | None, *, wired: bool) -> None:
        self.model: ClockModel | None = None  # of the present boot
        self.past = PastClocks()  # from the journal, of earlier processes
        self._pace = pace
        self._there = THERE_BY_WIRE if wired else THERE_BY_RADIO
        self._boot_id: int | None = None  # of the model
        self._sampled_s: float | None = None  # host time at which samples last came

    def restored(self, boot_id: int | None, time_us: int | None) -> None:
        """Go on from the journal: it ends in this boot, at this session time."""
        self.past.until_us = time_us
        seen = self.past.last_seen()
        if seen is not None and self._pace is not None:
            sensor_us, host_s = seen
            self._begin(self._pace, host_s, sensor_us)
            self._boot_id = boot_id
            self._sampled_s = host_s

    def sampled(self, host_s: float) -> None:
        """Samples came."""
        self._sampled_s = host_s

    def forget_boot(self) -> None:
        """The sensor restarted, whatever boot id its next hello has."""
        self._boot_id = None

    def restart_before(self, answer: Answer, received_s: float) -> list[RestartNote]:
        """Take an answer; if it is the hello of a new boot, when that began, where that is known.

        The note goes on record before the answer.
        """
        hello = _hello_in(answer)
        if hello is None:
            return []
        if hello.boot_id == self._boot_id and not self._began_anew(received_s, hello.time_us):
            return []
        before, self.model = self.model, None
        if self._pace is not None:
            # Samples from the log come before the first ping, and have a wall time too.
            self._begin(self._pace, received_s, hello.time_us)
        self._boot_id = hello.boot_id
        zero_us = None if before is None else before.boot_began_us(received_s, hello.time_us)
        return [] if zero_us is None else [RestartNote(hello.boot_id, zero_us)]

    def host_s(self, sensor_us: int) -> float | None:
        """Host time at which the sensor's clock stood there; None while that is unknown."""
        return None if self.model is None else self.model.host_s(sensor_us)

    def wall_line(self, t_us: int, known_us: int | None, zero_us: int | None) -> WallLine | None:
        """Wall time around `t_us`, as it was known at `known_us`; None: as it is known now.

        Times are session time; `zero_us` is the present boot's zero in it. For what an earlier
        process knew, the clocks of that time hold.
        """
        past = self.past
        if known_us is not None and past.until_us is not None and known_us <= past.until_us:
            return past.line(known_us)
        host_s = None if zero_us is None else self.host_s(t_us - zero_us)
        if host_s is None or self.model is None:
            return past.line(t_us)
        now = WallLine(t_us, host_s + time.time() - time.monotonic(), self.model.rate)
        return now if known_us is None else past.in_doubt(now, t_us)

    def _begin(self, pace: float, host_s: float, sensor_us: int) -> None:
        self.model = ClockModel(pace, there=self._there)
        self.model.remember(host_s, sensor_us)

    def _began_anew(self, received_s: float, time_us: int) -> bool:
        """Whether this boot began after the last sample came."""
        if self._pace is None or self._sampled_s is None:
            return False
        began_s = received_s - time_us / 1e6 / self._pace
        return began_s > self._sampled_s + RESTART_LEAST_S


def _hello_in(answer: Answer) -> Hello | None:
    if answer.op != Op.HELLO or answer.result != Result.OK:
        return None
    try:
        hello = read_hello(answer)
    except FrameError:
        return None  # RequestClient.greet raises it
    return hello if hello.speaks_ours else None
