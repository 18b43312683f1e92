"""`rp2` of the simulated board: the PIO assembler, and a state machine that counts the shaft.

The assembler makes the words that the port's own makes of the same listing, for the instructions
that the firmware uses; a test runs them (tests/firmware/test_pio.py). The state machine does not:
it behaves as that program does at the other end of its FIFO, where four counts wait that are as
old as the last read.
"""

import simboard
from simshaft import shaft_of

if simboard.port != "rp2":
    raise ImportError("no module named 'rp2'")

_MEMORY = 32  # instructions of a PIO block
_LEFT_OVER = 0x1234_5678  # in a register that was never set


class PIO:
    """Constants only."""

    SHIFT_LEFT = 0
    SHIFT_RIGHT = 1


class Program:
    """What `asm_pio` makes of a listing."""

    def __init__(self, words, wrap_target, wrap, options):
        self.words = words
        self.wrap_target = wrap_target
        self.wrap = wrap
        self.options = options


class StateMachine:
    """A state machine that runs the firmware's counting program."""

    def __init__(self, number, program, *, freq=-1, in_base=None):
        if not 0 <= number < 8:
            raise ValueError("invalid StateMachine")
        if len(program.words) > _MEMORY:
            raise OSError(12)  # no room: ENOMEM
        self._shaft = shaft_of(simboard.encoders["quadrature_pio"])
        self._y = _LEFT_OVER
        self._running = False
        self._fifo = [0, 0, 0, 0]

    def exec(self, instruction):
        if instruction != "set(y, 0)":
            raise NotImplementedError(instruction)
        self._y = -self._shaft.follow()

    def active(self, running):
        self._running = bool(running)
        self._fill(4)

    def rx_fifo(self):
        return 4 if self._running else 0

    def get(self, words):
        """Into an array of 16-bit words; as on a board it waits for ever where nothing comes."""
        if not self._running:
            raise RuntimeError("a board would wait here for ever")
        count = len(words)
        for i in range(count):
            words[i] = self._fifo[i] if i < 4 else self._count()
        for i in range(4 - count):
            self._fifo[i] = self._fifo[i + count]
        self._fill(min(4, count))
        return words

    def _fill(self, count):
        now = self._count()
        for i in range(4 - count, 4):
            self._fifo[i] = now

    def _count(self):
        return self._y + self._shaft.follow() & 0xFFFF


def asm_pio(in_shiftdir=PIO.SHIFT_LEFT, out_shiftdir=PIO.SHIFT_LEFT):
    """Make a Program of the function's listing."""

    def assemble(listing):
        assembler = _Assembler()
        words = listing.__globals__
        covered = {name: words[name] for name in assembler.words if name in words}
        words.update(assembler.words)
        try:
            listing()  # finds the labels
            assembler.begin_again()
            listing()
        finally:
            for name in assembler.words:
                del words[name]
            words.update(covered)
        options = {"in_shiftdir": in_shiftdir, "out_shiftdir": out_shiftdir}
        wrap = len(assembler.program) - 1 if assembler.wrap is None else assembler.wrap
        return Program(assembler.program, assembler.wrap_target, wrap, options)

    return assemble


class _Assembler:
    """Instruction words: RP2040 datasheet, 3.4."""

    def __init__(self):
        self.program = []
        self.wrap_target = 0
        self.wrap = None
        self._labels = {}
        self.words = {
            "pins": 0,
            "x": 1,
            "y": 2,
            "pc": 5,
            "isr": 6,
            "osr": 7,
            "noblock": 1,
            "x_dec": 2,
            "y_dec": 4,
            "invert": lambda source: source | 0x08,
            "label": self._label,
            "wrap_target": self._begin_wrap,
            "wrap": self._end_wrap,
            "jmp": self._jmp,
            "in_": lambda source, bits: self._emit(0x4000 | source << 5 | bits & 0x1F),
            "out": lambda target, bits: self._emit(0x6000 | target << 5 | bits & 0x1F),
            "push": lambda noblock=0: self._emit(0x8020 & ~(noblock << 5)),
            "mov": lambda target, source: self._emit(0xA000 | target << 5 | source),
            "set": lambda target, value: self._emit(0xE000 | target << 5 | value),
            "nop": lambda: self._emit(0xA042),  # mov(y, y)
        }

    def begin_again(self):
        """The second pass, which knows the labels."""
        self.program = []

    def _emit(self, word):
        self.program.append(word)

    def _label(self, name):
        self._labels[name] = len(self.program)

    def _begin_wrap(self):
        self.wrap_target = len(self.program)

    def _end_wrap(self):
        self.wrap = len(self.program) - 1

    def _jmp(self, condition, label=None):
        if label is None:
            condition, label = 0, condition
        self._emit(condition << 5 | self._labels.get(label, 0))
