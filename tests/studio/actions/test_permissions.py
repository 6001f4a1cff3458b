import pytest

from studio.actions.declared.dataset_actions import DatasetsAdd
from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.declared.import_actions import Import
from studio.actions.declared.inversion_actions import Invert
from studio.actions.declared.latent.mixing_actions import Mix
from studio.actions.declared.nearness_actions import Near
from studio.actions.declared.run_actions import Set
from studio.actions.declared.specimen_actions import SpecimensImport, SpecimensMark
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


def test_several_paths_of_a_browser_lie_in_the_workspace_each(empty_workspace, tmp_path):
    points = empty_workspace.root / "z.npy"
    link = empty_workspace.root / "link.npy"
    link.symlink_to(points)
    fields = {"run": "r", "files": [str(points), str(link)]}
    assert ask(empty_workspace, SpecimensImport, fields).files == (points.resolve(),) * 2
    for elsewhere in (tmp_path / "z.npy", "z.npy/../../z.npy"):
        with pytest.raises(StudioError, match="--open FOLDER"):
            ask(
                empty_workspace, SpecimensImport, {**fields, "files": [str(points), str(elsewhere)]}
            )


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


@pytest.mark.parametrize("name", ["holiday.png", "holiday.webp", "holiday", "a@b.png", "seed:1"])
def test_a_file_where_the_app_was_started_is_read_under_no_name(
    empty_workspace, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"private")
    for action, fields in (
        (RenderTimelapse, {"points": f"{name},12.0"}),
        (Mix, {"expression": f'seed:1 + "{name}"'}),
        (Near, {"point": name}),
        (SpecimensMark, {"labels": [name], "rating": 1}),
    ):
        with pytest.raises(StudioError, match="--open FOLDER"):
            ask(empty_workspace, action, {"run": "r", **fields})
    # Paths that are given as such lie in the workspace.
    inverted = ask(empty_workspace, Invert, {"run": "r", "picture": name})
    assert inverted.picture == empty_workspace.root / name
    (tmp_path / name).unlink()
    assert ask(empty_workspace, RenderTimelapse, {"run": "r", "points": "seed:1,12.0"}).out is None


@pytest.mark.parametrize(
    "expression",
    [
        "seed:1 + /elsewhere/x.jpg",
        "{inside}/x.jpg + /elsewhere/x.jpg",
        "0.5*/elsewhere/x.jpg",
        '{inside}/x.jpg - 2*"/elsewhere/x - y.jpg"',
        "-../../x.jpg",
    ],
)
def test_a_picture_elsewhere_is_no_part_of_a_sum(empty_workspace, expression):
    words = {"run": "r", "expression": expression.format(inside=empty_workspace.root)}
    with pytest.raises(StudioError, match="--open FOLDER"):
        ask(empty_workspace, Mix, words)


def test_a_picture_in_the_workspace_is_a_part_of_a_sum(empty_workspace):
    expression = f"0.5*{empty_workspace.root}/x.jpg - seed:1"
    asked = ask(empty_workspace, Mix, {"run": "r", "expression": expression})
    assert asked.expression == expression


def test_a_million_processes_are_refused():
    with pytest.raises(StudioError, match="64 or less"):
        Resume.read({"run": "r", "processes": 1_000_000})
