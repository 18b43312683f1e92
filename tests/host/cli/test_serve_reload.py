"""The real `legcurl serve --config`, told to read its file again while people lift."""

from __future__ import annotations

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from running import Running, Terminal
from timings import LIMIT_S, wait_until

# A set of a minute and a half, at eight times the pace.
LEFT = ("left", "Left", "sim:?lifter=early&seed=7&pace=8&sets=9")
RIGHT = ("right", "Right", "sim:?lifter=early&seed=8&pace=8&sets=9")
THIRD = ("third", "Third", "sim:?lifter=early&seed=9&pace=8&sets=9")
RENAMED = ("left", "By the window", LEFT[2])


class Served:
    """A service with a configuration that is edited under it."""

    def __init__(self, folder: Path, through: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._through = through
        self._file = folder / "gym.toml"
        self._said: Queue[str] = Queue()
        self._url = ""
        self.process: Running | None = None
        self._reader = threading.Thread(target=self._read_complaints)

    def configure(self, *machines: tuple[str, str, str], more: str = "port = 0\n") -> None:
        """Write the file, and have it read if the service runs."""
        text = f"[store]\nurl = 'sqlite:///{self._folder / 'gym.db'}'\n[web]\n{more}"
        text += "[log]\nlevel = 'info'\n"
        for name, shown, address in machines:
            text += f"[[machine]]\nid = '{name}'\nname = '{shown}'\naddress = '{address}'\n"
        self._file.write_text(text)
        if self.process is not None:
            self.process.send(signal.SIGHUP)

    def __enter__(self) -> Served:
        self.process = Running("serve", "--config", self._file, "--quiet", through=self._through)
        self._url = self.process.line().strip()
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        try:
            self.process.send(signal.SIGTERM)
            assert self.process.end() == 143
            assert self.process.leftovers() == []
        finally:
            self.process.process.kill()
            self._reader.join()
            for pipe in (self.process.process.stdout, self.process.process.stderr):
                assert pipe is not None
                pipe.close()
            self.process.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self._url}{path}", timeout=LIMIT_S) as answer:
            return json.load(answer)

    def events(self) -> Any:
        """What a page is told, as a stream."""
        return urllib.request.urlopen(f"{self._url}api/events", timeout=LIMIT_S)

    def machines(self) -> dict[str, Any]:
        return {one["id"]: one for one in self.get("api/stations")}

    def until(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The machines, as soon as something holds of them."""
        machines: dict[str, Any] = {}

        def hold() -> object:
            machines.update(self.machines())
            return holds(machines)

        wait_until(hold, lambda: machines, poll_s=0.1)
        return machines

    def told(self, words: str) -> str:
        """The line on stderr that has these words, as soon as it comes."""
        deadline = time.monotonic() + LIMIT_S
        lines = []
        while True:
            try:
                lines.append(self._said.get(timeout=max(deadline - time.monotonic(), 0)))
            except Empty:
                raise AssertionError(f"{words!r} was never said, but {lines}") from None
            if words in lines[-1]:
                return lines[-1]

    def _read_complaints(self) -> None:
        assert self.process is not None
        assert self.process.process.stderr is not None
        for line in self.process.process.stderr:
            self._said.put(line)


def next_greeting(stream: Any) -> list[str]:
    """The machines of the next `hello` on a stream of events."""
    while stream.readline() != b"event: hello\n":
        pass
    return json.loads(stream.readline().removeprefix(b"data: "))["machines"]


@pytest.mark.long
def test_machines_come_and_are_renamed_in_mid_set_and_no_station_notices(tmp_path: Path):
    served = Served(tmp_path)
    served.configure(LEFT, RIGHT)
    with served, served.events() as page:
        assert next_greeting(page) == ["left", "right"]
        before = served.until(
            lambda all_: all(
                one["stage"] == "during" and one["count"] >= 1 for one in all_.values()
            )
        )
        served.configure(RENAMED, RIGHT, THIRD)
        served.told("read again: 3 machines")
        assert next_greeting(page) == ["left", "right", "third"], "the same page is told"
        now = served.machines()
        assert now["left"]["name"] == "By the window"
        for name in ("left", "right"):
            assert now[name]["t_s"] >= before[name]["t_s"], "its clock runs on"
            assert now[name]["count"] >= before[name]["count"]
            assert now[name]["sensor"] == before[name]["sensor"]
        served.until(lambda all_: all_["third"]["link"] == "up")

        # What is wrong is said, and changes nothing.
        served.configure(("left", "", "usb"), RIGHT)
        assert "line 10: address" in served.told("stays as it was")
        assert list(served.machines()) == ["left", "right", "third"]

        # Nor does a file that an editor has emptied and not written yet.
        served.configure()
        assert "at least one machine" in served.told("stays as it was")
        assert list(served.machines()) == ["left", "right", "third"]

        # What has to wait says so.
        served.configure(RENAMED, RIGHT, THIRD, more="port = 1\n")
        served.told("[web] waits for the next start")

        served.until(lambda all_: all(all_[name]["set_id"] for name in ("left", "right")))
        sets = {one["machine"]["id"]: one for one in served.get("api/sets")["sets"]}
        assert sets["left"]["machine"]["name"] == "By the window"
        for name in ("left", "right"):
            assert sets[name]["outcome"] == "muscle_success"
            assert not sets[name]["incomplete"]
        boots = {name: one["id"].rsplit("-", 1)[0] for name, one in sets.items()}
        assert len(set(boots.values())) == len(boots), boots

        served.configure(RIGHT)
        served.told("read again: 1 machines")
        assert list(served.machines()) == ["right"]


def test_on_a_terminal_it_reloads_while_that_is_there_and_ends_with_it(tmp_path: Path):
    """A window that is closed sends the same signal as who wants a reload."""
    served = Served(tmp_path)
    served.configure(LEFT, THIRD)
    with Terminal("serve", "--config", tmp_path / "gym.toml") as terminal:
        url = terminal.until(b"Ctrl-C ends")
        assert b"http://127.0.0.1:" in url
        served.configure(("other", "", "sim:?lifter=early&seed=10&pace=8"), THIRD)
        terminal.process.send_signal(signal.SIGHUP)
        terminal.until(b"seed=10")  # the address of what is drawn now

        assert terminal.process.poll() is None
        terminal.hang_up()
        assert terminal.process.wait(LIMIT_S) == 129
        assert terminal.leftovers() == []


def test_with_nohup_it_reloads_and_outlives_the_terminal(tmp_path: Path):
    served = Served(tmp_path, through=("nohup",))
    served.configure(LEFT)
    with served:
        served.configure(LEFT, RIGHT)
        served.told("read again: 2 machines")
        assert list(served.machines()) == ["left", "right"]


def test_another_pin_ends_every_session(tmp_path: Path):
    served = Served(tmp_path)
    pin = tmp_path / "pin"
    served.configure(LEFT)
    with served:
        served.machines()  # on this computer anybody may look, without a PIN
        pin.write_text("2468")
        pin.chmod(0o600)
        served.configure(LEFT, more="port = 0\npin_file = 'pin'\n")
        served.told("read again")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            served.machines()
