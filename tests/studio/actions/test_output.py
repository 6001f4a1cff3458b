"""What is printed is shown as it is: no markup, no escape codes, no text of another's making."""

import json
import logging
import sys

import pytest
from rich.console import Console

from studio.actions import submission
from studio.actions.action import Table, spell_command, words_of
from studio.actions.declared.dataset_actions import DatasetsAdd
from studio.actions.output import print_table
from studio.actions.submission import submit
from studio.main import PrintableFormatter
from studio.workspace.errors import StudioError
from studio.workspace.jobs import insert_job, list_jobs
from studio.workspace.progress import Reporter
from tests.studio.conftest import write_pictures

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


FORGED = "a\nDataset 'pics': 9 pictures"


def test_a_line_end_in_a_name_of_a_file_begins_no_line_of_its_own(empty_studio, tmp_path):
    folder = write_pictures(tmp_path / "photos", count=1)
    for suffix in (".png", ".pt"):
        (folder / f"{FORGED}{suffix}").touch()
    told = empty_studio("datasets", "add", folder, "--name", "mine", "--image-size", 32)
    assert f"Skipped {FORGED}.png".replace("\n", r"\x0a") in told.out
    for said in (
        empty_studio("import", folder, "--run", "mine"),
        empty_studio("datasets", "add", folder / FORGED, "--name", "other"),
    ):
        assert (said.status, r"a\x0aDataset" in said.err) == (1, True)
        assert "\nDataset" not in said.out + said.err


def test_remarks_and_news_are_a_line_each(empty_workspace, capsys, caplog):
    Reporter(empty_workspace).say(FORGED)
    Reporter(empty_workspace).announce(FORGED)
    shown = FORGED.replace("\n", r"\x0a")
    assert capsys.readouterr().err == f"{shown}\n" * 2
    record = logging.makeLogRecord({"msg": FORGED})
    assert PrintableFormatter().format(record) == shown


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
