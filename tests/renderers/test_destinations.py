from __future__ import annotations

from pathlib import Path

import pytest

from renderers.destinations import require_destination, require_free, require_place
from renderers.errors import OutputTakenError, RenderError


def test_what_cannot_be_a_file_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in {
        tmp_path: "is a folder",
        tmp_path / "file" / "city.mp4": "is no folder",
        tmp_path / ("x" * 250 + ".mp4"): "cannot be the name",
        tmp_path / "a\0.mp4": "cannot be the name",
        Path("/proc/city.mp4"): "Cannot write",
        Path("/dev/null"): "neither a file",
    }.items():
        with pytest.raises(RenderError, match=reason) as caught:
            require_place(path)
        assert "Free some space" not in str(caught.value)


def test_a_free_place_stays_free(tmp_path: Path) -> None:
    require_place(tmp_path / "new" / "folder" / "city.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_where_somebody_asked(tmp_path: Path) -> None:
    path = tmp_path / "city.mp4"
    require_free(path, overwrite=False)
    path.touch()
    require_free(path, overwrite=True)
    with pytest.raises(OutputTakenError, match=r"city\.mp4 is there already"):
        require_free(path, overwrite=False)


def test_a_file_is_refused_by_its_suffix_its_place_and_what_is_there(tmp_path: Path) -> None:
    taken = tmp_path / "a.ZIP"
    taken.touch()
    for path, reason in {
        tmp_path / "a.tar": r"must end in \.zip",
        tmp_path / "a": r"must end in \.zip",
        taken: "is there already",
        Path("/proc/a.zip"): "Cannot write",
    }.items():
        with pytest.raises(RenderError, match=reason):
            require_destination(path, [".zip"], overwrite=False)
    require_destination(taken, [".zip"], overwrite=True)
