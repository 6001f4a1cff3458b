"""Locks that end with their holder."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints_index.errors import RunLockedError
from checkpoints_index.storage.locks import FileLock, is_held, lock_run, read_holder

HOLDER = """
import sys
from pathlib import Path
from pathlib import Path
from checkpoints_index.storage.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_exclusive_until_it_is_released(tmp_path):
    path = tmp_path / "lock"
    with FileLock(path), pytest.raises(BlockingIOError):
        FileLock(path)
    FileLock(path).release()


def test_a_folder_can_be_locked(tmp_path):
    with FileLock(tmp_path), pytest.raises(BlockingIOError):
        FileLock(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_holder_is_named_and_one_that_fails_does_not_take_its_place(tmp_path):
    path = tmp_path / "lock"
    with FileLock(path, note="training of city"):
        with pytest.raises(BlockingIOError):
            FileLock(path, note="somebody else")
        assert read_holder(path) == "training of city"
    assert read_holder(tmp_path / "nothing") == ""


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "writer.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    )
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RunLockedError, match=f"'city' .* another process .process {process.pid}."):
        lock_run("city", tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    lock_run("city", tmp_path).release()


def test_whoever_asks_whether_a_lock_is_held_neither_takes_nor_marks_it(tmp_path):
    path = tmp_path / "lease.lock"
    assert not is_held(path)
    assert not path.exists()
    with FileLock(path, note="training city"):
        assert is_held(path)
    assert not is_held(path)
    assert read_holder(path) == "training city"
    FileLock(path).release()
