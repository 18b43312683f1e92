"""What the training method asks of a set: the marks that every view draws."""

from __future__ import annotations

from legcurl.motion.classify import FULL_ROM, HOLD_TARGET_S

__all__ = ["FULL_ROM", "HOLD_TARGET_S", "REMINDER", "REST_SHOWN_S", "SET_WINDOW_S"]

SET_WINDOW_S = (60.0, 120.0)  # a set to failure should last one to two minutes
REST_SHOWN_S = 1.0  # the method allows no rest at the bottom; shorter is turning round
REMINDER = "toes up"  # nothing here can see toes: a reminder, never a measurement
