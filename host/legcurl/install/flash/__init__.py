"""Puts the firmware on a board: a port in; a sensor that says hello out."""
