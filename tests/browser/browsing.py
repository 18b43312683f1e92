"""Chromium under Playwright: found, started, and given pages whose complaints are kept.

The browser is the system's (Debian's package chromium), not one that Playwright downloads: see
tests/debian-packages. A test that cannot have it fails and says how to get it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from timings import LIMIT_S

PATIENCE_MS = 1000 * LIMIT_S
POLL_MS = 30
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The path of the system's Chromium."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise FileNotFoundError(
        "No Chromium for the browser tests. On Debian, as root: apt-get install chromium "
        "(tests/debian-packages does it)."
    )


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless browser."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tablet:
    """One browser with one page, and everything that it complained of."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)


def tablet(browser: Browser, **context_options: Any) -> Tablet:
    """A new tablet: nothing remembered, nothing signed in."""
    context = browser.new_context(**context_options)
    context.set_default_timeout(PATIENCE_MS)
    made = Tablet(context, context.new_page())
    made.page.on("pageerror", lambda error: made.complaints.append(f"error: {error}"))
    made.page.on(
        "console",
        lambda message: (
            made.complaints.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    return made


def frames(page: Page) -> None:
    """Wait until what has just changed is laid out and painted, however busy the computer is.

    One frame sees the change, one lays out what follows from its size, one shows it.
    """
    page.evaluate(
        """async () => {
          for (let frame = 0; frame < 3; frame += 1)
            await new Promise((done) => requestAnimationFrame(done));
          await new Promise((done) => setTimeout(done));
        }"""
    )


def until(page: Page, expression: str, argument: object = None) -> None:
    """Wait until an expression is true of the page.

    Playwright's own `wait_for_function` evaluates text inside the page, which our policy forbids.
    """
    deadline_s = time.monotonic() + LIMIT_S
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline_s, f"it did not come true: {expression}"
        page.wait_for_timeout(POLL_MS)
