"""The web's tests share the store's made sets, and what runs commands."""

import sys
from pathlib import Path

HOST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOST / "store"), str(HOST / "cli")]
