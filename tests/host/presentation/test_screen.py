"""The picture: what stands on a terminal of a given size after given events."""

import io
import itertools
from dataclasses import replace

import pytest
from legcurl.events import (
    CatchingUp,
    Event,
    FailureSuspected,
    LinkChanged,
    MuscleSuccess,
    Progress,
    RepEnded,
    SensorTrouble,
    SetEnded,
)
from legcurl.gym.machine_state import MachineState
from legcurl.presentation.terminal.big_digits import height_of, letter, width_of
from legcurl.presentation.terminal.screen import Canvas, draw
from legcurl.presentation.wording import line
from legcurl.web.responses import whole
from rich.console import Console
from scripted_set import FIRST_REP_S, SENSOR, a_set

SIZES = [
    (80, 24),
    (70, 18),
    (64, 18),
    (132, 43),
    (220, 60),
    (40, 12),
    (69, 17),
    (30, 5),
    (12, 3),
    (1, 1),
]


def until(wanted) -> MachineState:
    """The picture after the first event of the scripted set for which `wanted` is true."""
    state = MachineState()
    for event in a_set():
        state = state.apply(event)
        if wanted(event):
            return state
    raise AssertionError("the scripted set has no such event")


def holding(hold_s: float):
    return lambda event: isinstance(event, Progress) and event.hold_s >= hold_s


def rows_of(state: MachineState, width: int = 80, height: int = 24, **canvas) -> list[str]:
    """The picture as a terminal without colour shows it."""
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(draw(state, Canvas(width, height, **canvas)))
    return capture.get().split("\n")[:height]


def shown(state: MachineState, width: int = 80, height: int = 24, **canvas) -> str:
    return "\n".join(rows_of(state, width, height, **canvas))


def is_lettered(word: str, picture: str) -> bool:
    """Whether the word stands in large letters, of any size, in the picture."""
    rows = picture.split("\n")
    for scale in range(1, 12):
        lettered = [row.rstrip() for row in letter(word, scale)]
        for top in range(len(rows) - len(lettered) + 1):
            column = rows[top].find(lettered[0])
            if column >= 0 and all(
                rows[top + down][column:].startswith(row) for down, row in enumerate(lettered)
            ):
                return True
    return False


def moments() -> list[MachineState]:
    """A picture of every kind."""
    lifting = until(holding(2.0))
    return [
        MachineState(),
        until(lambda event: event is SENSOR),
        lifting,
        lifting.apply(LinkChanged("lost", "a reason that is much too long " * 10)),
        lifting.apply(SensorTrouble(9.0, "no_magnet", active=True)),
        until(lambda event: isinstance(event, FailureSuspected)),
        until(lambda event: isinstance(event, MuscleSuccess)),
        until(lambda event: isinstance(event, SetEnded)),
        until(lambda event: isinstance(event, SetEnded)).ended(),
        replace(lifting, completed_reps=123),
    ]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_screen_fits_any_terminal_size(width: int, height: int):
    for state, ascii_only in itertools.product(moments(), (False, True)):
        canvas = Canvas(width, height, ascii_only=ascii_only, link_age_s=7.0, warning="w" * 300)
        text = draw(state, canvas)
        rows = text.plain.split("\n")
        assert len(rows) == height
        assert max(len(row) for row in rows) <= width
        if ascii_only:
            assert text.plain.isascii()


def test_the_count_stands_in_digits_readable_from_afar():
    state = until(lambda event: isinstance(event, RepEnded) and event.rep.number == 5)
    rows = letter("5", 3)
    picture = shown(state)
    assert is_lettered("5", picture)
    assert all(row.strip() in picture for row in rows), "at 80 columns a digit is 11 rows tall"
    assert height_of(6) > 20
    assert is_lettered("5", shown(state, 200, 60))


@pytest.mark.parametrize(
    ("phase", "word"), [("concentric", "LIFT"), ("hold", "HOLD"), ("eccentric", "LOWER")]
)
def test_the_phase_is_one_large_word(phase: str, word: str):
    state = until(lambda event: isinstance(event, Progress) and event.phase == phase)
    assert is_lettered(word, shown(state))


