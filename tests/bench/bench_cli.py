"""What the command line costs: its start, a picture, a very long trace.

`make bench-cli ARGS='[ROWS]'` prints one figure a line. ROWS is the length of the trace,
10 million unless given (28 hours at 100 Hz).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median

from legcurl.gym.machine_state import MachineState
from legcurl.presentation.terminal.screen import Canvas, draw
from scripted_set import a_set

LEGCURL = str(Path(sys.executable).parent / "legcurl")
ROWS = 10_000_000


def version_s() -> float:
    began = time.perf_counter()
    subprocess.run([LEGCURL, "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def picture_s(canvas: Canvas) -> float:
    """Mean time of one event and one picture, over a whole set."""
    state = MachineState()
    events = list(a_set())
    began = time.perf_counter()
    for event in events:
        state = state.apply(event)
        draw(state, canvas)
    return (time.perf_counter() - began) / len(events)


def write_long_trace(file: Path, rows: int) -> None:
    """A simulated set, again and again, on one clock."""
    one = file.with_suffix(".one.csv")
    subprocess.run([LEGCURL, "simulate", "sim:?seed=3", "--csv", str(one)], check=True)
    samples = [line.split(",") for line in one.read_text().splitlines()[1:]]
    span_s = float(samples[-1][0]) + 0.01
    with file.open("w") as out:
        out.write("t_s,angle_deg\n")
        for lap in range(-(-rows // len(samples))):
            for t_s, angle in islice(samples, rows - lap * len(samples)):
                out.write(f"{float(t_s) + lap * span_s:.4f},{angle}\n")


def main(rows: int) -> None:
    print(f"legcurl --version: {median(version_s() for _ in range(15)) * 1000:.0f} ms (goal 150)")
    for width, height in ((80, 24), (220, 60)):
        spent_s = picture_s(Canvas(width, height))
        print(f"event to picture, {width} x {height}: {spent_s * 1000:.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.csv"
        write_long_trace(file, rows)
        began = time.perf_counter()
        subprocess.run(
            [LEGCURL, "analyze", str(file), "--json"], check=True, stdout=subprocess.DEVNULL
        )
        spent_s = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"analyze {rows} rows: {spent_s:.1f} s, {rows / spent_s:.0f} rows/s, {peak_mb:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
