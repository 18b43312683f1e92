"""From what was measured while somebody led the lever to the record that is put into the sensor.

`judge` says of each thing that a calibration depends on whether it is good enough, with the limit
and its reason; `Calibrated.record` exists only if nothing is a problem. Everything here is pure:
the conversation with the installer is in cli/calibrating.py, what goes over the wire in visit.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from legcurl.frame import TURN, GapReason, Status
from legcurl.install.findings import Finding, problems
from legcurl.install.magnet import MARGIN, MagnetBin, MagnetSurvey, stretches
from legcurl.install.range_survey import End, RangeSurvey, Rest, rests_of
from legcurl.install.stream import StreamFigures, StreamSurvey
from legcurl.motion.calibration import MIN_ROM_DEG

SHORT_RANGE_DEG = 45.0  # the shortest lifters: docs/detection.md, short_rom
LONG_RANGE_DEG = 150.0  # a knee bends no further
WHOLE_TURN_DEG = 330.0
"""From here on the two ends cannot be told apart by their angles, with the play of a lever."""

REPEAT_DEG = 4.0
"""How far the rests at one end may lie apart. A rep is full from 90 % of the range on, so a tenth
of the shortest range, 4.5°, is what decides: an end must be known better than that."""

REPEAT_GOOD_DEG = 2.0  # a careful hand on a stiff machine

NOISE_DEG = 0.25
"""Most noise, rms. An AS5600 has 0.04° at the worst by its datasheet. Detection copes with 0.5°
(family "chatter"), but a sensor that is so noisy on its first day has a fault."""

JUMPS = 2  # wild values in a whole calibration: one spike is an accident, three are a bad wire
BLIND_SHARE = 0.001  # of the samples: one in ten seconds at 100 Hz
MISSED_SHARE = 0.005  # half of this much of a hold of 3 s is the accuracy of its length
DAMAGED_SHARE = 0.01  # of the frames; they come again, but a cable that bad gets worse
BLIND_NOW_S = 3.0
"""Without an angle for so long there is nothing to go on with: longer than a wire is touched."""


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What became of the packets on the way."""

    frames: int = 0
    damaged: int = 0
    lost: int = 0  # times that the link broke

    @property
    def damaged_share(self) -> float:
        """Damaged packets among all."""
        return self.damaged / max(self.frames + self.damaged, 1)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a calibration is judged by. `stored` is the record that the sensor has now."""

    survey: RangeSurvey
    stream: StreamSurvey
    magnet: MagnetSurvey
    link: LinkFigures
    stored: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The judgement. Angles are raw encoder degrees; None where they were not measured."""

    findings: tuple[Finding, ...]
    rests: tuple[Rest, ...]
    extended_deg: float | None  # travel
    flexed_deg: float | None
    bins: tuple[MagnetBin, ...]  # along the range, if there is one

    @property
    def range_deg(self) -> float | None:
        """How far the lever moves, and by its sign which way."""
        if self.extended_deg is None or self.flexed_deg is None:
            return None
        return self.flexed_deg - self.extended_deg

    @property
    def record(self) -> dict[str, int] | None:
        """What `calibration put` takes, if nothing speaks against it."""
        if self.extended_deg is None or self.flexed_deg is None or problems(self.findings):
            return None
        return {
            "extended_raw": raw_of(self.extended_deg),
            "flexed_raw": raw_of(self.flexed_deg),
            "direction": 1 if self.flexed_deg > self.extended_deg else -1,
        }


def raw_of(degrees: float) -> int:
    """An angle as the wire has it."""
    return round(degrees * TURN / 360.0) % TURN


