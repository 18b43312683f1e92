"""Diagnoses a sensor. Pure: evidence (measure_sensor.py) in, findings out.

Checks that `calibrate` shares are in stream_checks.py, those of the computer in host_checks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

from legcurl.install.calibrate.calibration_record import direction_of
from legcurl.install.checks.findings import Finding, command
from legcurl.install.checks.magnet_stats import MagnetBin, MagnetSurvey
from legcurl.install.checks.stream_checks import (
    STUCK_S,
    LinkFigures,
    of_angle,
    of_firmware,
    of_link,
    of_magnet,
    of_samples,
    of_stillness,
    percent,
    slower,
)
from legcurl.install.checks.stream_stats import LATE_US, StreamSurvey
from legcurl.install.doctor.clock_drift import Ping, of_clock
from legcurl.links.address import Address, SimAddress
from legcurl.links.route import SILENCE_S
from legcurl.motion.calibration import MIN_ROM_DEG
from legcurl.protocol.frame import TURN
from legcurl.protocol.requests import Hello
from legcurl.station.clock_sync import PING_EVERY_S

RATE_TOLERANCE = 0.01  # of the set rate: exact, because the sensor counts its own ticks
LATE_SHARE = 0.05
"""More late samples than this are a busy sensor; a soft timer has a few at each heap collection."""

FROZEN_TOLD_S = 5.0  # reported if the lever did not move at all
MOVED_DEG = 2.0  # less is play and noise
FIT_DEG = 15.0
"""How far beyond its calibrated range a lever may go, in degrees: its stops lie 3° to 20° outside
(simulator)."""

HEAP_NOTE_BYTES = 20_000  # hello's JSON and an answer of 1 kB, several times over
HEAP_LEAST_BYTES = 8_000
RING_SLOTS = 512  # samples that wait for the main loop: firmware/sensor/sampler.py
PINGS_APART_S = PING_EVERY_S / 8  # out of step with the frames
ANSWER_NOTE_S = 0.25  # an answer takes a turn of the loop and the link: 10 ms by cable


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything collected from one sensor. None is a request without an answer."""

    address: Address
    hello: Hello
    own_firmware: str  # the version that this package carries
    stored: Mapping[str, Any] | None  # calibration
    before: Mapping[str, Any] | None  # statistics
    after: Mapping[str, Any] | None
    free_heap: int  # the most that was free at any time; 0 if unknown
    crash_log: str
    stream: StreamSurvey
    magnet: MagnetSurvey
    link: LinkFigures
    pings: tuple[Ping, ...]
    pace: float | None  # sensor seconds in one of the host's
    longest_silence_s: float  # host's
    wired: bool
    remembered: int | None = None  # the sign of flexion that this computer's service has learnt

    @property
    def slower(self) -> str:
        """The command that halves the sensor's rate."""
        return slower(str(self.address), self.hello.rate_hz)


def diagnose(evidence: Evidence) -> list[Finding]:
    """All findings, the most general first."""
    figures = evidence.stream.figures
    return [
        _of_identity(evidence.hello),
        of_firmware(evidence.hello.firmware, evidence.own_firmware),
        _of_boot(evidence),
        *_of_crashes(evidence),
        *_of_trust(evidence),
        *of_magnet(figures, evidence.magnet, _way(evidence), of_range=False),
        *of_angle(figures, figures.usual_noise_deg),
        *_of_movement(evidence),
        *_of_calibration(evidence),
        *_of_direction(evidence),
        *_of_rate(evidence),
        *of_samples(figures, evidence.slower),
        *of_link(evidence.link),
        *_of_silence(evidence),
        *_of_clock(evidence),
        *_of_answers(evidence),
        *_of_memory(evidence),
        *_of_loop(evidence),
        *_of_requests(evidence),
    ]


def _way(evidence: Evidence) -> list[MagnetBin]:
    """The magnet along the lever's movement; empty if that was shorter than a range."""
    stream = evidence.stream
    if stream.figures.reach_deg < MIN_ROM_DEG:
        return []
    return evidence.magnet.bins(stream.lowest_deg, stream.highest_deg)


def _of_identity(hello: Hello) -> Finding:
    name = hello.name or "A sensor without a name"
    return Finding(
        "sensor",
        "ok",
        f"{name}: {hello.board} with {hello.encoder}, {hello.rate_hz:g} Hz, "
        f"MicroPython {hello.micropython}, id {hello.sensor_id}.",
    )


def _of_boot(evidence: Evidence) -> Finding:
    uptime = _count(evidence.after or evidence.before, "uptime_ms")
    since = "" if uptime is None else f" {_ago(uptime / 1000)} ago"
    why = evidence.hello.boot_reason.replace("_", " ")
    return Finding("start", "ok", f"It started{since} (reason: {why}).")


