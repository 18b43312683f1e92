"""What twenty stations in one process cost, and how long one of them waits for the others.

    make bench-many ARGS='[MINUTES [SERIAL TCP BLE]]'

Six sensors on cables, six on TCP and eight on one Bluetooth adapter, each the real firmware on the
VM, over links that break in every set: for 30 minutes of their time, which takes some minutes of
ours. What is printed is explained in tests/chaos/many.py. The cost of Bluetooth holds that of the
virtual radio, which no gym has; so each kind of link is measured by itself as well, for a while.
That every station says what it would alone is for tests/chaos/test_many_sensors.py to show.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from many import Report, draw_machines, follow_all

MINUTES = 30.0
MIX = (6, 6, 8)  # on cables, on TCP, by Bluetooth
OF_ONE_KIND = 6
MINUTES_OF_ONE_KIND = 3.0
SEED = 1


def main() -> None:
    """Print the figures of the mix, and the cost of each kind of link."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    mix = tuple(map(int, sys.argv[2:5])) if len(sys.argv) > 2 else MIX
    print(measure(minutes, mix).as_text(), flush=True)
    print("\nby kind of link, six stations each:")
    for place, link in enumerate(("serial", "tcp", "ble")):
        counts = [OF_ONE_KIND if place == at else 0 for at in range(3)]
        report = measure(MINUTES_OF_ONE_KIND, counts)
        cost_s = report.cpu_s / report.station_minutes
        print(f"{link:6} {cost_s:.3f} s of CPU a minute of a station", flush=True)


def measure(minutes: float, counts: Sequence[int]) -> Report:
    serial, tcp, ble = counts
    machines = draw_machines(SEED, serial=serial, tcp=tcp, ble=ble)
    return asyncio.run(follow_all(machines, 60 * minutes))


if __name__ == "__main__":
    main()