def hold_bar(state: MachineState) -> str:
    return next(row for row in rows_of(state) if " hold  " in row).split(" hold  ")[1]


def test_the_hold_bar_overshoots_its_mark():
    before, beyond = hold_bar(until(holding(2.5))), hold_bar(until(holding(3.3)))
    assert "2.5 s" in before
    assert before.index("░") < before.index("┃"), "short of three seconds, the mark is ahead"
    assert "3.3 s" in beyond
    assert beyond[beyond.index("┃") + 1] == "█", "beyond three seconds, the bar goes on past it"


def test_the_set_clock_shows_the_window_of_one_to_two_minutes():
    state = until(lambda event: isinstance(event, Progress) and event.set_s >= 65)
    rows = rows_of(state)
    at = next(index for index, row in enumerate(rows) if " set  " in row)
    assert "1:05" in rows[at]
    first, second = (place for place, sign in enumerate(rows[at]) if sign == "┃")
    assert rows[at][first - 1] == "█"
    assert rows[at][second - 1] == "░"
    assert abs(rows[at + 1].index("1:00") - first) <= 2
    assert abs(rows[at + 1].index("2:00") - second) <= 2


def test_the_last_attempts_stand_in_a_table_with_what_to_say_about_them():
    picture = shown(until(lambda event: isinstance(event, SetEnded)))
    assert "hold 0.4 s short" in picture
    assert "rested 1.6 s before" in picture
    assert "failed mid lift" in picture
    assert picture.count(" done ") == 7


def test_when_there_is_no_room_the_newest_attempts_are_shown():
    picture = shown(until(lambda event: isinstance(event, SetEnded)), 70, 18)
    assert "    8  failed" in picture
    assert "    1  done" not in picture


def test_a_doubt_is_shown_as_a_doubt():
    picture = shown(until(lambda event: isinstance(event, FailureSuspected)))
    assert is_lettered("FAIL?", picture)
    assert "perhaps failing" in picture
    assert not is_lettered("MUSCLE", picture)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (70, 18), (50, 16), (132, 43), (220, 60)])
def test_muscle_success_fills_the_screen(width: int, height: int):
    state = until(lambda event: isinstance(event, MuscleSuccess))
    picture = shown(state, width, height)
    assert is_lettered("MUSCLE", picture)
    assert is_lettered("SUCCESS", picture)
    console = Console(
        width=width, height=height, force_terminal=True, color_system="standard", file=io.StringIO()
    )
    with console.capture() as capture:
        console.print(draw(state, Canvas(width, height)))
    coloured = capture.get()
    green = coloured.count("\x1b[1;7;32m")
    assert green >= height // 3, "its place is filled with colour"


def test_the_summary_after_the_set_says_how_it_was():
    picture = shown(until(lambda event: isinstance(event, SetEnded)))
    assert is_lettered("SUCCESS", picture)
    assert "7 reps in 1:22, within 1 to 2 min" in picture
    assert "holds: 6 of 7 met" in picture
    assert "speed lost 48 %" in picture


def test_toes_up_is_a_reminder_and_never_a_measurement():
    for state in moments()[1:3]:
        picture = shown(state)
        assert "Reminder: toes up" in picture
        assert picture.count("toes") == 1


def test_a_lost_link_is_shown_with_its_age_and_the_set_stays_open():
    state = until(holding(2.0))
    lost = state.apply(LinkChanged("lost", "/dev/ttyACM0 went away"))
    assert lost.stage == "before", "the first set's start is told after its first rep"
    open_set = until(lambda event: isinstance(event, RepEnded)).apply(
        LinkChanged("lost", "/dev/ttyACM0 went away")
    )
    picture = shown(open_set, link_age_s=12.0)
    assert "link lost 12 s" in picture
    assert "/dev/ttyACM0 went away. The set stays open." in picture


