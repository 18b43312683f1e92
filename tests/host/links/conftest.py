"""The links' tests share the wire's fake sensor and reference codec, and the radio's time."""

import sys
from pathlib import Path

HOST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOST / "wire"), str(HOST / "radio")]
