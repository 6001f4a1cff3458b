"""What is printed is shown as it is: no markup, no escape codes, no text of another's making."""

import json
import sys

import pytest
from rich.console import Console

from studio.actions import submission
from studio.actions.action import Table, spell_command, words_of
from studio.actions.declared.dataset_actions import DatasetsAdd
from studio.actions.output import print_table
from studio.actions.submission import submit
from studio.workspace.errors import StudioError
from studio.workspace.jobs import insert_job, list_jobs
from studio.workspace.progress import Reporter

ODD = ["pp[/red]", "x [old]", ":smile:", "[red]x", "\x1b[2Jgone", "half\udcff", "\u202eback"]


@pytest.mark.parametrize("name", ODD)
def test_every_row_of_jobs_is_listed_whatever_is_in_it(empty_studio, empty_workspace, name):
    words = ["datasets", "add", name]
    insert_job(empty_workspace, "datasets add", {"folder": name}, words)
    for listed in (empty_studio("jobs", "list"), empty_studio("jobs", "list", "--json")):
        assert listed.status == 0
        listed.out.encode()
        assert "\x1b" not in listed.out
        assert "\u202e" not in listed.out
    assert json.loads(listed.out)[0]["command"] == words


def test_text_in_brackets_is_printed_as_it_is(capsys, empty_workspace):
    print_table(Table(["a [b]"], [["x [old]"], ["pp[/red]"], [":smile:"]]))
    Reporter(empty_workspace).say("pp[/red] x [old]")
    said = capsys.readouterr()
    assert all(text in said.out for text in ("a [b]", "x [old]", "pp[/red]", ":smile:"))
    assert said.err == "pp[/red] x [old]\n"


def test_a_bar_on_a_terminal_shows_what_it_is_told(empty_workspace, capsys):
    reporter = Reporter(empty_workspace)
    reporter._console = Console(stderr=True, force_terminal=True, markup=False, width=200)
    with reporter.task("Training pp[/red]") as on_progress:
        on_progress(1, 2, "x [old]\x1b]0;title\x07")
    said = capsys.readouterr().err
    assert "Training pp[/red]" in said
    assert r"x [old]\x1b]0;title\x07" in said


def test_a_folder_with_a_name_like_an_option_is_an_argument(empty_studio, empty_workspace):
    action = DatasetsAdd.read({"folder": "--dry-run", "name": "pics"})
    words = words_of(action)
    assert words == ["datasets", "add", "--name", "pics", "--", "--dry-run"]
    said = empty_studio(*words)
    assert said.status == 1
    assert "There is no folder --dry-run" in said.err
    assert spell_command(DatasetsAdd, {"folder": "x"}) == ["datasets", "add", "x", "--name", "NAME"]


def test_an_error_with_an_escape_code_in_it_is_shown_escaped(empty_studio):
    said = empty_studio("datasets", "add", "\x1b[31mred", "--name", "pics")
    assert said.status == 1
    assert r"\x1b[31mred" in said.err
    said = empty_studio("datasets", "add", "x", "--\x1b[31mred")
    assert said.status == 2
    assert "\x1b" not in said.err


def test_a_job_whose_process_does_not_start_has_failed_with_the_reason(
    empty_workspace, monkeypatch, tmp_path
):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(StudioError, match="could not be started"):
        submit(empty_workspace, DatasetsAdd(folder=tmp_path, name="pics"))
    (job,) = list_jobs(empty_workspace)
    assert job.status == "failed"
    assert "no-python" in job.note
    assert submission.action_of(job).name == "pics"
