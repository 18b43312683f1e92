"""The pin headers of the supported boards, as they lie before you: for the wiring diagrams.

Labels are what is printed on the board; a GPIO's label holds its number. From the makers' pinouts:
Raspberry Pi's "Pico pinout" (the three Picos share it) and Espressif's user guides, "Header
Block", of ESP32-DevKitC V4, ESP32-S3-DevKitC-1, ESP32-C3-DevKitM-1 and ESP32-C6-DevKitC-1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

POWER = "3V3"
GROUND = "GND"


@dataclass(frozen=True, slots=True)
class Headers:
    """Both rows from top to bottom, with the USB port where `usb` says."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    usb: str  # "top" or "bottom"
    numbered: bool = False  # pins have numbers: down the left row, then up the right one

    def label_of(self, pin: int) -> str:
        """What is printed at a GPIO."""
        return next(label for label in (*self.left, *self.right) if gpio_of(label) == pin)

    def number_of(self, row: str, index: int) -> int | None:
        """The number of the pin in that row, where pins have numbers."""
        if not self.numbered:
            return None
        return index + 1 if row == "left" else len(self.left) + len(self.right) - index


def gpio_of(label: str) -> int | None:
    """The GPIO behind a label, if it is one."""
    found = re.fullmatch(r"(?:GP|IO)?(\d+)|[A-Z]+\d?/(\d+)", label)
    return int(found[1] or found[2]) if found else None


def _row(labels: str) -> tuple[str, ...]:
    return tuple(labels.split())


_PICO = Headers(
    _row("GP0 GP1 GND GP2 GP3 GP4 GP5 GND GP6 GP7 GP8 GP9 GND GP10 GP11 GP12 GP13 GND GP14 GP15"),
    _row(
        "VBUS VSYS GND 3V3_EN 3V3 VREF GP28 AGND GP27 GP26 RUN GP22 GND GP21 GP20 GP19 GP18 GND "
        "GP17 GP16"
    ),
    usb="top",
    numbered=True,
)

HEADERS: Mapping[str, Headers] = {
    "pico": _PICO,
    "pico_w": _PICO,
    "pico2_w": _PICO,
    "esp32": Headers(
        _row("3V3 EN VP/36 VN/39 34 35 32 33 25 26 27 14 12 GND 13 D2/9 D3/10 CMD/11 5V"),
        _row("GND 23 22 TX/1 RX/3 21 GND 19 18 5 17 16 4 0 2 15 D1/8 D0/7 CLK/6"),
        usb="bottom",
    ),
    "esp32_s3": Headers(
        _row("3V3 3V3 RST 4 5 6 7 15 16 17 18 8 3 46 9 10 11 12 13 14 5V GND"),
        _row("GND TX/43 RX/44 1 2 42 41 40 39 38 37 36 35 0 45 48 47 21 20 19 GND GND"),
        usb="bottom",
    ),
    "esp32_c3": Headers(
        _row("GND 3V3 3V3 2 3 GND RST GND 0 1 10 GND 5V 5V GND"),
        _row("GND TX/21 RX/20 GND 9 8 GND 7 6 5 4 GND 18 19 GND"),
        usb="bottom",
    ),
    "esp32_c6": Headers(
        _row("3V3 RST 4 5 6 7 0 1 8 10 11 2 3 5V GND NC"),
        _row("GND TX/16 RX/17 15 23 22 21 20 19 18 9 GND 13 12 GND NC"),
        usb="bottom",
    ),
}