def _of_crashes(evidence: Evidence) -> list[Finding]:
    """Crashes; those of another firmware version are only a note."""
    entries = [entry for entry in evidence.crash_log.split("=== ") if entry.strip()]
    if not entries:
        crashes = _count(evidence.after, "crashes")
        return [] if crashes is None else [Finding("crashes", "ok", "The firmware never crashed.")]
    last = [line.strip() for line in entries[-1].splitlines() if line.strip()]
    told = last[-1] if last else "unknown"
    ours = f"firmware {evidence.hello.firmware}," in entries[-1].partition("\n")[0]
    times = "once" if len(entries) == 1 else f"{len(entries)} times"
    return [
        Finding(
            "crashes",
            "problem" if ours else "note",
            f"The firmware crashed {times}, the last time with {told!r}"
            + ("." if ours else ", in another version than it has now."),
            "Report it with the crash log (legcurl doctor --json has all of it)." if ours else "",
        )
    ]


def _of_trust(evidence: Evidence) -> list[Finding]:
    """Whether it has a key; a sensor without Bluetooth needs none."""
    statistics = evidence.after or evidence.before or {}
    if "ble" not in statistics:
        return []
    wrong = _count(statistics, "wrong_keys") or 0
    findings: list[Finding] = []
    if evidence.hello.key_id is None:
        findings.append(
            Finding(
                "key",
                "note",
                "The sensor has no key: it takes no changes over Bluetooth, and another device "
                "could pose as it.",
                f"Run: {command('pair', str(evidence.address))}"
                if evidence.wired
                else "Connect it by cable and run: legcurl pair serial:PORT",
            )
        )
    else:
        findings.append(Finding("key", "ok", f"The sensor has the key {evidence.hello.key_id}."))
    if wrong:
        findings.append(
            Finding(
                "key",
                "note",
                f"Since its start {wrong} requests came with a wrong key.",
                "Unless another of your computers has an old key, this may be an attack.",
            )
        )
    return findings


def _of_movement(evidence: Evidence) -> list[Finding]:
    """Whether the angle changes."""
    figures = evidence.stream.figures
    frozen_s = figures.frozen_s
    stuck = of_stillness(figures, evidence.hello.encoder)
    if stuck:
        return stuck
    if figures.reach_deg >= MOVED_DEG or 2 * figures.blind > figures.samples:
        return []  # it moved, or there is worse to say
    what = "did not change at all" if frozen_s >= FROZEN_TOLD_S else "hardly changed"
    return [
        Finding(
            "movement",
            "note",
            f"The angle {what}: it may not follow the lever.",
            "Watch again while you move the lever from end to end, or for longer "
            f"(--seconds {2 * STUCK_S:.0f}).",
        )
    ]


def _of_calibration(evidence: Evidence) -> list[Finding]:
    """Whether the stored record matches this mounting."""
    record = evidence.stored
    direction = direction_of(record)
    if record is None or direction is None:
        return [
            Finding(
                "calibration",
                "note",
                "The sensor is not calibrated: each set learns the range again.",
                f"Run: {command('calibrate', str(evidence.address))}",
            )
        ]
    extended, flexed = record["extended_raw"], record["flexed_raw"]
    range_deg = (flexed - extended) * direction % TURN * 360 / TURN
    figures, stream = evidence.stream.figures, evidence.stream
    known = Finding("calibration", "ok", f"It is calibrated to {range_deg:.0f}°.")
    if figures.reach_deg < MIN_ROM_DEG:
        return [known]
    # Where the lever was, along the record's own way from its extended end.
    extended_deg = extended * 360 / TURN
    low, high = sorted(
        (end - extended_deg) * direction for end in (stream.lowest_deg, stream.highest_deg)
    )
    turns = round((low + high - range_deg) / 720) * 360
    low, high = low - turns, high - turns
    if low >= -FIT_DEG and high <= range_deg + FIT_DEG:
        moved = f"The lever moved within it, by {figures.reach_deg:.0f}°."
        return [Finding("calibration", "ok", f"{known.said} {moved}")]
    mirrored = high <= FIT_DEG
    said = (
        "The lever moves against the direction of the calibration: the sensor was moved to the "
        "other side of the lever since, or calibrated from the wrong end."
        if mirrored
        else f"The lever moved from {low:.0f}° to {high:.0f}° of a range that should be 0° to "
        f"{range_deg:.0f}°: the magnet has turned on its axle, or the sensor was moved."
    )
    return [
        Finding(
            "direction" if mirrored else "calibration",
            "problem",
            said,
            f"Fasten it and run: {command('calibrate', str(evidence.address))}",
        )
    ]


def _of_direction(evidence: Evidence) -> list[Finding]:
    """How an uncalibrated sensor's direction is known."""
    if direction_of(evidence.stored) is not None:
        return []  # a calibration says it
    if not evidence.remembered:
        said = "Which way flexion is, the first set will show; a service then remembers it."
        return [Finding("direction", "ok", said)]
    way = "grows" if evidence.remembered > 0 else "falls"
    said = f"This computer's service remembers from earlier sets that the angle {way} in flexion."
    return [Finding("direction", "ok", said)]


