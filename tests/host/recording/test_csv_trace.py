"""A trace of any kind and length is read in bounded memory, or refused in one clear line."""

import gzip
import tracemalloc
from math import isnan, nan
from pathlib import Path

import pytest
from legcurl.errors import InputError, StoreError
from legcurl.recording.csv_trace import MAX_LINE_BYTES, TraceReader, TraceWriter


def written(folder: Path, text: str | bytes, name: str = "trace.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def rows(count: int, *, start_s: float = 10.0, rate_hz: float = 100.0) -> str:
    return "".join(f"{start_s + i / rate_hz:.4f},{(i % 90) + 0.5:.3f}\n" for i in range(count))


def samples(reader: TraceReader) -> list[tuple[int, float]]:
    return [pair for chunk in reader for pair in zip(chunk.t_us, chunk.angle_deg, strict=True)]


def refused(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        samples(TraceReader(written(folder, text)))
    message = str(caught.value)
    assert str(folder) in message, "the message names the file"
    assert "\n" not in message
    return message


def test_a_written_trace_reads_back_as_it_was(tmp_path: Path):
    for name in ("trace.csv", "trace.csv.gz"):
        with TraceWriter(tmp_path / name) as writer:
            for index in range(200):
                writer.write(index / 100, nan if index == 7 else index * 0.0879)
        reader = TraceReader(tmp_path / name)
        read = samples(reader)
        assert [t for t, _ in read] == [index * 10_000 for index in range(200)]
        assert isnan(read[7][1])
        assert read[8][1] == pytest.approx(0.7032, abs=1e-4)
        assert reader.samples == writer.samples == 200
        assert reader.rate_hz == pytest.approx(100)
        assert reader.warnings() == []


def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path):
    file = written(tmp_path, gzip.compress(f"t_s,angle_deg\n{rows(50)}".encode()), "odd.csv")
    assert len(samples(TraceReader(file))) == 50


@pytest.mark.parametrize(
    "text",
    [
        "t_s,angle_deg\r\n0.00,1\r\n0.01,2\r\n",
        "\ufefft_s,angle_deg\n0.00,1\n0.01,2",
        '"t_s","angle_deg"\n"0.00","1"\n"0.01","2"\n',
        "angle_deg,note,t_s\n1,x,0.00\n2,,0.01\n",
        "t_s , angle_deg\n\n0.00 , 1\n\n0.01 , 2\n\n",
    ],
    ids=["crlf", "bom, no last newline", "quoted", "other columns", "blanks"],
)
def test_the_dialects_of_spreadsheets_are_read(tmp_path: Path, text: str):
    assert samples(TraceReader(written(tmp_path, text))) == [(0, 1.0), (10_000, 2.0)]


@pytest.mark.parametrize("missing", ["nan", "NaN", "", "NA", "null"])
def test_an_angle_that_is_not_known_stays_unknown(tmp_path: Path, missing: str):
    reader = TraceReader(written(tmp_path, f"t_s,angle_deg\n0.00,1\n0.01,{missing}\n0.02,3\n"))
    assert [isnan(angle) for _, angle in samples(reader)] == [False, True, False]


@pytest.mark.parametrize("wild", ["inf", "-inf", "1e300", "99999"])
def test_an_impossible_angle_is_unknown_and_counted(tmp_path: Path, wild: str):
    reader = TraceReader(written(tmp_path, f"t_s,angle_deg\n{rows(60)}11.0,{wild}\n"))
    assert isnan(samples(reader)[-1][1])
    assert reader.wild_angles == 1
    assert any("1 row had an impossible angle" in warning for warning in reader.warnings())


def test_repeated_and_slightly_backward_times_are_skipped_and_counted(tmp_path: Path):
    text = f"t_s,angle_deg\n{rows(60)}10.59,7\n10.50,7\n10.40,7\n10.60,8\n"
    reader = TraceReader(written(tmp_path, text))
    read = samples(reader)
    assert [t for t, _ in read] == sorted({t for t, _ in read})
    assert read[-1] == (10_600_000, 8.0)
    assert (reader.repeated_times, reader.backward_times) == (1, 2)
    assert reader.warnings() == [
        "1 row repeated a time: the first was kept",
        "2 rows went back in time: skipped",
    ]


def test_rows_without_a_time_are_skipped_and_counted(tmp_path: Path):
    reader = TraceReader(written(tmp_path, f"t_s,angle_deg\n{rows(50)}nan,5\n,6\n10.5,7\n"))
    assert len(samples(reader)) == 51
    assert reader.unknown_times == 2


def test_a_clock_that_jumps_back_is_two_recordings(tmp_path: Path):
    message = refused(tmp_path, f"t_s,angle_deg\n{rows(100)}{rows(100, start_s=0)}")
    assert "line 102 goes back in time by 11.0 s" in message
    assert "split" in message


def test_a_file_cut_in_mid_row_is_read_up_to_there(tmp_path: Path):
    reader = TraceReader(written(tmp_path, f"t_s,angle_deg\n{rows(60)}10.6"))
    assert len(samples(reader)) == 60
    assert reader.cut_short
    assert any("breaks off in line 62" in warning for warning in reader.warnings())


def test_a_cut_gzip_file_is_read_up_to_there(tmp_path: Path):
    whole = gzip.compress(f"t_s,angle_deg\n{rows(20_000)}".encode())
    reader = TraceReader(written(tmp_path, whole[: len(whole) // 2], "cut.csv.gz"))
    assert 1000 < len(samples(reader)) < 20_000
    assert reader.cut_short


def test_damaged_gzip_data_is_refused(tmp_path: Path):
    whole = bytearray(gzip.compress(f"t_s,angle_deg\n{rows(20_000)}".encode()))
    middle = len(whole) // 2
    whole[middle : middle + 40] = bytes(40)
    assert "damaged" in refused(tmp_path, bytes(whole))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no samples"),
        ("t_s,angle_deg\n", "holds no samples"),
        ("time,angle\n0,1\n", "without the column t_s or angle_deg"),
        ("t_s,degrees\n0,1\n", "without the column angle_deg"),
        ("0.00,12.5\n0.01,12.5\n", "the header must name t_s"),
        ("t_s;angle_deg\n0,00;12,5\n", "separate the columns by commas"),
        ("t_s,angle_deg\n0.00,1\nhello,world\n0.02,3\n", "line 3 is 'hello,world'"),
        ("t_s,angle_deg\n0.00,1\n0.01\n0.02,3\n", "line 3 is '0.01': a column is missing"),
        ("t_s,angle_deg\n0.00,1\n0.01,1.2.3\n", "line 3"),
        ("t_s,angle_deg\n".encode("utf-16"), "UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 20, "line 1"),
        (b"\0" * 2000 + b"\n", "not text"),
    ],
)
def test_an_invalid_trace_is_refused_with_the_reason(tmp_path: Path, text: str | bytes, said: str):
    assert said in refused(tmp_path, text)


def test_milliseconds_taken_for_seconds_are_found_out(tmp_path: Path):
    text = "t_s,angle_deg\n" + "".join(f"{i * 10},{i}\n" for i in range(50))
    assert "milliseconds" in refused(tmp_path, text)


def test_unusual_rates_and_short_traces_are_told(tmp_path: Path):
    slow = TraceReader(written(tmp_path, f"t_s,angle_deg\n{rows(100, rate_hz=25)}"))
    samples(slow)
    assert any("25 samples/s" in warning for warning in slow.warnings())
    short = TraceReader(written(tmp_path, f"t_s,angle_deg\n{rows(3)}"))
    assert len(samples(short)) == 3
    assert short.warnings() == ["only 3 samples: too short for a rep"]


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path):
    message = refused(tmp_path, b"t_s,angle_deg\n0.00,1\n" + b"7" * (50 * MAX_LINE_BYTES))
    assert "line 3 is too long" in message


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="No such file"):
        samples(TraceReader(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="directory"):
        samples(TraceReader(tmp_path))


def test_an_unwritable_trace_is_reported(tmp_path: Path):
    with pytest.raises(StoreError, match="No such file"):
        TraceWriter(tmp_path / "no folder" / "trace.csv")
    full = TraceWriter("/dev/full")
    full.write(0.0, 0.0)
    with pytest.raises(StoreError, match="No space left"):
        full.close()


def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    def peak_bytes(count: int) -> int:
        file = tmp_path / f"{count}.csv"
        with TraceWriter(file) as writer:
            for index in range(count):
                writer.write(index / 100, index % 360)
        tracemalloc.start()
        try:
            for _ in TraceReader(file):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(100_000) < 1.2 * peak_bytes(25_000)
