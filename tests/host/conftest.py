"""What the host's tests share: stores, Hypothesis' settings, and a service that is in no hurry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from legcurl.service import health
from legcurl.store import Store, open_store
from legcurl.web import chart_worker
from postgres_server import PostgresServer, postgres_server
from timings import LIMIT_S

# The same examples each time, on computers that are busy too.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def upgraded(postgres) -> str:
    """The name of an empty database of this version: the others are its copies."""
    name = postgres.new_database()
    open_store(postgres.url(name)).close()
    return name


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/legcurl.db"


@pytest.fixture
def postgres_url(postgres, upgraded) -> Iterator[str]:
    name = postgres.new_database(upgraded)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request) -> str:
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture
def store(url) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own limits, which a busy computer exceeds, are those of the tests."""
    monkeypatch.setattr(chart_worker, "DRAWN_S", LIMIT_S)
    for name in ("PROBE_TAKES_S", "LAG_DEGRADED_S", "LAG_FAILING_S"):
        monkeypatch.setattr(health, name, LIMIT_S)