def judge(measured: Measured) -> Calibrated:
    """Say what is right and what is wrong with a calibration that was walked through."""
    survey = measured.survey
    extended = rests_of(survey.rests, "extended")
    flexed = rests_of(survey.rests, "flexed")
    extended_deg = median(rest.travel_deg for rest in extended) if extended else None
    flexed_deg = median(rest.travel_deg for rest in flexed) if flexed else None
    bins: list[MagnetBin] = []
    if extended_deg is not None and flexed_deg is not None:
        bins = measured.magnet.bins(extended_deg, flexed_deg)
    findings = [*_of_stream(measured), *_of_magnet(measured, bins), *_of_noise(measured)]
    if not survey.done:
        findings.append(_unfinished(survey, explained=bool(problems(findings))))
    elif extended_deg is not None and flexed_deg is not None:
        findings.append(_of_range(flexed_deg - extended_deg))
        findings += [_repeats(extended), _repeats(flexed)]
        findings.append(_of_direction(survey, measured.stored, flexed_deg - extended_deg))
    return Calibrated(tuple(findings), tuple(survey.rests), extended_deg, flexed_deg, tuple(bins))


def hopeless(figures: StreamFigures, blind_s: float) -> bool:
    """Whether to stop at once: the sensor has had no angle for too long, or it restarted."""
    return blind_s >= BLIND_NOW_S or figures.restarts > 0


def _of_stream(measured: Measured) -> list[Finding]:
    """What came, and what did not."""
    figures = measured.stream.figures
    findings: list[Finding] = []
    if figures.restarts:
        findings.append(
            Finding(
                "restart",
                "problem",
                "The sensor restarted while it was measured.",
                "Check its power: the plug, the cable, a hub that is overloaded; "
                "legcurl doctor says why it started.",
            )
        )
    missed = figures.share(figures.missed)
    if figures.missed:
        findings.append(
            Finding(
                "samples",
                "problem" if missed >= MISSED_SHARE else "note",
                f"The sensor missed {figures.missed} of {figures.due} samples.",
                "Let the sensor do nothing else, and lower its rate (setting rate_hz).",
            )
        )
    evicted = figures.missing[GapReason.EVICTED]
    if evicted:
        findings.append(
            Finding(
                "samples",
                "problem",
                f"{evicted} samples were too old to be sent when this computer asked for them.",
                "Calibrate again with less else running on this computer.",
            )
        )
    findings += of_link(measured.link)
    if not findings:
        findings.append(Finding("samples", "ok", f"All {figures.samples} samples came."))
    return findings


def of_link(link: LinkFigures) -> list[Finding]:
    """What the way from the sensor did to its frames; nothing where all is well."""
    findings: list[Finding] = []
    if link.damaged:
        findings.append(
            Finding(
                "cable",
                "problem" if link.damaged_share >= DAMAGED_SHARE else "note",
                f"{link.damaged} of {link.frames + link.damaged} frames came damaged "
                "(they were asked for again).",
                "Try another cable, a shorter one, or another port; keep it away from motors.",
            )
        )
    if link.lost:
        findings.append(
            Finding(
                "link",
                "note",
                f"The connection broke {_times(link.lost)} and was restored.",
                "Over Bluetooth come nearer; on a cable check both plugs.",
            )
        )
    return findings


def _of_magnet(measured: Measured, bins: list[MagnetBin]) -> list[Finding]:
    figures = measured.stream.figures
    findings: list[Finding] = []
    unseen = figures.status[Status.NO_MAGNET]
    if figures.share(unseen) >= BLIND_SHARE:
        findings.append(
            Finding(
                "magnet",
                "problem",
                f"The encoder saw no magnet in {_percent(figures.share(unseen))} of the samples.",
                "Put the magnet over the middle of the encoder, 0.5 to 3 mm away.",
            )
        )
    failed = figures.status[Status.BUS_ERROR]
    if failed:
        findings.append(
            Finding(
                "bus",
                "problem" if figures.share(failed) >= BLIND_SHARE else "note",
                f"The encoder did not answer {failed} times in {figures.samples} samples.",
                "Check its wires (power, ground, data), keep them short and away from motors.",
            )
        )
    if figures.status[Status.NOT_REFERENCED]:
        findings.append(
            Finding(
                "reference",
                "problem",
                "The encoder does not know its zero yet.",
                "Move the lever through the encoder's index mark once, then calibrate again.",
            )
        )
    findings += _of_strength(measured, bins)
    if not findings:
        gain = measured.magnet.highest_gain
        strength = "" if gain is None else f" (gain at most {_percent(gain)})"
        findings.append(
            Finding("magnet", "ok", f"The magnet is seen well over the whole range{strength}.")
        )
    return findings


