"""What the training method asks of a set: the marks that every view draws."""

from __future__ import annotations

HOLD_TARGET_S = 3.0  # squeeze at the top for three seconds
FULL_ROM = 0.90  # detection.md, "full ROM": the share of the lifter's own range that counts
SET_WINDOW_S = (60.0, 120.0)  # a set to failure should last one to two minutes
REST_SHOWN_S = 1.0  # the method allows no rest at the bottom; shorter is turning round
REMINDER = "toes up"  # nothing here can see toes: a reminder, never a measurement
