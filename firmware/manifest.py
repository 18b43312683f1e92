"""The sensor frozen into a build of MicroPython: make -C ports/rp2 FROZEN_MANIFEST=.../manifest.py

Frozen code runs from flash and leaves the memory for the log. board.json stays a file, because it
differs from board to board: copy the one of firmware/boards/ that fits.
"""

# pyright: reportUndefinedVariable=false
# ruff: noqa: F821 - MicroPython's tools/makemanifest.py gives these names

package("sensor")
module("main.py")
