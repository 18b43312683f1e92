"""Each command as it is typed: what it prints, and the exit code that README documents."""

import ctypes
import gzip
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import legcurl
import pytest
from running import Running, command, events_of, run
from selection import first_short
from timings import wait_until

FAST = "sim:?seed={}&pace=fast"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated set as a CSV file."""
    file = tmp_path_factory.mktemp("trace") / "set.csv"
    assert run("simulate", "sim:?seed=501", "--csv", file).returncode == 0
    return file


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A simulated set as a recording, and the events that were printed while it was made."""
    file = tmp_path_factory.mktemp("recording") / "set.legcurl"
    made = run("record", FAST.format(502), file, "--sets", "1", "--json")
    assert made.returncode == 0, made.stderr
    return file, made.stdout


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The error: exactly one line on stderr, and nothing on stdout."""
    assert result.stdout == ""
    assert result.stderr.startswith("legcurl: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def obey_permissions() -> None:
    """Let even root, once it runs another program, read only what a file's mode lets it read."""
    if sys.platform == "linux" and os.geteuid() == 0:
        drop_from_bounding_set, may_pass_any_mode, may_read_anything = 24, 1, 2
        for capability in (may_pass_any_mode, may_read_anything):
            ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


# --- What every command has in common


def test_for_its_version_it_imports_little():
    """What that takes in time, `make bench` says."""
    code = "import sys, legcurl.cli; legcurl.cli.main(['--version']); print(*sys.modules)"
    python = str(Path(command()[0]).parent / "python")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version == f"legcurl {legcurl.__version__}"
    imported = {module for module in modules.split() if not module.startswith("_")}
    foreign = {module.partition(".")[0] for module in imported} - sys.stdlib_module_names
    assert foreign == {"click", "legcurl"}
    ours = {module.split(".")[1] for module in imported if module.startswith("legcurl.")}
    assert ours == {"_version", "cli", "errors"}
    assert {"asyncio", "sqlite3", "subprocess", "urllib"}.isdisjoint(imported)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    first_short(
        [
            (("anlyze",), 2, "No such command 'anlyze'"),
            (("watch",), 2, "Missing argument 'ADDRESS'"),
            (("watch", "sim:", "--sets", "none"), 2, "'none' is not a valid integer"),
            (("watch", "sim:", "--sets", "0"), 2, "0"),
            (("watch", "sim:", "--extended", "10"), 2, "--extended and --flexed"),
            (("watch", "sim:", "--extended", "10", "--flexed", "12"), 2, "apart"),
            (("watch", "sim:?lifter=nobody"), 2, "no lifter 'nobody'"),
            (("watch", "nonsense"), 2, "neither an address nor"),
            (("simulate", "sim:?seed=minus"), 2, "seed"),
            (("simulate", "sim:", "--tcp", "70000"), 2, "70000"),
            (("simulate", "sim:?link=ble"), 2, "link=serial"),
            (("replay", "x.legcurl", "--pace", "slow"), 2, "realtime, fast or a factor"),
            (("watch", "serial:/dev/ttyNONE"), 3, "no such port"),
            (("watch", "tcp:127.0.0.1:1"), 3, "127.0.0.1:1"),
            (("analyze", "none.csv"), 6, "none.csv cannot be read"),
            (("analyze", "/"), 6, "cannot be read"),
            (("replay", "none.legcurl"), 6, "none.legcurl cannot be read"),
            (("simulate", "sim:", "--csv", "/no/folder/trace.csv"), 7, "cannot be written"),
        ]
    ),
)
def test_an_error_is_one_line_and_a_documented_code(
    arguments: tuple[str, ...], code: int, said: str
):
    result = run(*arguments)
    assert said in one_line(result)
    assert result.returncode == code


VERBS = ("watch", "simulate", "analyze", "record", "replay", "sensors")
VERBS += ("calibrate", "doctor", "pair", "settings")


def test_without_a_command_the_help_is_shown():
    result = run()
    assert result.returncode == 2
    for verb in VERBS:
        assert verb in result.stderr


@pytest.mark.parametrize("verb", first_short(VERBS))
def test_every_command_explains_itself_and_takes_json(verb: str):
    told = run(verb, "--help")
    assert told.returncode == 0
    assert "--json" in told.stdout


