"""Checks of a stream, its link, its magnet and its angle, with their limits.

In: statistics. Out: findings. `legcurl calibrate` refuses a sensor with problems, `legcurl doctor`
reports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from legcurl.install.checks.findings import Finding, command
from legcurl.install.checks.magnet_stats import (
    GAIN_MOST,
    MARGIN,
    MagnetBin,
    MagnetSurvey,
    stretches,
)
from legcurl.install.checks.stream_stats import StreamFigures
from legcurl.presentation.wording import fault_words
from legcurl.protocol.frame import GapReason, Status

NOISE_DEG = 0.25
"""Most noise, rms in degrees. An AS5600 has at most 0.04° by its datasheet. Detection copes with
0.5° (family "chatter"), but so much noise in a new sensor is a fault."""

JUMPS = 2  # wild values in a whole calibration: one spike is an accident, three are a bad wire
BLIND_SHARE = 0.001  # of the samples: one in ten seconds at 100 Hz
MISSED_SHARE = 0.005  # half of this much of a hold of 3 s is the accuracy of its length
SLOWEST_HZ = 20  # the least that a sensor takes: "Settings" in docs/protocol.md
STUCK_S = 30.0
"""An angle without any change for so long, in s, is stuck. An AS5600's noise is 0.015°
rms at least (datasheet v1-06, figure 9), its step 0.088°: even in the middle of a step a sample in
300 shows the next one, so 3000 samples without one do not happen."""
DAMAGED_SHARE = 0.01  # of the frames; they are repeated, but such a cable gets worse


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """Counts of the frames on the link."""

    frames: int = 0
    damaged: int = 0
    lost: int = 0  # times that the link broke

    @property
    def damaged_share(self) -> float:
        """Damaged frames as a share of all."""
        return self.damaged / max(self.frames + self.damaged, 1)


def slower(address: str, rate_hz: float) -> str:
    """The command that halves a sensor's rate."""
    return command("settings", address, f"--rate {max(round(rate_hz / 2), SLOWEST_HZ)}")


def of_firmware(theirs: str, ours: str) -> Finding:
    """Whether the sensor's firmware is of this program's version."""
    if theirs == ours:
        return Finding("firmware", "ok", f"The firmware is {theirs}, as in this program.")
    if _version(theirs) < _version(ours):
        return Finding(
            "firmware",
            "problem",
            f"The firmware is {theirs}, older than the {ours} of this program.",
            "Update it by cable: legcurl flash. Its calibration stays.",
        )
    return Finding(
        "firmware",
        "note",
        f"The firmware is {theirs}, newer than the {ours} of this program.",
        "Update legcurl on this computer: pip install --upgrade legcurl.",
    )


def of_samples(figures: StreamFigures, slower: str) -> list[Finding]:
    """Missing samples; `slower` is the command that lowers the rate."""
    findings: list[Finding] = []
    if figures.restarts:
        findings.append(
            Finding(
                "restart",
                "problem",
                "The sensor restarted meanwhile.",
                "Check its power: the plug, the cable, a hub that is overloaded.",
            )
        )
    missed = figures.share(figures.missed)
    if figures.missed:
        findings.append(
            Finding(
                "samples",
                "problem" if missed >= MISSED_SHARE else "note",
                f"The sensor missed {figures.missed} of {figures.due} samples.",
                f"Let the sensor do nothing else, and lower its rate: {slower}",
            )
        )
    evicted = figures.missing[GapReason.EVICTED]
    if evicted:
        findings.append(
            Finding(
                "samples",
                "problem",
                f"The sensor's log had lost {evicted} samples before this computer asked for them.",
                "Calibrate again with less else running on this computer.",
            )
        )
    if not findings:
        findings.append(Finding("samples", "ok", f"All {figures.samples} samples arrived."))
    return findings


def of_link(link: LinkFigures) -> list[Finding]:
    """Damaged frames and broken connections; empty without any."""
    findings: list[Finding] = []
    if link.damaged:
        findings.append(
            Finding(
                "cable",
                "problem" if link.damaged_share >= DAMAGED_SHARE else "note",
                f"{link.damaged} of {link.frames + link.damaged} frames arrived damaged "
                "(they were repeated).",
                "Try another cable, a shorter one, or another port; keep it away from motors.",
            )
        )
    if link.lost:
        findings.append(
            Finding(
                "link",
                "note",
                f"The connection broke {times(link.lost)} and was restored.",
                "Over Bluetooth come nearer; on a cable check both plugs.",
            )
        )
    return findings


