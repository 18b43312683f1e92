"""Judges a measured calibration, and makes the record that is written to the sensor. Pure.

In: the measurements of guided_calibration.py. Out: findings, each with its limit, and a record
only if none is a problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from legcurl.install.calibrate.range_survey import End, RangeSurvey, Rest, rests_of
from legcurl.install.checks.findings import Finding, problems
from legcurl.install.checks.magnet_stats import MagnetBin, MagnetSurvey
from legcurl.install.checks.stream_checks import (
    LinkFigures,
    of_angle,
    of_firmware,
    of_link,
    of_magnet,
    of_samples,
    of_stillness,
    slower,
)
from legcurl.install.checks.stream_stats import StreamFigures, StreamSurvey
from legcurl.motion.calibration import MIN_ROM_DEG
from legcurl.protocol.frame import TURN

SHORT_RANGE_DEG = 45.0  # the shortest lifters: docs/detection.md, short_rom
LONG_RANGE_DEG = 150.0  # a knee bends no further
WHOLE_TURN_DEG = 330.0
"""A longer range has both ends at nearly the same angle, within the play of a lever."""

REPEAT_DEG = 4.0
"""Most spread of the rests at one end. A rep is full from 90 % of the range on, and a tenth of the
shortest range is 4.5°: an end must be known better than that."""

REPEAT_GOOD_DEG = 2.0  # a careful hand on a stiff machine

BLIND_NOW_S = 3.0
"""Longest time without an angle, in s: longer than a touch of a wire interrupts it."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements of a calibration. `stored` is the sensor's present record."""

    survey: RangeSurvey
    stream: StreamSurvey
    magnet: MagnetSurvey
    link: LinkFigures
    stored: Mapping[str, Any] | None
    address: str
    rate_hz: float
    firmware: str  # the sensor's version
    own_firmware: str  # the version that this package carries


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """The judged calibration. Angles are raw encoder degrees; None if not measured."""

    findings: tuple[Finding, ...]
    rests: tuple[Rest, ...]
    extended_deg: float | None  # travel
    flexed_deg: float | None
    bins: tuple[MagnetBin, ...]  # along the range, if there is one

    @property
    def range_deg(self) -> float | None:
        """The lever's range; positive if the encoder's angle rises with flexion."""
        if self.extended_deg is None or self.flexed_deg is None:
            return None
        return self.flexed_deg - self.extended_deg

    @property
    def record(self) -> dict[str, int] | None:
        """The record for the sensor; None if a finding is a problem."""
        if self.extended_deg is None or self.flexed_deg is None or problems(self.findings):
            return None
        return {
            "extended_raw": raw_of(self.extended_deg),
            "flexed_raw": raw_of(self.flexed_deg),
            "direction": 1 if self.flexed_deg > self.extended_deg else -1,
        }


def raw_of(degrees: float) -> int:
    """An angle in wire units, 65536 to the turn."""
    return round(degrees * TURN / 360.0) % TURN


def judge(measured: Measurements) -> CalibrationResult:
    """Judge a calibration."""
    survey = measured.survey
    extended = rests_of(survey.rests, "extended")
    flexed = rests_of(survey.rests, "flexed")
    extended_deg = median(rest.travel_deg for rest in extended) if extended else None
    flexed_deg = median(rest.travel_deg for rest in flexed) if flexed else None
    bins: list[MagnetBin] = []
    if extended_deg is not None and flexed_deg is not None:
        bins = measured.magnet.bins(extended_deg, flexed_deg)
    figures = measured.stream.figures
    noise = [rest.noise_deg for rest in survey.rests]
    findings = [
        *_of_firmware(measured),
        *of_samples(figures, slower(measured.address, measured.rate_hz)),
        *of_link(measured.link),
        *of_magnet(figures, measured.magnet, bins),
        *of_stillness(figures, measured.magnet.encoder),
        *of_angle(figures, median(noise) if noise else figures.usual_noise_deg),
    ]
    if not survey.done:
        findings.append(_unfinished(survey, explained=bool(problems(findings))))
    elif extended_deg is not None and flexed_deg is not None:
        findings.append(_of_range(flexed_deg - extended_deg))
        findings += [_repeats(extended), _repeats(flexed)]
        findings.append(_of_direction(survey, measured.stored, flexed_deg - extended_deg))
    return CalibrationResult(
        tuple(findings), tuple(survey.rests), extended_deg, flexed_deg, tuple(bins)
    )


def must_stop(figures: StreamFigures, blind_s: float) -> bool:
    """Whether to stop at once: the sensor has had no angle for too long, or it restarted."""
    return blind_s >= BLIND_NOW_S or figures.restarts > 0


