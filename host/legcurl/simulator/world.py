"""The simulated world in front of the sensor's chip: time, lever, magnet, and what goes wrong.

`World(options)` runs one simulation at 500 Hz. Three views of it: `records()`, the byte stream that
the firmware's shims read (see `HEADER` and `RECORD`); `sensor_trace(rate)`, the samples a faultless
link would deliver; `truth()`, what the lifter really did. Each view runs the simulation anew from
the seed, so they agree without sharing state, and none keeps more than one set in memory.

`python -m legcurl.simulator.world 'sim:?seed=7'` writes the stream to standard output.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import degrees, nan
from random import Random
from typing import Any

from legcurl.simulator.encoder import FULL_TURN_DEG, Encoder, quantised
from legcurl.simulator.families import FAMILIES
from legcurl.simulator.lifter import Behaviour, Diary, Lifter
from legcurl.simulator.machine import DECISION_S, STEP_S, STEPS_PER_DECISION, Machine
from legcurl.simulator.muscle import Muscle
from legcurl.simulator.options import SimOptions, parse_address
from legcurl.simulator.scenario import draw
from legcurl.simulator.truth import GRID_S, SetTruth, Track, evaluate

MAGIC = b"LCW1"
STREAM_VERSION = 1
RATE_HZ = round(1.0 / STEP_S)
HEADER = struct.Struct("<4sHHII")  # magic, rate in Hz, version, seed, zero
RECORD = struct.Struct("<HBB")  # magnet angle as a fraction of a turn, AS5600 STATUS, faults

# AS5600 STATUS register.
MAGNET_DETECTED = 0x20
MAGNET_WEAK = 0x10
MAGNET_STRONG = 0x08

# Faults of a record that are not the magnet's.
BUS_ERROR = 0x01
POWER_CYCLE = 0x02
HOST_STALL = 0x04
CORRUPT_BYTES = 0x08
DROP_BYTES = 0x10

BEFORE_FIRST_SET_S = (3.0, 6.0)
BETWEEN_SETS_S = (35.0, 60.0)  # longer than any rest within a set
AFTER_LAST_SET_S = 30.0
CHUNK_DECISIONS = 50  # records are handed on twice a second of the world

assert GRID_S == DECISION_S, "the truth is evaluated on the lifter's own grid"


@dataclass(frozen=True, slots=True)
class SimTruth:
    """What the lifter really did, set by set, and the range an installer would have calibrated."""

    sets: tuple[SetTruth, ...]
    extended_deg: float  # raw sensor degrees
    flexed_deg: float

    def as_json(self) -> dict[str, Any]:
        """The schema of `legcurl analyze`, with what only the truth knows added."""
        return {
            "schema": 1,
            "sets": [truth.as_json() for truth in self.sets],
            "calibration": {
                "extended_deg": round(self.extended_deg, 3),
                "flexed_deg": round(self.flexed_deg, 3),
            },
        }


@dataclass(slots=True)
class _Run:
    """One pass through the simulation."""

    sets: list[SetTruth] = field(default_factory=list)


class World:
    """One simulation; see the module."""

    def __init__(self, options: SimOptions) -> None:
        self.options = options
        self.family = FAMILIES[options.lifter]
        self.scenario = draw(self._rng("body"), self.family.traits, options.load)

    def truth(self) -> SimTruth:
        """Run the physics alone and tell what happened."""
        run = _Run()
        for _ in self._decisions(run):
            pass
        encoder = self._encoder()
        return SimTruth(
            sets=tuple(run.sets),
            extended_deg=encoder.still(0.0),
            flexed_deg=encoder.still(self.scenario.lifter.rom_deg),
        )

    def flexion(self) -> Iterator[float]:
        """The exact flexion angle in degrees every 2 ms, from t = 0 to the end of the world."""
        for path in self._decisions(_Run()):
            yield from map(degrees, path)

    def records(self) -> Iterator[bytes]:
        """The world stream in chunks, header first. At real time it never ends."""
        yield HEADER.pack(MAGIC, RATE_HZ, STREAM_VERSION, self.options.seed, 0)
        encoder = self._encoder()
        read, pack = encoder.read, RECORD.pack
        chunk = bytearray()
        step = 0
        for path in self._decisions(_Run(), endless=self.options.pace != "fast"):
            for angle in path:
                turn = int(read(degrees(angle), step * STEP_S) * 65536.0 / FULL_TURN_DEG)
                chunk += pack(turn & 0xFFFF, MAGNET_DETECTED, 0)
                step += 1
            if len(chunk) >= CHUNK_DECISIONS * STEPS_PER_DECISION * RECORD.size:
                yield bytes(chunk)
                chunk.clear()
        if chunk:
            yield bytes(chunk)

    def sensor_trace(self, rate_hz: float) -> Iterator[tuple[float, float]]:
        """Samples (t_s, raw degrees in 12 bits) at the sensor's ticks; nan under faults."""
        encoder = self._encoder()
        before_s, before = 0.0, nan
        tick = 0
        t_s = 0.0
        for step, angle in enumerate(self.flexion()):
            now_s = step * STEP_S
            while t_s <= now_s + 1e-9:
                share = (t_s - before_s) / STEP_S if step else 0.0
                flexion = before + (angle - before) * share if step else angle
                yield t_s, quantised(encoder.read(flexion, t_s))
                tick += 1
                t_s = tick / rate_hz
            before_s, before = now_s, angle

    def _rng(self, part: str) -> Random:
        return Random(f"{self.options.lifter}/{self.options.seed}/{part}")

    def _encoder(self) -> Encoder:
        return Encoder(self.scenario.encoder, self._rng("encoder"))

    def _decisions(self, run: _Run, endless: bool = False) -> Iterator[list[float]]:
        """The angle in radians after each step, in lists of one decision, set after set."""
        machine = Machine(self.scenario.machine)
        muscle = Muscle(self.scenario.muscle, machine.grid_rad)
        lifter = Lifter(self.scenario.lifter, machine, muscle, self._rng("mind"))
        decisions = 0
        kept: list[float] = []
        for number in range(self.options.sets):
            pause = BEFORE_FIRST_SET_S if number == 0 else BETWEEN_SETS_S
            muscle.refresh()
            lifter.diary = Diary()
            first = decisions
            kept.clear()
            for behaviour in (
                lifter.wait(lifter.rng.uniform(*pause)),
                self.family.program(lifter),
                lifter.wait(3.0 if number + 1 < self.options.sets else AFTER_LAST_SET_S),
            ):
                for path in _performed(behaviour, lifter, machine, muscle):
                    decisions += 1
                    kept.append(degrees(path[-1]))
                    yield path
            track = Track((first + 1) * DECISION_S, kept)
            truth = evaluate(track, lifter.diary, self.scenario.lifter.rom_deg)
            if truth is not None:
                run.sets.append(truth)
        while endless:
            yield [machine.angle_rad] * STEPS_PER_DECISION


def _performed(
    behaviour: Behaviour, lifter: Lifter, machine: Machine, muscle: Muscle
) -> Iterator[list[float]]:
    """Let the lifter decide and the machine move, until the behaviour is over."""
    for _ in behaviour:
        path: list[float] = []
        machine.advance(muscle, lifter.asked_nm, lifter.outside_nm, path)
        muscle.tire(DECISION_S)
        lifter.now_s += DECISION_S
        yield path


def main(arguments: list[str]) -> int:
    """Write the world stream of a `sim:` address to standard output."""
    world = World(parse_address(arguments[0] if arguments else "sim:"))
    output = sys.stdout.buffer
    for chunk in world.records():
        output.write(chunk)
        output.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
