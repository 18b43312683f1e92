"""Quadrature on the RP2040 and RP2350: a PIO state machine counts the edges.

The program (below) compares the two pins with what they were, again and again, and keeps the count
in Y. It pushes Y into its FIFO each time round, and drops it when the FIFO is full. So the FIFO
always holds four counts that are as old as the last read: `take` throws these away and takes the
next one, which the machine pushed a microsecond later. `get` into an array of 16-bit words stores
the lower half of each word: no integer is made of the 32 bits of Y.

The program jumps into its own first sixteen instructions, by address: it must lie at address 0.
It is padded to the 32 instructions that a PIO has, so it can lie nowhere else, and that PIO has
room for nothing else. On a Pico W the radio's driver has one PIO block for itself and looks for a
free one: "sm" 0 to 3 are state machines of the first block, 4 to 7 of the second.

An edge may come every LONGEST_ROUND instructions, which is a million edges a second at
FREQUENCY: a hundred turns a second of an encoder with 10 000 counts. If a wire bounces between two
neighbouring states, each bounce is counted up and down again. Both pins cannot change at once; if
they seem to, the direction is unknown and nothing is counted.
"""

from array import array

from machine import Pin
from micropython import const
from rp2 import PIO, StateMachine, asm_pio

from sensor.encoders.quadrature import Quadrature, check_counts
from sensor.encoders.wiring import check_number

TYPE_CHECKING = False  # asm_pio brings these names; the type checker does not know
if TYPE_CHECKING:
    from rp2.asm_pio import (
        in_,
        invert,
        isr,
        jmp,
        label,
        mov,
        noblock,
        nop,
        osr,
        out,
        pc,
        pins,
        push,
        wrap,
        wrap_target,
        y,
        y_dec,
    )

LONGEST_ROUND = const(10)  # instructions from one look at the pins to the next, counting up
FREQUENCY = const(10_000_000)  # instructions a second
_FIFO = const(4)


@asm_pio(in_shiftdir=PIO.SHIFT_LEFT, out_shiftdir=PIO.SHIFT_RIGHT)
def count_edges():
    """Count in Y, from its present value. The pins are A and, one number higher, B."""
    # Sixteen addresses, four bits: B and A as they were, B and A as they are. A leads B: up.
    jmp("same")  # 00 → 00
    jmp("up")  # 00 → 01
    jmp("down")  # 00 → 10
    jmp("same")  # 00 → 11: both at once
    jmp("down")  # 01 → 00
    jmp("same")  # 01 → 01
    jmp("same")  # 01 → 10: both at once
    jmp("up")  # 01 → 11
    jmp("up")  # 10 → 00
    jmp("same")  # 10 → 01: both at once
    jmp("same")  # 10 → 10
    jmp("down")  # 10 → 11
    jmp("same")  # 11 → 00: both at once
    jmp("down")  # 11 → 01
    jmp("up")  # 11 → 10
    jmp("same")  # 11 → 11

    label("up")  # there is no increment: ~(~y - 1)
    mov(y, invert(y))
    jmp(y_dec, "upside_down")
    label("upside_down")
    mov(y, invert(y))
    wrap_target()
    label("same")
    mov(isr, y)
    push(noblock)
    out(isr, 2)  # what the pins were
    in_(pins, 2)  # and are
    mov(osr, isr)  # its two lowest bits, for the next time
    mov(pc, isr)
    label("down")
    jmp(y_dec, "same")  # at 0 it does not jump, and is decremented all the same
    wrap()
    nop()
    nop()
    nop()
    nop()
    nop()
    nop()


class PioCounter:
    """The count of a state machine."""

    modulus = 65536

    def __init__(self, number, first_pin):
        self._number = number
        self._first_pin = first_pin
        self._machine = None
        self._old_words = array("H", (0, 0, 0, 0))
        self._word = array("H", (0,))
        self.open()

    def take(self):
        """The count modulo 65536, or -1 if the machine does not run. Interrupt-safe."""
        machine = self._machine
        if machine is None or machine.rx_fifo() < _FIFO:
            return -1  # get() would wait for ever
        machine.get(self._old_words)
        machine.get(self._word)
        return self._word[0]

    def open(self):
        """Start the machine anew. Main loop only."""
        self._machine = None  # from here on the interrupt leaves it alone
        machine = StateMachine(
            self._number, count_edges, freq=FREQUENCY, in_base=Pin(self._first_pin)
        )
        machine.exec("set(y, 0)")
        machine.active(1)
        self._machine = machine


class QuadraturePio(Quadrature):
    """`wiring` is {"a": pin, "b": a + 1, "index": pin or null, "counts": n, "sm": 0 to 7}."""

    kind = "quadrature_pio"

    def __init__(self, wiring):
        check_counts(wiring)
        check_number("sm", wiring.get("sm", 0), 0, 7)
        a = wiring["a"]
        if wiring["b"] != a + 1:
            raise ValueError("board file: encoder pin b must be pin a + 1, which is %d" % (a + 1))
        Pin(a, Pin.IN, Pin.PULL_UP)
        Pin(a + 1, Pin.IN, Pin.PULL_UP)
        super().__init__(PioCounter(wiring.get("sm", 0), a), wiring, True)
