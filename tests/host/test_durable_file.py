"""A file is complete under its name or not there; one process at a time has a lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from legcurl import durable_file
from legcurl.durable_file import complete_file
from legcurl.file_lock import FileLock, holder_of

HOLDS = """
import sys
from pathlib import Path
from legcurl.file_lock import FileLock
FileLock(Path(sys.argv[1])).name_holder("a test")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_is_not_finished_never_has_its_name(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(b"old")

    def stop_halfway() -> None:
        with complete_file(file, replace=True) as writing:
            writing.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_halfway()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_finished_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(b"old")
    with complete_file(file, replace=True, mode=0o600) as writing:
        writing.write(b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "reps.csv"

    def write_beside_another() -> None:
        with complete_file(file, replace=False) as writing:
            writing.write(b"ours")
            file.write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        write_beside_another()
    assert file.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [file]


def test_file_and_folder_reach_the_disk_around_the_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.db"
    part = tmp_path / "backup.db.part"
    synced: list[tuple[bool, bool]] = []  # whether it is a folder, whether the name is given
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), file.exists()))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)
    part.write_bytes(b"copy")
    durable_file.rename(part, file)
    assert synced == [(False, False), (True, True)]
    file.unlink()
    synced.clear()
    with complete_file(file, replace=True) as writing:
        writing.write(b"copy")
    assert synced == [(False, False), (True, True)]


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "gym.db.lock"
    command = [sys.executable, "-c", HOLDS, str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            FileLock(file)
        assert holder_of(file) == "a test", "the one that was refused has not erased it"
        holder.kill()
    with FileLock(file, wait=True):
        pass
    FileLock(file).release()
