"""A recording through a session again: the same events as live."""

from __future__ import annotations

from collections.abc import Iterator

from legcurl.events import Event
from legcurl.motion import Calibration
from legcurl.recording.file import Recording
from legcurl.session.sensor_session import PROGRESS_S, SampleReader, SensorSession


def replay(
    recording: Recording,
    calibration: Calibration | None = None,
    *,
    progress_s: float | None = PROGRESS_S,
    on_samples: SampleReader | None = None,
) -> Iterator[Event]:
    """Give the events of a recording, as they were live; another calibration may be tried.

    `on_samples` is given the samples that the events follow from, just before those events.
    """
    session = session_for(recording, calibration, progress_s=progress_s, on_samples=on_samples)
    for item in recording:
        yield from session.push(item)
    note_holes(recording, session)
    yield from session.finish()


def session_for(
    recording: Recording,
    calibration: Calibration | None = None,
    *,
    progress_s: float | None = PROGRESS_S,
    on_samples: SampleReader | None = None,
) -> SensorSession:
    """Give a session that is to take this recording's items, from the first on."""
    return SensorSession(
        calibration or recording.header.calibration,
        progress_s=progress_s,
        on_samples=on_samples,
        jumps_are_holes=recording.header.in_order,
    )


def note_holes(recording: Recording, session: SensorSession) -> None:
    """Add to the recording's damage what only the session could see, when it has taken it all."""
    # Of a recording that is not in order, all after its first hole looks like frames out of turn.
    recording.damage.holes = session.log.counts.holes + (session.wants is not None)
