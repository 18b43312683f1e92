"""Samples to reps to sets: pure, causal, the same for live, replay and analysis."""

from legcurl.motion.calibration import Calibration
from legcurl.motion.tracker import SetTracker, analyze

__all__ = ["Calibration", "SetTracker", "analyze"]
