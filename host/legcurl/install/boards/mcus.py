"""What each supported microcontroller can do with its pins, as far as a board file may ask for it.

From the chips' datasheets (pin overview, function select, "strapping pins" or "boot
configurations") and from MicroPython's ports. A pin that exists and must still not be used says
why, because that is what a buyer needs to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Port = Literal["rp2", "esp32"]

_FLASH = "the flash memory is there"
_USB = "it is the USB port"
_BOOT = "its level at reset chooses how the chip boots"
_CONSOLE = "it is the console's UART"
_RADIO = "it leads to the radio chip"

# On RP2 boards with a CYW43 radio; a Pico without has other things there (power supply, LED, VSYS).
RP2_RADIO_PINS: Mapping[int, str] = dict.fromkeys((23, 24, 25, 29), _RADIO)
RP2_RADIO_STATE_MACHINES = range(4)  # the radio's SPI is a program in the other PIO block


@dataclass(frozen=True, slots=True)
class Mcu:
    """One microcontroller. `reserved` pins exist and must not be used, for the reason given."""

    name: str
    port: Port
    arch: str  # mpy-cross -march
    pins: range
    i2c: tuple[int, ...]
    spi: tuple[int, ...]
    reserved: Mapping[int, str] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()
    input_only: frozenset[int] = frozenset()
    state_machines: int = 0  # of PIO
    pulse_counters: int = 0  # units of PCNT that machine.Encoder can have

    def has_pin(self, pin: int) -> bool:
        """Whether the package has such a pin at all."""
        return pin in self.pins and pin not in self.absent

    def i2c_pin_fits(self, role: str, bus: int, pin: int) -> bool:
        """Whether `pin` can be `role` (sda, scl) of the bus; an ESP32 routes any pin anywhere."""
        if self.port == "esp32":
            return True
        return pin % 2 == (role == "scl") and pin // 2 % 2 == bus

    def spi_pin_fits(self, role: str, bus: int, pin: int) -> bool:
        """Whether `pin` can be `role` (sck, mosi, miso) of the bus; any pin can be cs."""
        if self.port == "esp32" or role == "cs":
            return True
        return pin % 4 == {"miso": 0, "sck": 2, "mosi": 3}[role] and pin // 8 % 2 == bus


def _because(*groups: tuple[tuple[int, ...] | range, str]) -> dict[int, str]:
    return {pin: why for pins, why in groups for pin in pins}


MCUS: Mapping[str, Mcu] = {
    mcu.name: mcu
    for mcu in (
        Mcu("rp2040", "rp2", "armv6m", range(30), (0, 1), (0, 1), state_machines=8),
        Mcu("rp2350", "rp2", "armv7emsp", range(30), (0, 1), (0, 1), state_machines=12),
        Mcu(
            "esp32",
            "esp32",
            "xtensawin",
            range(40),
            (0, 1),
            (1, 2),
            reserved=_because(
                ((0, 2, 5, 12, 15), _BOOT), ((1, 3), _CONSOLE), (range(6, 12), _FLASH)
            ),
            absent=frozenset((20, 24, 28, 29, 30, 31)),
            input_only=frozenset(range(34, 40)),
            pulse_counters=8,
        ),
        Mcu(
            "esp32s3",
            "esp32",
            "xtensawin",
            range(49),
            (0, 1),
            (1, 2),
            # 33 to 37 belong to the memory of modules with octal flash or PSRAM.
            reserved=_because(
                ((0, 3, 45, 46), _BOOT),
                ((19, 20), _USB),
                (range(26, 38), _FLASH),
                ((43, 44), _CONSOLE),
            ),
            absent=frozenset((22, 23, 24, 25)),
            pulse_counters=4,
        ),
        Mcu(
            "esp32c3",
            "esp32",
            "rv32imc",
            range(22),
            (0,),
            (1,),
            reserved=_because(
                ((2, 8, 9), _BOOT), (range(11, 18), _FLASH), ((18, 19), _USB), ((20, 21), _CONSOLE)
            ),
        ),
        Mcu(
            "esp32c6",
            "esp32",
            "rv32imc",
            range(31),
            (0,),
            (1,),
            reserved=_because(
                ((4, 5, 8, 9, 15), _BOOT),
                ((12, 13), _USB),
                ((16, 17), _CONSOLE),
                (range(24, 31), _FLASH),
            ),
            absent=frozenset((14,)),
            pulse_counters=4,
        ),
    )
}
