"""Statistics of a sensor's stream: samples, gaps, timing, angle.

Frames go in as they arrive. `push` puts them in order, returns runs of samples with the lever's
angle unwrapped, and counts. It keeps no samples, so a stream may be watched for any time. The
checks are in stream_checks.py.

The unwrapped angle (`travel_deg`) goes on where a turn ends: the difference of two travels is how
far the lever moved, and which way. It is right while the lever moves less than half a turn between
two usable samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan, sqrt
from statistics import median

from legcurl.protocol.frame import STATUS_BLIND, TURN, Gap, GapReason, Samples, Status
from legcurl.session.log_assembler import LogAssembler

DEGREES = 360 / TURN  # of one wire step

JUMP_DEG_S = 1500.0
"""No lever goes so fast (resampler.py takes 700 °/s for the fastest), in degrees a second."""

JUMP_MIN_DEG = 5.0
"""Least size of a jump: a bent angle, a slip of the magnet and noise have other figures."""

QUIET_S = 0.5
QUIET_DEG = 1.0
"""A stretch of this length, in s, that drifts by no more than this, in degrees, is quiet: the rest
of its motion is noise."""

QUIET_KEPT = 1200
"""Most quiet stretches with a noise figure: ten minutes of them."""

LATE_US = 100
"""A sample is late from this deviation on: docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class Run:
    """Samples in order, as the lever's travel; nan where the sensor was blind."""

    t_us: Sequence[int]
    travel_deg: Sequence[float]
    status: int


@dataclass(slots=True)
class StreamFigures:
    """Counts of a stream."""

    samples: int = 0
    blind: int = 0  # samples without a usable angle
    status: Counter[Status] = field(default_factory=Counter[Status])  # samples under each fault
    missing: Counter[int] = field(default_factory=Counter[int])  # samples by GapReason
    jumps: int = 0  # of the angle, faster than any lever
    late: int = 0  # samples read more than LATE_US after they were due
    latest_us: int = 0  # the worst of them
    restarts: int = 0
    frozen_s: float = 0.0  # the longest time for which the angle was one and the same number
    frozen_samples: int = 0
    reach_deg: float = 0.0  # from the lowest travel to the highest
    noise_deg: list[float] = field(default_factory=list[float])  # rms, of each quiet stretch

    @property
    def due(self) -> int:
        """Samples taken or missed."""
        return self.samples + self.missed

    @property
    def missed(self) -> int:
        """Ticks without a stored sample."""
        return self.missing[GapReason.OVERRUN]

    def share(self, count: int) -> float:
        """A count of samples as a fraction of all."""
        return count / self.samples if self.samples else 0.0

    @property
    def usual_noise_deg(self) -> float | None:
        """Noise of the angle at rest, rms; None if the lever was never at rest."""
        return median(self.noise_deg) if self.noise_deg else None


