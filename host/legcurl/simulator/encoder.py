"""What the sensor's magnet shows of the lever: a raw angle with everything that spoils it.

The chip is somewhere on the axle: any offset, either direction. A magnet off its centre makes the
reading bend by one and two periods a turn; the chip adds noise; a magnet that slips on its axle
shifts all that follows. Quantisation is the chip's own and is done where the chip is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, radians, sin
from random import Random

FULL_TURN_DEG = 360.0
AS5600_STEPS = 4096
TURN = 65536  # of the world stream's angles
GAIN_CENTRED = 110
GAIN_MOST = 255

OFF_CENTRE_BEND_DEG = (6.0, 9.0)
OFF_CENTRE_SWING = (190, 230)  # the chip runs out of gain on a quarter of the turn


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One mounted encoder. Noise figures are the AS5600's (datasheet: 0.015 to 0.043 deg rms)."""

    offset_deg: float = 0.0
    direction: int = 1
    noise_deg: float = 0.03
    bend_deg: float = 0.5  # amplitude of the non-linearity of one period a turn
    bend_rad: float = 0.0
    bend2_deg: float = 0.3  # and of two periods a turn
    bend2_rad: float = 0.0
    hum_deg: float = 0.0
    hum_hz: float = 60.0
    drift_deg_s: float = 0.0
    slip_deg: float = 0.0
    slip_at_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Magnet:
    """How much gain the chip needs to see the magnet, around the turn.

    A magnet on its axle needs the same everywhere. One beside it comes nearer on one side and goes
    away on the other. Packed, it travels in the header of the world stream (simworld.py).
    """

    weakest: int = 0  # where it is farthest, 65536 to the turn
    swing: int = 0  # of the gain about GAIN_CENTRED, either way

    def packed(self) -> int:
        """32 bits; 0 is a magnet on its axle."""
        return self.weakest | self.swing << 16 if self.swing else 0

    def gain(self, turn: int) -> int:
        """What the chip amplifies by at this angle, 0 to GAIN_MOST; beyond it is too weak."""
        away = abs((turn - self.weakest + TURN // 2) % TURN - TURN // 2)
        return GAIN_CENTRED + self.swing * (TURN // 4 - away) // (TURN // 4)


class Encoder:
    """Turns the lever's flexion into raw degrees in [0, 360)."""

    def __init__(self, spec: EncoderSpec, rng: Random) -> None:
        self.spec = spec
        self._rng = rng

    def still(self, flexion_deg: float, t_s: float = 0.0) -> float:
        """The reading without noise: what a calibration would note."""
        spec = self.spec
        slip = spec.slip_deg if t_s >= spec.slip_at_s else 0.0
        shaft = spec.offset_deg + spec.direction * flexion_deg + slip + spec.drift_deg_s * t_s
        turn = radians(shaft)
        shaft += spec.bend_deg * sin(turn + spec.bend_rad)
        shaft += spec.bend2_deg * sin(2.0 * turn + spec.bend2_rad)
        return shaft % FULL_TURN_DEG

    def read(self, flexion_deg: float, t_s: float) -> float:
        """One reading, noise and hum included."""
        spec = self.spec
        noise = self._rng.gauss(0.0, spec.noise_deg)
        if spec.hum_deg:
            noise += spec.hum_deg * sin(2.0 * pi * spec.hum_hz * t_s)
        return (self.still(flexion_deg, t_s) + noise) % FULL_TURN_DEG


def off_centre(spec: EncoderSpec, weakest_deg: float, rng: Random) -> tuple[EncoderSpec, Magnet]:
    """The same encoder with its magnet beside the axle, farthest away at this raw angle."""
    bent = replace(spec, bend_deg=rng.uniform(*OFF_CENTRE_BEND_DEG))
    weakest = round(weakest_deg * (TURN / FULL_TURN_DEG)) % TURN
    return bent, Magnet(weakest, rng.randint(*OFF_CENTRE_SWING))


def quantised(angle_deg: float, steps: int = AS5600_STEPS) -> float:
    """The angle as a chip of so many steps a turn gives it."""
    return int(angle_deg * steps / FULL_TURN_DEG) % steps * (FULL_TURN_DEG / steps)
