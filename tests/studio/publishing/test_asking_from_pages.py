"""What a page or another program may ask for of publishing, and what only the owner may."""

import pytest

from studio.actions.declared.import_actions import Import
from studio.actions.declared.publishing.gallery_actions import WriteGallery
from studio.actions.declared.publishing.publish_actions import Publish
from studio.actions.declared.training_actions import Train
from studio.actions.permissions import Permissions
from studio.workspace.errors import StudioError
from studio.workspace.trust import trust

TO = "mira/city"


def test_a_page_may_write_the_folder_and_sends_it_only_where_that_was_allowed(workspace, tmp_path):
    look, send = (Publish(checkpoint="city@8", to=TO, dry_run=dry_run) for dry_run in (True, False))
    asked = Permissions(workspace)
    assert asked.check(look) == look
    with pytest.raises(StudioError, match="to names an address, which this studio would call") as e:
        asked.check(send)
    assert "run code" not in str(e.value)
    (named,) = send.brings(workspace)
    assert f"studio trust --address {named.value}. " in str(e.value)
    trust(workspace, "address", named.value)
    assert asked.check(send) == send
    assert Permissions(workspace, commands=True).check(send) == send
    for elsewhere in (look, WriteGallery(run="city")):
        with pytest.raises(StudioError, match="outside the workspace"):
            asked.check(elsewhere.model_copy(update={"out": tmp_path / "elsewhere"}))


def test_what_would_run_here_is_told_from_what_would_be_called(workspace):
    asked = Permissions(workspace)
    for setting, meaning in {
        "alarm_command": "a command, which this machine would run",
        "alarm_webhook": "an address, which this studio would call",
        "generator": "a class, whose code would run here",
    }.items():
        train = Train(dataset="streets", run="new", settings={setting: "a:B"})
        with pytest.raises(StudioError, match=f"{setting} names {meaning}"):
            asked.check(train)


def test_who_may_read_a_repository_may_not_send_to_it(workspace, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    asked = Permissions(workspace)
    fetch = Import(folder=f"hub:{TO}", run="back")
    with pytest.raises(StudioError, match="folder names an address"):
        asked.check(fetch)
    trust(workspace, "address", f"https://hub.example/{TO}")
    assert asked.check(fetch) == fetch
    with pytest.raises(StudioError, match="to names an address"):
        asked.check(Publish(checkpoint="city@8", to=TO))


def test_only_the_source_of_an_import_may_be_a_repository(workspace):
    asked = Permissions(workspace, commands=True)
    with pytest.raises(StudioError, match="outside the workspace"):
        asked.check(Import(folder="../hub:x/y", run="back"))
    with pytest.raises(StudioError, match="is no repository of the Hub"):
        asked.check(Import(folder="hub:../../etc", run="back"))
    sheet = Import(folder=workspace.root, run="back", sheet="/hub:x/y", dry_run=True)
    with pytest.raises(StudioError, match="outside the workspace"):
        asked.check(sheet)
