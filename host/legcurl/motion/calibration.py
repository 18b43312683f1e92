"""Where the lifter's range lies on the encoder's circle."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from legcurl.errors import CalibrationError
from legcurl.motion.resampler import short_way

FULL_TURN_DEG = 360.0
MIN_ROM_DEG = 14.0  # below this two poses are no range: the smallest is 15°


@dataclass(frozen=True, slots=True)
class Calibration:
    """The lever's raw sensor angle at legs straight and at full flexion, in degrees.

    Any offset and wrap. `direction` says which way the angle goes from the first to the second,
    +1 or -1; 0 is the short way, which is right where the lever moves less than half a turn.
    Raises CalibrationError where that cannot be a lifter's range.
    """

    extended_deg: float
    flexed_deg: float
    direction: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.extended_deg) and isfinite(self.flexed_deg)):
            raise CalibrationError(
                "A calibration needs two finite angles: run the calibration again."
            )
        if abs(self.signed_rom_deg) < MIN_ROM_DEG:
            raise CalibrationError(
                f"Extended {self.extended_deg:.1f}° and flexed {self.flexed_deg:.1f}° are only "
                f"{abs(self.signed_rom_deg):.1f}° apart; a lifter's range is {MIN_ROM_DEG:.0f}° "
                "or more. Check the two angles, or leave them out to learn the range live."
            )

    @property
    def signed_rom_deg(self) -> float:
        """Flexed minus extended, in degrees: its sign is the direction."""
        way = short_way(self.flexed_deg - self.extended_deg)
        if way * self.direction < 0.0:
            return way + FULL_TURN_DEG * self.direction
        return way

    @property
    def turned_round(self) -> Calibration:
        """The same range with its ends the other way round."""
        return Calibration(self.flexed_deg, self.extended_deg, -self.direction)
