"""A lever led by hand, as a sensor's frames: traces that read like what the installer does.

    Led().rests(2).goes(95, 3).rests(2).goes(0, 3).rests(2)

Degrees are flexion, times seconds. `frames` gives what a sensor would send of it.
"""

from __future__ import annotations

from itertools import groupby, islice
from math import isnan, nan
from random import Random

from legcurl.install.calibrate.range_survey import RangeSurvey, Rest
from legcurl.install.checks.magnet_stats import MagnetSurvey
from legcurl.install.checks.stream_stats import Run, StreamSurvey
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import TURN, Samples
from legcurl.simulator.world import World

RATE_HZ = 100
FRAME = 25
NO_MAGNET = 0x01


class Led:
    """A trace at RATE_HZ; nan where nothing is seen."""

    def __init__(self, at_deg: float = 0.0) -> None:
        self.flexion = [at_deg]

    def rests(self, seconds: float) -> Led:
        self.flexion += [self.flexion[-1]] * round(seconds * RATE_HZ)
        return self

    def goes(self, to_deg: float, seconds: float) -> Led:
        steps, start = round(seconds * RATE_HZ), self.flexion[-1]
        self.flexion += [start + (to_deg - start) * (i + 1) / steps for i in range(steps)]
        return self

    def rounds(self, count: int, flexed_deg: float = 95.0) -> Led:
        """From straight to flexed and back, so many times, with rests that are long enough."""
        for _ in range(count):
            self.rests(3).goes(flexed_deg, 3).rests(3).goes(0, 3)
        return self

    def blind(self, seconds: float) -> Led:
        """The encoder sees nothing; the lever stays."""
        at = self.flexion[-1]
        self.flexion += [nan] * round(seconds * RATE_HZ) + [at]
        return self


def frames(
    flexion: list[float],
    *,
    offset_deg: float = 20.0,
    direction: int = 1,
    noise_deg: float = 0.02,
    seed: int = 1,
    status: int = 0,
) -> list[Samples]:
    """What an AS5600 would send of a trace: 12 bits, noise, any offset and direction."""
    rng = Random(seed)
    sent: list[Samples] = []
    last = 0
    for index in range(0, len(flexion), FRAME):
        run: list[int] = []
        blind = False
        for angle in flexion[index : index + FRAME]:
            if isnan(angle):
                blind = True
            else:
                shown = offset_deg + direction * angle + rng.gauss(0.0, noise_deg)
                last = (round(shown * 4096 / 360) % 4096) << 4
            run.append(last)
        t_us = index * 1_000_000 // RATE_HZ
        state = NO_MAGNET if blind else status
        sent.append(Samples(index, t_us, 1_000_000 // RATE_HZ, state, tuple(run)))
    return sent


def installers_frames(seed: int, fault: str = "", rate_hz: float = 100.0) -> list[Samples]:
    """What a simulated sensor sends under an installer's hand."""
    world = World(parse_address(f"sim:?lifter=installer&pace=fast&seed={seed}&fault={fault}"))
    period_us = round(1e6 / rate_hz)
    last = index = 0
    sent: list[Samples] = []
    for blind, samples in groupby(world.sensor_trace(rate_hz), key=lambda sample: isnan(sample[1])):
        while chunk := list(islice(samples, FRAME)):
            angles = [last if blind else round(deg * TURN / 360) % TURN for _, deg in chunk]
            status = NO_MAGNET if blind else 0
            sent.append(Samples(index, round(chunk[0][0] * 1e6), period_us, status, tuple(angles)))
            last = angles[-1]
            index += len(chunk)
    return sent


class Watched:
    """Everything that is measured of a stream of frames."""

    def __init__(self, rounds: int = 3, encoder: str = "as5600") -> None:
        self.stream = StreamSurvey()
        self.survey = RangeSurvey(rounds)
        self.magnet = MagnetSurvey(encoder)
        self.told: list[Rest] = []
        self.runs: list[Run] = []
        self.stream.started(1, 0)

    def watch(self, sent: list[Samples]) -> Watched:
        """Take frames until the survey is done."""
        for frame in sent:
            if self.survey.done:
                break
            for run in self.stream.push(frame):
                self.runs.append(run)
                self.magnet.push(run)
                self.told += self.survey.push(run)
        return self
