"""`legcurl report`: one page for a client, whatever the set, the history and the name."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from legcurl.presentation.coach_feedback import praise
from legcurl.presentation.reports.a4_page import HEIGHT_IN, fitted, width_in, written
from legcurl.presentation.wording import remarks, rep_line
from legcurl.store import Client, Expected, open_store
from legcurl.training_method import REST_SHOWN_S, STANDARD, TrainingMethod
from made_sets import FIRST, measured, new_set
from running import run
from selection import first_short

ODD = "שלום \u202eevil 🏋️‍♀️ $x^2$ a\tb"
PNG, PDF = b"\x89PNG", b"%PDF"


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Client, Client, Client]:
    """A store: a client of a few sets, one of very many, one of none."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'gym.db'}"
    with open_store(url) as store:
        anna, many, nobody = (store.add_client(name) for name in ("Anna", ODD, "Nobody"))
        for number, lifter in enumerate(("steady", "quits", "early")):
            who = Expected(anna.id, 40.0 + number)
            store.add_set(new_set(100 * number, id=f"set-{lifter}", lifter=lifter, expected=who))
        store.add_set(new_set(400, id="set-deleted", expected=Expected(anna.id, 99.0)))
        store.correct("set-deleted", "delete", None, who="coach")
        for number in range(300):
            started = FIRST + timedelta(days=3 * number)
            who = Expected(many.id, 40.0 if number % 2 else None)
            store.add_set(
                new_set(0, id=f"long-{number}", started=started, trace=None, expected=who)
            )
        store.add_set(new_set(0, id="newest", started=FIRST + timedelta(days=4000)))
        store.correct("newest", "delete", None, who="coach")
    return url, anna, many, nobody


def reported(gym: tuple[str, Client, Client, Client], out: Path, *options: str) -> bytes:
    done = run("report", *options, "--store", gym[0], "--out", out)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def words_in(svg: bytes) -> str:
    return "\n".join(text.strip() for text in ET.fromstring(svg).itertext() if text.strip())


def test_a_page_shows_client_date_result_and_advice(gym, tmp_path: Path):
    words = words_in(reported(gym, tmp_path / "set.svg", "set-steady"))
    _, result = measured("steady")
    for expected in (
        *("Anna", "Leg curl 1 · 40 kg", "Good", "Work on", "Went to Muscle Success."),
        *(str(result.completed_reps), "Set set-steady"),
    ):
        assert expected in words
    assert FIRST.astimezone().strftime("%-d %B %Y, %H:%M") in words
    assert words.count("done") >= result.completed_reps


@pytest.mark.long
@pytest.mark.parametrize(
    ("ending", "head"), first_short([(".png", PNG), (".pdf", PDF), (".svg", b"<?xml")])
)
def test_the_ending_says_the_form_and_the_same_set_gives_the_same_bytes(
    gym, tmp_path: Path, ending: str, head: bytes
):
    once = reported(gym, tmp_path / f"one{ending}", "set-quits")
    again = reported(gym, tmp_path / f"two{ending}", "set-quits")
    assert once.startswith(head)
    assert once == again


@pytest.mark.long
def test_a_client_is_told_over_time_and_deleted_sets_do_not_count(gym, tmp_path: Path):
    words = words_in(reported(gym, tmp_path / "anna.svg", "--client", gym[1].id))
    assert "3 sets on Leg curl 1" in words
    assert "42 kg" in words
    assert "99 kg" not in words
    assert "The last set" in words


@pytest.mark.long
def test_the_latest_set_is_the_newest_that_counts(gym, tmp_path: Path):
    assert "Set long-299" in words_in(reported(gym, tmp_path / "latest.svg", "latest"))


@pytest.mark.long
def test_a_deleted_set_says_that_it_does_not_count(gym, tmp_path: Path):
    words = words_in(reported(gym, tmp_path / "deleted.svg", "set-deleted"))
    assert "The coach took this set out" in words


@pytest.mark.long
def test_years_of_sets_and_an_odd_name_stay_on_one_page(gym, tmp_path: Path):
    words = words_in(reported(gym, tmp_path / "many.svg", "--client", gym[2].id))
    assert "300 sets" in words
    assert "\u202e" not in words
    assert "$x^2$" in words, "it is no formula"
    assert "No trace of this set was kept." in words
    pdf = reported(gym, tmp_path / "many.pdf", "--client", gym[2].id)
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1


