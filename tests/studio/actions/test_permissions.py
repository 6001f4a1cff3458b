import pytest

from studio.actions.declared.dataset_actions import DatasetsAdd
from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.declared.import_actions import Import
from studio.actions.declared.run_actions import Set
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.permissions import Permissions
from studio.workspace.errors import StudioError


def ask(workspace, action, fields, **allowed):
    return Permissions(workspace, **allowed).check(action.read(fields))


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        (Train, {"dataset": "d", "run": "r", "settings": ["alarm_command=touch pwned"]}),
        (Train, {"dataset": "d", "run": "r", "settings": ["alarm_webhook=http://evil.example"]}),
        (Train, {"dataset": "d", "run": "r", "settings": ["generator=evil:G"]}),
        (Set, {"run": "r", "settings": ["alarm_command=touch pwned"]}),
        (Import, {"folder": "f", "run": "r", "generator": "evil:G"}),
        (RenderTimelapse, {"run": "r", "engine": "ray", "address": "evil.example:6379"}),
    ],
)
def test_what_runs_code_is_refused_with_the_flag_that_allows_it(empty_workspace, action, fields):
    with pytest.raises(StudioError, match="--allow-commands"):
        ask(empty_workspace, action, fields)


def test_the_flag_allows_what_runs_code(empty_workspace):
    fields = {"run": "r", "settings": ["alarm_command=ls"]}
    assert ask(empty_workspace, Set, fields, commands=True).settings == {"alarm_command": "ls"}


@pytest.mark.parametrize("place", ["/anywhere.mp4", "../a.mp4", "renders/../../a.mp4", "out/a.mp4"])
def test_paths_of_a_browser_lie_in_the_workspace(empty_workspace, tmp_path, place):
    (empty_workspace.root / "out").symlink_to(tmp_path.parent)
    with pytest.raises(StudioError, match="--open FOLDER"):
        ask(empty_workspace, RenderTimelapse, {"run": "r", "out": place})
    with pytest.raises(StudioError, match="--open FOLDER"):
        ask(empty_workspace, DatasetsAdd, {"folder": place, "name": "n"})


def test_an_opened_folder_and_the_workspace_may_be_named(empty_workspace, tmp_path):
    opened = tmp_path / "opened"
    opened.mkdir()
    fields = {"folder": str(opened / "in"), "name": "n"}
    asked = ask(empty_workspace, DatasetsAdd, fields, opened=(opened,))
    assert asked.folder == (opened / "in").resolve()
    asked = ask(empty_workspace, RenderTimelapse, {"run": "r", "out": "renders/a.mp4"})
    assert asked.out == (empty_workspace.root / "renders" / "a.mp4").resolve()


def test_a_picture_elsewhere_is_no_latent_point(empty_workspace):
    fields = {"run": "r", "points": "seed:1,/elsewhere/x.jpg"}
    with pytest.raises(StudioError, match="--open FOLDER"):
        ask(empty_workspace, RenderTimelapse, fields)
    assert ask(empty_workspace, RenderTimelapse, {"run": "r", "points": "seed:1,12.0"}).out is None


def test_a_million_processes_are_refused():
    with pytest.raises(StudioError, match="64 or less"):
        Resume.read({"run": "r", "processes": 1_000_000})
