"""Who may look at the page, and who may change what is on it.

On loopback everybody may do both, as long as no PIN is set: who sits at the computer has it anyway.
Anywhere else there must be one. Two PINs give two rights: the one for viewing (a screen on the
wall), the other for changing as well (the coach). PINs are kept as argon2 hashes, sessions are
random tokens in a cookie that scripts cannot read and other sites do not send, and every write
carries a second token that only a page of ours can know. Guessing is slowed down for everybody
together: addresses are cheap, and a gym has one coach. Who is signed in does not notice.

Sessions are kept in memory. A service that starts anew asks for the PIN again, so that a PIN which
was changed because too many knew it signs everybody out.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Literal

from legcurl.config.model import PIN_MAX, PIN_MIN, TOKEN_MIN
from legcurl.errors import ConfigError

Right = Literal["view", "change"]
Rights = frozenset[Right]

NOBODY: Rights = frozenset()
VIEWER: Rights = frozenset({"view"})
COACH: Rights = frozenset({"view", "change"})

COOKIE = "legcurl_session"
SESSION_S = 14 * 24 * 3600  # a tablet on a gym's wall is not signed in every morning
SESSIONS_MAX = 1000
WRONG_FREE = 5  # wrong PINs before anybody has to wait
WAIT_FIRST_S = 1.0
WAIT_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person; or, without a PIN, the person at the computer."""

    rights: Rights
    csrf: str
    until_s: float
    who: str


class TooManyTriesError(Exception):
    """Wrong PINs came too quickly; `wait_s` says how long until the next is looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Access:
    """Signs people in and recognises them.

    `hashes` are argon2 hashes by the right they give; `clock` gives seconds that only go forward.
    Who has `metrics_token` may read /metrics and nothing else: a monitor signs in nowhere.
    """

    def __init__(
        self,
        hashes: Mapping[Right, str],
        *,
        metrics_token: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._metrics_token = _checked_token(metrics_token)
        self._hashes = dict(hashes)
        self._sessions: dict[str, Session] = {}
        self._open = Session(COACH, token_urlsafe(24), float("inf"), "this computer")
        self._wrong = 0
        self._closed_until_s = 0.0

    def replace(self, hashes: Mapping[Right, str], *, metrics_token: str = "") -> None:
        """Have other PINs from here on; everybody is signed out."""
        self._metrics_token = _checked_token(metrics_token)
        self._hashes = dict(hashes)
        self._sessions.clear()

    @property
    def needs_pin(self) -> bool:
        """Whether a request without a session may do nothing."""
        return bool(self._hashes)

    def who(self, token: str | None) -> Session | None:
        """The session of a cookie, or None."""
        if not self.needs_pin:
            return self._open
        session = self._sessions.get(token or "")
        if session is None or session.until_s < self._clock():
            self._sessions.pop(token or "", None)
            return None
        return session

    async def sign_in(self, pin: str) -> tuple[str, Session] | None:
        """A new session and its cookie, or None for a wrong PIN. Raises TooManyTriesError."""
        self._count_try()
        rights = await asyncio.to_thread(self._rights_of, pin)
        if rights == NOBODY:
            return None
        if "change" in rights:
            self._wrong = 0
            self._closed_until_s = 0.0
        else:  # it was no guess; but who may only look must not clear the count for guessing more
            self._wrong -= 1
        who = "coach" if "change" in rights else "viewer"
        session = Session(rights, token_urlsafe(24), self._clock() + SESSION_S, who)
        token = token_urlsafe(32)
        while len(self._sessions) >= SESSIONS_MAX:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[token] = session
        return token, session

    def may_measure(self, token: str) -> bool:
        """Whether a monitor with this token may read the figures."""
        return bool(self._metrics_token) and same(token, self._metrics_token)

    def sign_out(self, token: str | None) -> None:
        """Forget a session."""
        self._sessions.pop(token or "", None)

    def _count_try(self) -> None:
        """Count a try as wrong until it is right: tries side by side must not be free."""
        now_s = self._clock()
        if now_s < self._closed_until_s:
            raise TooManyTriesError(self._closed_until_s - now_s)
        if self._wrong >= WRONG_FREE:
            wait_s = min(WAIT_FIRST_S * 2.0 ** (self._wrong - WRONG_FREE), WAIT_MAX_S)
            self._closed_until_s = now_s + wait_s
        self._wrong += 1

    def _rights_of(self, pin: str) -> Rights:
        from argon2 import PasswordHasher
        from argon2.exceptions import VerificationError

        hasher = PasswordHasher()
        found = NOBODY
        if not _can_be_pin(pin):
            return found
        for right, rights in (("view", VIEWER), ("change", COACH)):
            kept = self._hashes.get(right)  # type: ignore[arg-type]
            if kept is None:
                continue
            try:
                hasher.verify(kept, pin)
            except VerificationError:
                continue
            found = rights
        return found


def hashed(pin: str) -> str:
    """The argon2 hash of a PIN. ConfigError for one that is too short or too long."""
    from argon2 import PasswordHasher

    if not _can_be_pin(pin):
        raise ConfigError(f"A PIN has {PIN_MIN} to {PIN_MAX} characters.")
    return PasswordHasher().hash(pin)


def _checked_token(token: str) -> str:
    if token and not (len(token) >= TOKEN_MIN and token.isascii()):
        raise ConfigError(f"The metrics token has at least {TOKEN_MIN} plain characters.")
    return token


def _can_be_pin(text: str) -> bool:
    halves = any("\ud800" <= character <= "\udfff" for character in text)  # JSON can say them
    return PIN_MIN <= len(text) <= PIN_MAX and not halves


def same(one: str, other: str) -> bool:
    """Compare two tokens in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())
