"""What the map of an atlas is told, and what it does while one is being drawn."""

import numpy as np
import pytest

from benchmarks.made_up_atlas import make_up_atlas
from studio.screens.explore.map.atlas_map import CityMarks, describe_atlas, describe_first_view
from studio.workspace.paths import Workspace


@pytest.fixture
def drawn(tmp_path):
    return make_up_atlas(Workspace.open(tmp_path), "city", 5, 1500)


def test_the_map_is_told_where_everything_lies(drawn):
    starred = ["5.3", "5.1499", "5.1500", "8.3", "river"]
    tags = {"harbour": ["5.2", "5.1", "8.3"], "none here": ["8.3"]}
    told = describe_atlas(drawn, CityMarks(starred, tags))
    assert told["columns"][:2] == ["x", "y"]
    assert told["columns"][-1] == "slot"
    assert len(told["sheets"]) == 2
    assert told["starred"] == [3, 1499]
    assert told["tags"] == [["harbour", [2, 1]]]
    assert "points.bin?v=" in told["points"]


def test_an_atlas_without_slots_is_told_without_them(drawn):
    points = drawn.path.with_name("points.bin")
    points.write_bytes(np.ascontiguousarray(drawn.points[:, :7], "<f4").tobytes())
    assert "slot" not in describe_atlas(drawn)["columns"]


def test_a_picture_alone_has_no_map(drawn):
    drawn.path.with_name("points.bin").unlink()
    assert describe_atlas(drawn) is None


def test_a_first_view_is_shown_as_soon_as_it_is_whole(tmp_path):
    assert describe_first_view(tmp_path, "city", 5, 30) is None
    (tmp_path / "first-view.bin").write_bytes(b"half")
    assert describe_first_view(tmp_path, "city", 5, 30) is None
    (tmp_path / "first-view.bin").write_bytes(np.zeros((30, 2), "<f4").tobytes())
    told = describe_first_view(tmp_path, "city", 5, 30)
    assert (told["columns"], told["sheets"], told["count"]) == (["x", "y"], [], 30)
