"""Collects the chart of each set from samples and tracker events, in bounded memory.

A set's curve comes from the tracker's Progress events: unwrapped, without spikes, a slip of the
magnet taken out. So measured values lie on it. Gaps come from the samples, because the tracker
bridges short ones. Until the first set the samples are kept too, for a file without a set.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from legcurl.events import Event, Progress, SetEnded, SetResult, SetStarted
from legcurl.motion.resampler import short_way
from legcurl.motion.results import shifted
from legcurl.presentation.charts.downsampled_trace import DownsampledTrace

PROGRESS_S = 0.02
"""Grid of the curve in s: finer than a column of a picture for a set of more than half a minute."""

GAP_S = 0.3
"""Samples farther apart are a gap, in s: longer than the period at any rate, and just wide enough
to see in a picture."""

MARGIN_S = 3.0
"""Shown before and after a set, in s."""

LOOK_BACK_S = 330.0
"""Kept while no set is open, in s: how far back the tracker may place a set's start after it has
reversed its direction (direction.KEPT), and the margin."""

POINTS = 4096
"""Points of a finished set: two a column of a picture that is 2000 columns wide."""

GAPS = 4096
"""Most gaps kept; beyond it the shortest go, for which the picture has no room."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SetChart:
    """One set and the curve it was found in, in degrees of flexion; gaps are (from, to) in s."""

    result: SetResult
    times_s: array[float]
    flexion_deg: array[float]
    gaps: tuple[Span, ...]
    clock: str = "sensor time (s)"  # what its times are

    def from_start(self) -> SetChart:
        """The same chart with t = 0 at the start of the set."""
        zero_s = self.result.start_s
        return SetChart(
            shifted(self.result, -zero_s),
            array("d", (t_s - zero_s for t_s in self.times_s)),
            self.flexion_deg,
            tuple((from_s - zero_s, to_s - zero_s) for from_s, to_s in self.gaps),
            "since the start of the set (s)",
        )


class ChartKeeper:
    """Takes samples and events in order; `charts` has one for each finished set."""

    progress_s = PROGRESS_S  # for SetTracker

    def __init__(self) -> None:
        self.charts: list[SetChart] = []
        self.whole = DownsampledTrace()  # the raw samples of a file in which no set has been found
        self.samples = 0
        self.usable = 0
        self._curve = DownsampledTrace()
        self._gaps: list[Span] = []
        self._last_s = nan  # of the last usable sample
        self._set_open = False

    @property
    def gaps(self) -> tuple[Span, ...]:
        """The gaps in (from, to) s: recent ones, or all until the first set."""
        return tuple(self._gaps)

    def take(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Take samples before the events that the tracker makes of them."""
        self.samples += len(t_us)
        last_s = self._last_s
        keep = self.whole.append if not self.charts else None
        for t, angle in zip(t_us, angle_deg, strict=True):
            if angle != angle:
                continue
            t_s = t / 1e6
            if t_s - last_s > GAP_S:
                self._note_gap((last_s, t_s))
            last_s = t_s
            self.usable += 1
            if keep is not None:
                keep(t_s, angle)
        self._last_s = last_s

    def show(self, event: Event) -> None:
        """Take an event of the tracker."""
        if isinstance(event, Progress):
            if event.angle_deg is not None:
                self._curve.append(event.t_s, event.angle_deg)
            if not self._set_open and len(self._curve) % 1024 == 0:
                self._forget_before(event.t_s - LOOK_BACK_S)
        elif isinstance(event, SetStarted):
            self._set_open = True
        elif isinstance(event, SetEnded):
            self._set_open = False
            self.charts.append(self._chart(event.set))
            self.whole = DownsampledTrace()

    def _note_gap(self, gap: Span) -> None:
        self._gaps.append(gap)
        if len(self._gaps) > GAPS:
            longest = sorted(self._gaps, key=lambda gap: gap[0] - gap[1])[: GAPS // 2]
            self._gaps = sorted(longest)

    def _forget_before(self, t_s: float) -> None:
        self._curve.forget_before(t_s)
        if self.charts:
            self._gaps = [gap for gap in self._gaps if gap[1] > t_s]

    def _chart(self, result: SetResult) -> SetChart:
        from_s, to_s = result.start_s - MARGIN_S, result.end_s + MARGIN_S
        part = self._curve.between(from_s, to_s)
        while len(part) > POINTS:
            part.thin()
        return SetChart(
            result,
            part.times_s,
            _flexion(part.angles_deg, result),
            tuple(gap for gap in self._gaps if gap[1] > from_s and gap[0] < to_s),
        )


def _flexion(angles_deg: array[float], result: SetResult) -> array[float]:
    """Turn raw degrees into degrees of flexion from the lifter's extended end."""
    if result.extended_deg is None or result.flexed_deg is None:
        raise ValueError("A set can be drawn when the ends of its range were measured.")
    moved = short_way(result.flexed_deg - result.extended_deg)
    sign = 1 if moved > 0 else -1
    middle = result.extended_deg + moved / 2
    half = abs(moved) / 2
    return array("d", (half + sign * short_way(angle - middle) for angle in angles_deg))
