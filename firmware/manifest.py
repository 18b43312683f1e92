"""The sensor frozen into a build of MicroPython: make -C ports/rp2 FROZEN_MANIFEST=.../manifest.py

Frozen code runs from flash, so a board has its memory for the log. What stays a file on the board
is board.json, because it differs from board to board: copy the one of firmware/boards/ that fits.
"""

# pyright: reportUndefinedVariable=false
# ruff: noqa: F821 - MicroPython's tools/makemanifest.py gives these names

package("sensor")
module("main.py")
