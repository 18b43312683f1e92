"""The PIO program counts every edge, whichever way, run instruction by instruction."""

import json
import random
import subprocess
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from legcurl.firmware_files import firmware_directory, shims_directory
from legcurl.simulator.runner import Engine, find_engine
from pioemu import State, emulate
from timings import LIMIT_S

HERE = Path(__file__).parent
GRAY = (0b00, 0b01, 0b11, 0b10)  # B and A after 0, 1, 2, 3 edges upwards: A leads
WORD = 1 << 32
FIFO = 4


@dataclass(frozen=True)
class Listing:
    """What the assembler made of the program."""

    words: list[int]
    wrap_target: int
    wrap: int
    options: dict[str, int]
    longest_round: int  # instructions from one look at the pins to the next
    frequency: int


@cache
def listing(engine: Engine) -> Listing:
    done = subprocess.run(
        [
            *engine.command,
            *(str(HERE / "pio_listing.py"), str(shims_directory()), str(firmware_directory())),
        ],
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    )
    return Listing(**json.loads(done.stdout))


class Wires:
    """What stands on A and B at each clock: a list of changes."""

    def __init__(self, position: int = 0) -> None:
        self.position = position  # edges upwards so far
        self._clocks = [0]
        self._states = [GRAY[position % 4]]
        self.end = 0

    def wait(self, clocks: int) -> None:
        self.end += clocks

    def go(self, step: int) -> None:
        """One edge up or down, now."""
        self.position += step
        self._clocks.append(self.end)
        self._states.append(GRAY[self.position % 4])

    def level(self, clock: int) -> int:
        return self._states[bisect_right(self._clocks, clock) - 1]


def run(program: Listing, wires: Wires, start: State | None = None) -> Iterator[State]:
    """The states of the machine, from power on to the end of what the wires do."""
    emulation = emulate(
        program.words,
        stop_when=lambda _, state: state.clock >= wires.end,
        initial_state=start,
        input_source=wires.level,
        shift_isr_right=bool(program.options["in_shiftdir"]),
        shift_osr_right=bool(program.options["out_shiftdir"]),
        wrap_target=program.wrap_target,
        wrap_top=program.wrap,
    )
    return (after for _, after in emulation)


def counted(program: Listing, wires: Wires) -> int:
    """Y at the end, as a signed number."""
    wires.wait(3 * program.longest_round)
    last = deque(run(program, wires), maxlen=1).pop()
    return (last.y_register + WORD // 2) % WORD - WORD // 2


def test_both_engines_assemble_the_same_words() -> None:
    assert listing(find_engine()).words == listing(find_engine("cpython")).words


def test_the_pio_program_fills_memory_with_its_jump_table_at_address_0(
    engine: Engine,
) -> None:
    program = listing(engine)
    assert len(program.words) == 32
    assert all(word >> 5 == 0 for word in program.words[:16])  # jmp, always, no delay


@pytest.mark.long
def test_ten_thousand_edges_with_bounce_are_counted_exactly() -> None:
    program = listing(find_engine())
    chance = random.Random(3)
    wires = Wires()
    wires.wait(20)
    edges = highest = lowest = reversals = bounces = 0
    way = 1
    while edges < 10_500:
        if chance.random() < 0.03:
            way = -way
            reversals += 1
        if chance.random() < 0.2:  # the wire bounces before it settles
            for _ in range(chance.randint(1, 4)):
                wires.go(way)
                wires.wait(chance.randint(1, 7))
                wires.go(-way)
                wires.wait(chance.randint(1, 7))
                bounces += 2
        wires.go(way)
        wires.wait(chance.randint(program.longest_round, 2 * program.longest_round))
        edges += 1
        highest, lowest = max(highest, wires.position), min(lowest, wires.position)
    assert counted(program, wires) == wires.position
    assert reversals > 200
    assert bounces > 5_000
    assert highest > 50
    assert lowest < -50  # below 0 as well as above


@pytest.mark.parametrize("way", [1, -1])
def test_an_edge_may_come_every_round_and_no_faster(way: int) -> None:
    program = listing(find_engine())

    def lost_at(clocks_an_edge: int) -> int:
        wires = Wires()
        wires.wait(20)
        for _ in range(1_000):
            wires.go(way)
            wires.wait(clocks_an_edge)
        return abs(wires.position - counted(program, wires))

    shortest = program.longest_round if way == 1 else program.longest_round - 2
    assert lost_at(shortest) == 0
    assert lost_at(shortest - 1) > 0
    assert program.frequency // program.longest_round == 1_000_000  # edges a second


def test_counting_up_is_the_longest_round() -> None:
    program = listing(find_engine())
    looks = []
    wires = Wires()
    wires.wait(20)
    for _ in range(50):
        wires.go(1)
        wires.wait(program.longest_round)
    in_pins = program.words.index(0x4002)
    for state in run(program, wires):
        if state.program_counter == in_pins:
            looks.append(state.clock)
    assert max(b - a for a, b in pairwise(looks)) == program.longest_round


def test_both_pins_at_once_count_nothing() -> None:
    program = listing(find_engine())
    wires = Wires()
    wires.wait(30)
    wires.go(1)
    wires.go(1)
    wires.wait(30)
    assert counted(program, wires) == 0


def test_the_first_count_after_the_fifo_is_emptied_is_the_present_one() -> None:
    # This is what the driver's two gets rely on: four words are old, the fifth is not.
    program = listing(find_engine())
    wires = Wires()
    wires.wait(200)
    for _ in range(37):
        wires.go(1)
        wires.wait(20)
    full = deque(run(program, wires), maxlen=1).pop()
    assert list(full.receive_fifo) == [0] * FIFO
    wires.wait(FIFO * program.longest_round)
    emptied = replace(full, receive_fifo=deque())
    refilled = deque(run(program, wires, emptied), maxlen=1).pop()
    assert refilled.receive_fifo[0] == 37
    assert len(refilled.receive_fifo) == FIFO