def test_a_backlog_is_shown_with_its_age_while_it_is_read():
    now = until(holding(2.0))
    behind = now.apply(CatchingUp(now.t_s, 12.0))
    assert "catching up 12 s" in shown(behind)
    assert "catching up" not in shown(behind.apply(CatchingUp(now.t_s + 12.0, 0.0)))


def test_a_sensor_fault_is_shown_with_its_remedy():
    picture = shown(until(holding(2.0)).apply(SensorTrouble(9.0, "no_magnet", active=True)))
    assert "no magnet: put the magnet back over the encoder" in picture
    assert "sensor ok" not in picture
    assert is_lettered("FAULT", picture), "the phase would be a guess"


@pytest.mark.parametrize(
    ("referenced_by", "remedy", "wrong"),
    [
        ("rest", "rest at the bottom", "index"),
        ("index", "past its index mark", "rest"),
        (None, "rest at the bottom", "index"),
    ],
)
def test_each_encoder_gets_its_own_remedy_for_a_lost_zero(referenced_by, remedy, wrong):
    trouble = SensorTrouble(9.0, "not_referenced", True, referenced_by)
    state = MachineState().apply(SENSOR).apply(trouble)
    page = whole(state)["fault"]["text"]
    for told in (line(trouble), shown(state), page):
        assert remedy in told
        assert wrong not in told


def test_a_weak_magnet_is_told_while_the_set_goes_on():
    picture = shown(until(holding(2.0)).apply(SensorTrouble(9.0, "weak_magnet", active=True)))
    assert "magnet too weak: bring the magnet closer" in picture
    assert is_lettered("HOLD", picture)


def test_muscle_success_stands_out_without_colour_too():
    console = Console(width=80, height=24, force_terminal=True, no_color=True, file=io.StringIO())
    with console.capture() as capture:
        console.print(draw(until(lambda event: isinstance(event, MuscleSuccess)), Canvas(80, 24)))
    assert capture.get().count("\x1b[1;7m") >= 8


def test_a_set_that_was_stopped_is_summed_up_without_a_banner():
    stopped = list(a_set(failed=None))[-1]
    assert isinstance(stopped, SetEnded)
    picture = shown(MachineState().apply(SENSOR).apply(stopped))
    assert is_lettered("STOPPED", picture)
    assert "stopped before failure" in picture
    assert not is_lettered("SUCCESS", picture)


def test_while_no_range_is_known_the_angle_shows_that_the_sensor_lives():
    progress = Progress(FIRST_REP_S, 212.34, None, "unknown", 0, 0.0, 0.0)
    assert "212.3°" in shown(MachineState().apply(SENSOR).apply(progress))


def test_resting_in_a_set_is_shown_after_a_second():
    state = until(lambda event: isinstance(event, RepEnded))
    resting: list[Event] = [
        Progress(state.t_s + step / 10, 212.3, 0.0, "bottom", 1, 0.0, 10.0) for step in range(20)
    ]
    for event in resting:
        state = state.apply(event)
    assert "resting" in shown(state)


def test_a_name_cannot_take_over_the_terminal():
    named = replace(SENSOR, name="\x1b[2Jevil\x07")
    assert "?[2Jevil" in shown(MachineState().apply(named))
    told = line(named)
    assert told is not None
    assert told.isprintable()


def test_before_the_sensor_answers_the_picture_says_what_it_waits_for():
    picture = shown(MachineState(), waiting_for="serial:/dev/ttyACM0")
    assert "Waiting for serial:/dev/ttyACM0" in picture
    assert is_lettered("WAIT", picture)


@pytest.mark.parametrize("scale", [1, 2, 3, 5])
def test_letters_have_the_size_that_was_promised(scale: int):
    for text in ("0", "42", "SUCCESS", "FAIL?"):
        rows = letter(text, scale)
        assert len(rows) == height_of(scale)
        assert {len(row) for row in rows} == {width_of(text, scale)}


def test_no_two_characters_look_alike_but_zero_and_o():
    faces = [tuple(letter(one, 1)) for one in "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ?!%-"]
    assert len(set(faces)) == len(faces)
