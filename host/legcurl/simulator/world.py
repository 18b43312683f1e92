"""The simulated world in front of the sensor's chip: time, lever, magnet, and what goes wrong.

`World(options)` runs one simulation at 500 Hz. Views of it: `records()`, the byte stream that the
firmware's shims read (see `HEADER` and `RECORD`); `sensor_trace(rate)`, the samples a faultless
link would deliver; `truth()`, what the lifter really did. Each view runs the simulation anew from
the seed, so they agree without sharing state, and none keeps more than one set in memory.

`python -m legcurl.simulator.world 'sim:?seed=7'` writes the stream to standard output.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from math import degrees, nan, radians
from random import Random
from typing import Any

from legcurl.errors import ConfigError, LegCurlError
from legcurl.links.sim_address import SimOptions, parse_address
from legcurl.simulator.encoder import (
    AS5600_STEPS,
    FULL_TURN_DEG,
    GAIN_MOST,
    TURN,
    Encoder,
    Magnet,
    off_centre,
)
from legcurl.simulator.families import LIFTERS
from legcurl.simulator.fault_schedule import (
    DURATIONS_S,
    MAGNET_DETECTED,
    MAGNET_WEAK,
    POWER_CYCLE,
    RESTART_S,
    WELL,
    FaultSchedule,
    StandingFaults,
    Suffering,
    on_request,
)
from legcurl.simulator.lifter import Behaviour, Lifter
from legcurl.simulator.machine import DECISION_S, STEP_S, STEPS_PER_DECISION, Machine
from legcurl.simulator.muscle import Muscle
from legcurl.simulator.outage_schedule import LinkSchedule
from legcurl.simulator.scenario import draw
from legcurl.simulator.session import draw_scenario, program
from legcurl.simulator.session_plan import draw_session
from legcurl.simulator.session_truth import evaluate_session
from legcurl.simulator.truth import RepTruth, SetTruth, evaluate
from legcurl.simulator.truth_measure import GRID_S, Track

MAGIC = b"LCW1"
STREAM_VERSION = 1
RATE_HZ = round(1.0 / STEP_S)
HEADER = struct.Struct("<4sHHII")  # magic, rate in Hz, version, seed, magnet (Magnet.packed)
RECORD = struct.Struct("<HBB")  # magnet angle as a fraction of a turn, AS5600 STATUS, faults
STEP_US = round(STEP_S * 1e6)
CHIP_STEP = TURN // AS5600_STEPS
CHIP_STEP_DEG = FULL_TURN_DEG / AS5600_STEPS

BEFORE_FIRST_SET_S = (3.0, 6.0)
BETWEEN_SETS_S = (35.0, 60.0)  # longer than any rest within a set
AFTER_SET_S = 3.0  # the lever comes to rest: still part of the set's record
AFTER_LAST_SET_S = 30.0
INSTALLER_PAUSE_S = (2.0, 4.0)
CHUNK_RECORDS = 250  # handed on together: half a second of the world

FADING = Suffering(MAGNET_DETECTED | MAGNET_WEAK)

assert GRID_S == DECISION_S, "the truth is evaluated on the lifter's own grid"


@dataclass(frozen=True, slots=True)
class SimTruth:
    """What the lifter really did, set by set, and the calibration that an installer has left."""

    sets: tuple[SetTruth, ...]
    extended_deg: float  # raw sensor degrees
    flexed_deg: float
    optional: tuple[RepTruth, ...] = ()  # lifts that may be listed or not

    def as_json(self) -> dict[str, Any]:
        """The schema of `legcurl analyze`, with what only the truth knows added."""
        return {
            "schema": 1,
            "sets": [truth.as_json() for truth in self.sets],
            "optional": [truth.as_json() for truth in self.optional],
            "calibration": {
                "extended_deg": round(self.extended_deg, 3),
                "flexed_deg": round(self.flexed_deg, 3),
            },
        }


class World:
    """One simulation; see the module."""

    def __init__(self, options: SimOptions) -> None:
        if options.lifter not in LIFTERS:
            raise ConfigError(f"sim has no lifter {options.lifter!r}: it has {', '.join(LIFTERS)}")
        self.options = options
        self.family = LIFTERS[options.lifter]
        self.session = draw_session(self.rng("session")) if self.family.ordinary else None
        if self.session is None:
            self.program = self.family.program
            self.scenario = draw(self.rng("body"), self.family.traits, options.load)
        else:
            self.program = program(self.session)
            self.scenario = draw_scenario(self.rng("body"), self.session, options.load)
        at_top = self.session is not None and self.session.start == "top"
        self.begins_flexed = self.family.begins_flexed or at_top
        self.magnet = Magnet()
        if "off_centre" in options.fault:
            _, flexed_deg = self.calibration()
            spec, self.magnet = off_centre(
                self.scenario.encoder, flexed_deg, self.rng("off centre")
            )
            self.scenario = replace(self.scenario, encoder=spec)

    def truth(self) -> SimTruth:
        """Run the physics alone and tell what happened."""
        run = _Run()
        for _ in self._decisions(run):
            pass
        return self._truth_of(run)

    def played(self) -> tuple[list[float], SimTruth]:
        """The exact flexion in degrees every 2 ms, and the truth, of one run."""
        run = _Run()
        flexion = [degrees(angle) for path in self._decisions(run) for angle in path]
        return flexion, self._truth_of(run)

    def flexion(self) -> Iterator[float]:
        """The exact flexion angle in degrees every 2 ms, from t = 0 to the end of the world."""
        for path in self._decisions(None):
            yield from map(degrees, path)

    def records(self) -> Iterator[bytes]:
        """The world stream in chunks, header first. Unless the pace is `fast` it never ends."""
        yield HEADER.pack(MAGIC, RATE_HZ, STREAM_VERSION, self.options.seed, self.magnet.packed())
        pack, link_at = RECORD.pack, self.link_schedule().at
        chunk = bytearray()
        shown = self._shown(endless=self.options.pace != "fast")
        for step, (turn, trouble) in enumerate(shown):
            flags = trouble.flags | link_at(step * STEP_S).flags
            chunk += pack(turn, trouble.status, flags)
            if len(chunk) == CHUNK_RECORDS * RECORD.size:
                yield bytes(chunk)
                chunk.clear()
        if chunk:
            yield bytes(chunk)

    def sensor_trace(self, rate_hz: float) -> Iterator[tuple[float, float]]:
        """Samples (t_s, raw degrees in 12 bits) at the sensor's ticks; nan under faults.

        Reads the records as the simulated chip does, integer for integer: these are the samples
        that the firmware delivers when it ticks at these times.
        """
        period_us = round(1e6 / rate_hz)
        crystal = 1_000_000 + self.options.drift_ppm
        due_us = 0  # of the sensor's crystal; due_at_us of the world
        due_at_us = 0
        dark_until_us = -1
        before, trouble_before = 0, WELL
        for step, (turn, trouble) in enumerate(self._shown()):
            now_us = step * STEP_US
            while due_at_us < now_us:
                way = (turn - before + TURN // 2) % TURN - TURN // 2
                fraction = (due_at_us - now_us + STEP_US) * 1_000_000 // STEP_US
                shown = (before + way * fraction // 1_000_000) % TURN // CHIP_STEP
                if due_at_us >= dark_until_us:
                    yield due_us / 1e6, nan if trouble_before.blind else shown * CHIP_STEP_DEG
                due_us += period_us
                due_at_us = due_us * 1_000_000 // crystal
            if trouble.flags & POWER_CYCLE:
                dark_until_us = now_us + round(RESTART_S * 1e6)
            before, trouble_before = turn, trouble

    def rng(self, part: str) -> Random:
        """A source of chance for one part, so that parts do not disturb each other."""
        return Random(f"{self.options.lifter}/{self.options.seed}/{part}")

    def calibration(self) -> tuple[float, float]:
        """What an installer would have noted at the two ends, in raw sensor degrees."""
        extended, flexed = 0.0, self.scenario.lifter.rom_deg
        if self.session is not None:
            extended = self.session.calibrated_extended_deg
            flexed = self.session.calibrated_flexed_deg
        if self.family.others_calibration:
            rng = self.rng("calibration")
            extended += rng.uniform(4.0, 14.0) * rng.choice((1, -1))
            flexed += rng.uniform(8.0, 30.0) * rng.choice((1, -1))
        encoder = self._encoder()
        return encoder.still(extended), encoder.still(flexed)

    def fault_schedule(self) -> FaultSchedule | StandingFaults:
        """All trouble of this world that comes with time, from its beginning."""
        kinds = [kind for kind in self.options.fault if kind in DURATIONS_S]
        if self.family.installs:
            return StandingFaults(kinds, self.rng("faults"))
        windows = on_request(kinds, self.rng("faults"))
        if self.family.faults is not None:
            windows += self.family.faults(self.rng("trouble"))
        return FaultSchedule(windows)

    def link_schedule(self) -> LinkSchedule:
        """All trouble of the link that this world has, from its beginning."""
        options = self.options
        rough = "rough_link" in options.fault
        return LinkSchedule(
            self._sets(),
            options.outages,
            rough=rough,
            rng=self.rng("link"),
            stands=self.family.installs,
        )

    def _sets(self) -> Iterator[SetTruth]:
        """The truth of one set after the other, the physics run no further than that."""
        run = _Run()
        for _ in self._decisions(run):
            if run.sets:
                yield run.sets.pop(0)
        yield from run.sets

    def _shown(self, endless: bool = False) -> Iterator[tuple[int, Suffering]]:
        """What the magnet shows (65536 to the turn), and what is wrong, at every step."""
        read, suffering = self._encoder().read, self.fault_schedule().at
        magnet = self.magnet
        fading = False
        step = turn = 0
        for path in self._decisions(None, endless):
            for angle in path:
                t_s = step * STEP_S
                trouble = suffering(t_s)
                shown = read(degrees(angle), t_s)
                if trouble.wild_deg is not None:
                    shown = trouble.wild_deg
                if not trouble.stuck:
                    turn = round(shown * (TURN / FULL_TURN_DEG)) % TURN
                    fading = bool(magnet.swing) and magnet.gain(turn) >= GAIN_MOST
                yield turn, trouble.and_(FADING) if fading else trouble
                step += 1

    def _encoder(self) -> Encoder:
        return Encoder(self.scenario.encoder, self.rng("encoder"))

    def _truth_of(self, run: _Run) -> SimTruth:
        return SimTruth(tuple(run.sets), *self.calibration(), tuple(run.optional))

    def _decisions(self, run: _Run | None, endless: bool = False) -> Iterator[list[float]]:
        """The angle in radians after each step, in lists of one decision, set after set."""
        scenario = self.scenario
        machine = Machine(scenario.machine)
        muscle = Muscle(scenario.muscle, machine.grid_rad)
        lifter = Lifter(scenario.lifter, machine, muscle, self.rng("mind"))
        if self.begins_flexed:
            machine.place(radians(scenario.lifter.rom_deg * lifter.rng.uniform(0.85, 1.0)))
        unrecorded = 0  # decisions before the record begins
        endless_hand = endless and self.family.installs
        for number in count() if endless_hand else range(self.options.sets):
            muscle.refresh()
            lifter.begin_set()
            if self.session is not None and number == 0:
                lifter.recorded = self.session.start != "mid_rep"
            kept: list[float] = []
            for behaviour in self._one_set(lifter, number):
                for _ in behaviour:
                    path: list[float] = []
                    machine.advance(muscle, lifter.asked_nm, lifter.outside_nm, path)
                    muscle.tire(DECISION_S)
                    lifter.decisions += 1
                    if not lifter.recorded:
                        unrecorded += 1
                        continue
                    if run is not None:
                        kept.append(degrees(path[-1]))
                    yield path
                if lifter.diary.broken_off:
                    break
            if run is not None:
                track = Track((lifter.decisions - len(kept) + 1) * DECISION_S, kept)
                self._note(run, track, lifter, -unrecorded * DECISION_S)
            if lifter.diary.broken_off:
                return
        while endless:
            yield [machine.angle_rad] * STEPS_PER_DECISION

    def _note(self, run: _Run, track: Track, lifter: Lifter, shift_s: float) -> None:
        """Add what this track was; the record's clock began so much later than the world's."""
        if self.session is None:
            truth = evaluate(track, lifter.diary, self.scenario.lifter.rom_deg)
            run.sets += [truth] if truth is not None else []
            return
        roms_deg = [self.session.people[one.person].rom_deg for one in self.session.sets]
        sets, optional = evaluate_session(track, lifter.diary, roms_deg)
        run.sets += [truth.shifted(shift_s) for truth in sets]
        run.optional += [truth.shifted(shift_s) for truth in optional]

    def _one_set(self, lifter: Lifter, number: int) -> Iterator[Behaviour]:
        pause = BEFORE_FIRST_SET_S
        if number > 0:
            pause = INSTALLER_PAUSE_S if self.family.installs else BETWEEN_SETS_S
        seconds = lifter.rng.uniform(*pause)
        if self.begins_flexed and number == 0:
            yield lifter.pinned(seconds)
        else:
            yield lifter.wait(seconds)
        yield self.program(lifter)
        yield lifter.wait(AFTER_SET_S if number + 1 < self.options.sets else AFTER_LAST_SET_S)


@dataclass(slots=True)
class _Run:
    """What one pass through the simulation leaves behind."""

    sets: list[SetTruth] = field(default_factory=list)
    optional: list[RepTruth] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Write the world stream of a `sim:` address to standard output."""
    output = sys.stdout.buffer
    try:
        world = World(parse_address(arguments[0] if arguments else "sim:"))
        for chunk in world.records():
            output.write(chunk)
            output.flush()
    except BrokenPipeError:
        # The sensor has gone. Python would try once more to flush what is left: let it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    except LegCurlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
