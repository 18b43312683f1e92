"""Checks of a sensor: the frames of its stream in; statistics and findings out."""
