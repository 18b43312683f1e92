"""What every answer carries, and what is refused before anybody looks at it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import legcurl
import pytest
from jsonschema import Draft202012Validator
from legcurl.store import Expected
from legcurl.web.app import PAGE
from legcurl.web.security_headers import HEADERS
from made_sets import new_set
from openapi_spec_validator import validate
from room import URL, Room, room
from starlette.routing import Route

EVERY_KIND_OF_ANSWER = (
    ("GET", "/", 200),
    ("GET", "/style.css", 200),
    ("GET", "/js/main.mjs", 200),
    ("GET", "/nothing", 404),
    ("GET", "/api/stations", 200),
    ("GET", "/api/sets/gone", 404),
    ("GET", "/api/sets?limit=x", 400),
    ("GET", "/api/openapi.json", 200),
    ("POST", "/api/clients", 403),
    ("DELETE", "/api/clients", 405),
    ("POST", "/style.css", 405),
    ("GET", "/healthz", 200),
    ("OPTIONS", "/api/clients", 405),
    ("HEAD", "/", 200),
    ("HEAD", "/api/events", 200),
    ("HEAD", "/api/stations", 200),
)


@pytest.fixture
async def here(tmp_path: Path):
    async with room(tmp_path) as made:
        yield made


def assert_guarded(headers: object) -> None:
    for name, value in HEADERS.items():
        assert headers[name] == value, name  # type: ignore[index]


@pytest.mark.parametrize(("method", "path", "status"), EVERY_KIND_OF_ANSWER)
async def test_every_answer_carries_the_headers(
    here: Room, method: str, path: str, status: int
) -> None:
    answer = await here.client.request(method, path)
    assert answer.status_code == status
    assert_guarded(answer.headers)
    if path.startswith("/api/"):
        assert answer.headers["cache-control"] == "no-store"
    if method == "HEAD":
        assert answer.content == b""


def test_the_policy_allows_no_inline_and_no_foreign_content() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_an_internal_error_has_the_headers_and_no_details(
    here: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_machine: str) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(here.page, "snapshot", broken)
    with caplog.at_level(logging.ERROR):
        answer = await here.get("/api/stations")
    assert answer.status_code == 500
    assert_guarded(answer.headers)
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "[", "127.0.0.2", "a@b"],
)
async def test_a_name_that_is_not_ours_is_refused(here: Room, host: str) -> None:
    for path in ("/", "/api/stations", "/style.css"):
        answer = await here.get(path, headers={"host": host})
        assert answer.status_code == 421, path
        assert_guarded(answer.headers)
        assert "--allow-host" in answer.json()["remedy"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"])
async def test_the_names_of_this_computer_are_ours(here: Room, host: str) -> None:
    assert (await here.get("/api/stations", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://["},
        {"origin": URL, "sec-fetch-site": "cross-site"},
        {"origin": URL, "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_change_from_another_page_is_refused(here: Room, headers: dict[str, str]) -> None:
    answer = await here.client.post(
        "/api/clients", json={"name": "Anna"}, headers={"x-csrf-token": here.csrf, **headers}
    )
    assert answer.status_code == 403
    assert here.store.clients() == []


async def test_another_page_cannot_even_ask(here: Room) -> None:
    """It could not read the answer; but it could have pictures drawn and streams kept open."""
    for site in ("cross-site", "same-site"):
        answer = await here.get("/api/events", headers={"sec-fetch-site": site})
        assert answer.status_code == 403
    assert (await here.get("/", headers={"sec-fetch-site": "cross-site"})).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"name"', "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "application/json", 400),
        (b'{"name": ' + b"1" * 10_000 + b"}", "application/json", 400),
        (b'{"name": "' + b"x" * 70_000 + b'"}', "application/json", 413),
        (b'{"name": "Anna"}', "text/plain", 415),
        (b'{"name": "Anna"}', "application/x-www-form-urlencoded", 415),
        (b'{"name": "Anna"}', "", 415),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
async def test_a_body_that_is_none_is_refused(
    here: Room, content: bytes, kind: str, status: int
) -> None:
    headers = {"x-csrf-token": here.csrf, "content-type": kind}
    answer = await here.client.post("/api/clients", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert_guarded(answer.headers)
    assert here.store.clients() == []


async def test_a_body_that_never_ends_is_not_read_to_the_end(here: Room) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 100_000_000:
            sent += 1024
            yield b" " * 1024

    headers = {"x-csrf-token": here.csrf, "content-type": "application/json"}
    await here.client.post("/api/clients", content=endless(), headers=headers)
    answer = await ask_raw(here, "/api/clients", b"POST", headers, chunks=10_000)
    assert answer == 413


async def ask_raw(
    here: Room, path: str, method: bytes, headers: dict[str, str], chunks: int
) -> int:
    """Ask as a server does, a kilobyte of body at a time; the status, once there is one."""
    given = 0
    statuses: list[int] = []

    async def receive():
        nonlocal given
        given += 1
        assert given < 100, "what is too much already must not be read on"
        return {"type": "http.request", "body": b" " * 1024, "more_body": given < chunks}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": method.decode(),
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")]
        + [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 5),
        "http_version": "1.1",
        "root_path": "",
    }
    transport = here.client._transport
    await transport.app(scope, receive, send)  # type: ignore[attr-defined]
    return statuses[0]


async def test_websockets_are_refused(here: Room) -> None:
    said: list[str] = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        said.append(message["type"])

    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
    await here.client._transport.app(scope, receive, send)  # type: ignore[attr-defined]
    assert said == ["websocket.close"]


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/..%2fapp.py",
        "/js/..%2f..%2fapp.py",
        "/%2e%2e/app.py",
        "/js/%2e%2e/%2e%2e/app.py",
        "/..%5capp.py",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/js/%00",
        "/.",
        "/js",
        "/%ff",
    ],
)
async def test_no_path_leads_out_of_the_page(here: Room, path: str) -> None:
    answer = await here.client.get(f"{URL}{path}")
    assert answer.status_code in (400, 404) or answer.text == (PAGE / "index.html").read_text()
    assert "create_app" not in answer.text
    assert "root:" not in answer.text


async def test_what_may_be_asked_of_an_address_is_told(here: Room) -> None:
    answer = await here.client.request("OPTIONS", "/api/clients")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST"}
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_file_is_asked_for_anew_and_cheap_if_it_is_known(here: Room) -> None:
    first = await here.get("/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = await here.get("/style.css", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert_guarded(again.headers)


async def test_the_openapi_document_is_valid_and_names_every_route(here: Room) -> None:
    document = (await here.get("/api/openapi.json")).json()
    validate(document)
    assert document["info"]["version"] == legcurl.__version__
    told = {
        (path, method.upper())
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    app = here.client._transport.app  # type: ignore[attr-defined]
    served = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route) and route.path not in ("/", "/api/openapi.json")
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert told == served


async def test_answers_have_the_shape_that_the_document_promises(here: Room) -> None:
    anna = here.store.add_client("Anna")
    here.store.add_set(new_set(expected=Expected(anna.id)))
    here.store.correct("set-0000", "count", 3, who="coach")
    document = (await here.get("/api/openapi.json")).json()
    for path, asked in (
        ("/api/session", "/api/session"),
        ("/api/stations", "/api/stations"),
        ("/api/stations/{machine}/day", "/api/stations/machine-1/day"),
        ("/api/sets", "/api/sets"),
        ("/api/sets/{id}", "/api/sets/set-0000"),
        ("/api/sets/{id}/trace", "/api/sets/set-0000/trace"),
        ("/api/clients", "/api/clients"),
        ("/api/clients/{id}/history", f"/api/clients/{anna.id}/history"),
        ("/healthz", "/healthz"),
    ):
        answers = document["paths"][path]["get"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]
        answer = (await here.get(asked)).json()
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(answer)


async def test_two_hundred_questions_at_once_are_all_answered(here: Room) -> None:
    here.store.add_set(new_set(trace=None))
    answers = await asyncio.gather(*(here.get("/api/sets/set-0000") for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({json.dumps(answer.json()) for answer in answers}) == 1
