"""What the training method asks of a set: the marks that every view draws."""

from __future__ import annotations

from legcurl.motion.classify import FULL_ROM, HOLD_TARGET_S
from legcurl.motion.results import REST_SHOWN_S

__all__ = ["FULL_ROM", "HOLD_TARGET_S", "REMINDER", "REST_SHOWN_S", "SET_WINDOW_S", "is_rest"]

SET_WINDOW_S = (60.0, 120.0)  # a set to failure should last one to two minutes
REMINDER = "toes up"  # nothing here can see toes: a reminder, never a measurement


def is_rest(rest_s: float) -> bool:
    """Whether time at the bottom counts as rest; a shorter stop is only turning round."""
    return rest_s > REST_SHOWN_S
