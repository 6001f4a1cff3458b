"""Settings are kept under names of one's own, and taken from the runs that there are."""

import pytest

from studio.runs.config import TrainingConfig
from studio.training.setup.own_presets import list_own_presets
from studio.training.setup.run_request import RunRequest, choose_settings
from tests.studio.conftest import write_pictures


def settings(workspace, **asked):
    return choose_settings(
        workspace,
        RunRequest(**{"dataset": None, "config": None, "preset": None, "settings": {}} | asked),
    )


def test_a_preset_of_ones_own_is_kept_listed_trained_with_and_deleted(studio, workspace):
    kept = ("presets", "save", "mine", "--preset", "few-pictures", "--set", "z_dim=24")
    assert studio(*kept).status == 0
    rows = studio("presets", "list", "--json").json["presets"]
    assert [row["name"] for row in rows if row["own"]] == ["mine"]
    config = settings(workspace, dataset="streets", preset="mine")
    assert (config.z_dim, config.loss, config.dataset) == (24, "relativistic", "streets")
    assert config.image_size == 32
    assert "There is a preset 'mine'" in studio(*kept).err
    assert studio(*kept, "--overwrite").status == 0
    assert studio("presets", "delete", "mine").status == 0
    assert list_own_presets(workspace) == []
    assert (
        "There is no preset 'mine'"
        in studio("train", "streets", "--run", "x", "--preset", "mine").err
    )


@pytest.mark.parametrize("name", ["small-and-quick", "none", "../x", ""])
def test_a_preset_takes_no_name_of_the_studio_and_none_that_leads_elsewhere(studio, name):
    assert studio("presets", "save", name).status != 0


def test_a_run_begins_with_the_settings_of_another_and_no_more(studio, workspace):
    like, first = (
        settings(workspace, like="city"),
        TrainingConfig.read(workspace.run_config("city")),
    )
    assert like == first
    assert settings(workspace, like="city", settings={"batches": 3}).batches == 3
    trained = studio("train", "--as", "city", "--run", "again", "--batches", "2")
    assert trained.status == 0, trained.err
    again = TrainingConfig.read(workspace.run_config("again"))
    assert (again.z_dim, again.batches, again.parent) == (first.z_dim, 2, "")


def test_as_a_run_on_other_pictures_takes_their_size(studio, workspace, tmp_path):
    pictures = write_pictures(tmp_path / "p", 8, 70)
    studio("datasets", "add", pictures, "--name", "large", "--image-size", "64")
    config = settings(workspace, like="city", dataset="large")
    assert (config.dataset, config.image_size, config.z_dim) == ("large", 64, 16)


def test_the_settings_of_two_runs_are_refused(studio):
    said = studio("train", "--run", "x", "--as", "city", "--from", "city@3").err
    assert "leave out --as" in said
    assert "Run 'nobody' is not" in studio("train", "--run", "x", "--as", "nobody").err
