"""What the training method asks of a rep and of a set: one value, set for a gym or a machine.

Detection, cues, page and reports take their marks from here, and every set keeps the method that
it was judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from legcurl.errors import ConfigError

COUNTED_LEAST, COUNTED_MOST = 0.50, 0.95
"""A rep may count from half of the range on; above 0.95 the range itself is not known so well."""


def _within(field: str, value: Any, least: float, most: float) -> None:
    if type(value) not in (int, float) or not least <= value <= most:  # as no nan is
        raise ConfigError(f"{field} is invalid: give a number from {least:g} to {most:g}.")


@dataclass(frozen=True, slots=True)
class TrainingMethod:
    """The exercise as it is taught; the defaults are its own (docs/detection.md).

    Raises ConfigError, which names the field and what it may be.
    """

    hold_target_s: float = 3.0
    hold_tolerance_s: float = 0.1  # as well as a hold is known: 2.96 s is a hold of 3 s
    set_window_s: tuple[float, float] = (60.0, 120.0)  # a set to failure should last so long
    full_rom_fraction: float = 0.90  # of the lifter's range
    counted_fraction: float = 0.90  # from which a rep counts for the coach
    count_at: Literal["end", "top"] = "end"  # when the count goes up

    def __post_init__(self) -> None:
        _within("hold_target_s", self.hold_target_s, 0.0, 60.0)
        _within("hold_tolerance_s", self.hold_tolerance_s, 0.0, 1.0)
        _within("full_rom_fraction", self.full_rom_fraction, COUNTED_LEAST, COUNTED_MOST)
        _within("counted_fraction", self.counted_fraction, COUNTED_LEAST, COUNTED_MOST)
        if not isinstance(self.set_window_s, tuple) or len(self.set_window_s) != 2:
            raise ConfigError("set_window_s is invalid: give two times in s, such as [60, 120].")
        least, most = self.set_window_s
        _within("set_window_s", least, 0.0, 3600.0)
        _within("set_window_s", most, 0.0, 3600.0)
        if least >= most:
            raise ConfigError("set_window_s is invalid: give the shorter of its two times first.")
        if self.count_at not in ("end", "top"):
            raise ConfigError('count_at is invalid: give "end" or "top".')

    def hold_met(self, hold_s: float) -> bool:
        """Whether a hold is long enough, as well as it can be known."""
        return hold_s >= self.hold_met_from_s - 1e-9

    def full(self, fraction: float) -> bool:
        """Whether a top at this fraction of the range makes a rep full."""
        return fraction >= self.full_rom_fraction

    def counts(self, fraction: float) -> bool:
        """Whether a rep that was not failed counts from this fraction of the range."""
        return fraction >= self.counted_fraction

    @property
    def hold_met_from_s(self) -> float:
        """The shortest hold that is long enough."""
        return max(self.hold_target_s - self.hold_tolerance_s, 0.0)

    @property
    def counts_apart(self) -> bool:
        """Whether the reps that count are not just the full ones: both counts are then shown."""
        return self.counted_fraction != self.full_rom_fraction


STANDARD = TrainingMethod()


def read_method(fields: Mapping[str, Any]) -> TrainingMethod:
    """The method of a JSON or TOML object; what it leaves out is the exercise's own.

    Raises ConfigError for a field that is unknown or has a wrong value.
    """
    given = dict(fields)
    if isinstance(window := given.get("set_window_s"), list | tuple):
        given["set_window_s"] = tuple(window)
    try:
        return TrainingMethod(**given)
    except TypeError as error:
        raise ConfigError(f"{error}: the fields of a method are in docs/operate.md.") from error


REST_SHOWN_S = 1.0  # the method allows no rest at the bottom; shorter is turning round
REMINDER = "toes up"  # nothing here can see toes: a reminder, never a measurement


def is_rest(rest_s: float) -> bool:
    """Whether time at the bottom counts as rest; a shorter stop is only turning round."""
    return rest_s > REST_SHOWN_S
