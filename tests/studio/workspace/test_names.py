"""Text from outside is refused in a sentence, or made harmless, before anything is done with it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints_index.errors import RunNameError
from renderers.files import file_name, file_names
from studio.actions.declared.dataset_actions import DatasetsAdd, DatasetsAddCities
from studio.actions.declared.import_actions import Import
from studio.actions.declared.training_actions import Resume, Train
from studio.workspace import names
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

PATHS = ("../../evil", "/tmp/evil", "a/b", "a\\b", "..", ".", "", "x\0", "\udcff", "n" * 300)


@pytest.mark.parametrize("name", PATHS)
def test_no_action_takes_a_path_for_the_name_of_a_dataset_or_a_run(name):
    for action, fields in (
        (DatasetsAdd, {"folder": "x", "name": name}),
        (DatasetsAddCities, {"dataset": name}),
        (Train, {"dataset": "x", "run": name}),
        (Import, {"folder": "x", "run": name}),
        (Resume, {"run": name}),
    ):
        with pytest.raises(StudioError, match=r"cannot be the name|NUL") as refused:
            action.read(fields)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", PATHS)
def test_the_workspace_makes_no_path_of_a_name_that_leads_elsewhere(name, empty_workspace):
    folders = (empty_workspace.dataset, empty_workspace.render, empty_workspace.specimens)
    for folder in folders:
        with pytest.raises(EXPECTED_ERRORS, match=r"cannot be the name|NUL"):
            folder(name)


def test_a_dataset_whose_name_is_a_path_writes_nothing(empty_studio, empty_workspace, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    said = empty_studio("datasets", "add", tmp_path, "--name", "../../evil")
    assert said.status == 2
    assert "--name cannot be read: '../../evil' cannot be the name of a dataset" in said.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"folder": "x\0y"}, "NUL"),
        ({"folder": "x\udcff"}, "not UTF-8"),
        ({"folder": "x" * 300_000}, "300,000 characters"),
        ({"folder": "x" * 5_000}, "too long for the path"),
        ({"folder": "x", "image_size": 10**30}, "too large"),
        ({"folder": "x", "image_size": float("inf")}, "will not do"),
    ],
)
def test_text_and_numbers_that_nothing_could_take_are_refused_at_validation(fields, reason):
    with pytest.raises(StudioError, match=reason):
        DatasetsAdd.read({"name": "pics", **fields})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\rb\x9b", r"a\x0db\x9b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("half\udcff", r"half\udcff"),
        ("\U000e0041", r"\ue0041"),
        ("x [old] pp[/red] Köln 東京", "x [old] pp[/red] Köln 東京"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text, shown):
    assert names.printable(text) == shown


@given(st.text(alphabet=st.characters()))
def test_every_printable_text_can_be_written_and_stays_so(text):
    shown = names.printable(text, one_line=True)
    assert "\n" not in shown
    assert names.printable(shown.encode().decode(), one_line=True) == shown


@pytest.mark.parametrize("label", ["40.77", "seed:7", "0.0", "seed:7-0a1b2c3d", "40.77-0a1b2c3d"])
def test_labels_of_latent_points_are_labels(label):
    assert names.require_point_label(label) == label


@pytest.mark.parametrize(
    "label", ["x/../../../../pwned", "40.77\n", "[/red]", "4" * 5000, "", "1.2-xyz", "٤.٧"]
)
def test_other_texts_are_no_labels_of_latent_points(label):
    with pytest.raises(names.UnfitTextError, match="is no label"):
        names.require_point_label(label)


@pytest.mark.parametrize("batch", [-5, 10**30, float("inf"), "1", True, None, 1.0])
def test_what_is_no_batch_is_refused(batch):
    with pytest.raises(names.UnfitTextError, match="is no batch"):
        names.require_batch(batch)


@pytest.mark.parametrize("text", ["city@", "city@x", "city@-1", "city@1.5", "city@" + "9" * 5000])
def test_what_names_no_batch_of_a_run_is_refused(text):
    with pytest.raises(names.UnfitTextError, match="names no batch of a run"):
        names.split_checkpoint(text)


def test_the_rule_for_names_of_runs_is_that_of_the_store():
    assert names.require_run_name("city-2") == "city-2"
    with pytest.raises(RunNameError):
        names.require_run_name("../r")


@pytest.mark.parametrize(
    "text", ["seed:1", "../con", "CON", "con.1", "x.", "", "é", "n" * 300, "a/b", "..", "[/red]"]
)
def test_names_of_files_are_taken_by_every_file_system(text):
    name = file_name(text)
    assert 0 < len(name.encode()) <= 100
    assert set(name).isdisjoint(':/\\<>"|?*\0')
    assert not name.startswith((".", "-"))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].lower() not in ("con", "nul")
    assert Path(name).name == name


def test_two_labels_have_two_files():
    assert file_name("seed:1") == "seed-1"
    texts = ["a/b", "a-b", "a:b", "a b", "A-B", "con", "x", "x."]
    assert len({name.lower() for name in file_names(texts)}) == len(texts)