class StreamSurvey:
    """Measures one sensor's frames; `figures` has the counts so far."""

    def __init__(self) -> None:
        self.figures = StreamFigures()
        self.log = LogAssembler()
        self.first_us: int | None = None  # sensor time, of the present boot
        self.last_us: int | None = None
        self.ticks = 0  # from the first sample of the present boot to the last
        self.travel_deg = nan  # of the last sample that was seen
        self.status = 0  # of the last run
        self.lowest_deg = inf
        self.highest_deg = -inf
        self._before_s = 0.0  # of earlier boots
        self._boot_id: int | None = None
        self._seen_us: int | None = None
        self._same_since_us = 0
        self._same_samples = 0
        self._quiet: list[float] = []
        self._quiet_since_us = 0

    @property
    def seconds(self) -> float:
        """Sensor time since the first sample of this boot."""
        if self.first_us is None or self.last_us is None:
            return 0.0
        return (self.last_us - self.first_us) / 1e6

    @property
    def watched_s(self) -> float:
        """Sensor time from first to last sample, of all boots together."""
        return self._before_s + self.seconds

    @property
    def rate_hz(self) -> float | None:
        """Ticks in a second of the sensor's clock, None until there are some."""
        return self.ticks / self.seconds if self.ticks and self.seconds else None

    def started(self, boot_id: int, first: int) -> None:
        """Note that the sensor streams from `first`; another boot id counts as a restart."""
        if self._boot_id is not None and boot_id != self._boot_id:
            self.figures.restarts += 1
            self.log.reset()
            self._before_s = self.watched_s
            self.first_us = self.last_us = self._seen_us = None
            self.ticks = 0
            self._quiet.clear()
        self._boot_id = boot_id
        self.log.started(first)

    def push(self, frame: Samples | Gap) -> list[Run]:
        """Take the next frame, and return the runs of samples that are now in order."""
        runs: list[Run] = []
        for part in self.log.push(frame):
            if isinstance(part, Gap):
                self.figures.missing[part.reason] += part.count
                self._quiet.clear()
            elif part.angles:
                runs.append(self._take(part))
        return runs

    def _take(self, run: Samples) -> Run:
        figures = self.figures
        count = len(run.angles)
        figures.samples += count
        self.status = run.status
        for fault in Status:
            if run.status & fault:
                figures.status[fault] += count
        t_us = [run.t_us + number * run.period_us for number in range(count)]
        if self.last_us is not None:
            self.ticks += round((t_us[0] - self.last_us) / run.period_us)
        self.ticks += count - 1
        if self.first_us is None:
            self.first_us = t_us[0]
        self.last_us = t_us[-1]
        for late_us in run.deviations_us or ():
            figures.late += abs(late_us) > LATE_US
            figures.latest_us = max(figures.latest_us, abs(late_us))
        if run.status & STATUS_BLIND:
            figures.blind += count
            self._quiet.clear()
            return Run(t_us, [nan] * count, run.status)
        travel_deg = [
            self._see(at_us, angle) for at_us, angle in zip(t_us, run.angles, strict=True)
        ]
        return Run(t_us, travel_deg, run.status)

    def _see(self, at_us: int, angle: int) -> float:
        """Take one angle, and return the travel."""
        figures = self.figures
        before = self.travel_deg
        if not isfinite(before):
            travel = angle * DEGREES
            step = 0.0
        else:
            step = (angle * DEGREES - before + 180.0) % 360.0 - 180.0
            travel = before + step
        if self._seen_us is None:
            self._same_since_us = at_us
        elif abs(step) > max(JUMP_MIN_DEG, JUMP_DEG_S * (at_us - self._seen_us) / 1e6):
            figures.jumps += 1
            self._quiet.clear()
        if step != 0.0 or self._seen_us is None:
            self._same_since_us = at_us
            self._same_samples = 0
        self._same_samples += 1
        frozen_s = (at_us - self._same_since_us) / 1e6
        if frozen_s > figures.frozen_s:
            figures.frozen_s = frozen_s
            figures.frozen_samples = self._same_samples
        self._seen_us = at_us
        self.travel_deg = travel
        self.lowest_deg = min(self.lowest_deg, travel)
        self.highest_deg = max(self.highest_deg, travel)
        figures.reach_deg = self.highest_deg - self.lowest_deg
        self._listen(at_us, travel)
        return travel

    def _listen(self, at_us: int, travel: float) -> None:
        """Measure the noise of a stretch in which the lever hardly moved."""
        quiet = self._quiet
        if not quiet:
            self._quiet_since_us = at_us
        quiet.append(travel)
        if at_us - self._quiet_since_us < QUIET_S * 1e6:
            return
        if drift_of(quiet) <= QUIET_DEG and len(self.figures.noise_deg) < QUIET_KEPT:
            self.figures.noise_deg.append(noise_of(quiet))
        quiet.clear()


def drift_of(travel_deg: Sequence[float]) -> float:
    """How far apart the quarters of a stretch lie, in degrees.

    Quarters, not halves: the two halves of a lever that turns round in the middle are alike.
    """
    size = max(len(travel_deg) // 4, 1)
    quarters = [median(travel_deg[at : at + size]) for at in range(0, len(travel_deg), size)]
    return max(quarters) - min(quarters)


def noise_of(travel_deg: Sequence[float]) -> float:
    """Noise of a lever that hardly moves, rms in degrees.

    Taken from second differences: a hand that drifts adds nothing to them. Of white noise each is
    the sum of 1, -2 and 1 of it, so their variance is six times its own.
    """
    if len(travel_deg) < 3:
        return 0.0
    bends = [
        before - 2.0 * here + after
        for before, here, after in zip(travel_deg, travel_deg[1:], travel_deg[2:], strict=False)
    ]
    return sqrt(sum(bend * bend for bend in bends) / len(bends) / 6.0)