@pytest.mark.long
def test_a_client_without_sets_gets_a_page_that_says_so(gym, tmp_path: Path):
    assert "No sets yet." in words_in(reported(gym, tmp_path / "n.svg", "--client", gym[3].id))


@pytest.mark.long
def test_nothing_is_drawn_beyond_the_page_or_over_the_foot():
    from legcurl.presentation.reports.client_report import draw_client_report
    from legcurl.presentation.reports.set_report import draw_set_report
    from legcurl.store import Machine, StoredSet

    trace, result = measured("sloppy")
    stored = StoredSet(
        *("an-id", Machine("m", "Leg curl 1"), Client("c", "Anna", FIRST), FIRST, 40.0, ""),
        *(result, (), "", True),
    )
    for page in (
        draw_set_report(stored, trace),
        draw_client_report(Client("c", "Anna", FIRST), [stored], trace),
    ):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        renderer = FigureCanvasAgg(page).get_renderer()
        foot_px = 0.72 * page.dpi
        for axes in page.axes:
            box = axes.get_tightbbox(renderer)
            assert box is not None
            assert box.y0 >= foot_px
            assert box.y1 <= HEIGHT_IN * page.dpi
        for text in page.texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0
            assert box.x1 <= page.bbox.x1


@pytest.mark.parametrize("name", ["x" * 200, "🏋️" * 50, "שלום " * 40, "漢字" * 60, " \t\n"])
def test_a_name_of_any_kind_is_cut_to_its_room(name: str):
    shown = fitted(written(name), 22, 4.0, bold=True)
    assert width_in(shown, 22, bold=True) <= 4.0
    assert all(sign.isprintable() for sign in shown)


def test_a_stop_of_exactly_one_second_is_no_rest_anywhere():
    result = measured("steady", 5)[1]
    for stop_s, is_rest in ((REST_SHOWN_S, False), (REST_SHOWN_S + 0.01, True)):
        reps = tuple(replace(rep, rest_before_s=stop_s) for rep in result.reps)
        result = replace(result, outcome="interrupted", reps=reps)
        told = " ".join(praise(result).work)
        assert ("Keep moving" in told) == is_rest
        assert any("rested" in said for said in remarks(reps[1], STANDARD)) == is_rest


def test_a_mean_just_below_the_mark_does_not_read_as_the_mark():
    result = measured("steady", 5)[1]
    reps = tuple(replace(rep, eccentric_s=2.96) for rep in result.reps)
    assert "Lower more slowly: 2.96 s on average." in praise(replace(result, reps=reps)).work


@pytest.mark.parametrize(
    ("tolerance_s", "hold_s", "said"),
    [(0.1, 2.96, "hold 3.0 s"), (0.02, 2.96, "hold 2.96 s"), (0.1, 2.87, "hold 2.87 s")],
)
def test_a_hold_reads_as_long_enough_only_if_it_is(tolerance_s: float, hold_s: float, said: str):
    rep = replace(measured("steady", 5)[1].reps[0], failure=None, hold_s=hold_s)
    assert said in rep_line(rep, TrainingMethod(hold_tolerance_s=tolerance_s))


@pytest.mark.parametrize(
    ("options", "code", "words"),
    first_short(
        [
            ((), 2, "--client"),
            (("latest", "--client", "x"), 2, "--client"),
            (("no-such-set",), 6, "no set"),
            (("--client", "nobody"), 6, "no client"),
            (("latest", "--out", "page.txt"), 2, ".pdf"),
        ]
    ),
)
def test_report_refuses_invalid_arguments(gym, options: tuple[str, ...], code: int, words: str):
    done = run("report", *options, "--store", gym[0])
    assert done.returncode == code, done.stderr
    assert words in done.stderr


@pytest.mark.long
def test_a_page_is_replaced_only_by_force(gym, tmp_path: Path):
    file = tmp_path / "set.pdf"
    file.write_text("precious")
    done = run("report", "set-early", "--store", gym[0], "--out", file)
    assert done.returncode == 7
    assert file.read_text() == "precious"
    assert reported(gym, file, "set-early", "--force").startswith(PDF)
