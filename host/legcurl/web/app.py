"""The web service: a gym, its store and the page, as one ASGI application.

`Service` holds what the endpoints use and follows the gym: moving figures and states go to the
viewers (live.py), finished sets to the store (keeping.py). `create_app` puts the endpoints, the
page's files and the headers that keep other sites out around it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from legcurl.errors import InputError, LegCurlError, LinkError, NoSuchRecordError, StoreError
from legcurl.events import Event, Progress, SetStarted
from legcurl.gym.gym import Gym
from legcurl.gym.machine import Machine, MachineSetup
from legcurl.health import Health
from legcurl.keeping import SetKeeper
from legcurl.metrics import CONTENT_TYPE, Metrics
from legcurl.store.records import Expected, StoredSet
from legcurl.store.records import Machine as StoredMachine
from legcurl.web import api
from legcurl.web.access import Access
from legcurl.web.asked import ApiError, session_of
from legcurl.web.guard import Guarded
from legcurl.web.live import Broadcast
from legcurl.web.machine_json import moving
from legcurl.web.painting import Painter, PainterBusyError, PainterFailedError
from legcurl.web.shapes import machine_json
from legcurl.web.trace import TracePacer

if TYPE_CHECKING:
    from legcurl.mqtt.publisher import Publishing
    from legcurl.store import Store

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
PICTURES_KEPT = 32  # some 60 kB each


class Service:
    """Everything that runs while the service does; an async context manager."""

    def __init__(
        self,
        setups: Sequence[MachineSetup],
        store: Store,
        access: Access,
        journals: Path | None = None,
        *,
        publishing: Publishing | None = None,
    ) -> None:
        self.access = access
        self.store = store
        self.started = asyncio.Event()  # it does what it is for
        self.keeper = SetKeeper(store, self._kept)
        self.publisher = publishing.publisher(store, self.keeper.ask) if publishing else None
        # The publisher first: a machine's reps are told before the set that they belong to.
        first = (self.publisher,) if self.publisher is not None else ()
        self.metrics = Metrics(self)
        self.health = Health(lambda: self.gym, self.keeper)
        if self.publisher is not None:
            self.health.watch(self.publisher.trouble)
            self.metrics.add(self.publisher)
        self.gym = Gym(setups, (*first, self.keeper, self, self.metrics), journals)
        self.broadcast = Broadcast(tuple(self.gym.machines), self.snapshot, self.recent_trace)
        self.last_sets: dict[str, str] = {}
        self.client_names: dict[str, str] = {}  # for the machines' pictures, by id
        self._pacers = {machine: TracePacer() for machine in self.gym.machines}
        self._painter = Painter()
        self._pictures: dict[object, bytes] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything started, and at the end stopped in the right order."""
        self.client_names = {client.id: client.name or "" for client in self.store.clients()}
        for machine in self.gym.machines:
            self._expect_again(machine, self.store.expected(machine))
        async with self.keeper, self._painter, self.health:
            ticking = asyncio.create_task(self.broadcast.run(), name="broadcast")
            try:
                async with self.publisher or nullcontext(), self.gym:
                    if self.publisher is not None:
                        self.publisher.follow(self.gym)
                    self.started.set()
                    yield
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)

    async def apply(self, setups: Sequence[MachineSetup]) -> None:
        """Follow these machines from here on; those that did not change do not notice."""
        before = {name: machine.name for name, machine in self.gym.machines.items()}
        for setup in setups:  # their samples may come before anything else is done
            self._pacers.setdefault(setup.id, TracePacer())
        await self.gym.apply(setups)
        machines = self.gym.machines
        gone = [name for name in self._pacers if name not in machines]
        for name in gone:
            del self._pacers[name]
            self.last_sets.pop(name, None)
            self.keeper.let_go(name)
        if list(before) != list(machines):
            self.broadcast.room(tuple(machines))
        for name, machine in machines.items():
            if before.get(name, machine.name) != machine.name:
                self.broadcast.changed(name)
        if self.publisher is not None:
            for name in gone:
                await self.publisher.retire(name)
            self.publisher.follow(self.gym)
        for name in [name for name in machines if name not in before]:
            try:
                expected = await self.keeper.ask(partial(_expected, name))
            except StoreError as error:  # the machine is there all the same
                log.warning("Who lifts next on %s cannot be looked up: %s", name, error)
                continue
            self._expect_again(name, expected)
            self.broadcast.changed(name)

    def snapshot(self, machine: str) -> dict[str, Any]:
        """A machine's whole state, as the page gets it."""
        return machine_json(self, machine)

    def happened(self, machine: Machine, event: Event) -> None:
        """Tell the viewers."""
        name = machine.setup.id
        if isinstance(event, SetStarted):
            self.last_sets.pop(name, None)
        self.broadcast.moved(name, moving(machine.state))
        if not isinstance(event, Progress):
            self.broadcast.changed(name)

    def sampled(self, machine: Machine, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Tell those viewers that draw this machine's trace; keep some for those who come later."""
        name = machine.setup.id
        if not self.broadcast.watched(name):
            self._pacers[name].put_aside(machine, t_us, angle_deg)
            return
        piece = self._pacers[name].push(machine, t_us, angle_deg)
        if piece is not None:
            self.broadcast.traced(name, {"machine": name, **piece})

    def needs_from_s(self, machine: Machine) -> None:
        """Viewers are shown the present: nothing."""

    def recent_trace(self, machine: str) -> list[dict[str, Any]]:
        """What a viewer who has just opened a machine's trace should see at once."""
        pacer = self._pacers.get(machine)  # None: the machine is gone, and somebody still looks
        return [] if pacer is None else [{"machine": machine, **piece} for piece in pacer.recent()]

    async def expect(self, machine: str, expected: Expected) -> None:
        """Remember who lifts next, here and in the store."""
        named = StoredMachine(machine, self.gym.machines[machine].name)

        def remember(store: Store) -> None:
            store.put_machine(named)
            store.expect(machine, expected)

        await self.keeper.ask(remember)
        self.keeper.expect(machine, expected)
        self.broadcast.changed(machine)

    async def picture(self, stored: StoredSet) -> bytes:
        """The picture of a set as it stands, drawn when it is first asked for."""
        as_it_stands = (stored.id, stored.machine.name, stored.corrections)
        known = self._pictures.get(as_it_stands)
        if known is None:
            trace = await self.keeper.ask(lambda store: store.trace(stored.id))
            known = await self._painter.paint(stored, trace)
            while len(self._pictures) >= PICTURES_KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[as_it_stands] = known
        return known

    def end(self) -> None:
        """Let everybody go who would stay for ever: the service is about to end."""
        self.broadcast.end()

    def _expect_again(self, machine: str, expected: Expected) -> None:
        """Who was to lift next when the service ended, or the machine was taken out."""
        if expected.since is not None:
            self.keeper.expect(machine, expected)

    def _kept(self, machine: Machine, set_id: str) -> None:
        name = machine.setup.id
        if self.gym.machines.get(name) is not machine:  # it is gone; its set is stored
            self.broadcast.stored({"machine": name, "set_id": set_id})
            return
        if machine.state.stage != "during":
            self.last_sets[name] = set_id
        self.broadcast.stored({"machine": name, "set_id": set_id})
        self.broadcast.changed(name)


def _expected(machine: str, store: Store) -> Expected:
    return store.expected(machine)


class PageFiles(StaticFiles):
    """The page's files, asked for anew each time (an ETag makes that cheap): no file is old."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, or that it has not changed."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def create_app(service: Service, *, hosts: Sequence[str]) -> Starlette:
    """The application. `hosts` are the names under which browsers may ask for it."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = Starlette(
        routes=[
            *api.routes(),
            Route("/api/openapi.json", _openapi),
            Route("/healthz", _health),
            Route("/metrics", _metrics),
            Route("/", _page),
            Mount("/", PageFiles(directory=PAGE)),
        ],
        exception_handlers={
            ApiError: _refused,
            NoSuchRecordError: _not_there,
            InputError: _not_meant,
            StoreError: _store_failed,
            LinkError: _sensor_away,
            PainterBusyError: _busy,
            PainterFailedError: _failed,
            LegCurlError: _not_meant,
            HTTPException: _http_error,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Guarded, hosts=tuple(hosts))
    return app


async def _page(_request: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})


