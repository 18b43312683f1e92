"""The strength of the magnet along the lever's range.

Every sample says whether the chip calls the magnet missing, too weak or too strong. About once a
second the sensor also reads the chip's gain (automatic gain control), which shows how near the
magnet is to those limits. A gain is up to GAIN_AGE_S old in the statistics, so it counts for every
degree that the lever passed in that time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isnan

from legcurl.install.checks.stream_stats import Run
from legcurl.protocol.frame import Status

BINS = 24  # of the range: 4° each, as wide as a mark in a terminal drawing
GAIN_AGE_S = 1.0  # firmware/sensor/health.py looks once a second

GAIN_MOST = {"as5600": 128, "as5048a": 255}
"""The AGC register's greatest value by kind of encoder, 0 being the least gain. AS5600: 128 at the
3.3 V of all our boards, 255 at 5 V (datasheet v1-06, "Automatic gain control"); AS5048A: 255."""

MARGIN = 0.1
"""Within this share of either end of the gain's range the magnet is nearly too near or too far:
temperature alone moves a magnet's field by some percent."""


@dataclass(frozen=True, slots=True)
class MagnetBin:
    """A piece of the range; `at` is its middle, 0 at legs straight and 1 at full flexion."""

    at: float
    samples: int
    weak: int
    strong: int
    gain: float | None  # share of the greatest gain, mean

    @property
    def verdict(self) -> Status:
        """The chip's status for most samples here; 0 is a magnet without fault."""
        if 2 * self.weak > self.samples:
            return Status.WEAK_MAGNET
        if 2 * self.strong > self.samples:
            return Status.STRONG_MAGNET
        return Status(0)


@dataclass(slots=True)
class _Degree:
    samples: int = 0
    weak: int = 0
    strong: int = 0
    gain_sum: float = 0.0
    gains: int = 0


class MagnetSurvey:
    """Collects by whole degrees of travel; `bins` gives it along a range.

    `encoder` is the kind that the sensor has, as soon as it is known: gains mean nothing without.
    `referenced_by` is what lets it find its zero, as its hello says.
    """

    def __init__(self, encoder: str = "", referenced_by: str | None = None) -> None:
        self.encoder = encoder
        self.referenced_by = referenced_by
        self.gain: float | None = None  # the last one read, as a share of the greatest
        self.lowest_gain: float | None = None
        self.highest_gain: float | None = None
        self.magnitude: int | None = None
        self._degrees: dict[int, _Degree] = {}
        self._recent: deque[tuple[int, int]] = deque()  # sensor time, degree

    def push(self, run: Run) -> None:
        """Take samples as they come."""
        weak = bool(run.status & Status.WEAK_MAGNET)
        strong = bool(run.status & Status.STRONG_MAGNET)
        recent = self._recent
        for t_us, travel_deg in zip(run.t_us, run.travel_deg, strict=True):
            if isnan(travel_deg):
                continue
            number = floor(travel_deg)
            degree = self._degree(number)
            degree.samples += 1
            degree.weak += weak
            degree.strong += strong
            if not recent or recent[-1][1] != number:
                recent.append((t_us, number))
            while t_us - recent[0][0] > GAIN_AGE_S * 1e6 and len(recent) > 1:
                recent.popleft()

    def observe(self, agc: object, magnitude: object) -> None:
        """Take the magnet's figures from the statistics; a sensor without them sends no numbers."""
        if type(magnitude) is int:
            self.magnitude = magnitude
        most = GAIN_MOST.get(self.encoder)
        if type(agc) is not int or most is None:
            return
        gain = min(agc / (most if agc <= most else 255), 1.0)
        self.gain = gain
        self.lowest_gain = gain if self.lowest_gain is None else min(gain, self.lowest_gain)
        self.highest_gain = gain if self.highest_gain is None else max(gain, self.highest_gain)
        for number in {number for _, number in self._recent}:
            degree = self._degree(number)
            degree.gain_sum += gain
            degree.gains += 1

    def restart(self) -> None:
        """Forget recent sample times: the sensor's clock starts again."""
        self._recent.clear()

    def bins(self, extended_deg: float, flexed_deg: float) -> list[MagnetBin]:
        """The range between two travels, in BINS pieces."""
        pieces = [_Degree() for _ in range(BINS)]
        for number, degree in self._degrees.items():
            at = (number + 0.5 - extended_deg) / (flexed_deg - extended_deg)
            if 0.0 <= at < 1.0:
                piece = pieces[int(at * BINS)]
                piece.samples += degree.samples
                piece.weak += degree.weak
                piece.strong += degree.strong
                piece.gain_sum += degree.gain_sum
                piece.gains += degree.gains
        return [
            MagnetBin(
                at=(number + 0.5) / BINS,
                samples=piece.samples,
                weak=piece.weak,
                strong=piece.strong,
                gain=piece.gain_sum / piece.gains if piece.gains else None,
            )
            for number, piece in enumerate(pieces)
        ]

    def _degree(self, number: int) -> _Degree:
        return self._degrees.setdefault(number, _Degree())


def stretches(bins: Sequence[MagnetBin], verdict: Status) -> list[tuple[float, float]]:
    """The parts of the range with this verdict, each as (from, to) in fractions of the range."""
    parts: list[tuple[float, float]] = []
    half = 0.5 / max(len(bins), 1)
    for piece in bins:
        if piece.verdict != verdict:
            continue
        start = max(piece.at - half, 0.0)
        if parts and abs(parts[-1][1] - start) < half:
            start = parts.pop()[0]
        parts.append((start, piece.at + half))
    return parts
