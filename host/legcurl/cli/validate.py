"""`validate`: detection against labelled recordings, as figures with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from legcurl.cli.analyze import events_of
from legcurl.cli.shared.options import json_option
from legcurl.cli.shared.output import warn, write_json, write_line
from legcurl.errors import InputError
from legcurl.events import SetEnded

if TYPE_CHECKING:
    from legcurl.motion import Calibration
    from legcurl.presentation.charts.downsampled_trace import DownsampledTrace
    from legcurl.validation.comparison import Comparison
    from legcurl.validation.labels import Labels

SCHEMA = 1
RECORDING_ENDINGS = (".csv", ".csv.gz", ".legcurl")
FOR_ONE = (".labels.json", ".labels.csv")
FOR_MANY = ("labels.json", "labels.csv")
LATE_S = 2.0  # a label may lie so long after the last sample: a video player's rounding


@click.command(short_help="Measure detection on labelled recordings.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--plot",
    "pictures",
    type=click.Path(path_type=Path),
    metavar="FOLDER_OR_FILE",
    help="Draw every recording that disagrees: a .png each into a folder, or all into one "
    ".pdf, .png or .svg. Needs the extra 'plot'.",
)
@json_option
def validate(folder: Path, pictures: Path | None, as_json: bool) -> None:
    """Compare what is detected in the recordings in FOLDER with what people noted of them.

    Recordings are .csv, .csv.gz or .legcurl files, also in subfolders. Labels are beside them, as
    NAME.labels.json or NAME.labels.csv, or for many in one labels.json or labels.csv; the format
    is told in docs/validate.md.
    """
    from legcurl.validation.agreement import agreements
    from legcurl.validation.table import disagreement_line, table_lines

    if pictures is not None:
        from legcurl.presentation.charts.disagreement import check_pictures

        check_pictures(pictures)
    compared: list[Comparison] = []
    drawn: list[tuple[Comparison, DownsampledTrace]] = []
    for recording, labels in labelled_recordings(folder):
        comparison, trace = _compared(folder, recording, labels)
        compared.append(comparison)
        if comparison.disagrees and pictures is not None:
            drawn.append((comparison, trace))
    found = agreements(compared)
    wrong = [one for one in compared if one.disagrees]
    if pictures is not None:
        from legcurl.presentation.charts.disagreement import write_disagreements

        for warning in write_disagreements(pictures, drawn):
            warn(f"{warning}.")
    if as_json:
        write_json(
            {
                "schema": SCHEMA,
                "groups": [one.as_json() for one in found],
                "disagreements": [one.as_json() for one in wrong],
            }
        )
        return
    for line in table_lines(found):
        write_line(line)
    if wrong:
        write_line("")
    for one in wrong:
        write_line(disagreement_line(one))


def labelled_recordings(folder: Path) -> Iterator[tuple[Path, Labels]]:
    """Each labelled recording below a folder, in the order of the paths.

    Raises InputError where there are no labels, or labels of no recording, or two of one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name the one with recordings and labels.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    recordings = [path for path in files if _is_recording(path)]
    found: dict[Path, Labels] = {}
    for file in files:
        for recording, labels in _labels_in(file):
            if recording not in recordings:
                raise InputError(f"{file} has labels of {recording.name}, which is not there.")
            if recording in found:
                raise InputError(
                    f"{file} has labels of {recording.name}, which has others: keep one."
                )
            found[recording] = labels
    if not found:
        raise InputError(
            f"{folder} has no labels: put labels.json or labels.csv into it "
            "(docs/validate.md shows the format)."
        )
    unlabelled = [path for path in recordings if path not in found]
    if unlabelled:
        warn(
            f"{len(unlabelled)} of {len(recordings)} recordings have no labels and are left "
            f"out, {unlabelled[0].name} for example."
        )
    yield from sorted(found.items())


def _is_recording(path: Path) -> bool:
    return path.name.endswith(RECORDING_ENDINGS) and not path.name.endswith((*FOR_ONE, *FOR_MANY))


def _labels_in(file: Path) -> Iterator[tuple[Path, Labels]]:
    from legcurl.validation.labels import parse_csv, parse_json

    many = file.name in FOR_MANY
    if not many and not file.name.endswith(FOR_ONE):
        return
    parse = parse_json if file.suffix == ".json" else parse_csv
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    own = file.name.removesuffix(".labels" + file.suffix)
    for name, labels in parse(text, str(file), many=many).items():
        yield _named(file.parent, name if many else own), labels


def _named(folder: Path, name: str) -> Path:
    """The recording of that name, with or without its ending; the name itself if none is there."""
    candidates = [folder / name, *(folder / f"{name}{ending}" for ending in RECORDING_ENDINGS)]
    return next((path for path in candidates if path.is_file()), folder / name)


class _Curve:
    """Keeps the samples for a picture."""

    progress_s = None

    def __init__(self) -> None:
        from legcurl.presentation.charts.downsampled_trace import DownsampledTrace

        self.trace = DownsampledTrace()
        self.last_s = 0.0

    def take(self, t_us: Sequence[int], angle_deg: Sequence[float]) -> None:
        """Keep those that are known."""
        for t, angle in zip(t_us, angle_deg, strict=True):
            if angle == angle:
                self.trace.append(t / 1e6, angle)
        if t_us:
            self.last_s = t_us[-1] / 1e6


def _compared(folder: Path, recording: Path, labels: Labels) -> tuple[Comparison, DownsampledTrace]:
    from legcurl.validation.comparison import compare

    curve = _Curve()
    events = events_of(recording, _calibration(labels), curve)
    sets = [event.set for event in events if isinstance(event, SetEnded)]
    if labels.last_s > curve.last_s + LATE_S:
        raise InputError(
            f"{recording} ends at {curve.last_s:.1f} s, and a label is at {labels.last_s:.1f} s: "
            "is it the time of a film? Then give its offset (docs/validate.md)."
        )
    inside = recording.relative_to(folder)
    source = labels.source or (inside.parts[0] if len(inside.parts) > 1 else folder.resolve().name)
    return compare(str(inside), source, labels, sets), curve.trace


def _calibration(labels: Labels) -> Calibration | None:
    from legcurl.cli.shared.options import calibration_from

    return calibration_from(labels.extended_deg, labels.flexed_deg)
