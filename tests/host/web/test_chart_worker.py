"""Pictures are drawn beside the service: one at a time, for as long as somebody wants any."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from legcurl.store import StoredSet, open_store
from legcurl.web import chart_worker
from legcurl.web.chart_worker import Painter, PainterBusyError, PainterFailedError
from made_sets import measured, new_set
from timings import LIMIT_S, until

PNG = b"\x89PNG"
TRACE, _ = measured()


@pytest.fixture
def stored(tmp_path: Path) -> StoredSet:
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.add_set(new_set())
        return store.get_set("set-0000")


def pid_of(painter: Painter) -> int:
    assert painter._process is not None
    return painter._process.pid


async def wish_in_vain(painter: Painter, stored: StoredSet) -> asyncio.Task[bytes]:
    """Wish for a picture of the process that draws, which is stopped before it is done."""
    os.kill(pid_of(painter), signal.SIGSTOP)
    wish = asyncio.create_task(painter.paint(stored, TRACE))
    await until(painter._turn.locked)
    return wish


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_process_draws_all_pictures_and_ends_with_the_painter(stored: StoredSet) -> None:
    async with Painter() as painter:
        assert painter._process is None, "nobody wants any yet"
        assert (await painter.paint(stored, TRACE)).startswith(PNG)
        pid = pid_of(painter)
        assert pid != os.getpid()
        assert (await painter.paint(stored, None)).startswith(PNG)
        assert pid_of(painter) == pid
    assert not is_alive(pid)


@pytest.mark.long
async def test_ctrl_c_is_not_for_the_process_that_draws(stored: StoredSet) -> None:
    """It goes to the whole group of a terminal; the service ends the process in its own time."""
    async with Painter() as painter:
        await painter.paint(stored, None)
        os.kill(pid_of(painter), signal.SIGINT)
        assert (await painter.paint(stored, None)).startswith(PNG)


@pytest.mark.long
async def test_a_dead_chart_process_is_reported_once_and_restarted(stored: StoredSet) -> None:
    async with Painter() as painter:
        await painter.paint(stored, None)
        pid = pid_of(painter)
        wish = await wish_in_vain(painter, stored)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(PainterFailedError, match="has failed"):
            await wish
        assert (await painter.paint(stored, None)).startswith(PNG)
        assert pid_of(painter) != pid


@pytest.mark.long
async def test_an_undrawable_set_does_not_harm_the_next(
    stored: StoredSet, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = replace(stored, original="no set")
    async with Painter() as painter:
        with pytest.raises(PainterFailedError):
            await painter.paint(broken, TRACE)
        pid = pid_of(painter)
        assert (await painter.paint(stored, None)).startswith(PNG)
        assert pid_of(painter) == pid
    assert f"no picture of set {stored.id}" in capfd.readouterr().err


@pytest.mark.long
async def test_a_cancelled_chart_is_not_given_to_the_next_request(stored: StoredSet) -> None:
    async with Painter() as painter:
        with_curve = await painter.paint(stored, TRACE)
        wish = await wish_in_vain(painter, stored)
        wish.cancel()
        await asyncio.gather(wish, return_exceptions=True)
        assert await painter.paint(stored, None) != with_curve


@pytest.mark.long
async def test_more_wishes_than_can_be_met_soon_are_refused(stored: StoredSet) -> None:
    async with Painter() as painter:
        wishes = [
            asyncio.create_task(painter.paint(stored, None))
            for _ in range(chart_worker.WAITING_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(PainterBusyError, match="try again"):
            await painter.paint(stored, None)
        assert all(picture.startswith(PNG) for picture in await asyncio.gather(*wishes))
        assert (await painter.paint(stored, None)).startswith(PNG)


@pytest.mark.long
async def test_an_idle_chart_process_ends(
    stored: StoredSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_worker, "IDLE_S", 0.05)
    async with Painter() as painter:
        await painter.paint(stored, None)
        process = painter._process
        assert process is not None
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == 0
        assert (await painter.paint(stored, None)).startswith(PNG)
