"""Boards and their pins: a board file in; a checked BoardFile out."""
