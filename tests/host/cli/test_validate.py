"""`validate` as typed: a folder of simulated sets, labelled by their truth."""

import json
import shutil
from pathlib import Path

import pytest
from running import run
from selection import first_short

SETS = {"lit": ("steady", 3), "sub/dim": ("quits", 4)}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, one in a subfolder, with labels that are the truth."""
    folder = tmp_path_factory.mktemp("labelled") / "gym"
    for name, (lifter, seed) in SETS.items():
        file = folder / f"{name}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        sim = f"sim:?lifter={lifter}&seed={seed}"
        done = run("simulate", sim, "--csv", file, "--truth", "--json")
        assert done.returncode == 0, done.stderr
        (one,) = json.loads(done.stdout)["sets"]
        labels = {
            "tops_s": [(rep["hold_start_s"] + rep["hold_end_s"]) / 2 for rep in one["reps"]],
            "holds_s": [
                [rep["hold_start_s"], rep["hold_end_s"]] for rep in one["reps"] if rep["completed"]
            ],
            "failures_s": [rep["fail_s"] for rep in one["reps"] if rep["fail_s"] is not None],
        }
        file.with_suffix(".labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture
def folder(labelled: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(labelled, tmp_path / "gym"))


def told(folder: Path) -> dict:
    done = run("validate", folder, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_detection_agrees_with_the_truth(labelled: Path):
    found = told(labelled)
    assert found["schema"] == 1
    assert [one["source"] for one in found["groups"]] == ["gym", "sub", "all"]
    whole = found["groups"][-1]
    assert whole["recordings"] == whole["right"]["count"] == whole["counted_right"]["count"] == 2
    assert whole["hold_start_error_95_s"]["value"] < 0.1
    assert whole["failure_recall"]["of"] == 1
    assert found["disagreements"] == []


def test_the_table_is_for_people(labelled: Path):
    done = run("validate", labelled)
    assert done.returncode == 0, done.stderr
    assert "all right, %" in done.stdout
    assert "100.0 [34.2–100.0]" in done.stdout


@pytest.mark.long
def test_a_missed_lift_is_told_and_drawn(folder: Path, tmp_path: Path):
    labels = folder / "lit.labels.json"
    fields = json.loads(labels.read_text())
    labels.write_text(json.dumps({**fields, "tops_s": [0.5, *fields["tops_s"]]}))
    pictures = tmp_path / "pictures"
    done = run("validate", folder, "--plot", pictures)
    assert done.returncode == 0, done.stderr
    assert "lit.csv: misses the lift at 0.5 s" in done.stdout
    assert [path.name for path in pictures.iterdir()] == ["lit.csv.png"]
    drawn = tmp_path / "all.svg"
    assert run("validate", folder, "--plot", drawn).returncode == 0
    assert "missed" in drawn.read_text()
    pages = tmp_path / "all.pdf"
    assert run("validate", folder, "--plot", pages).returncode == 0
    assert pages.read_bytes().startswith(b"%PDF")


@pytest.mark.long
def test_without_a_disagreement_there_is_no_picture(labelled: Path, tmp_path: Path):
    done = run("validate", labelled, "--plot", tmp_path / "none.png")
    assert done.returncode == 0
    assert "nothing disagrees" in done.stderr
    assert not (tmp_path / "none.png").exists()


def test_a_table_labels_many_recordings(folder: Path):
    rows = ["recording,moment,t_s"]
    for name in SETS:
        beside = folder / f"{name}.labels.json"
        fields = json.loads(beside.read_text())
        rows += [f"{name}.csv,top,{t}" for t in fields["tops_s"]]
        rows += [f"{name}.csv,failure,{t}" for t in fields["failures_s"]]
        beside.unlink()
    (folder / "labels.csv").write_text("\n".join(rows))
    whole = told(folder)["groups"][-1]
    assert whole["right"]["count"] == 2
    assert whole["holds"] == 0


def test_a_recording_without_labels_is_left_out_and_told(folder: Path):
    (folder / "sub/dim.labels.json").unlink()
    done = run("validate", folder)
    assert done.returncode == 0
    assert "1 of 2 recordings have no labels" in done.stderr


def test_labels_in_film_time_are_told(folder: Path):
    labels = folder / "lit.labels.json"
    labels.write_text(json.dumps({"tops_s": [5000.0]}))
    done = run("validate", folder)
    assert done.returncode == 6
    assert "offset" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    first_short(
        [
            ("lit.labels.json", '{"tops": []}', "no field 'tops'"),
            ("lit.labels.json", b"\xff\xfe", "UTF-8"),
            (
                "labels.csv",
                "recording,moment,t_s\nnone.csv,top,1\n",
                "none.csv, which is not there",
            ),
            ("labels.csv", "recording,moment,t_s\nlit.csv,top,1\n", "which has others"),
        ]
    ),
)
def test_bad_labels_are_an_error_of_one_line(folder: Path, name: str, text: str | bytes, said: str):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = run("validate", folder)
    assert done.returncode == 6
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_folder_without_labels_is_told_where_to_read(tmp_path: Path):
    done = run("validate", tmp_path)
    assert done.returncode == 6
    assert "docs/validate.md" in done.stderr
    assert run("validate", tmp_path / "none").returncode == 6
