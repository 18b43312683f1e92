"""How well wall time is known: two simulated hours of pings, over links of each kind.

    make bench-clock

The sensor's crystal is off by up to 100 ppm, the radio's by up to 20; links jitter, hiccup for half
a second, and lose connection events. Every ten seconds the model is asked for the wall time of a
rep that ended just now, 5 s ago and a minute ago. The figure is the 95th percentile of the miss
over a run, and of that the median and the worst run. What a real adapter adds was not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import Random

from legcurl.station.clock_pings import QUICK_PING_S, QUICK_PINGS
from legcurl.station.clock_sync import PING_EVERY_S, THERE_BY_RADIO, THERE_BY_WIRE, ClockModel

HOURS = 2.0
RUNS = 20
ASKED_EVERY_S = 10.0
AGO_S = (0.0, 5.0, 60.0)
CRYSTAL_PPM = 100.0
RADIO_PPM = 20.0
LIMIT_S = 0.02  # what was promised of the 95th percentile

RoundTrip = Callable[[float], tuple[float, float]]  # sent → read by the sensor, received


class Wire:
    """Delays with a least and a mean; now and then everything waits for up to half a second."""

    def __init__(self, mean_s: float, hiccups: float, seed: int) -> None:
        self._rng = Random(f"wire/{seed}")
        self._mean_s = mean_s
        self._hiccups = hiccups

    def round_trip(self, sent_s: float) -> tuple[float, float]:
        """When the sensor reads its clock, and when its answer is there."""
        read_s = sent_s + self._way_s()
        return read_s, read_s + self._way_s()

    def _way_s(self) -> float:
        hiccup_s = self._rng.uniform(0.0, 0.5) if self._rng.random() < self._hiccups else 0.0
        return 0.0005 + self._rng.expovariate(1.0 / self._mean_s) + hiccup_s


class Radio:
    """A Bluetooth connection: packets go at its events, and some events fail."""

    LOST = 0.03  # of events
    SILENT_EVERY_S, SILENT_S = 60.0, 0.5
    STACK_S = (0.0005, 0.004)  # of the host, either way
    TURN_S = 0.005  # of the firmware's main loop

    def __init__(self, interval_s: float, seed: int) -> None:
        self._rng = Random(f"radio/{interval_s}/{seed}")
        self._interval_s = interval_s * (1 + self._rng.uniform(-RADIO_PPM, RADIO_PPM) * 1e-6)
        self._phase_s = self._rng.uniform(0.0, interval_s)
        self._silent_s = self._rng.expovariate(1.0 / self.SILENT_EVERY_S)

    def round_trip(self, sent_s: float) -> tuple[float, float]:
        """When the sensor reads its clock, and when its answer is there."""
        there_s = self._event_after(sent_s + self._rng.uniform(*self.STACK_S))
        read_s = there_s + self._rng.uniform(0.0, self.TURN_S)
        return read_s, self._event_after(read_s) + self._rng.uniform(*self.STACK_S)

    def _event_after(self, t_s: float) -> float:
        """The next connection event that gets through."""
        while True:
            number = ceil((t_s - self._phase_s) / self._interval_s)
            at_s = self._phase_s + number * self._interval_s
            while at_s >= self._silent_s + self.SILENT_S:
                self._silent_s += self.SILENT_S + self._rng.expovariate(1.0 / self.SILENT_EVERY_S)
            if at_s < self._silent_s and self._rng.random() >= self.LOST:
                return at_s
            t_s = at_s + self._interval_s / 2


def misses_s(round_trip: RoundTrip, seed: int, there: float) -> list[float]:
    """How far the model was off, each time that it was asked, in order of size."""
    drift = Random(f"crystal/{seed}").uniform(-CRYSTAL_PPM, CRYSTAL_PPM) * 1e-6
    model = ClockModel(there=there)

    def sensor_us(host_s: float) -> int:
        return round(host_s * (1 + drift) * 1e6)

    misses: list[float] = []
    now_s, asked_s, pings = 100.0, 102.0, 0
    while now_s < 100.0 + HOURS * 3600:
        read_s, received_s = round_trip(now_s)
        model.ping(now_s, sensor_us(read_s), received_s)
        pings += 1
        pause_s = QUICK_PING_S if pings < QUICK_PINGS or model.doubted else PING_EVERY_S
        now_s = max(now_s + pause_s, received_s)
        if now_s >= asked_s:
            asked_s = now_s + ASKED_EVERY_S
            for ago_s in AGO_S:
                told_s = model.host_s(sensor_us(now_s - ago_s))
                assert told_s is not None
                misses.append(abs(told_s - (now_s - ago_s)))
    return sorted(misses)


def main() -> None:
    """Print a line for each kind of link."""
    links: list[tuple[str, Callable[[int], Wire | Radio], float]] = [
        ("serial", lambda seed: Wire(0.002, 0.0, seed), THERE_BY_WIRE),
        ("TCP, hiccups", lambda seed: Wire(0.005, 0.05, seed), THERE_BY_WIRE),
        ("BLE, 7.5 ms", lambda seed: Radio(0.0075, seed), THERE_BY_RADIO),
        ("BLE, 30 ms", lambda seed: Radio(0.03, seed), THERE_BY_RADIO),
        ("BLE, 100 ms", lambda seed: Radio(0.1, seed), THERE_BY_RADIO),
    ]
    print(f"wall time of a rep, 95th percentile over {HOURS:g} h, {RUNS} runs")
    for name, link_of, there in links:
        runs = [misses_s(link_of(seed).round_trip, seed, there) for seed in range(RUNS)]
        worst = sorted(1000 * misses[int(0.95 * len(misses))] for misses in runs)
        fits = "" if worst[-1] <= 1000 * LIMIT_S else "   MORE THAN PROMISED"
        print(f"  {name:14} median {worst[RUNS // 2]:6.2f} ms   worst {worst[-1]:6.2f} ms{fits}")


if __name__ == "__main__":
    main()
