"""What a journal costs while samples come, and how long a restart takes with ten minutes of it.

    make bench-journal

Ten minutes of simulated sets at 100 Hz, in frames of 40 ms as a machine on a cable sends them, go
through a session with and without a journal, in turns and in one process; what counts is the ratio
of the quickest. The journal writes to this folder's filesystem and syncs once a second of wall
time, as in the service. Then a station's restart: the journal is read, and the session takes it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import process_time

from fake_sensor import FakeSensor, decoded
from legcurl.links.sim_address import SimOptions
from legcurl.protocol.frame import TURN, Frame, Samples
from legcurl.recording.journal import Journal, Syncer
from legcurl.session.annotations import ClockNote
from legcurl.session.sensor_session import SensorSession
from legcurl.simulator.world import World

MINUTES = 10
RATE_HZ = 100
SAMPLES_A_FRAME = 4
ROUNDS = 5
STATIONS = 200


def frames() -> list[Frame]:
    """Ten minutes of a machine."""
    trace = World(SimOptions(seed=3, sets=20, pace="fast")).sensor_trace(RATE_HZ)
    count = MINUTES * 60 * RATE_HZ
    angles = [
        round(angle / 360 * TURN) % TURN for (_, angle), _ in zip(trace, range(count), strict=False)
    ]
    return decoded(FakeSensor(angles, samples_per_frame=SAMPLES_A_FRAME).packets())


def run(items: list[Frame], folder: Path | None) -> float:
    """Seconds for all of it."""
    session = SensorSession()
    journal = None if folder is None else Journal(folder)
    syncer = None if journal is None else Syncer(lambda: [journal])
    if journal is not None and syncer is not None:
        journal.clock, journal.learnt = lambda: clock_of(session), session.learnt
        syncer.start()
    began_s = process_time()
    for item in items:
        session.push(item)
        if journal is not None:
            journal.write(item)
    took_s = process_time() - began_s
    if syncer is not None:
        syncer.end()
    return took_s


def clock_of(session: SensorSession) -> ClockNote | None:
    """As a station makes it."""
    t_us, zero_us = session.time_us, session.zero_us
    return None if t_us is None or zero_us is None else ClockNote(zero_us, t_us, t_us, 1.0)


def restored(folder: Path) -> tuple[float, int]:
    """Seconds of a restart, and samples."""
    began_s = process_time()
    session = SensorSession()
    for item in Journal(folder).items():
        session.push(item)
    return process_time() - began_s, session.counts.samples


def main() -> None:
    """Print the figures."""
    items = frames()
    samples = sum(len(item.angles) for item in items if isinstance(item, Samples))
    bare_s, kept_s = [], []
    with tempfile.TemporaryDirectory(dir=".") as place:
        for number in range(ROUNDS):
            bare_s.append(run(items, None))
            kept_s.append(run(items, Path(place) / str(number)))
        folder = Path(place) / "0"
        size = sum(path.stat().st_size for path in folder.iterdir())
        again_s, found = min(restored(folder) for _ in range(ROUNDS))
        segments = len(list(folder.iterdir()))
    extra_s = min(kept_s) - min(bare_s)
    seconds = samples / RATE_HZ
    print(f"journal: {samples} samples in {len(items)} frames; the best of {ROUNDS}")
    print(f"  session alone        {1e6 * min(bare_s) / samples:6.2f} µs a sample")
    print(f"  with its journal     {1e6 * min(kept_s) / samples:6.2f} µs a sample")
    print(f"  ratio                {min(kept_s) / min(bare_s):6.2f}")
    print(f"  a write              {1e6 * extra_s / len(items):6.1f} µs")
    print(
        f"  {STATIONS} stations         {100 * STATIONS * extra_s / seconds:6.1f} % of a core more"
    )
    print(f"  on disk              {size / seconds:6.0f} bytes a second, in {segments} segments")
    print(f"  restart              {again_s:6.2f} s for {found / RATE_HZ / 60:.1f} minutes of it")


if __name__ == "__main__":
    main()
