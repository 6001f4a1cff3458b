"""Lineage as commands tell it, after renaming, deleting, archives, edits and lost databases."""

import json
import shutil
from dataclasses import replace

import pytest

from studio.publishing.run_facts import RunFacts
from studio.runs.config import TrainingConfig
from studio.runs.lineage.family_tree import list_relatives
from studio.runs.lineage.parentage import read_parentage
from studio.screens.home.run_cards import RunCards
from studio.screens.parts.run_cache import RunCache
from studio.screens.train.lineage_view import show_lineage
from studio.workspace.database import find_changes, open_database
from tests.studio.conftest import call_main, call_on_copy


@pytest.fixture(scope="module")
def family_root(trained_root, tmp_path_factory):
    """A workspace with `city` (12 batches), its branch `branch`, and `warm`, begun from that."""
    root = tmp_path_factory.mktemp("family") / "workspace"
    shutil.copytree(trained_root, root)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for words in (
            ["train", "--from", "city@12", "--run", "branch", "--batches", "13"],
            ["train", "--init-from", "branch@13", "--run", "warm", "--batches", "1"],
        ):
            assert call_main(root, words, monkeypatch) == 0
    return root


@pytest.fixture
def family(family_root, tmp_path, capsys, monkeypatch):
    """The command line on a copy of that workspace."""
    return call_on_copy(family_root, tmp_path / "workspace", capsys, monkeypatch)


def told(family, *words):
    return {run["run"]: run for run in family("lineage", *words, "--json").json}


def test_the_tree_says_of_which_run_and_batch_each_run_is_and_as_what(family):
    assert family("lineage").out.splitlines() == [
        "city  training",
        "└─ branch  branch of city at batch 12",
        "   └─ warm  warm start of branch at batch 13",
    ]
    runs = told(family)
    assert (runs["warm"]["parent"], runs["warm"]["batch"]) == ("branch", 13)
    assert runs["city"]["children"] == ["branch"]
    assert runs["city"]["parent"] is None


def test_a_run_is_shown_with_its_relatives_alone(family):
    shutil.copytree(family.workspace.run("city"), family.workspace.run("other"))
    assert [*told(family, "warm")] == ["city", "branch", "warm"]
    assert [*told(family, "other")] == ["other"]
    refused = family("lineage", "nowhere")
    assert refused.status == 1
    assert "Known: branch, city, other, warm" in " ".join(refused.err.split())


def test_children_follow_a_parent_to_its_new_name(family):
    assert family("rename", "run", "city", "town").status == 0
    family("archive", "branch", "--run", "city", "--batches", "13")
    assert {*told(family)} == {"branch", "city", "town", "warm"}
    assert told(family)["branch"]["parent"] == "town", "not the new run of the old name"
    assert find_changes(family.workspace.database) == []


def test_a_deleted_parent_is_told_and_a_new_run_of_its_name_is_not_it(family):
    assert family("delete", "run", "city", "--yes").status == 0
    assert told(family)["branch"]["parent_is"] == "deleted"
    assert "branch of city at batch 12, which was deleted" in family("lineage").out
    family("archive", "branch", "--run", "city", "--batches", "13")
    assert told(family)["city"]["children"] == []


def test_a_run_of_an_older_version_says_its_parent_in_its_settings_alone(family):
    for run in ("branch", "warm"):
        family.workspace.marks(run).unlink()
    family.workspace.database.unlink()
    runs = told(family)
    assert (runs["branch"]["kind"], runs["warm"]["kind"]) == ("branch", "warm start")
    family("rename", "run", "city", "town")
    family("delete", "run", "branch", "--yes")
    runs = told(family)
    assert runs["warm"]["parent_is"] == "deleted"
    assert "branch" not in runs


def test_a_lost_database_takes_no_lineage_with_it(family):
    family("rename", "run", "city", "town")
    before = told(family)
    family.workspace.database.unlink()
    assert family("reindex").status == 0
    assert told(family) == before


def test_an_archive_is_of_the_run_it_was_made_of(family):
    assert family("archive", "city", "--run", "kept", "--batches", "3,5").status == 0
    kept = told(family)["kept"]
    assert (kept["kind"], kept["parent"], kept["batch"]) == ("archive", "city", 5)


def test_a_parent_that_nobody_has_here_is_told(family):
    shutil.rmtree(family.workspace.run("city"))
    assert told(family)["branch"]["parent_is"] == "missing"
    assert "which is not here" in family("lineage", "warm").out


def test_a_circle_is_told_and_no_run_is_left_out(family):
    with open_database(family.workspace.database, writing=True) as db:
        db.execute("UPDATE parentage SET parent = 'warm' WHERE run = 'branch'")
    said = family("lineage")
    assert said.status == 0
    assert "is not true" in said.out
    assert {*told(family)} == {"city", "branch", "warm"}
    assert "each is said to begin from the other" in " ".join(said.err.split())
    assert [r.run for r in list_relatives(family.workspace, "warm")] == ["branch", "warm"]


def test_a_damaged_run_is_no_reason_to_hide_the_others(family):
    family.workspace.run_config("branch").write_text("batches = \n")
    family.workspace.marks("branch").write_text(json.dumps({"began": {"kind": "magic"}}))
    assert [*read_parentage(family.workspace)] == ["branch", "city", "warm"]
    assert family("lineage").status == 0


def test_settings_that_name_no_batch_of_a_parent_say_nothing_of_it(family):
    """A foreign run.toml may say anything; an int of so many digits cannot even be read."""
    settings = TrainingConfig.read(family.workspace.run_config("branch"))
    replace(settings, parent="city@" + "9" * 5000).write(family.workspace.run_config("branch"))
    family.workspace.marks("branch").unlink()
    family.workspace.database.unlink()
    assert told(family)["branch"]["parent"] is None


def test_what_is_published_tells_the_lineage_by_the_names_of_today(family):
    family("rename", "run", "branch", "twig")
    assert RunFacts.of_run(family.workspace, "warm").ancestors == ("twig@13", "city@12")
    assert RunFacts.of_run(family.workspace, "city").children == (("twig", 12),)


def test_the_app_shows_relatives_that_one_can_go_to(family):
    shown = show_lineage(family.workspace, "branch")
    assert 'data-label="city"' in shown
    assert 'data-label="warm"' in shown
    assert "branch of city at batch 12" in shown
    assert show_lineage(family.workspace, None) == ""


def test_cards_say_what_a_run_is_of(family):
    shelf = RunCards(RunCache(family.workspace)).draw([])
    assert any("branch of city@12" in card for card in shelf.cards)
