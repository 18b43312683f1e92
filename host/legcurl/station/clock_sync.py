"""The sensor's clock in the host's: for wall time, latency and the length of a restart.

Durations never come from here; they come from sensor time alone. In go pings, each with the
host's times of sending and receiving and the sensor's time between them; out comes a straight
line. The sensor read its clock somewhere within the round trip, and the shortest round trip in a
while leaves the least open (minimum delay; NTP's clock filter does the same). On a wire the reading
is taken to be in its middle. Over Bluetooth both ways wait for the connection's next event, and the
answer, which is ready just after one, waits the whole interval for the next: the shortest round
trip is that of a request which went at once, and all of it came after the reading
(THERE_BY_RADIO). The best ping of each twenty seconds is a point, and a regression through the
points gives the drift between the two crystals. Points off the line, and points of long round
trips, are left out.

A host that was suspended, or a sensor that restarted unnoticed, moves the offset for good. Then
pings disagree with the line by more than their round trip allows; after CONTRADICTIONS of them in
a row a new line begins.

All times of the host are seconds of one monotonic clock. Sensor times are 64 bits of µs on the
wire, so nothing here wraps.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TypeVar

_T = TypeVar("_T")

# How often to ping, once the first few are through. No multiple or fraction of a frame's time
# (50 to 1000 ms), so that pings do not meet the same part of a frame each time.
PING_EVERY_S = 2.414
POINT_EVERY_S = 20.0  # eight pings, of which one or more find the link idle
POINTS_MAX = 48  # 16 minutes: a crystal's temperature is steady for so long
DRIFT_POINTS_MIN = 4
DRIFT_SPAN_MIN_S = 60.0  # 1 ms of jitter over less would look like 17 ppm and more
DRIFT_MAX = 500e-6  # ten times what a crystal may have; more is an error of measurement
REMEMBERED_S = 0.5  # round trip of what is only remembered: any ping is better
CONTRADICTIONS = 3  # pings that contradict the line before it is given up
TOLERANCE_S = 0.02  # what a ping may contradict the line by, besides its round trip
THERE_BY_WIRE = 0.5  # of a shortest round trip, what went by before the sensor read its clock
THERE_BY_RADIO = 0.0
OUTLIER_DEVIATIONS = 4.0  # median absolute deviations from the line
OUTLIER_MIN_S = 0.0005  # but no less than a USB host's polling makes


@dataclass(frozen=True, slots=True)
class _Point:
    sensor_s: float  # the sensor's clock, on the host's nominal scale
    offset_s: float  # host minus sensor at the reading, as far as the round trip tells
    round_trip_s: float


class ClockModel:
    """A line from one boot's sensor time to the host's monotonic time; another boot has another.

    `pace` is how many sensor seconds go by in one of the host: 1 but for simulated sensors.
    `there` is the share of a shortest round trip that lies before the sensor's reading.
    """

    def __init__(self, pace: float = 1.0, *, there: float = THERE_BY_WIRE) -> None:
        self._pace = pace
        self._there = there
        self._points: list[_Point] = []  # the best ping of each stretch, oldest first
        self._stretch = 0  # number of the stretch that the last point belongs to
        self._contradicting: list[_Point] = []
        self._centre_s = 0.0
        self._offset_s = 0.0
        self._drift = 0.0
        self._uncertainty_s = float("inf")

    @property
    def points(self) -> int:
        """How many pings the line is laid through: the best of each stretch."""
        return len(self._points)

    @property
    def drift_ppm(self) -> float:
        """How much the host's clock gains on the sensor's, in parts per million."""
        return self._drift * 1e6

    @property
    def uncertainty_s(self) -> float:
        """How far the line may be off, from the best round trip: on a wire, half of it."""
        return self._uncertainty_s

    @property
    def doubted(self) -> bool:
        """Whether the last ping contradicted the line: then the next ones decide."""
        return bool(self._contradicting)

    @property
    def rate(self) -> float:
        """Host seconds in one of the sensor's."""
        return (1 + self._drift) / self._pace

    def ping(self, sent_s: float, sensor_us: int, received_s: float) -> None:
        """Take a ping: host time of sending, sensor's time in the answer, host time of receipt."""
        round_trip_s = received_s - sent_s
        if round_trip_s < 0:
            raise ValueError("A ping is received after it was sent.")
        sensor_s = sensor_us / 1e6 / self._pace
        read_s = sent_s + self._there * round_trip_s
        point = _Point(sensor_s, read_s - sensor_s, round_trip_s)
        if self._contradicts(point):
            self._contradicting.append(point)
            if len(self._contradicting) < CONTRADICTIONS:
                return
            self._points = self._contradicting
        else:
            self._keep(point, int(received_s // POINT_EVERY_S))
        self._contradicting = []
        self._draw()

    def remember(self, host_s: float, sensor_us: int) -> None:
        """Take a rough time, from another process or answer, until the first ping."""
        sent_s = host_s - self._there * REMEMBERED_S
        self.ping(sent_s, sensor_us, sent_s + REMEMBERED_S)

    def host_s(self, sensor_us: int) -> float | None:
        """Host time at which the sensor's clock stood at `sensor_us`; None before a ping."""
        if not self._points:
            return None
        sensor_s = sensor_us / 1e6 / self._pace
        return sensor_s + self._offset_s + self._drift * (sensor_s - self._centre_s)

    def sensor_us(self, host_s: float) -> int | None:
        """The sensor's clock at a host time; None before a ping."""
        if not self._points:
            return None
        since_s = host_s - self._offset_s - self._centre_s
        return round((self._centre_s + since_s / (1 + self._drift)) * self._pace * 1e6)

    def boot_began_us(self, host_s: float, time_us: int) -> int | None:
        """This clock at the moment when that of a new boot was zero: for a RestartNote.

        `time_us` is what the new boot's clock stood at, at host time `host_s`.
        """
        now_us = self.sensor_us(host_s)
        return None if now_us is None else now_us - time_us

    def _contradicts(self, point: _Point) -> bool:
        """Whether no delay within the round trip could put this ping on the line."""
        if not self._points:
            return False
        line_s = self._offset_s + self._drift * (point.sensor_s - self._centre_s)
        away_s = point.sensor_s - self._points[-1].sensor_s
        allowed_s = TOLERANCE_S + DRIFT_MAX * abs(away_s)
        allowed_s += self._open_s(point.round_trip_s) + self._uncertainty_s
        return abs(point.offset_s - line_s) > allowed_s

    def _keep(self, point: _Point, stretch: int) -> None:
        if self._points and stretch == self._stretch:
            if point.round_trip_s < self._points[-1].round_trip_s:
                self._points[-1] = point
            return
        self._stretch = stretch
        self._points.append(point)
        del self._points[:-POINTS_MAX]

    def _draw(self) -> None:
        """Lay the line through the points without the outliers."""
        points = self._points
        usual_s = median(point.round_trip_s for point in points)
        points = [point for point in points if point.round_trip_s <= 2 * usual_s + OUTLIER_MIN_S]
        self._fit(points)
        if self._drift:
            misses = [abs(self._miss(point)) for point in points]
            limit = max(OUTLIER_DEVIATIONS * median(misses), OUTLIER_MIN_S)
            self._fit([p for p, miss in zip(points, misses, strict=True) if miss <= limit])

    def _fit(self, points: list[_Point]) -> None:
        best = min(points, key=lambda point: point.round_trip_s)
        self._uncertainty_s = self._open_s(best.round_trip_s)
        span_s = points[-1].sensor_s - points[0].sensor_s
        if len(points) < DRIFT_POINTS_MIN or span_s < DRIFT_SPAN_MIN_S:
            self._centre_s, self._offset_s, self._drift = best.sensor_s, best.offset_s, 0.0
            return
        self._centre_s = fmean(point.sensor_s for point in points)
        self._offset_s = fmean(point.offset_s for point in points)
        spread = sum((point.sensor_s - self._centre_s) ** 2 for point in points)
        slope = sum((p.sensor_s - self._centre_s) * (p.offset_s - self._offset_s) for p in points)
        self._drift = min(max(slope / spread, -DRIFT_MAX), DRIFT_MAX)

    def _open_s(self, round_trip_s: float) -> float:
        """How far the reading may be from where it is taken to be, in a round trip."""
        return round_trip_s * max(self._there, 1 - self._there)

    def _miss(self, point: _Point) -> float:
        return point.offset_s - self._offset_s - self._drift * (point.sensor_s - self._centre_s)