def _of_strength(measured: Measured, bins: list[MagnetBin]) -> list[Finding]:
    """Too weak and too strong, and where."""
    figures, magnet = measured.stream.figures, measured.magnet
    findings: list[Finding] = []
    for fault, word, remedy in (
        (Status.WEAK_MAGNET, "weak", "Bring the magnet closer to the encoder"),
        (Status.STRONG_MAGNET, "strong", "Move the magnet away from the encoder"),
    ):
        share = figures.share(figures.status[fault])
        if not share:
            continue
        parts = stretches(bins, fault)
        seen = parts or share >= BLIND_SHARE
        where = f" {_where(parts)}" if parts else ""
        if parts and not _everywhere(parts):
            remedy = "Centre the magnet on the axle; then see whether the distance is right"
        findings.append(
            Finding(
                "magnet",
                "problem" if seen else "note",
                f"The magnet is too {word}{where} ({_percent(share)} of the samples).",
                f"{remedy}.",
            )
        )
    if findings:
        return findings
    if magnet.highest_gain is not None and magnet.highest_gain > 1.0 - MARGIN:
        findings.append(
            Finding(
                "magnet",
                "note",
                f"The magnet is nearly too weak: the chip amplifies by "
                f"{_percent(magnet.highest_gain)} of what it can.",
                "Bring it a little closer.",
            )
        )
    elif magnet.lowest_gain is not None and magnet.lowest_gain < MARGIN:
        findings.append(
            Finding(
                "magnet",
                "note",
                f"The magnet is nearly too strong: the chip amplifies by "
                f"{_percent(magnet.lowest_gain)} of what it can.",
                "Move it away a little.",
            )
        )
    return findings


def _of_noise(measured: Measured) -> list[Finding]:
    figures = measured.stream.figures
    findings: list[Finding] = []
    if figures.jumps:
        findings.append(
            Finding(
                "angle",
                "problem" if figures.jumps > JUMPS else "note",
                f"The angle jumped {_times(figures.jumps)}, faster than any lever.",
                "Fasten the magnet on its axle and check the encoder's wires.",
            )
        )
    rests = measured.survey.rests
    noise = median(rest.noise_deg for rest in rests) if rests else figures.usual_noise_deg
    if noise is not None:
        bad = noise > NOISE_DEG
        findings.append(
            Finding(
                "noise",
                "problem" if bad else "ok",
                f"The angle at rest is {'uncertain by' if bad else 'steady to'} {noise:.2f}°"
                + (f", more than {NOISE_DEG:g}°." if bad else "."),
                "Keep the wires short and away from motors, and check the encoder's supply."
                if bad
                else "",
            )
        )
    return findings


def _unfinished(survey: RangeSurvey, *, explained: bool) -> Finding:
    """Why there is no range: another problem, or nothing moved, or not enough of it."""
    if explained:
        return Finding("range", "note", "The range was not measured to the end.")
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
    """Flexion must be the same way each time; and tell if it was the other way before."""
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
            f"{said} The record in the sensor says the other way: it was mounted on the other "
            "side since, or calibrated from the wrong end.",
            "This calibration puts it right.",
        )
    return Finding("direction", "ok", said)


def direction_of(record: Mapping[str, Any] | None) -> int | None:
    """The way that a stored record says the lever moves, +1 or -1; None without a usable one."""
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


def _everywhere(parts: list[tuple[float, float]]) -> bool:
    return sum(end - start for start, end in parts) > 0.9


def _where(parts: list[tuple[float, float]]) -> str:
    """Say where in the range, in words that somebody at the machine can find."""
    if _everywhere(parts):
        return "over the whole range"
    return "from " + " and from ".join(
        f"{_percent(start)} to {_percent(end)} of the way to full flexion" for start, end in parts
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.01 else f"{100 * share:.0f} %"
