"""Replays a recording through a session: the same events as live."""

from __future__ import annotations

from collections.abc import Iterator

from legcurl.events import Event
from legcurl.motion import Calibration
from legcurl.recording.file import Recording
from legcurl.session.sensor_session import PROGRESS_S, SampleReader, SensorSession
from legcurl.training_method import TrainingMethod


def replay(
    recording: Recording,
    calibration: Calibration | None = None,
    *,
    method: TrainingMethod | None = None,
    progress_s: float | None = PROGRESS_S,
    on_samples: SampleReader | None = None,
) -> Iterator[Event]:
    """Give the events of a recording, as live unless another calibration or method is given.

    `on_samples` gets the samples that the events follow from, just before those events.
    """
    session = session_for(
        recording, calibration, method=method, progress_s=progress_s, on_samples=on_samples
    )
    for item in recording:
        yield from session.push(item)
    note_holes(recording, session)
    yield from session.finish()


def session_for(
    recording: Recording,
    calibration: Calibration | None = None,
    *,
    method: TrainingMethod | None = None,
    progress_s: float | None = PROGRESS_S,
    on_samples: SampleReader | None = None,
) -> SensorSession:
    """The session for this recording's items, from the first on."""
    return SensorSession(
        calibration or recording.header.calibration,
        method=method or recording.header.method,
        progress_s=progress_s,
        on_samples=on_samples,
        jumps_are_holes=recording.header.in_order,
    )


def note_holes(recording: Recording, session: SensorSession) -> None:
    """Add the holes that a session found to the recording's damage, after the last item."""
    # In a recording without `in_order`, a session refuses all frames after the first hole.
    recording.damage.holes = session.log.counts.holes + (session.wants is not None)
