"""Samples to reps to sets: pure, causal, the same for live, replay and analysis."""

from legcurl.motion.calibration import Calibration
from legcurl.motion.direction import KnownDirection
from legcurl.motion.tracker import SetTracker, analyze
from legcurl.training_method import TrainingMethod

__all__ = ["Calibration", "KnownDirection", "SetTracker", "TrainingMethod", "analyze"]