def _of_rate(evidence: Evidence) -> list[Finding]:
    """The sample rate and late samples, by the sensor's clock."""
    stream, figures, asked = evidence.stream, evidence.stream.figures, evidence.hello.rate_hz
    rate = stream.rate_hz
    if rate is None or not asked:
        return []
    if abs(rate / asked - 1) > RATE_TOLERANCE:
        return [
            Finding(
                "rate",
                "problem",
                f"The sensor takes {rate:.1f} samples a second instead of {asked:g}.",
                "Restart the sensor; legcurl doctor --json has the figures for a report.",
            )
        ]
    late = figures.share(figures.late)
    timer = evidence.hello.timer
    said = f"{rate:.1f} samples a second on a {timer} timer"
    if figures.late:
        worst = f"{figures.latest_us / 1000:.1f} ms"
        return [
            Finding(
                "rate",
                "note" if late > LATE_SHARE else "ok",
                f"{said}; {percent(late)} of them late, by {worst} at most, each with its true "
                "time.",
                f"The sensor is busy; lower its rate: {evidence.slower}"
                if late > LATE_SHARE
                else "",
            )
        ]
    return [Finding("rate", "ok", f"{said}, none more than {LATE_US} µs late.")]


def _of_silence(evidence: Evidence) -> list[Finding]:
    """Whether the stream stopped; unknown for a simulated sensor of pace=fast."""
    if evidence.pace is None:
        return []
    silent_s = evidence.longest_silence_s * evidence.pace
    if silent_s < SILENCE_S:
        return []
    return [
        Finding(
            "stream",
            "problem" if evidence.wired else "note",
            f"The stream stopped for {silent_s:.1f} s; the sensor kept its samples.",
            "Try another cable or port, without a hub, and end what keeps this computer busy."
            if evidence.wired
            else "Come nearer, or put the computer's antenna where it sees the sensor.",
        )
    ]


def _of_clock(evidence: Evidence) -> list[Finding]:
    """How well the clocks agree, if they are comparable."""
    if evidence.pace is None:
        return []
    address = evidence.address
    own = not isinstance(address, SimAddress) or address.options.drift_ppm != 0
    return of_clock(evidence.pings, evidence.pace, own_crystal=own)


def _of_answers(evidence: Evidence) -> list[Finding]:
    """How fast the sensor answers."""
    if evidence.pace is None or not evidence.pings:
        return []
    trips = [ping.received_s - ping.sent_s for ping in evidence.pings]
    usual, worst = median(trips), max(trips)
    slow = usual > ANSWER_NOTE_S
    return [
        Finding(
            "answers",
            "note" if slow else "ok",
            f"It answers within {1000 * usual:.1f} ms, {1000 * worst:.0f} ms at most.",
            "That is slow: come nearer, or end what keeps this computer busy." if slow else "",
        )
    ]


def _of_memory(evidence: Evidence) -> list[Finding]:
    free = evidence.free_heap
    if not free:
        return []
    state = "problem" if free < HEAP_LEAST_BYTES else "note" if free < HEAP_NOTE_BYTES else "ok"
    return [
        Finding(
            "memory",
            state,
            f"{free // 1024} kB of its memory are free after a heap collection.",
            "" if state == "ok" else "Restart it; if that does not last, report it.",
        )
    ]


def _of_loop(evidence: Evidence) -> list[Finding]:
    """The longest turn of the main loop; a simulated board's code takes no time."""
    longest = _count(evidence.after or evidence.before, "loop_max_us")
    if longest is None or isinstance(evidence.address, SimAddress):
        return []
    bridged_us = RING_SLOTS / (evidence.hello.rate_hz or inf) * 1e6
    state = "problem" if longest > bridged_us else "note" if longest > bridged_us / 4 else "ok"
    return [
        Finding(
            "loop",
            state,
            f"Its main loop took {longest / 1000:.0f} ms at most; "
            f"{bridged_us / 1e6:.1f} s are bridged without loss.",
            "" if state == "ok" else f"Report it, and lower its rate: {evidence.slower}",
        )
    ]


def _of_requests(evidence: Evidence) -> list[Finding]:
    """Requests that arrived damaged meanwhile."""
    before = _count(evidence.before, "bad_frames") or 0
    damaged = (_count(evidence.after, "bad_frames") or before) - before
    if damaged <= 0:
        return []
    return [
        Finding(
            "requests",
            "note",
            f"{damaged} of this computer's requests arrived damaged (and were repeated).",
            "Try another cable, or another port.",
        )
    ]


def heap_of(statistics: Mapping[str, Any] | None) -> int:
    """Free memory in bytes by the statistics; garbage counts as used."""
    return _count(statistics, "free_heap") or 0


def _count(statistics: Mapping[str, Any] | None, name: str) -> int | None:
    value = None if statistics is None else statistics.get(name)
    return value if type(value) is int else None


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
