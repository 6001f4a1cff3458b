import pytest
import torch

from studio.actions.declared.training_actions import Resume, Train
from studio.actions.submission import resumed_action
from studio.runs.config import TrainingConfig
from studio.runs.events import record_event
from studio.runs.status import has_begun
from studio.training.setup.creation import create_run
from studio.training.setup.run_request import RunRequest, choose_settings, explain_choice
from studio.workspace.claims import EXCLUSIVE, Claim, claiming
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import list_jobs
from tests.studio.conftest import BATCHES, TINY


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["generator_options.width=abc"], "'dcgan' takes width such as 1.0, not 'abc'"),
        (["generator_options.width=true"], "takes width such as 1.0, not True"),
        (["generator_options.width=1e9"], "takes width up to 1024"),
        (["generator_options.width=1e400"], "width is a finite number, not inf"),
        (["generator_options.width=-1"], "width must be above 0"),
        (["generator_options.=1"], "has names such as width, not ''"),
        (["generator_options.a.b=1"], "has names such as width, not 'a.b'"),
        (["generator_options.width=1000"], "at most 4,294,967,296"),
        (["generator=residual", "generator_options.blocks=1000000000"], "blocks up to 64"),
        (["generator=residual", "generator_options.blocks=1.5"], "blocks such as 2, not 1.5"),
        (["dataset=others"], "Dataset 'streets' was named, and 'others' as a setting"),
    ],
)
def test_networks_that_cannot_be_are_refused_before_anything_begins(workspace, settings, sentence):
    train = Train.read(
        {
            "dataset": "streets",
            "run": "new",
            "preset": "none",
            "batch_size": 4,
            "settings": settings,
        }
    )
    with pytest.raises(EXPECTED_ERRORS) as refused:
        train.check(workspace)
    assert sentence in str(refused.value)
    assert not workspace.run("new").exists()


@pytest.mark.parametrize("settings", [5, None, [5], "a=1"])
def test_what_is_no_list_of_settings_is_refused_in_python(settings):
    with pytest.raises(EXPECTED_ERRORS, match="are no settings"):
        Train.read({"dataset": "streets", "run": "new", "settings": settings})


def test_a_dataset_may_be_named_as_a_setting(workspace):
    config = choose_settings(workspace, RunRequest(None, None, "none", {"dataset": "streets"}))
    assert config.dataset == "streets"


def write_config(workspace, **named):
    path = workspace.root / "settings.toml"
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in named.items()))
    return path


@pytest.mark.parametrize(("is_fast", "precision"), [(True, "bf16"), (False, "float32")])
def test_a_run_keeps_the_precision_that_was_chosen_for_the_machine_where_it_began(
    workspace, monkeypatch, is_fast, precision
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": is_fast})
    settings = {"precision": "auto"}
    request = RunRequest("streets", None, None, settings, device="cpu")
    assert choose_settings(workspace, request).precision == precision


def test_a_file_may_name_the_dataset(workspace):
    path = write_config(workspace, dataset="streets")
    config = choose_settings(workspace, RunRequest(None, path, None, {}))
    assert config.dataset == "streets"


def test_a_dataset_in_a_file_that_is_not_used_is_told(workspace):
    path = write_config(workspace, dataset="others")
    request = RunRequest("streets", path, None, {})
    config = choose_settings(workspace, request)
    assert config.dataset == "streets"
    said = explain_choice(workspace, request, config)
    assert said.startswith(f"It trains on 'streets', not on 'others' as {path} says.")


def test_a_run_that_takes_the_settings_of_another_has_not_its_parent(workspace):
    path = write_config(workspace, dataset="streets", parent="city@3")
    assert choose_settings(workspace, RunRequest(None, path, None, {})).parent == ""


REFUSED = {
    "a time that is none": (("--for", "abc"), "abc"),
    "no such device": (("--device", "cuda:97"), "cuda:97"),
    "a device and several processes": (("--device", "cuda:97", "--processes", "2"), "cuda:97"),
    "a setting that is none": (("--set", "colour=1"), "colour"),
    "too large a batch": (("--batch-size", "4000"), "fewer than a batch"),
    "no such dataset": (("--set", "negatives=forests"), "forests"),
    "a quality for every bit": (("--storage", "exact", "--quality", "0.2"), "exact"),
    "no such run to begin from": (("--from", "town@4"), "town"),
    "a generator that nobody trusts": (("--set", "generator=nowhere:G"), "nowhere"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_training_that_is_refused_leaves_its_name_free(workspace, studio, kind):
    words, said = REFUSED[kind]
    refused = studio("train", "streets", "--run", "next", *TINY, *words)
    assert (refused.status, said in refused.err) in ((1, True), (2, True))
    assert not workspace.run("next").exists()


def test_a_training_that_is_refused_when_its_run_is_made_leaves_its_name_free(workspace, studio):
    words = ("train", "streets", "--run", "next", "--batches", "1", *TINY)
    jobs = list_jobs(workspace)
    with claiming(workspace, [Claim("dataset", "streets", EXCLUSIVE)], "somebody's work"):
        refused = studio(*words)
    assert (refused.status, "somebody's work" in refused.err) == (1, True)
    assert not workspace.run("next").exists()
    assert list_jobs(workspace) == jobs
    assert studio(*words).status == 0
    assert isinstance(resumed_action(workspace, list_jobs(workspace)[0]), Resume)


def test_a_run_that_cannot_be_made_leaves_its_name_free(workspace):
    config = TrainingConfig.read(workspace.run_config("city"))
    with workspace.database.open("r+b") as database:
        database.write(b"nothing")  # The points of the run cannot be kept.
    with pytest.raises(StudioError, match="damaged"):
        create_run(workspace, "next", config, "visual")
    assert not workspace.run("next").exists()


def test_a_run_that_began_and_failed_keeps_its_name(workspace):
    config = TrainingConfig.read(workspace.run_config("city"))
    create_run(workspace, "next", config, "visual")
    assert not has_begun(workspace, "next")
    record_event(workspace, "next", 0, "failed", "there was no room")
    assert has_begun(workspace, "next")
    assert has_begun(workspace, "city")


def test_a_run_that_is_where_it_was_to_go_is_not_resumed_into_nothing(studio):
    for words in (["resume", "city"], ["resume", "city", "--batches", BATCHES]):
        outcome = studio(*words)
        assert outcome.status == 1
        assert f"is at batch {BATCHES} already" in outcome.err
        assert f"studio resume city --batches {2 * BATCHES}" in outcome.err
