"""Tests with a real broker: Debian's Mosquitto, on a port of this computer."""

import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

HOST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOST / "store"), str(HOST / "cli"), str(HOST / "web"), str(HOST / "mqtt")]

from brokers import Ear, Mosquitto  # noqa: E402 - beside this file


def pytest_configure() -> None:
    assert shutil.which("mosquitto"), "the tests need it: tests/debian-packages mosquitto=mosquitto"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that lets everybody in."""
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
async def ear(mosquitto: Mosquitto) -> AsyncIterator[Ear]:
    """Somebody who hears all that is published."""
    async with Ear(mosquitto.config) as ear:
        yield ear
