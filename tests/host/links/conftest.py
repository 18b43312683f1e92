"""The links' tests share the wire's fake sensor and reference codec."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))
