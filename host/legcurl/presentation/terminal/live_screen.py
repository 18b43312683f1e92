"""The picture on a real terminal: its own screen, repainted as events come, put back at the end.

`show(event)` folds the event in and paints at most `FRAMES_S` apart; the last state is always
painted. The terminal's normal screen, cursor and keyboard come back however the view is left.
It must be used inside a running event loop, which paints what came too soon after a frame.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from rich.console import Console
from rich.live import Live
from rich.text import Text

from legcurl.events import Event, SensorSeen
from legcurl.gym.machine_state import MachineState
from legcurl.presentation.terminal.screen import Canvas, draw
from legcurl.training_method import TrainingMethod

FRAMES_S = 0.05  # between two frames: smooth to the eye, and no work for a small computer
TICK_S = 1.0  # a lost link sends no events, but the time since then goes on


class LiveScreen:
    """Show events on the terminal while this context is open."""

    def __init__(self, waiting_for: str, hint: str, console: Console | None = None) -> None:
        self.state = MachineState()
        self._waiting_for = waiting_for
        self._hint = hint
        self._console = console or Console(highlight=False)
        self._live = Live(
            Text(), console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop"
        )
        self._put_back = ExitStack()
        self._painted_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._lost_at: float | None = None
        self._failure: OSError | None = None
        self._warning: str | None = None

    def __enter__(self) -> LiveScreen:
        loop = asyncio.get_running_loop()
        self._put_back.enter_context(_silent_keyboard())
        self._put_back.enter_context(self._live)
        loop.add_signal_handler(signal.SIGWINCH, self._paint_soon)
        self._put_back.callback(loop.remove_signal_handler, signal.SIGWINCH)
        self._put_back.callback(self._stop_timers)
        self._paint()
        self._tick()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal is gone: nothing is left to put back
            self._put_back.close()

    def show(self, event: Event) -> None:
        """Take the event into the picture. Raises OSError once the terminal is gone."""
        if self._failure:
            raise self._failure
        was_lost = self.state.link == "lost"
        self.state = self.state.apply(event)
        if self.state.link != "lost":
            self._lost_at = None
        elif not was_lost:
            self._lost_at = time.monotonic()
        self._paint_soon(at_once=isinstance(event, SensorSeen))

    def judge_by(self, method: TrainingMethod) -> None:
        """Draw beside the marks of this method from here on."""
        if method is not self.state.method:
            self.state = replace(self.state, method=method)

    def turn_to(self, waiting_for: str, state: MachineState) -> None:
        """Show another sensor from here on, which is as `state` says."""
        self._waiting_for, self.state = waiting_for, state
        self._lost_at = time.monotonic() if state.link == "lost" else None
        self._paint_soon(at_once=True)

    def warn(self, message: str) -> None:
        """Show a warning at the foot of the picture."""
        self._warning = message
        self._paint_soon()

    def end_of_events(self) -> None:
        """Show that nothing more will come."""
        self.state = self.state.ended()
        self._paint_soon(at_once=True)

    def _paint_soon(self, *, at_once: bool = False) -> None:
        if self._timer and not at_once:
            return
        wait_s = self._painted_at + FRAMES_S - time.monotonic()
        if wait_s <= 0 or at_once:
            self._paint()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._paint)

    def _paint(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._painted_at = time.monotonic()
        size = self._console.size
        canvas = Canvas(
            size.width,
            size.height,
            ascii_only=self._console.options.ascii_only,
            link_age_s=None if self._lost_at is None else self._painted_at - self._lost_at,
            waiting_for=self._waiting_for,
            warning=self._warning,
            hint=self._hint,
        )
        try:
            self._live.update(draw(self.state, canvas), refresh=True)
        except OSError as error:  # an error in a timer is lost: keep it for show()
            self._failure = error

    def _tick(self) -> None:
        if self._lost_at is not None:
            self._paint_soon()
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._ticker):
            if timer:
                timer.cancel()


@contextmanager
def _silent_keyboard() -> Iterator[None]:
    """Keep typed keys off the picture, and Ctrl-Z from leaving it frozen on the shell's screen.

    A stopped program would also stop reading its sensor. Ctrl-C works as ever.
    """
    import termios

    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    silent = termios.tcgetattr(keyboard)
    silent[3] &= ~termios.ECHO  # local modes
    silent[6][termios.VSUSP] = b"\0"  # _POSIX_VDISABLE on Linux
    termios.tcsetattr(keyboard, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)
