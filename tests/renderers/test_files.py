from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from renderers.errors import RenderError
from renderers.files import (
    PendingFile,
    locked,
    read_json,
    remove_leftovers,
    replacing,
    replacing_folder,
    write_json,
)

HOLD = """
import sys, time
from pathlib import Path
from renderers.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    write_json({"a": 1}, path)

    def fail_midway() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail_midway()
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_pending_file_appears_when_it_is_published_and_else_never(tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.mp4"
    given_up, kept = PendingFile(path), PendingFile(path)
    for pending in (given_up, kept):
        assert pending.temporary.suffix == ".mp4"
        pending.temporary.write_text("whole")
    given_up.discard()
    assert not path.exists()
    kept.publish()
    kept.discard()
    assert [file.name for file in path.parent.iterdir()] == ["film.mp4"]


def test_a_folder_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    with replacing_folder(folder) as fresh:
        (fresh / "1.png").write_text("first")

    def fail_midway() -> None:
        with replacing_folder(folder) as fresh:
            (fresh / "2.png").write_text("half")
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail_midway()
    assert [file.name for file in folder.iterdir()] == ["1.png"]
    with replacing_folder(folder) as fresh:
        (fresh / "2.png").write_text("second")
    assert [file.name for file in folder.iterdir()] == ["2.png"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_document_that_is_absent_or_no_json_reads_as_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") is None
    (tmp_path / "torn.json").write_text('{"digest": "1')
    assert read_json(tmp_path / "torn.json") is None


def test_leftovers_of_one_name_go_and_others_stay(tmp_path: Path) -> None:
    mine, other = ".film-1.0a1b2c3d.tmp.mp4", ".film-2.0a1b2c3d.tmp.mp4"
    for name in (mine, other, "film-1.mp4", ".lock"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "film-1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other, ".lock", "film-1.mp4"]


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root)
        time.sleep(0.5)
        assert waiting.poll() is None
        holder.kill()
        holder.wait()
        with locked(tmp_path / "another"):
            assert waiting.stdout
            assert waiting.stdout.readline() == b"held\n"
        waiting.kill()
        waiting.wait()
        waiting.stdout.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RenderError, match="Cannot write"):
        write_json({}, tmp_path / "file" / "document.json")
