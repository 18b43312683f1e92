"""`analyze --plot` as typed: what the picture holds, and what is said if there can be none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.image import imread
from running import command, run
from selection import first_short
from timings import LIMIT_S

ENOUGH_INK = 0.05  # of all pixels: a panel's curve and shades cover far more


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated set that ends in a failed rep, as a CSV file."""
    file = tmp_path_factory.mktemp("trace") / "fail_high.csv"
    assert run("simulate", "sim:?seed=5&lifter=fail_high", "--csv", file).returncode == 0
    return file


@pytest.fixture(scope="module")
def three_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("trace") / "three.csv"
    assert run("simulate", "sim:?seed=6&lifter=sloppy&sets=3", "--csv", file).returncode == 0
    return file


def words_of(picture: Path) -> str:
    """All that is written in an SVG."""
    return "\n".join(text for text in ET.parse(picture).getroot().itertext() if text.strip())


def words_drawn(trace: Path, picture: Path, *options: str | Path) -> str:
    done = run("analyze", trace, "--plot", picture, *options)
    assert done.returncode == 0, done.stderr
    return words_of(picture)


def sets_in(trace: Path) -> list[dict]:
    return json.loads(run("analyze", trace, "--json").stdout)["sets"]


def rows(*angles: float | str) -> str:
    lines = [f"{at / 100:.2f},{angle}" for at, angle in enumerate(angles)]
    return "\n".join(["t_s,angle_deg", *lines, ""])


def without(trace: Path, from_s: float, to_s: float) -> list[str]:
    header, *samples = trace.read_text().splitlines()
    return [header, *(one for one in samples if not from_s <= float(one.split(",")[0]) < to_s)]


def test_a_png_is_a_picture_with_something_on_it(trace: Path, tmp_path: Path):
    picture = tmp_path / "set.png"
    done = run("analyze", trace, "--plot", picture)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("analyze", trace).stdout
    pixels = imread(picture)
    assert pixels.shape[1] == 1800
    assert (pixels[..., :3].min(axis=2) < 0.95).mean() > ENOUGH_INK


def test_the_picture_shows_the_results(trace: Path, tmp_path: Path):
    said = words_drawn(trace, tmp_path / "set.svg")
    result = sets_in(trace)[0]
    assert "Set: Muscle Success, " in said
    assert f"{result['completed_reps']} reps, {result['time_under_load_s']:.1f} s" in said
    assert f"Muscle Success at {result['outcome_s']:.1f} s" in said
    assert "90 % full" in said
    failed = result["reps"][-1]
    assert f"rep {failed['number']} failed mid lift: {failed['evidence']}" in said
    lines = said.splitlines()
    for rep in result["reps"]:
        assert str(rep["number"]) in lines
    assert lines.count("done") == result["completed_reps"]
    assert lines.count("failed") == 1
    assert lines.count("met") == sum(rep["hold_met"] for rep in result["reps"] if rep["completed"])
    for rep in result["reps"]:
        assert f"{rep['hold_s']:.1f} s" in lines


@pytest.mark.long
def test_the_same_samples_give_the_same_bytes(trace: Path, tmp_path: Path):
    for ending in ("svg", "png", "pdf"):
        pictures = [tmp_path / f"{name}.{ending}" for name in ("one", "other")]
        for picture in pictures:
            assert run("analyze", trace, "--plot", picture).returncode == 0
        assert pictures[0].read_bytes() == pictures[1].read_bytes()


