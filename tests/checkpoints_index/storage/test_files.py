"""Files and folders that are complete under their name or not there at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints_index.storage import files
from checkpoints_index.storage.files import (
    build_folder,
    create_whole,
    link_whole,
    open_whole,
    remove_leftovers,
    restore_replaced,
    truncate,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "thing.json"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_created_and_replaced_whole(path):
    create_whole(path, b"first")
    create_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(path.parent) == ["thing.json"]


def test_a_file_that_is_streamed_appears_when_it_is_complete(path):
    create_whole(path, b"before")
    with open_whole(path) as file:
        file.write(b"af")
        assert path.read_bytes() == b"before"
        file.write(b"ter")
    assert path.read_bytes() == b"after"


def test_an_error_while_it_is_written_leaves_what_was_there(path):
    create_whole(path, b"before")
    with pytest.raises(ValueError, match="closed file"), open_whole(path) as file:
        file.close()  # Whatever it writes next fails.
    assert path.read_bytes() == b"before"
    assert names(path.parent) == ["thing.json"]


def test_a_full_disk_leaves_what_was_there(path, monkeypatch):
    create_whole(path, b"before")

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        create_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert names(path.parent) == ["thing.json"]


def test_two_that_write_one_file_at_a_time_do_not_disturb_each_other(path):
    with open_whole(path) as first, open_whole(path) as second:
        first.write(b"first")
        second.write(b"second, and longer")
    assert path.read_bytes() == b"first"
    assert names(path.parent) == ["thing.json"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with build_folder(tmp_path / "set") as folder:
        (folder / "pixels").write_bytes(b"1")
        assert not (tmp_path / "set").exists()
    assert names(tmp_path) == ["set"]
    assert names(tmp_path / "set") == ["pixels"]


def test_a_folder_is_replaced_only_when_asked_and_as_a_whole(tmp_path):
    for content in (b"1", b"2"):
        with build_folder(tmp_path / "set", replace=True) as folder:
            (folder / "pixels").write_bytes(content)
    with pytest.raises(FileExistsError), build_folder(tmp_path / "set"):
        pytest.fail("the block was entered")
    assert (tmp_path / "set" / "pixels").read_bytes() == b"2"
    assert names(tmp_path) == ["set"]


def test_an_error_while_a_folder_is_filled_leaves_the_former_one(tmp_path):
    with build_folder(tmp_path / "set") as folder:
        (folder / "pixels").write_bytes(b"1")
    with pytest.raises(ValueError, match="stop"), build_folder(tmp_path / "set", replace=True):
        raise ValueError("stop")
    assert (tmp_path / "set" / "pixels").read_bytes() == b"1"
    assert names(tmp_path) == ["set"]


def test_a_folder_whose_replacement_was_killed_halfway_is_put_back(tmp_path):
    (tmp_path / ".set.replaced").mkdir()
    (tmp_path / ".set.replaced" / "pixels").write_bytes(b"1")
    restore_replaced(tmp_path / "set")
    assert names(tmp_path) == ["set"]
    assert (tmp_path / "set" / "pixels").read_bytes() == b"1"


def test_a_link_shares_the_file_and_replaces_what_was_there(path):
    create_whole(path, b"state")
    other = path.with_name("kept")
    create_whole(other, b"before")
    link_whole(path, other)
    assert other.samefile(path)
    assert names(path.parent) == ["kept", "thing.json"]


WRITER = """
import os, signal, sys
from pathlib import Path
from checkpoints_index.storage.files import build_folder, open_whole
with open_whole(Path(sys.argv[1], "killed")), build_folder(Path(sys.argv[1], "set")):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path):
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], cwd=Path.cwd(), check=False)
    left = names(tmp_path)
    assert [name.split(".")[1] for name in left] == ["killed", "set"]
    (tmp_path / "of-an-older-version.part").write_bytes(b"half")
    with open_whole(tmp_path / "written"), build_folder(tmp_path / "built"):
        assert remove_leftovers(tmp_path, "killed") == [tmp_path / left[0]]
        removed = remove_leftovers(tmp_path)
        assert [path.name for path in removed] == [left[1], "of-an-older-version.part"]
    assert names(tmp_path) == ["built", "written"]


def test_truncating_keeps_the_beginning(path):
    create_whole(path, b"0123456789")
    truncate(path, 4)
    assert path.read_bytes() == b"0123"
