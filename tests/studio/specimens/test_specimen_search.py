"""Specimens are found by one rule, in the database, whoever looks for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.points import sample_points
from studio.specimens.marking import mark_specimens, name_specimen, star_specimens
from studio.specimens.points import FIXED, SAMPLED, keep_points
from studio.specimens.specimen_pages import read_specimens, specimens_stamp
from studio.specimens.specimen_search import (
    SpecimenSearch,
    find_labels,
    find_specimens,
    list_tags,
    parse_between,
)
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

RUN = "city"


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A database with five specimens of batch 3 and two of batch 7, and what was said of them."""
    workspace = Workspace.open(tmp_path_factory.mktemp("search") / "w")
    keep_points(workspace, RUN, sample_points(3, range(5), 4), SAMPLED)
    keep_points(workspace, RUN, sample_points(7, range(2), 4), FIXED)
    workspace.run(RUN).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # The points are named by labels alone, for which no run has to be trained.
        patch.setattr("studio.specimens.marking.resolve_points", _kept)
        patch.setattr("studio.specimens.marking.resolve_point", lambda w, r, t: _kept(w, r, [t])[0])
        mark_specimens(workspace, RUN, ["3.0", "3.1"], tags=["river", "old town"], rating=4)
        mark_specimens(workspace, RUN, ["3.1", "3.2"], tags=["riverside"], note="100 % ÄRMEL_")
        star_specimens(workspace, RUN, ["3.2", "7.1"])
        name_specimen(workspace, RUN, "3.4", "Zähringen")
        name_specimen(workspace, RUN, "7.0", "älteste Brücke")
    return workspace


def _kept(workspace, run, texts):
    return [point for _, point in read_specimens(workspace, run, texts)]


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"text": "tag:river"}, "3.0 3.1"),
        ({"text": "tag:River, not tag:riverside"}, "3.0"),
        ({"text": "tag:old town"}, "3.0 3.1"),
        ({"text": "river"}, "3.0 3.1 3.2"),
        ({"text": "ärmel"}, "3.1 3.2"),
        ({"text": "%"}, "3.1 3.2"),
        ({"text": "_"}, "3.1 3.2"),
        ({"text": "3.4"}, "3.4"),
        ({"text": "BRÜCKE"}, "7.0"),
        ({"text": "' OR 1=1 --"}, ""),
        ({"text": " , ,"}, "3.0 3.1 3.2 3.3 3.4 7.0 7.1"),
        ({"tags": ("riverside",), "least_rating": 4}, "3.1"),
        ({"origin": "fixed"}, "7.0 7.1"),
        ({"starred": True}, "3.2 7.1"),
        ({"batches": "4:"}, "7.0 7.1"),
        ({"batches": ":7"}, "3.0 3.1 3.2 3.3 3.4"),
        ({"batches": "7"}, "7.0 7.1"),
        ({"sort": "starred"}, "3.2 7.1 3.0 3.1 3.3 3.4 7.0"),
        ({"sort": "latest"}, "7.0 7.1 3.0 3.1 3.2 3.3 3.4"),
        ({"sort": "rating"}, "3.0 3.1 3.2 3.3 3.4 7.0 7.1"),
        ({"sort": "name"}, "3.4 7.0 3.0 3.1 3.2 3.3 7.1"),
        ({"sort": "created"}, "7.0 7.1 3.0 3.1 3.2 3.3 3.4"),
    ],
)
def test_a_search_finds_what_was_said_in_its_order(marked, asked, labels):
    wanted = SpecimenSearch(**{"sort": "batch"} | asked)
    assert " ".join(find_labels(marked, RUN, wanted)) == labels
    assert [s.label for s in find_specimens(marked, RUN, wanted)] == labels.split()


@pytest.mark.parametrize(
    "asked",
    [
        {"text": "tag:"},
        {"text": "not tag:a.b"},
        {"batches": "5-7"},
        {"batches": "٣"},
        {"sort": "z"},
    ],
)
def test_what_cannot_be_looked_for_is_refused(asked):
    with pytest.raises(StudioError):
        SpecimenSearch(**asked)


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_a_range_is_half_open_and_one_batch_stands_for_itself(first, end):
    assert parse_between(f"{first}:{end}") == (first, end)
    assert parse_between(f" {first} ") == (first, first + 1)


def test_tags_are_listed_once_and_no_other_run_is_seen(marked):
    assert list_tags(marked, RUN) == ["old town", "river", "riverside"]
    assert list_tags(marked, "other") == find_labels(marked, "other", SpecimenSearch()) == []


def test_specimens_come_in_the_order_of_their_labels_without_those_that_are_none(marked):
    found = read_specimens(marked, RUN, ["7.1", "3.9", "nonsense", "3.0"], with_paths=False)
    assert [(s.label, point.label) for s, point in found] == [("7.1", "7.1"), ("3.0", "3.0")]


def test_lists_of_a_gallery_are_read_from_indices(marked):
    """No row of a specimen is read for the stamp, nor for a list that is not searched."""
    from studio.workspace.database import open_database

    with open_database(marked.database) as db:
        for sql in (
            "SELECT count(*) FROM specimens WHERE run = ?",
            "SELECT batch, number FROM specimens WHERE run = ? "
            "ORDER BY created_at DESC, batch, number",
            "SELECT batch, number FROM specimens WHERE run = ? ORDER BY rating DESC, batch, number",
        ):
            plan = " ".join(
                row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (RUN,))
            )
            assert "COVERING INDEX" in plan
            assert "B-TREE" not in plan
    assert specimens_stamp(marked, RUN)[0] == 7
