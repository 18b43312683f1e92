"""The web's tests share the store's made sets, and what runs commands."""

import sys
from pathlib import Path

import pytest
from legcurl.service import health
from legcurl.web import chart_worker
from timings import LIMIT_S

HOST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOST / "store"), str(HOST / "cli")]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own limits, which a busy computer exceeds, are those of the tests."""
    monkeypatch.setattr(chart_worker, "DRAWN_S", LIMIT_S)
    for name in ("PROBE_TAKES_S", "LAG_DEGRADED_S", "LAG_FAILING_S"):
        monkeypatch.setattr(health, name, LIMIT_S)