def test_debug_shows_where_an_error_came_from():
    result = run("--debug", "analyze", "none.csv")
    assert "Traceback" in result.stderr
    assert result.returncode == 6


@pytest.mark.long
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command("simulate", "sim:", "--truth"), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.stderr == "legcurl: The system refused: [Errno 28] No space left on device.\n"
    assert result.returncode == 1


def test_a_reader_that_stops_reading_is_no_error():
    with Running("watch", "sim:?seed=503&pace=8", "--json") as watching:
        assert json.loads(watching.line())["event"] == "sensor"
        watching.stop_reading()
        assert watching.end() == 141
        assert watching.complaints() == ""
        assert watching.leftovers() == []


@pytest.mark.parametrize(
    ("number", "code"),
    first_short([(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]),
)
@pytest.mark.parametrize("verb", ["watch", "simulate"])
def test_a_signal_ends_it_quietly_and_leaves_no_process(
    verb: str, number: signal.Signals, code: int
):
    with Running(verb, "sim:?seed=503") as running:
        running.line()
        running.send(number)
        assert running.end() == code
        assert running.complaints() == ""
        assert running.leftovers() == []


@pytest.mark.long
def test_an_ignored_signal_stays_ignored():
    """`nohup legcurl record ...` must outlive its terminal."""
    with Running("watch", "sim:?seed=504", through=("nohup",)) as watching:
        watching.line()
        watching.send(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            watching.process.wait(1)
        watching.send(signal.SIGTERM)
        assert watching.end() == 143
        assert watching.leftovers() == []


def test_ctrl_c_ends_a_command_that_waits_for_a_file(tmp_path: Path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writers: list[int] = []

    def is_read() -> bool:
        with suppress(OSError):  # until then, there is no such device or address
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    with Running("analyze", pipe) as analyzing:
        wait_until(is_read)
        analyzing.send(signal.SIGINT)
        assert analyzing.end() == 130
        assert analyzing.complaints() == ""
    os.close(writers[0])


def test_a_closed_stdout_is_no_bug():
    script = f"{command()[0]} simulate sim: --truth >&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- simulate


@pytest.mark.long
def test_the_truth_is_in_the_schema_of_analyze():
    truth = json.loads(run("simulate", "sim:?seed=501", "--truth", "--json").stdout)
    assert truth["schema"] == 1
    assert truth["sets"][0]["outcome"] == "muscle_success"
    assert {"extended_deg", "flexed_deg"} == set(truth["calibration"])
    told = run("simulate", "sim:?seed=501", "--truth").stdout
    assert f"{truth['sets'][0]['completed_reps']} reps" in told


@pytest.mark.long
def test_truth_and_trace_can_be_had_at_once(tmp_path: Path):
    file = tmp_path / "set.csv.gz"
    result = run("simulate", "sim:?seed=501&rate=200", "--csv", file, "--truth", "--json")
    assert json.loads(result.stdout)["sets"]
    with gzip.open(file, "rt") as text:
        assert text.readline() == "t_s,angle_deg\n"
        assert text.readline().startswith("0.000000,")
        assert text.readline().startswith("0.005000,")


@pytest.mark.long
def test_a_simulated_sensor_can_be_watched_through_its_port():
    with Running("simulate", FAST.format(505), "--tcp", "0", "--json") as simulating:
        where = json.loads(simulating.line())
        assert where["tcp"].startswith("tcp:127.0.0.1:")
        watched = run("watch", where["serial"], "--sets", "1", "--json")
        assert watched.returncode == 0, watched.stderr
        assert events_of(watched.stdout)[-1]["event"] == "set_ended"
        simulating.send(signal.SIGINT)
        assert simulating.end() == 130
        assert simulating.leftovers() == []


@pytest.mark.long
def test_it_says_so_when_the_firmware_does_not_run_on_the_real_vm():
    result = run("watch", FAST.format(506), "--sets", "1", LEGCURL_ENGINE="cpython")
    assert "warning" in result.stderr
    assert "CPython" in result.stderr
    assert "MUSCLE SUCCESS" in result.stdout


# --- watch, record, replay


def test_watch_agrees_with_the_truth():
    watched = run("watch", "sim:?seed=501&pace=fast", "--sets", "1", "--json")
    truth = json.loads(run("simulate", "sim:?seed=501", "--truth", "--json").stdout)["sets"][0]
    assert watched.returncode == 0
    last = events_of(watched.stdout)[-1]
    assert last["event"] == "set_ended"
    for field in ("outcome", "completed_reps"):
        assert last["set"][field] == truth[field]


@pytest.mark.long
def test_watch_ends_with_the_world_and_says_when_sets_are_lacking():
    assert run("watch", FAST.format(501), "--json").returncode == 0
    lacking = run("watch", FAST.format(501), "--sets", "2")
    assert lacking.returncode == 3
    assert "ended after 1 of 2 sets" in lacking.stderr


def test_plain_output_is_short_and_without_escapes():
    result = run("watch", FAST.format(501), "--sets", "1")
    lines = result.stdout.splitlines()
    assert "sensor" in lines[0]
    assert sum(" rep " in line for line in lines) >= 7
    assert sum("MUSCLE SUCCESS" in line for line in lines) == 1
    assert "set ended: Muscle Success" in lines[-1]
    assert len(lines) < 60
    assert "\x1b" not in result.stdout


def test_a_recording_replays_to_the_same_bytes(recording: tuple[Path, str]):
    file, live = recording
    for pace in ("fast", "1000"):
        again = run("replay", file, "--pace", pace, "--sets", "1", "--json")
        assert again.returncode == 0, again.stderr
        assert again.stdout == live


def test_analyze_of_a_recording_gives_the_live_set(recording: tuple[Path, str]):
    file, live = recording
    found = json.loads(run("analyze", file, "--json").stdout)
    assert found["sets"] == [events_of(live)[-1]["set"]]


def test_a_recording_is_never_overwritten(recording: tuple[Path, str]):
    file, _ = recording
    before = file.read_bytes()
    result = run("record", FAST.format(507), file)
    assert result.returncode == 7
    assert "exists already" in one_line(result)
    assert file.read_bytes() == before


def test_a_cut_recording_is_read_up_to_there(recording: tuple[Path, str], tmp_path: Path):
    file, _ = recording
    cut = tmp_path / "cut.legcurl"
    cut.write_bytes(file.read_bytes()[:-700])
    result = run("analyze", cut, "--json")
    assert result.returncode == 0
    assert result.stderr.startswith("legcurl: warning: ")
    assert len(json.loads(result.stdout)["sets"]) == 1


def test_watch_can_record(tmp_path: Path):
    file = tmp_path / "watched.legcurl"
    watched = run("watch", FAST.format(501), "--sets", "1", "--record", file, "--json")
    assert run("replay", file, "--sets", "1", "--json").stdout == watched.stdout


# --- analyze


def test_analyze_agrees_with_the_truth(trace: Path):
    truth = json.loads(run("simulate", "sim:?seed=501", "--truth", "--json").stdout)
    calibration = truth["calibration"]
    ends = [
        *("--extended", str(calibration["extended_deg"])),
        *("--flexed", str(calibration["flexed_deg"])),
    ]
    for options in ([], ends, [*ends[2:], *ends[:2]]):
        found = json.loads(run("analyze", trace, *options, "--json").stdout)
        assert found["schema"] == 1
        assert [one["completed_reps"] for one in found["sets"]] == [
            truth["sets"][0]["completed_reps"]
        ]
        assert found["sets"][0]["outcome"] == "muscle_success"


def test_analyze_prints_every_field_that_others_rely_on(trace: Path):
    one = json.loads(run("analyze", trace, "--json").stdout)["sets"][0]
    assert {
        *("start_s", "end_s", "outcome", "outcome_s", "outcome_known_s", "time_under_load_s"),
        *("completed_reps", "reps"),
    } <= set(one)
    assert {
        *("number", "completed", "failed", "failure", "start_s", "hold_start_s", "hold_end_s"),
        *("end_s", "known_s", "concentric_s", "hold_s", "eccentric_s", "rest_before_s"),
        *("peak_deg", "rom_fraction", "hold_met", "full_rom"),
    } <= set(one["reps"][0])


def test_analyze_gives_a_table_for_people(trace: Path):
    lines = run("analyze", trace).stdout.splitlines()
    assert "Muscle Success" in lines[0]
    assert lines[1].split() == ["rep", "result", "up", "hold", "down", "range", "remarks"]
    assert lines[-1].endswith("failed mid lift") or lines[-1].endswith("failed in the hold")


def test_analyze_of_too_little_finds_no_set_and_says_why(tmp_path: Path):
    file = tmp_path / "short.csv"
    file.write_text("t_s,angle_deg\n0.00,10\n0.01,10\n0.02,10\n")
    result = run("analyze", file, "--json")
    assert json.loads(result.stdout) == {"schema": 1, "sets": []}
    assert "only 3 samples" in result.stderr
    assert result.returncode == 0


@pytest.mark.long
def test_warnings_are_on_stderr_and_the_result_is_still_json(trace: Path, tmp_path: Path):
    rows = trace.read_text().splitlines()
    rows[500:500] = rows[499:500] * 3
    file = tmp_path / "repeated.csv"
    file.write_text("\n".join(rows) + "\n")
    result = run("analyze", file, "--json")
    assert json.loads(result.stdout) == json.loads(run("analyze", trace, "--json").stdout)
    assert "3 rows repeated a time" in result.stderr


@pytest.mark.long
def test_analyze_reads_from_a_pipe(trace: Path, recording: tuple[Path, str]):
    for file in (trace, recording[0]):
        piped = subprocess.run(
            command("analyze", "-", "--json"), input=file.read_bytes(), capture_output=True
        )
        assert piped.returncode == 0, piped.stderr
        assert piped.stdout.decode() == run("analyze", file, "--json").stdout


@pytest.mark.long
def test_a_recording_is_recognised_by_its_frames(tmp_path: Path):
    """`fault=host_stall` has the letters of a trace's column `t_s` in it."""
    file = tmp_path / "set.legcurl"
    live = run("record", f"{FAST.format(507)}&fault=host_stall", file, "--sets", "1", "--json")
    assert live.returncode == 0, live.stderr
    assert b"t_s" in file.read_bytes().partition(b"\0")[0]
    found = run("analyze", file, "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["sets"] == [events_of(live.stdout)[-1]["set"]]


def test_a_trace_with_zeros_in_it_is_still_a_trace(trace: Path, tmp_path: Path):
    file = tmp_path / "damaged.csv"
    head, row, rest = trace.read_bytes().split(b"\n", 2)
    file.write_bytes(b"\n".join([head, bytes(len(row)), rest]))
    result = run("analyze", file, "--json")
    assert "recording" not in result.stderr
    assert "line 2" in result.stderr


@pytest.mark.parametrize("verb", first_short(["analyze", "replay"]))
def test_a_file_that_may_not_be_read_is_told_by_us(recording: tuple[Path, str], verb: str):
    """Not by click, whose exit code 2 says that the command line is wrong."""
    file = recording[0].with_name(f"{verb}.legcurl")
    file.write_bytes(recording[0].read_bytes())
    file.chmod(0)
    result = subprocess.run(
        command(verb, file), capture_output=True, text=True, preexec_fn=obey_permissions
    )
    assert result.returncode == 6
    assert "Permission denied" in one_line(result)


def test_a_file_that_is_no_trace_and_no_recording_is_refused(tmp_path: Path):
    file = tmp_path / "noise"
    file.write_bytes(os.urandom(5000))
    result = run("analyze", file)
    assert result.returncode == 6
    one_line(result)


# --- sensors


@pytest.mark.long
def test_sensors_finds_the_sensor_behind_a_port():
    with Running("simulate", "sim:?seed=508", "--json") as simulating:
        port = json.loads(simulating.line())["serial"]
        found = json.loads(run("sensors", port, "/dev/ttyNONE", "--json").stdout)["ports"]
        assert found[0]["sensor"]["board"] == "pico_w"
        assert found[1]["sensor"] is None
        assert "no such port" in found[1]["problem"]
        assert "Simulated leg curl (pico_w" in run("sensors", port).stdout
