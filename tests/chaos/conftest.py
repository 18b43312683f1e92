"""Chaos: the whole of it, from the firmware to the set, while everything in between breaks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
