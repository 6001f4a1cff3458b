"""What the gallery asks for is answered, or refused in a sentence; nothing ends otherwise."""

import zipfile
from types import SimpleNamespace

import pytest

from studio.actions.permissions import Permissions
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.specimens.gallery.gallery_answers import GalleryAnswers
from studio.screens.specimens.gallery.gallery_view import GalleryView
from studio.screens.specimens.gallery.thumbnail_store import ThumbnailStore
from studio.specimens.specimens import list_specimens
from studio.workspace.errors import StudioError
from tests.studio.conftest import BATCHES


@pytest.fixture
def ask(workspace):
    """ask(function, **asked): what the page is answered."""
    permissions = Permissions(workspace)
    # It stands for the page, of which the answers use these two alone.
    app = SimpleNamespace(workspace=workspace, perform=permissions.perform)
    answers = GalleryAnswers(app, ThumbnailStore(workspace, PictureCache(workspace)))
    functions = {function.__name__: function for function in answers.functions}
    return lambda function, /, **asked: functions[function]({"run": "city", **asked})


def test_a_view_is_listed_and_described_and_marked(ask, workspace):
    labels = ask("list_view", view={})["labels"].split()
    assert labels == [s.label for s in list_specimens(workspace, "city")]
    (row,) = ask("describe", labels="0.1")["rows"]
    assert (row["label"], row["starred"], row["rating"], row["tags"]) == ("0.1", False, 0, [])
    said = ask("mark", labels="0.1 0.2", star=True, rating=3, tag="river", note="at night")
    assert [(r["starred"], r["rating"], r["tags"]) for r in said["rows"]] == [
        (True, 3, ["river"])
    ] * 2
    assert said["tags"] == ["river"]
    assert ask("mark", labels="0.1", name="Old harbour", untag="river")["rows"][0]["name"]
    assert ask("list_view", view={"search": "harbour"})["labels"] == "0.1"
    assert ask("list_view", view={"kind": "Starred", "search": "not tag:river"})["labels"] == "0.1"


def test_an_export_is_one_zip_that_is_replaced_where_it_is_asked_for_again(ask, workspace):
    asked = {"labels": "0.1 0.2", "into": "zip", "format": "png", "size": "64", "quality": 90}
    first, again = ask("export", **asked), ask("export", **asked)
    assert [link["name"] for link in first["links"]] == [link["name"] for link in again["links"]]
    (path,) = workspace.specimens("city").glob("*.zip")
    assert sorted(zipfile.ZipFile(path).namelist()) == [
        f"city-0.{number}-at-{BATCHES}.png" for number in (1, 2)
    ]
    assert "--zip" in first["command"]
    for kind in ("jpg", "png"):
        sheet = ask("export", labels="0.1", into="sheet", format=kind)["links"][0]
        assert sheet["name"].endswith(f".{kind}")
    page = ask("export", labels="0.1 0.2", into="a3")
    assert page["links"][0]["name"].endswith("-a3.pdf")
    assert "--paper a3" in page["command"]
    assert ask("export", labels="0.1 0.2", format="webp")["links"][1]["name"].endswith(".webp")


def test_stacks_of_near_duplicates_have_the_best_on_top(ask):
    ask("mark", labels="0.2", star=True)
    found = ask("stacks", within=1e9)
    (stack,) = found["stacks"]
    assert stack[0] == "0.2"
    assert len(stack) > 3
    assert "1 stack " in found["said"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("list_view", {}),
        ("list_view", {"view": 7}),
        ("list_view", {"view": {"kind": "Nonsense"}}),
        ("list_view", {"view": {"rated": True}}),
        ("list_view", {"view": {"place": -1}}),
        ("list_view", {"view": {"search": "tag:<b>"}}),
        ("list_view", {"view": {"search": "a" * 999}}),
        ("list_view", {"view": {"search": "\0"}}),
        ("list_view", {"view": {"batches": "a:b"}}),
        ("describe", {"labels": "../../studio.db"}),
        ("describe", {"labels": " ".join(f"1.{i}" for i in range(300))}),
        ("describe", {"run": "../city", "labels": "0.1"}),
        ("describe", {"run": None, "labels": "0.1"}),
        ("describe", {"run": "nobody", "labels": "0.1"}),
        ("mark", {"labels": "0.1"}),
        ("mark", {"labels": "0.1", "rating": 6}),
        ("mark", {"labels": "0.1", "rating": "5; DROP"}),
        ("mark", {"labels": "0.1", "tag": "<b>"}),
        ("mark", {"labels": "0.1", "note": ["a"]}),
        ("mark", {"labels": "0.1 0.2", "name": "both"}),
        ("mark", {"labels": "0.999999999", "star": True}),
        ("export", {"labels": ""}),
        ("export", {"labels": "0.1", "into": "/etc/passwd"}),
        ("export", {"labels": "0.1", "format": "exe"}),
        ("export", {"labels": "0.1", "size": "0"}),
        ("export", {"labels": "0.1", "quality": 1000}),
        ("stacks", {"within": -1}),
        ("stacks", {"within": "near"}),
    ],
)
def test_what_cannot_be_is_a_sentence(ask, name, asked):
    answer = ask(name, **asked)
    if name == "describe" and asked.get("run") == "nobody":
        assert answer == {"rows": []} or "problem" in answer
        return
    assert set(answer) == {"problem"}
    assert len(answer["problem"]) > 20


def test_a_view_is_read_back_from_its_parts():
    view = GalleryView.read({"kind": "Starred", "search": "river", "place": 40, "open": "3.1"})
    assert GalleryView.read(view.parts()) == view
    assert GalleryView().parts() == {}
    with pytest.raises(StudioError, match="no such order"):
        GalleryView.read({"order": "nonsense"})
