"""Boards and their pins: which encoder fits where."""
