"""Tests with a real broker: Debian's Mosquitto, on a port of this computer."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from brokers import Ear, Mosquitto


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
