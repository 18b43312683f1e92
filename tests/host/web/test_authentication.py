"""Who may look, who may change, and what becomes of those who guess."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from legcurl.errors import ConfigError
from legcurl.web.authentication import (
    COOKIE,
    SESSION_S,
    SESSIONS_MAX,
    WAIT_FIRST_S,
    WAIT_MAX_S,
    WRONG_FREE,
    Access,
    TooManyTriesError,
    hashed,
)
from made_sets import new_set
from room import URL, Room, room

COACH_PIN, VIEW_PIN, WRONG_PIN = "2468-coach", "1357-wall", "0000-nobody"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a hash takes is argon2's business, and proves nothing here."""
    import argon2

    def cheap() -> argon2.PasswordHasher:
        return hasher(time_cost=1, memory_cost=8, parallelism=1)

    hasher = argon2.PasswordHasher
    monkeypatch.setattr(argon2, "PasswordHasher", cheap)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> Access:
    return Access({"change": hashed(COACH_PIN), "view": hashed(VIEW_PIN)}, clock=clock)


@pytest.fixture
async def here(tmp_path: Path, access: Access):
    async with room(tmp_path, access=access) as made:
        yield made


async def test_without_a_pin_the_local_user_may_do_everything() -> None:
    session = Access({}).who(None)
    assert session is not None
    assert session.rights == {"view", "change"}


async def test_pins_are_kept_as_argon2_hashes(access: Access) -> None:
    kept = repr(vars(access))
    assert "$argon2id$" in kept
    assert COACH_PIN not in kept
    assert VIEW_PIN not in kept


@pytest.mark.parametrize("pin", ["123", "x" * 65, ""])
def test_a_pin_that_is_too_short_or_too_long_is_refused_at_the_start(pin: str) -> None:
    with pytest.raises(ConfigError, match="4 to 64"):
        hashed(pin)


async def test_each_pin_gives_its_right(access: Access) -> None:
    coach = await access.sign_in(COACH_PIN)
    viewer = await access.sign_in(VIEW_PIN)
    assert coach is not None
    assert viewer is not None
    assert coach[1].rights == {"view", "change"}
    assert viewer[1].rights == {"view"}
    assert coach[0] != viewer[0]
    assert coach[1].csrf != viewer[1].csrf


@pytest.mark.parametrize("pin", [WRONG_PIN, "", "x" * 10_000, "half \ud83d", "24\x0068"])
async def test_a_wrong_pin_gives_nothing(access: Access, pin: str) -> None:
    assert await access.sign_in(pin) is None


async def test_a_session_expires(access: Access, clock: Clock) -> None:
    signed_in = await access.sign_in(COACH_PIN)
    assert signed_in is not None
    clock.now_s += SESSION_S - 1
    assert access.who(signed_in[0]) is not None
    clock.now_s += 2
    assert access.who(signed_in[0]) is None


async def test_signing_out_ends_a_session(access: Access) -> None:
    signed_in = await access.sign_in(COACH_PIN)
    assert signed_in is not None
    access.sign_out(signed_in[0])
    assert access.who(signed_in[0]) is None


async def test_sessions_are_bounded_and_the_oldest_goes(access: Access) -> None:
    tokens = []
    for _ in range(SESSIONS_MAX + 1):
        signed_in = await access.sign_in(VIEW_PIN)
        assert signed_in is not None
        tokens.append(signed_in[0])
    assert access.who(tokens[0]) is None
    assert access.who(tokens[1]) is not None


async def test_wrong_pins_make_every_sign_in_wait_longer(access: Access, clock: Clock) -> None:
    for _ in range(WRONG_FREE):
        assert await access.sign_in(WRONG_PIN) is None
    waits: list[float] = []
    for _ in range(10):
        assert await access.sign_in(WRONG_PIN) is None
        with pytest.raises(TooManyTriesError) as refused:
            await access.sign_in(COACH_PIN)
        waits.append(refused.value.wait_s)
        clock.now_s += refused.value.wait_s
    assert waits[:3] == [WAIT_FIRST_S, 2 * WAIT_FIRST_S, 4 * WAIT_FIRST_S]
    assert waits[-1] == WAIT_MAX_S


async def test_tries_side_by_side_are_not_free(access: Access) -> None:
    tries = await asyncio.gather(
        *(access.sign_in(WRONG_PIN) for _ in range(100)), return_exceptions=True
    )
    looked_at = [one for one in tries if one is None]
    assert len(looked_at) == WRONG_FREE + 1
    assert sum(isinstance(one, TooManyTriesError) for one in tries) == 100 - len(looked_at)


async def test_the_coachs_pin_ends_the_waiting(access: Access, clock: Clock) -> None:
    for _ in range(WRONG_FREE + 1):
        await access.sign_in(WRONG_PIN)
    clock.now_s += WAIT_FIRST_S
    assert await access.sign_in(COACH_PIN) is not None
    for _ in range(WRONG_FREE):
        assert await access.sign_in(WRONG_PIN) is None


async def test_a_read_only_user_is_slowed_when_guessing_the_coachs_pin(access: Access) -> None:
    """Or they would guess four times, sign in once, and guess again."""
    tries = [pin for _ in range(10) for pin in (*[WRONG_PIN] * (WRONG_FREE - 1), VIEW_PIN)]
    looked_at = 0
    for pin in tries:
        try:
            looked_at += await access.sign_in(pin) is None
        except TooManyTriesError:
            continue
    assert looked_at <= WRONG_FREE + 1


