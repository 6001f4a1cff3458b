"""What people gave a run lies beside it as well, and comes back when the database is lost."""

import pytest

from checkpoints_index import CheckpointIndex
from studio.runs.pins import list_pins
from studio.specimens.specimens import list_specimens
from studio.upkeep.reindexing import former_names
from studio.upkeep.thinning import protected_batches
from studio.workspace.errors import StudioError
from studio.workspace.marks import read_marks


@pytest.fixture
def marked(studio):
    """The run, which was called city before, with a mark of each kind."""
    for words in (
        ["specimens", "sample", "city", "--batch", "3", "--count", "2"],
        ["rename", "run", "city", "town"],
        ["specimens", "star", "town", "0.1", "3.1"],
        ["rename", "specimen", "town", "3.0", "Old harbour"],
        ["specimens", "mark", "town", "old harbour", "3.1", "--tag", "River,coast"],
        ["specimens", "mark", "town", "3.1", "--untag", "coast", "--rating", "4"],
        ["specimens", "mark", "town", "5.7", "--note", "Two bridges, \u00fcber"],
        ["pin", "town", "5", "7"],
        ["pin", "town", "7", "--remove"],
        ["specimens", "export", "town", "0.2", "--at-batch", "9"],
    ):
        assert studio(*words).status == 0, words
    return studio


def marks_of(workspace):
    specimens = list_specimens(workspace, "town")
    return (
        former_names(workspace, "town"),
        list_pins(workspace, "town"),
        {s.label for s in specimens if s.starred},
        {s.label: s.name for s in specimens if s.name},
        {s.label: (s.tags, s.note, s.rating) for s in specimens if s.tags or s.note or s.rating},
    )


SAID = {
    "3.0": (("coast", "river"), "", 0),
    "3.1": (("river",), "", 4),
    "5.7": ((), "Two bridges, \u00fcber", 0),
}


def test_a_lost_database_gets_its_marks_back(marked, workspace):
    before = marks_of(workspace)
    assert before == (["city"], [5], {"0.1", "3.1"}, {"3.0": "Old harbour"}, SAID)
    # Pictures of former names hold their batches, which only the former name tells.
    (workspace.specimens("town") / "town-3.1.jpg").unlink()
    protected = protected_batches(workspace, CheckpointIndex(workspace.runs)["town"])
    workspace.database.unlink()
    assert marked("reindex").status == 0
    assert marks_of(workspace) == before
    assert protected_batches(workspace, CheckpointIndex(workspace.runs)["town"]) == protected
    assert marked("verify", "town").status == 0


def test_marks_of_a_database_that_is_there_stay(marked, workspace):
    before = marks_of(workspace)
    assert marked("reindex").status == 0
    assert marks_of(workspace) == before


def test_marks_of_before_they_lay_in_a_file_are_written_by_reindex(marked, workspace):
    marks, path = read_marks(workspace, "town"), workspace.marks("town")
    path.unlink()
    assert marked("reindex").status == 0
    assert read_marks(workspace, "town") == marks


def test_marks_that_have_changed_are_told_and_not_believed(marked, workspace):
    path = workspace.marks("town")
    path.write_bytes(path.read_bytes().replace(b"Old harbour", b"Odd harbour"))
    with pytest.raises(StudioError, match="checksum differs"):
        read_marks(workspace, "town")
    assert "marks.json" in marked("verify", "town").out
    workspace.database.unlink()
    (found,) = marked("reindex", "--json").json
    assert any("marks.json" in note for note in found["notes"])


def test_marks_of_a_deleted_run_are_gone(marked, workspace):
    assert marked("delete", "run", "town", "--yes").status == 0
    assert former_names(workspace, "town") == []
    assert list_pins(workspace, "town") == []


def test_a_deleted_specimen_has_no_mark(marked, workspace):
    assert marked("delete", "specimen", "town", "old harbour", "3.1", "--yes").status == 0
    marks = read_marks(workspace, "town")
    assert (marks.stars, marks.names) == (["0.1"], {})