@pytest.mark.long
def test_the_users_own_settings_of_matplotlib_change_nothing(trace: Path, tmp_path: Path):
    plain, styled = tmp_path / "plain.svg", tmp_path / "styled.svg"
    assert run("analyze", trace, "--plot", plain).returncode == 0
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfigure.facecolor: red\n")
    settings = {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    assert run("analyze", trace, "--plot", styled, **settings).returncode == 0
    assert plain.read_bytes() == styled.read_bytes()


@pytest.mark.long
def test_json_goes_to_stdout_and_the_picture_into_its_file(trace: Path, tmp_path: Path):
    picture = tmp_path / "set.pdf"
    done = run("analyze", trace, "--json", "--plot", picture)
    assert json.loads(done.stdout)["sets"] == sets_in(trace)
    assert picture.read_bytes().startswith(b"%PDF")


@pytest.mark.long
def test_a_reader_that_takes_one_line_does_not_cost_the_picture(trace: Path, tmp_path: Path):
    picture = tmp_path / "set.svg"
    script = f"{command()[0]} analyze {trace} --plot {picture} | head -n 0"
    subprocess.run(["bash", "-c", script], check=True, timeout=LIMIT_S)
    assert "Muscle Success" in words_of(picture)


@pytest.mark.long
def test_a_calibrated_range_is_drawn(trace: Path, tmp_path: Path):
    result = sets_in(trace)[0]
    ends = ("--extended", str(result["extended_deg"]), "--flexed", str(result["flexed_deg"]))
    said = words_drawn(trace, tmp_path / "set.svg", *ends)
    assert f"{result['completed_reps']} reps" in said


@pytest.mark.long
def test_sets_are_panels_of_one_picture_and_pages_of_a_pdf(three_sets: Path, tmp_path: Path):
    said = words_drawn(three_sets, tmp_path / "sets.svg")
    for number in (1, 2, 3):
        assert f"Set {number} of 3: " in said
    assert run("analyze", three_sets, "--plot", tmp_path / "sets.pdf").returncode == 0
    assert (tmp_path / "sets.pdf").read_bytes().count(b"/Type /Page ") == 2


@pytest.mark.long
def test_a_recording_is_drawn_as_its_trace_is(tmp_path: Path):
    recording, picture = tmp_path / "set.legcurl", tmp_path / "set.svg"
    made = run("record", "sim:?seed=502&pace=fast", recording, "--sets", "1", "--json")
    assert made.returncode == 0, made.stderr
    said = words_drawn(recording, picture)
    assert f"{sets_in(recording)[0]['completed_reps']} reps" in said
    assert "set.legcurl" in said


@pytest.mark.long
def test_missing_samples_and_rests_are_shown(trace: Path, tmp_path: Path):
    second = sets_in(trace)[0]["reps"][1]
    middle_s = (second["start_s"] + second["hold_start_s"]) / 2
    cut = tmp_path / "cut.csv"
    cut.write_text("\n".join(without(trace, middle_s, middle_s + 1.2)) + "\n")
    said = words_drawn(cut, tmp_path / "cut.svg")
    assert "1.2 s missing" in said
    assert "samples missing" in said
    assert "missing" not in words_drawn(trace, tmp_path / "whole.svg")


@pytest.mark.long
def test_a_rest_between_reps_is_written_below_it(tmp_path: Path):
    file = tmp_path / "rests.csv"
    assert run("simulate", "sim:?seed=12&lifter=rest_mid_set", "--csv", file).returncode == 0
    rests = [rep["rest_before_s"] for rep in sets_in(file)[0]["reps"][1:]]
    assert max(rests) > 1.0
    lines = words_drawn(file, tmp_path / "rests.svg").splitlines()
    assert lines.count("rest") == sum(rest > 1.0 for rest in rests)
    assert f"{max(rests):.1f} s" in lines


@pytest.mark.parametrize(
    ("text", "note"),
    first_short(
        [
            (rows(*[40.0] * 3), "3 samples"),
            (rows(*["nan"] * 300), "gave no usable angle"),
            (rows(*[359.8, 0.3] * 400), "the angle spans 0°"),
        ]
    ),
)
def test_without_a_set_the_samples_are_drawn_with_a_note(text: str, note: str, tmp_path: Path):
    file = tmp_path / "none.csv"
    file.write_text(text)
    said = words_drawn(file, tmp_path / "none.svg")
    assert "No set was found" in said
    assert note in said


@pytest.mark.parametrize("name", ["set.jpeg", "set", "set.csv"])
def test_an_ending_that_is_no_pictures_is_refused_before_any_work(
    name: str, trace: Path, tmp_path: Path
):
    done = run("analyze", trace, "--plot", tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert ".png, .svg or .pdf" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.long
def test_an_unwritable_place_is_refused_before_any_work(trace: Path, tmp_path: Path):
    (tmp_path / "folder.png").mkdir()
    for picture in (tmp_path / "no" / "set.png", tmp_path / "folder.png"):
        done = run("analyze", trace, "--plot", picture)
        assert (done.returncode, done.stdout) == (7, "")
        assert "cannot be written" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_an_unwritable_picture_still_prints_the_results(trace: Path, tmp_path: Path):
    full = tmp_path / "full.png"
    full.symlink_to("/dev/full")
    done = run("analyze", trace, "--plot", full)
    assert done.returncode == 7
    assert "No space left" in done.stderr
    assert done.stdout == run("analyze", trace).stdout


def test_without_matplotlib_it_names_the_extra_to_install(trace: Path, tmp_path: Path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('not installed')\n")
    done = run("analyze", trace, "--plot", tmp_path / "set.png", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'legcurl[plot]'" in done.stderr
    assert run("analyze", trace, PYTHONPATH=str(tmp_path)).returncode == 0


@pytest.mark.long
def test_a_long_file_is_drawn_in_bounded_memory(trace: Path, tmp_path: Path):
    """An hour at rest after the set must cost no more memory than half a minute."""
    long = tmp_path / "long.csv"
    last = trace.read_text().splitlines()[-1]
    end_s, angle = (float(field) for field in last.split(","))
    with long.open("w") as file:
        file.write(trace.read_text())
        file.writelines(f"{end_s + at / 100:.2f},{angle}\n" for at in range(1, 360_000))
    code = (
        "import resource, sys; from legcurl.cli.app import run; code = run(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr);"
        "sys.exit(code)"
    )

    def peak_kb(file: Path) -> int:
        arguments = ["analyze", str(file), "--plot", str(tmp_path / "long.png")]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == 0, done.stderr
        return int(done.stderr)

    assert peak_kb(long) < peak_kb(trace) + 20_000
