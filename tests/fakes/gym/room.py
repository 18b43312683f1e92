"""The service without a network: its machines do what a test says, its answers come at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from legcurl.gym.gym import Gym
from legcurl.gym.machine import MachineSetup
from legcurl.service.service import Service
from legcurl.store import Store, open_store
from legcurl.web.app import create_app
from legcurl.web.authentication import Access
from legcurl.web.live_page import LivePage

URL = "http://127.0.0.1:8080"
NAMES = ("Leg curl 1", "Leg curl 2")


class StillGym(Gym):
    """A gym whose machines do nothing by themselves."""

    async def __aenter__(self) -> Gym:
        return self


@dataclass
class Room:
    """A running service, and somebody at the computer that it runs on."""

    service: Service
    page: LivePage
    store: Store
    client: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask."""
        return await self.client.get(path, **options)

    async def post(self, path: str, body: object = None, method: str = "POST") -> httpx.Response:
        """Change something, as the page does."""
        headers = {"x-csrf-token": self.csrf, "origin": URL}
        return await self.client.request(
            method, path, json={} if body is None else body, headers=headers
        )

    async def patch(self, path: str, body: object) -> httpx.Response:
        """Change a part of something, as the page does."""
        return await self.post(path, body, method="PATCH")

    async def sign_in(self, pin: str | None = None) -> None:
        """Become somebody who may do something."""
        if pin is not None:
            answer = await self.client.post("/api/login", json={"pin": pin})
        else:
            answer = await self.client.get("/api/session")
        assert answer.status_code == 200, answer.text
        self.csrf = answer.json()["csrf"]


@asynccontextmanager
async def room(
    folder: Path,
    names: tuple[str, ...] = NAMES,
    access: Access | None = None,
    wrap: Callable[[Store], Any] = lambda store: store,
) -> AsyncIterator[Room]:
    """A room with these machines: machine-1, machine-2, ..."""
    setups = [MachineSetup(f"machine-{n}", name, "sim:") for n, name in enumerate(names, 1)]
    with open_store(f"sqlite:///{folder / 'room.db'}") as store:
        service = Service(StillGym(setups), wrap(store))
        page = LivePage(service, access or Access({}))
        app = create_app(page, hosts=["127.0.0.1", "localhost", "::1"])
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            page.running(),
            httpx.AsyncClient(transport=transport, base_url=URL) as client,
        ):
            made = Room(service, page, store, client)
            if access is None:
                await made.sign_in()
            yield made