async def _openapi(_request: Request) -> Response:
    from legcurl.web.openapi import document

    return JSONResponse(document())


async def _health(request: Request) -> Response:
    """Whether all is well, for a monitor; what is not, for who may look."""
    service: Service = request.app.state.service
    verdict = await service.health.judge()
    well = verdict.status != "failing"
    told: dict[str, Any] = {"ok": well, "status": verdict.status}
    if session_of(request) is not None:
        told |= {
            "reasons": verdict.reasons,
            "machines": {
                name: machine.state.link for name, machine in service.gym.machines.items()
            },
            "sets_waiting": service.keeper.pending,
            "store": service.keeper.trouble or service.health.store_trouble or "ok",
            "journals": {
                name: machine.journal_trouble or "ok"
                for name, machine in service.gym.machines.items()
            },
            "viewers": service.broadcast.viewers,
            "skipped_messages": service.broadcast.skipped,
        }
        if service.publisher is not None:
            told["mqtt"] = asdict(service.publisher.figures)
    return JSONResponse(told, status_code=200 if well else 503)


async def _metrics(request: Request) -> Response:
    """The service's figures, for who may look and for a monitor that has the token."""
    service: Service = request.app.state.service
    if session_of(request) is None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not service.access.may_measure(token.strip()):
            raise ApiError(
                401,
                "Figures are for who may look.",
                "Sign in, or send the metrics token as a bearer token.",
                **{"WWW-Authenticate": "Bearer"},
            )
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _answer(status: int, error: str, remedy: str = "", headers: Any = None) -> Response:
    return JSONResponse({"error": error, "remedy": remedy}, status_code=status, headers=headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _answer(error.status, error.error, error.remedy, error.headers)


async def _not_there(_request: Request, error: Exception) -> Response:
    return _answer(404, str(error))


async def _not_meant(_request: Request, error: Exception) -> Response:
    return _answer(400, str(error))


async def _store_failed(_request: Request, error: Exception) -> Response:
    return _answer(503, str(error))


async def _sensor_away(_request: Request, error: Exception) -> Response:
    return _answer(409, str(error))


async def _busy(_request: Request, error: Exception) -> Response:
    return _answer(503, str(error), headers={"Retry-After": "2"})


async def _failed(_request: Request, error: Exception) -> Response:
    return _answer(500, str(error))


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, headers=error.headers)
