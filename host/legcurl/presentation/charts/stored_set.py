"""The chart of a stored set: its figures, with the coach's corrections, over its trace.

The curve comes from the tracker, so the stored trace runs through one again.
"""

from __future__ import annotations

from dataclasses import replace

from legcurl.motion import Calibration, SetTracker
from legcurl.presentation.charts import ChartKeeper
from legcurl.presentation.charts.page import picture
from legcurl.store.records import StoredSet, Trace

CHUNK = 1000  # samples


def draw(stored: StoredSet, trace: Trace | None, ending: str = ".png") -> bytes:
    """The content of a picture file with that ending. Takes about a second."""
    kept = charted(stored, trace)
    started = stored.started.astimezone()
    return picture(kept, f"{stored.machine.name}, {started:%Y-%m-%d %H:%M}", ending)


def charted(stored: StoredSet, trace: Trace | None) -> ChartKeeper:
    """The set's chart, on a clock that begins with the set; without a trace there is none."""
    kept = ChartKeeper()
    if trace is None:
        return kept
    measured = stored.original
    calibration = None
    if measured.extended_deg is not None and measured.flexed_deg is not None:
        calibration = Calibration(measured.extended_deg, measured.flexed_deg)
    tracker = SetTracker(calibration, progress_s=kept.progress_s, method=measured.judged_by)
    for first in range(0, len(trace.t_us), CHUNK):
        t_us = trace.t_us[first : first + CHUNK]
        angle_deg = trace.angle_deg[first : first + CHUNK]
        kept.take(t_us, angle_deg)
        for event in tracker.push(t_us, angle_deg):
            kept.show(event)
    for event in tracker.finish():
        kept.show(event)
    kept.charts = [replace(chart, result=stored.result).from_start() for chart in kept.charts[:1]]
    return kept