def of_magnet(
    figures: StreamFigures,
    magnet: MagnetSurvey,
    bins: Sequence[MagnetBin] = (),
    *,
    of_range: bool = True,
) -> list[Finding]:
    """The magnet's strength; with `bins`, along the range.

    Without `of_range` the bins span some movement, and not the range.
    """
    findings: list[Finding] = []
    unseen = figures.status[Status.NO_MAGNET]
    if figures.share(unseen) >= BLIND_SHARE:
        findings.append(
            Finding(
                "magnet",
                "problem",
                f"The encoder saw no magnet in {percent(figures.share(unseen))} of the samples.",
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
        remedy = fault_words("not_referenced", magnet.referenced_by)[1]
        findings.append(
            Finding(
                "reference",
                "problem",
                "The encoder does not know its zero yet.",
                f"{remedy[0].upper()}{remedy[1:]}; then calibrate again.",
            )
        )
    findings += _of_strength(figures, magnet, bins, of_range)
    if not findings:
        gain = magnet.highest_gain
        where = " over the whole range" if bins and of_range else ""
        strength = "" if gain is None else f" (gain at most {percent(gain)})"
        findings.append(
            Finding("magnet", "ok", f"The magnet's strength is right{where}{strength}.")
        )
    return findings


def _of_strength(
    figures: StreamFigures, magnet: MagnetSurvey, bins: Sequence[MagnetBin], of_range: bool
) -> list[Finding]:
    """Whether the magnet is too weak or too strong, and where."""
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
        if parts and not of_range:
            where = "" if _everywhere(parts) else " on a part of its way"
        if parts and not _everywhere(parts):
            remedy = "Centre the magnet on the axle; then check its distance"
        findings.append(
            Finding(
                "magnet",
                "problem" if seen else "note",
                f"The magnet is too {word}{where} ({percent(share)} of the samples).",
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
                f"{percent(magnet.highest_gain)} of what it can.",
                "Bring it a little closer.",
            )
        )
    elif magnet.lowest_gain is not None and magnet.lowest_gain < MARGIN:
        findings.append(
            Finding(
                "magnet",
                "note",
                f"The magnet is nearly too strong: the chip amplifies by "
                f"{percent(magnet.lowest_gain)} of what it can.",
                "Move it away a little.",
            )
        )
    return findings


def of_stillness(figures: StreamFigures, encoder: str) -> list[Finding]:
    """Whether the angle is stuck; a counting encoder has no noise and may stand still."""
    if encoder not in GAIN_MOST or figures.frozen_s < STUCK_S:
        return []
    return [
        Finding(
            "stuck",
            "problem",
            f"The angle did not change for {figures.frozen_s:.0f} s, but an {encoder} has noise.",
            "Restart the sensor; if this repeats, the encoder is broken.",
        )
    ]


def of_angle(figures: StreamFigures, noise_deg: float | None) -> list[Finding]:
    """Jumps of the angle, and its noise at rest (rms)."""
    findings: list[Finding] = []
    if figures.jumps:
        findings.append(
            Finding(
                "angle",
                "problem" if figures.jumps > JUMPS else "note",
                f"The angle jumped {times(figures.jumps)}, faster than any lever.",
                "Fasten the magnet on its axle and check the encoder's wires.",
            )
        )
    if noise_deg is not None:
        bad = noise_deg > NOISE_DEG
        findings.append(
            Finding(
                "noise",
                "problem" if bad else "ok",
                f"The angle at rest is {'uncertain by' if bad else 'steady to'} {noise_deg:.2f}°"
                + (f", more than {NOISE_DEG:g}°." if bad else "."),
                "Keep the wires short and away from motors, and check the encoder's supply."
                if bad
                else "",
            )
        )
    return findings


def _version(text: str) -> tuple[int, ...]:
    """A version as numbers; a part that is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))


def _everywhere(parts: list[tuple[float, float]]) -> bool:
    return sum(end - start for start, end in parts) > 0.9


def _where(parts: list[tuple[float, float]]) -> str:
    """The parts of the range in words."""
    if _everywhere(parts):
        return "over the whole range"
    return "from " + " and from ".join(
        f"{percent(start)} to {percent(end)} of the way to full flexion" for start, end in parts
    )


def times(count: int) -> str:
    """A count of times in words."""
    return "once" if count == 1 else f"{count} times"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.2g} %" if share < 0.01 else f"{100 * share:.0f} %"
