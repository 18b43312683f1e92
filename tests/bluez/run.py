"""`make test-bluez`: legcurl's Bluetooth against the real BlueZ and the real kernel.

    tests/bluez/run.py [-k STEPS] [--suite trixie] [--btmon] [--limit SECONDS]

Builds the guest (image.py), boots it (qemu.py) and has it run the steps in guest/, which are
pytest's; their output comes out here as it is made. Leaves in `out/bluez`: report.json (every
step with its time and figures), console.log, bluetoothd.log, dmesg.log, world.log, and with
--btmon every packet between BlueZ and its controller, as text (btmon.log) and for Wireshark
(btmon.snoop). See docs/develop.md.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from image import CACHE, HERE, REPOSITORY, BuildError, prepare
from qemu import GuestError, run
from worlds_for_guest import write_worlds

RESULTS = REPOSITORY / "out" / "bluez"
LIMIT_S = 600  # the whole scenario takes two to three minutes; a stuck one must end


def main() -> int:
    """Build, boot, report; the exit code."""
    wanted = _arguments()
    if os.geteuid() != 0:
        print("tests/bluez: root is needed (Debian's files are root's): sudo make test-bluez")
        return 2
    began_s = monotonic()
    took: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        print(f"{name} ...", end=" ", flush=True)
        since_s = monotonic()
        yield
        took[name] = monotonic() - since_s
        print(f"{took[name]:.1f} s", flush=True)

    with _alone():
        try:
            image = prepare(wanted.suite, timed)
            _empty(RESULTS)
            with timed("worlds"):
                write_worlds(RESULTS / "worlds")
            _write_arguments(wanted.steps, btmon=wanted.btmon)
            since_s = monotonic()
            code = run(image, HERE / "guest", RESULTS, wanted.limit, print)
            took["guest"] = monotonic() - since_s
        except (BuildError, GuestError) as error:
            print(f"tests/bluez: {error}", file=sys.stderr)
            return 1
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
    print(f"{parts}; {monotonic() - began_s:.1f} s in all. Logs: {RESULTS.relative_to(REPOSITORY)}")
    return code or _incomplete()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="legcurl against the real BlueZ, in a guest")
    parser.add_argument("-k", dest="steps", default="", help="only steps that match, as pytest -k")
    parser.add_argument("--suite", default="bookworm", help="Debian suite of the guest")
    parser.add_argument("--btmon", action="store_true", help="keep all that the controller hears")
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="seconds until the guest ends")
    return parser.parse_args()


@contextmanager
def _alone() -> Iterator[None]:
    """Let one run after the other use the cache and the results."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _write_arguments(steps: str, *, btmon: bool) -> None:
    arguments = ["-k", steps] if steps else []
    (RESULTS / "arguments").write_text("".join(f"{word}\n" for word in arguments))
    if btmon:
        (RESULTS / "btmon").touch()


def _incomplete() -> int:
    """An exit code for a run that said it was well and left no step that passed."""
    report = json.loads((RESULTS / "report.json").read_text())
    passed = [step for step in report["steps"] if step["outcome"] == "passed"]
    if passed and len(passed) == len(report["steps"]):
        return 0
    print(f"tests/bluez: {len(passed)} of {len(report['steps'])} steps passed", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
