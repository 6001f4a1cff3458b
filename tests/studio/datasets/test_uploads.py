import os
import time

import pytest

from studio.datasets.uploads import KEPT_S, keep_uploads
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


def test_names_from_outside_stay_in_the_folder_and_none_hides_another(workspace, tmp_path):
    files = []
    for folder in "ab":
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / ("-rf \u202e" + "x" * 200 + ".png")
        file.write_bytes(folder.encode())
        files.append(file)
    folder = keep_uploads(workspace, files)
    assert folder.parent == workspace.uploads
    assert sorted(kept.read_bytes() for kept in folder.iterdir()) == [b"a", b"b"]


def test_an_old_folder_goes_as_another_one_comes(workspace, tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    old, young = (keep_uploads(workspace, [tmp_path / "a.png"]) for _ in range(2))
    then = time.time() - KEPT_S - 60
    os.utime(old, (then, then))
    keep_uploads(workspace, [tmp_path / "a.png"])
    assert not old.exists()
    assert young.exists()


def test_without_room_nothing_stays_and_a_sentence_says_so(workspace, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fail)
    with pytest.raises(StudioError, match=r"No space left.*Make room"):
        keep_uploads(workspace, [tmp_path / "a.png"])
    assert list(workspace.uploads.iterdir()) == []
