import pytest

from studio.actions.declared.training_actions import Train
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.workspace.errors import EXPECTED_ERRORS


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
