"""What a gym's service counts, for Prometheus: `GET /metrics`.

`Metrics` follows the machines and counts what happens; gauges (links, waiting sets) are read at
scrape time. Each service has a registry of its own, so nothing is global. Other parts add their
own figures: anything with a method `measures` is a `MeasureSource`.

An event's latency is the time from its sample (the sensor's clock on ours: clock_sync.py) to the
moment when the event is handed on. Events of a station that catches up after an outage are left
out: they are old because the link was away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from legcurl._version import __version__
from legcurl.events import Event, SamplesMissing, SetEnded, verdict
from legcurl.gym.measures import MeasureSource

if TYPE_CHECKING:
    from legcurl.gym.gym import Gym
    from legcurl.gym.machine import Machine
    from legcurl.service.health import Health
    from legcurl.service.set_writer import SetWriter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LINK_STATES = ("connecting", "up", "lost", "ended")
# Seconds. 40 ms are the sensor's own: it sends what is so old (feed.PROMPT_MS). Beyond a second
# it is no longer live.
LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class _Told:
    """Counts of one machine since the service started."""

    samples: int = 0
    gaps: Counter[str] = field(default_factory=Counter)  # by reason
    missing_s: Counter[str] = field(default_factory=Counter)
    reps: Counter[str] = field(default_factory=Counter)  # by verdict
    sets: Counter[str] = field(default_factory=Counter)  # by outcome


class Metrics:
    """The metrics of one service; a gym's follower."""

    def __init__(self, gym: Gym, writer: SetWriter, health: Health) -> None:
        self._gym = gym
        self._writer = writer
        self._health = health
        self._told: dict[str, _Told] = {}
        self._sources: list[MeasureSource] = []
        self.registry = CollectorRegistry(auto_describe=False)
        self._latency = Histogram(
            "legcurl_event_latency_seconds",
            "From the sample that an event follows from to the event being handed on.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def add(self, source: MeasureSource) -> None:
        """Include another part's figures."""
        self._sources.append(source)

    def text(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self.registry)

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Count samples."""
        self._of(machine).samples += len(t_us)

    def happened(self, machine: Machine, event: Event) -> None:
        """Count an event and observe its latency."""
        if isinstance(event, SamplesMissing):
            told = self._of(machine)
            told.gaps[event.reason] += 1
            told.missing_s[event.reason] += event.duration_s  # type: ignore[assignment]
            return
        if isinstance(event, SetEnded):
            told = self._of(machine)
            told.sets[event.set.outcome] += 1
            told.reps.update(verdict(rep) for rep in event.set.reps)
        t_s = getattr(event, "t_s", None)
        if t_s is None or machine.station is None or machine.state.present_s is not None:
            return
        age_s = machine.station.age_s(t_s)
        if age_s is not None:
            self._latency.observe(max(age_s, 0.0))

    def needs_from_s(self, machine: Machine) -> None:
        """Counts begin anew with the service: nothing."""

    def collect(self) -> Iterator[Metric]:
        """All figures, for the registry; see `text`."""
        yield _info("legcurl_build_info", "The version that runs.", version=__version__)
        yield from self._of_machines()
        yield from self._of_service()
        for source in self._sources:
            for one in source.measures():
                family = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
                yield family(one.name, one.what, value=one.value)

    def _of(self, machine: Machine) -> _Told:
        name = machine.setup.id
        told = self._told.get(name)
        if told is None:
            told = self._told[name] = _Told()
        return told

    def _of_machines(self) -> Iterator[Metric]:
        machines = self._gym.machines
        up = GaugeMetricFamily(
            "legcurl_station_up", "Whether the sensor's link is up.", labels=["machine"]
        )
        link = GaugeMetricFamily(
            "legcurl_link_state", "1 for the state of the link.", labels=["machine", "state"]
        )
        named = GaugeMetricFamily(
            "legcurl_machine_info", "What a machine is called.", labels=["machine", "name"]
        )
        faults = GaugeMetricFamily(
            "legcurl_sensor_faults", "Faults that the sensor reports now.", labels=["machine"]
        )
        damaged = CounterMetricFamily(
            "legcurl_damaged_frames",
            "Packets of which no frame came: damaged on the way, or not ours.",
            labels=["machine"],
        )
        restarts = CounterMetricFamily(
            "legcurl_sensor_restarts", "Times that the sensor began anew.", labels=["machine"]
        )
        journal = GaugeMetricFamily(
            "legcurl_journal_bytes", "The machine's journal on the disk.", labels=["machine"]
        )
        unwritten = CounterMetricFamily(
            "legcurl_journal_unwritten", "Frames the journal could not take.", labels=["machine"]
        )
        for name, machine in machines.items():
            if machine.journal is not None:
                journal.add_metric([name], machine.journal.size_bytes)
                unwritten.add_metric([name], machine.journal.unwritten)
            up.add_metric([name], machine.state.link == "up")
            for state in LINK_STATES:
                link.add_metric([name, state], machine.state.link == state)
            named.add_metric([name, machine.name], 1)
            faults.add_metric([name], len(machine.state.faults))
            counts = machine.counts
            damaged.add_metric([name], counts.damaged_frames)
            restarts.add_metric([name], counts.restarts)
        yield from (up, link, named, faults, damaged, restarts, journal, unwritten)
        yield from self._of_told()

    def _of_told(self) -> Iterator[Metric]:
        samples = CounterMetricFamily(
            "legcurl_samples", "Samples taken from the sensor.", labels=["machine"]
        )
        gaps = CounterMetricFamily(
            "legcurl_gaps", "Gaps that nothing will fill, by reason.", labels=["machine", "reason"]
        )
        missing = CounterMetricFamily(
            "legcurl_missing_seconds", "Length of those gaps.", labels=["machine", "reason"]
        )
        reps = CounterMetricFamily(
            "legcurl_reps",
            "Attempts of sets that have ended: done, partial or failed.",
            labels=["machine", "outcome"],
        )
        sets = CounterMetricFamily(
            "legcurl_sets", "Sets that have ended, as measured.", labels=["machine", "outcome"]
        )
        for name in self._gym.machines:
            told = self._told.get(name) or _Told()
            samples.add_metric([name], told.samples)
            for family, by_kind in (
                (gaps, told.gaps),
                (missing, told.missing_s),
                (reps, told.reps),
                (sets, told.sets),
            ):
                for kind, count in by_kind.items():
                    family.add_metric([name, kind], count)
        yield from (samples, gaps, missing, reps, sets)

    def _of_service(self) -> Iterator[Metric]:
        machines = self._gym.machines.values()
        up = sum(machine.state.link == "up" for machine in machines)
        yield GaugeMetricFamily("legcurl_stations", "Machines.", value=len(machines))
        yield GaugeMetricFamily("legcurl_stations_up", "Machines whose link is up.", value=up)
        yield GaugeMetricFamily(
            "legcurl_sets_waiting",
            "Sets that have ended and are not in the store yet.",
            value=self._writer.pending,
        )
        yield GaugeMetricFamily(
            "legcurl_store_up",
            "Whether the store took what it was last given, and answers.",
            value=not (self._writer.trouble or self._health.store_trouble),
        )
        yield GaugeMetricFamily(
            "legcurl_loop_lag_seconds",
            "How late the service's loop was lately, at worst.",
            value=self._health.lag_s,
        )


def _info(name: str, what: str, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, what, labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family