def _of_firmware(measured: Measurements) -> list[Finding]:
    """Another firmware version is only a note: the calibration survives an update."""
    found = of_firmware(measured.firmware, measured.own_firmware)
    return [] if found.state == "ok" else [replace(found, state="note")]


def _unfinished(survey: RangeSurvey, *, explained: bool) -> Finding:
    """Why the range was not measured."""
    if explained:
        return Finding("range", "note", "The range was not measured completely.")
    end, number = survey.wanted
    if survey.moved_deg < MIN_ROM_DEG:
        said = (
            "The lever did not move."
            if survey.moved_deg < 1.0
            else f"The lever moved by {survey.moved_deg:.0f}° only."
        )
        return Finding(
            "range",
            "problem",
            said,
            "If it did move, the magnet does not turn with it: fasten it on the axle.",
        )
    return Finding(
        "range",
        "problem",
        f"It ended before {END_WORDS[end]} was measured in round {number} of {survey.rounds}.",
        "Calibrate again, and rest at each end for two seconds.",
    )


def _of_range(range_deg: float) -> Finding:
    way = abs(range_deg)
    if way < MIN_ROM_DEG or way > WHOLE_TURN_DEG:
        return Finding(
            "range",
            "problem",
            f"The range is {way:.0f}°; it must be {MIN_ROM_DEG:.0f}° to {WHOLE_TURN_DEG:.0f}°.",
            "Is the magnet on the lever's own axle? Calibrate again from end to end.",
        )
    if way < SHORT_RANGE_DEG:
        return Finding(
            "range",
            "note",
            f"The range is {way:.0f}°, less than the shortest lifters have.",
            "Calibrate again if the lever did not go all the way.",
        )
    if way > LONG_RANGE_DEG:
        return Finding(
            "range",
            "note",
            f"The range is {way:.0f}°, more than a knee bends.",
            "That is right only where a gear or belt lies between lever and magnet.",
        )
    return Finding("range", "ok", f"The range is {way:.1f}°.")


def _repeats(rests: list[Rest]) -> Finding:
    angles = [rest.travel_deg for rest in rests]
    apart = max(angles) - min(angles)
    words = END_WORDS[rests[0].end]
    said = f"{words[0].upper()}{words[1:]} was found within {apart:.1f}°"
    if len(rests) == 1:
        return Finding(
            "repeatability",
            "note",
            f"{words[0].upper()}{words[1:]} was measured once only.",
            "More rounds tell how well it repeats.",
        )
    if apart > REPEAT_DEG:
        return Finding(
            "repeatability",
            "problem",
            f"{said}, more than {REPEAT_DEG:g}°: a tenth of a short range decides whether a rep "
            "is full.",
            "Calibrate again and stop at the same place each time; if you did, the magnet slips.",
        )
    return Finding("repeatability", "ok" if apart <= REPEAT_GOOD_DEG else "note", f"{said}.")


def _of_direction(
    survey: RangeSurvey, stored: Mapping[str, Any] | None, range_deg: float
) -> Finding:
    """Whether flexion turned the encoder the same way in each round and in the stored record."""
    legs = [
        flexed.travel_deg - extended.travel_deg
        for extended, flexed in zip(
            rests_of(survey.rests, "extended"), rests_of(survey.rests, "flexed"), strict=True
        )
    ]
    if len({leg > 0 for leg in legs}) > 1:
        return Finding(
            "direction",
            "problem",
            "Flexion turned the encoder one way in one round and the other way in another.",
            "Begin with straight legs, and rest at the two ends only.",
        )
    rises = range_deg > 0
    said = f"Flexion turns the encoder {'up' if rises else 'down'}wards, in each round."
    before = direction_of(stored)
    if before is not None and (before > 0) != rises:
        return Finding(
            "direction",
            "note",
            f"{said} The record in the sensor has the other direction: the sensor was "
            "moved to the other side since, or calibrated from the wrong end.",
            "This calibration corrects it.",
        )
    return Finding("direction", "ok", said)


def direction_of(record: Mapping[str, Any] | None) -> int | None:
    """The direction of flexion in a stored record, +1 or -1; None without a usable record."""
    if record is None:
        return None
    extended, flexed = record.get("extended_raw"), record.get("flexed_raw")
    if type(extended) is not int or type(flexed) is not int:
        return None
    direction = record.get("direction")
    if direction in (1, -1):
        return int(direction)
    return 1 if (flexed - extended) % TURN < TURN // 2 else -1


END_WORDS: dict[End, str] = {"extended": "legs straight", "flexed": "full flexion"}
