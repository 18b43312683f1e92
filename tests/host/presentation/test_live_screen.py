"""The live view on a real terminal: it comes, it goes, and it leaves everything as it was."""

import re
import signal
import time
from pathlib import Path

import pytest
from running import Terminal
from selection import first_short
from timings import LIMIT_S

ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
COLOUR = re.compile(rb"\x1b\[[0-9;]*[34][0-7]m")


def put_back(terminal: Terminal) -> bool:
    """Whether screen, cursor and keyboard are as they were before."""
    seen = terminal.seen
    return (
        seen.rindex(LEAVE_SCREEN) > seen.rindex(ENTER_SCREEN)
        and seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)
        and terminal.settings() == terminal.before
    )


def test_a_set_is_shown_live_and_summed_up_on_the_screen_that_comes_back():
    with Terminal("watch", "sim:?seed=521&pace=fast", "--sets", "1") as terminal:
        assert terminal.end() == 0
        picture, _, left = terminal.seen.partition(LEAVE_SCREEN)
        assert ENTER_SCREEN in picture
        assert COLOUR.search(picture)
        assert b"Muscle Success" in left
        assert b"rep  result" in left
        assert put_back(terminal)


def test_ctrl_c_ends_it_and_puts_everything_back():
    with Terminal("watch", "sim:?seed=522") as terminal:
        terminal.until(b"link up")
        assert terminal.settings() != terminal.before, "typed keys are kept off the picture"
        terminal.press(b"xyz\x03")
        assert terminal.end() == 130
        assert b"xyz" not in terminal.seen
        assert put_back(terminal)
        assert terminal.leftovers() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_puts_everything_back(number: signal.Signals, code: int):
    with Terminal("watch", "sim:?seed=522") as terminal:
        terminal.until(b"link up")
        terminal.process.send_signal(number)
        assert terminal.end() == code
        assert put_back(terminal)
        assert terminal.leftovers() == []


def test_an_error_restores_the_terminal_and_prints_one_line():
    with Terminal("watch", "serial:/dev/ttyNONE") as terminal:
        assert terminal.end() == 3
        left = terminal.seen.rpartition(LEAVE_SCREEN)[2]
        assert left.count(b"\n") == 1
        assert b"legcurl: /dev/ttyNONE: no such port" in left
        assert put_back(terminal)


def test_a_closed_window_ends_it_and_leaves_no_process():
    with Terminal("watch", "sim:?seed=523") as terminal:
        terminal.until(b"link up")
        terminal.hang_up()
        assert terminal.process.wait(LIMIT_S) in (129, 141)
        assert terminal.leftovers() == []


def test_ctrl_z_cannot_freeze_the_picture_and_starve_the_sensor():
    with Terminal("watch", "sim:?seed=524") as terminal:
        terminal.until(b"link up")
        terminal.press(b"\x1a")
        time.sleep(0.3)
        state = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state != "T"
        terminal.press(b"\x03")
        assert terminal.end() == 130


@pytest.mark.long
def test_a_recording_is_shown_while_it_is_made(tmp_path: Path):
    file = tmp_path / "a.legcurl"
    with Terminal("record", "sim:?seed=521&pace=fast", file, "--sets", "1") as terminal:
        assert terminal.end() == 0
        assert b"a.legcurl, Ctrl-C ends" in terminal.seen
    assert file.exists()


@pytest.mark.long
def test_no_color_is_respected():
    with Terminal("watch", "sim:?seed=521&pace=fast", "--sets", "1", NO_COLOR="1") as terminal:
        assert terminal.end() == 0
        assert ENTER_SCREEN in terminal.seen
        assert not COLOUR.search(terminal.seen)


@pytest.mark.parametrize("term", first_short(["dumb", "", "unknown"]))
def test_a_terminal_that_cannot_draw_gets_plain_lines(term: str):
    with Terminal("watch", "sim:?seed=521&pace=fast", "--sets", "1", TERM=term) as terminal:
        assert terminal.end() == 0
        assert b"\x1b" not in terminal.seen
        assert b"MUSCLE SUCCESS" in terminal.seen


def test_a_terminal_without_unicode_gets_ascii():
    with Terminal(
        "watch", "sim:?seed=521&pace=fast", "--sets", "1", PYTHONIOENCODING="ascii"
    ) as terminal:
        assert terminal.end() == 0
        assert terminal.seen.isascii()
        assert b"##" in terminal.seen


def test_the_picture_follows_the_size_of_the_window():
    with Terminal("watch", "sim:?seed=525", size=(80, 24)) as terminal:
        terminal.until(b"link up")
        terminal.resize(100, 30)
        terminal.seen = b""
        terminal.until(b"link up")
        rows = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.seen).decode("utf-8", "ignore")
        assert max(len(row.rstrip("\r")) for row in rows.split("\n")) > 80
        terminal.press(b"\x03")
        assert terminal.end() == 130


@pytest.mark.long
def test_warnings_are_repeated_where_they_can_be_read():
    with Terminal(
        "watch", "sim:?seed=526&pace=fast", "--sets", "1", LEGCURL_ENGINE="cpython"
    ) as terminal:
        assert terminal.end() == 0
        assert b"legcurl: warning: " in terminal.seen.rpartition(LEAVE_SCREEN)[2]


def test_progress_is_shown_on_a_terminal_only_and_wiped_afterwards(tmp_path: Path):
    file = tmp_path / "long.csv"
    file.write_text("t_s,angle_deg\n" + "".join(f"{i / 100:.2f},10\n" for i in range(60_000)))
    with Terminal("analyze", file) as terminal:
        assert terminal.end() == 0
        assert b"Reading long.csv" in terminal.seen
        assert terminal.seen.rstrip().endswith(b"No set.")