async def test_guessing_does_not_disturb_signed_in_users(here: Room) -> None:
    await here.sign_in(COACH_PIN)
    for _ in range(WRONG_FREE + 1):
        await here.client.post("/api/login", json={"pin": WRONG_PIN})
    assert (await here.client.post("/api/login", json={"pin": COACH_PIN})).status_code == 429
    assert (await here.post("/api/clients", {"name": "Anna"})).status_code == 201


READS = (
    "/api/session",
    "/api/events",
    "/api/stations",
    "/api/stations/machine-1/day",
    "/api/stations/machine-1/day.csv",
    "/api/sets",
    "/api/sets/set-0000",
    "/api/sets/set-0000.csv",
    "/api/sets/set-0000.png",
    "/api/sets/set-0000/trace",
    "/api/clients",
    "/api/clients/x/history",
    "/api/clients/x/sets.csv",
)
WRITES = (
    ("POST", "/api/stations/machine-1/next"),
    ("POST", "/api/stations/machine-1/identify"),
    ("POST", "/api/sets/set-0000/corrections"),
    ("PATCH", "/api/sets/set-0000"),
    ("POST", "/api/clients"),
)


async def test_without_the_pin_nothing_can_be_read_or_changed(here: Room) -> None:
    here.store.add_set(new_set())
    for path in READS:
        answer = await here.get(path)
        assert answer.status_code == 401, path
        assert answer.json()["remedy"] == "Enter the PIN."
    for method, path in (*WRITES, ("POST", "/api/logout")):
        assert (await here.post(path, method=method)).status_code == 401, path
    assert here.store.clients() == []


async def test_the_page_itself_and_whether_all_is_well_need_no_pin(here: Room) -> None:
    assert (await here.get("/")).status_code == 200
    assert (await here.get("/healthz")).json() == {"ok": True, "status": "degraded"}


async def test_a_viewer_may_look_and_change_nothing(here: Room) -> None:
    await here.sign_in(VIEW_PIN)
    assert (await here.get("/api/stations")).status_code == 200
    assert (await here.get("/api/session")).json()["rights"] == ["view"]
    for method, path in WRITES:
        answer = await here.post(path, method=method)
        assert answer.status_code == 403, path
        assert "coach" in answer.json()["remedy"]
    assert here.store.clients() == []


async def test_a_change_needs_the_token_that_only_the_page_knows(here: Room) -> None:
    await here.sign_in(COACH_PIN)
    right = here.csrf
    for wrong in ("", "x", right[:-1], right + "x", right.swapcase(), "ü"):
        for method, path in (*WRITES, ("POST", "/api/logout")):
            headers = [(b"x-csrf-token", wrong.encode())] if wrong else []
            answer = await here.client.request(method, path, json={}, headers=headers)
            assert answer.status_code == 403, (path, wrong)
    assert here.store.clients() == []
    assert (await here.post("/api/clients", {"name": "Anna"})).status_code == 201


async def test_the_token_of_another_session_is_none(here: Room) -> None:
    await here.sign_in(COACH_PIN)
    before = here.csrf
    await here.sign_in(COACH_PIN)
    assert here.csrf != before
    here.csrf = before
    assert (await here.post("/api/clients", {"name": "Anna"})).status_code == 403


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(here: Room) -> None:
    answer = await here.client.post("/api/login", json={"pin": COACH_PIN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # this is http on loopback: the browser would not send it back
    token = here.client.cookies[COOKIE]
    assert token not in answer.text


async def test_over_https_the_cookie_is_secure(here: Room) -> None:
    answer = await here.client.post("https://127.0.0.1/api/login", json={"pin": COACH_PIN})
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_signing_out_ends_the_session_and_removes_the_cookie(here: Room) -> None:
    await here.sign_in(COACH_PIN)
    token = here.client.cookies[COOKIE]
    answer = await here.post("/api/logout")
    assert answer.status_code == 200
    assert COOKIE not in here.client.cookies
    here.client.cookies.set(COOKIE, token)
    assert (await here.get("/api/stations")).status_code == 401


async def test_a_delayed_sign_in_is_told_how_long_to_wait(here: Room) -> None:
    for _ in range(WRONG_FREE + 1):
        answer = await here.client.post("/api/login", json={"pin": WRONG_PIN})
        assert answer.status_code == 401
    answer = await here.client.post("/api/login", json={"pin": WRONG_PIN})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("body", [{}, {"pin": None}, {"pin": 1234}, {"pin": ["1234"]}])
async def test_a_pin_that_is_no_text_is_refused(here: Room, body: dict[str, object]) -> None:
    assert (await here.client.post("/api/login", json=body)).status_code == 400


async def test_no_secret_is_ever_written_down(here: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        await here.client.post("/api/login", json={"pin": WRONG_PIN}),
        await here.client.post("/api/login", json={"pin": 5, "other": COACH_PIN}),
        await here.client.post(f"/api/login?pin={COACH_PIN}", content=b"{"),
    ]
    await here.sign_in(COACH_PIN)
    token, csrf = here.client.cookies[COOKIE], here.csrf
    answers.append(await here.post("/api/clients", {"name": 7}))
    ours = [record for record in caplog.records if record.name.startswith("legcurl")]
    said = "".join(record.getMessage() for record in ours)
    said += "".join(answer.text for answer in answers)
    for secret in (COACH_PIN, VIEW_PIN, token, csrf, "$argon2"):
        assert secret not in said


async def test_another_site_cannot_sign_a_user_in(here: Room) -> None:
    answer = await here.client.post(
        "/api/login", json={"pin": COACH_PIN}, headers={"origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    form = await here.client.post("/api/login", data={"pin": COACH_PIN}, headers={"origin": URL})
    assert form.status_code == 415
