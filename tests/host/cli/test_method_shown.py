"""The terminal shows a set beside the marks of the method that judges it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_sensor import FakeSensor, decoded, leg_curls
from legcurl.cli.shared.output import PlainLines
from legcurl.events import RepEnded
from legcurl.recording.file import RecordingHeader, RecordingWriter
from legcurl.training_method import STANDARD, TrainingMethod
from running import run
from scripted_set import a_set

LONG_HOLDS = TrainingMethod(hold_target_s=30.0, set_window_s=(5.0, 600.0))


def test_lines_judge_a_hold_by_the_method(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines()
    first = next(event for event in a_set() if isinstance(event, RepEnded))
    ended = replace(first, rep=replace(first.rep, hold_met=False, hold_s=2.0))
    lines.show(ended)
    lines.judge_by(TrainingMethod(hold_target_s=4.0))
    lines.show(ended)
    standard, longer = capsys.readouterr().out.splitlines()
    assert "hold 1.0 s short" in standard
    assert "hold 2.0 s short" in longer


@pytest.mark.parametrize(("method", "said"), [(STANDARD, "under 1 min"), (LONG_HOLDS, "within")])
def test_a_recording_is_replayed_by_its_own_method(
    tmp_path: Path, method: TrainingMethod, said: str
) -> None:
    file = tmp_path / "set.legcurl"
    writer = RecordingWriter(file, RecordingHeader(method=method, in_order=True))
    writer.write(*decoded(FakeSensor(leg_curls(count=3, idle_s=30.0)).packets()))
    writer.close()
    done = run("replay", str(file))
    assert done.returncode == 0
    assert said in done.stdout
    lines = [line for line in done.stdout.splitlines() if " rep " in line]
    assert [" short" in line for line in lines] == 3 * [method is LONG_HOLDS], lines
