"""Settings of somebody else's: what they name is neither run nor called unless the owner did."""

import dataclasses
import json
import shutil
import sys

import pytest

from studio.actions.declared.checkpoint_actions import Reindex
from studio.actions.declared.run_actions import Set
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.job_actions import JobsRetry
from studio.actions.permissions import Permissions
from studio.actions.studio import Job
from studio.actions.submission import perform, perform_job, submit
from studio.runs.config import TrainingConfig
from studio.training.loop.session import train_run
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import find_job, insert_job, mark_refused
from studio.workspace.trust import list_named, trust

QUIET = {"score_every": 0, "histograms_every": 0}
# The pictures of a run whose weights do not change sound an alarm after two batches.
STILL = {"learning_rate_g": 0.0, "learning_rate_d": 0.0, "progress_batches": 2, "batches": 16}


@pytest.fixture
def mark(tmp_path):
    """The file that the command of somebody else would write."""
    return tmp_path / "pwned"


@pytest.fixture
def command(mark):
    program = f"import sys; open({str(mark)!r}, 'w').write(sys.stdin.read())"
    return f'{sys.executable} -c "{program}"'


@pytest.fixture
def theirs(workspace, command):
    """A run folder that came from elsewhere: four batches more, and an alarm, run its command."""
    shutil.copytree(workspace.run("city"), workspace.run("theirs"))
    path = workspace.run_config("theirs")
    config = TrainingConfig.read(path)
    armed = dataclasses.replace(config, alarm_command=command, **STILL, **QUIET)
    path.write_text(armed.to_toml())
    return "theirs"


def asked(workspace, theirs):
    """Every action that brings the settings of somebody else into force."""
    file = workspace.root / "settings.toml"
    shutil.copy(workspace.run_config(theirs), file)
    action = Train(dataset="streets", run="other", config=file)
    job = insert_job(workspace, "resume", {"run": theirs}, ["resume", theirs], theirs)
    mark_refused(workspace, job, "It was refused.")
    return {
        "resume": Resume(run=theirs),
        "branch": Train(run="branch", branch=f"{theirs}@12"),
        "init from": Train(run="warm", init_from=theirs),
        "config": action,
        "run again": JobsRetry(job=job),
    }


@pytest.mark.parametrize("way", ["resume", "branch", "init from", "config", "run again"])
@pytest.mark.parametrize("allowed", [False, True])
def test_no_way_brings_a_command_of_somebody_else_into_force(workspace, theirs, mark, way, allowed):
    action = asked(workspace, theirs)[way]
    browser = Permissions(workspace, commands=allowed)
    ask = browser.submit if action.is_job else browser.perform
    for refused in (ask, lambda action: perform(workspace, action)):
        with pytest.raises(StudioError, match="studio trust --command"):
            refused(action)
    assert not mark.exists()
    assert list_named(workspace) == []


def test_a_job_that_was_written_down_runs_no_command_of_somebody_else(workspace, theirs, mark):
    job = insert_job(workspace, "resume", {"run": theirs}, ["resume", theirs], theirs)
    with pytest.raises(StudioError, match="studio trust --command"):
        perform_job(workspace, job)
    assert not mark.exists()


def test_no_session_runs_a_command_of_somebody_else(workspace, theirs, mark):
    with pytest.raises(StudioError, match="studio trust --command"):
        train_run(workspace, theirs, lambda *progress: None, lambda: False)
    assert not mark.exists()


def test_on_the_command_line_a_run_of_somebody_else_waits_until_it_is_trusted(
    studio, workspace, theirs, mark, command
):
    refused = studio("resume", theirs)
    assert refused.status == 1
    assert "nobody here has named that command" in refused.err
    assert not mark.exists()
    assert studio("trust", "--command", command).status == 0
    assert studio("resume", theirs).status == 0
    assert json.loads(mark.read_text())["run"] == theirs
    listed = studio("trust", "--json").json
    assert [(each["kind"], each["value"]) for each in listed] == [("command", command)]
    assert studio("trust", "--undo", "--command", command).status == 0
    assert studio("trust", "--json").json == []


def test_a_run_of_somebody_else_goes_on_without_its_command(studio, workspace, theirs, mark):
    assert studio("set", theirs, "alarm_command=").status == 0
    assert studio("resume", theirs).status == 0
    assert not mark.exists()


def test_what_a_person_names_at_the_shell_is_trusted_from_then_on(workspace, studio, command):
    assert studio("set", "city", f"alarm_command={command}").status == 0
    assert Permissions(workspace).check(Resume(run="city")).run == "city"
    assert Permissions(workspace).check(Set(run="city", settings={"alarm_command": command}))
    with pytest.raises(StudioError, match="--allow-commands"):
        Permissions(workspace).check(Set(run="city", settings={"alarm_command": "touch x"}))


def test_run_again_carries_what_was_named_at_the_shell_and_nothing_else(workspace):
    given = {"dataset": "streets", "run": "new", "settings": {"alarm_command": "touch x"}}
    job = insert_job(workspace, "train", given, ["train"], "new")
    mark_refused(workspace, job, "It was refused.")
    with pytest.raises(StudioError, match="studio trust --command"):
        Permissions(workspace).perform(JobsRetry(job=job))
    trust(workspace, "command", "touch x")
    assert Permissions(workspace).check(JobsRetry(job=job)).job == job
    assert find_job(workspace, job).status == "failed"


def test_a_class_that_is_not_there_is_told_and_not_trusted(studio, workspace):
    said = studio("trust", "nowhere.at_all:G")
    assert said.status == 1
    assert "there is no 'nowhere'" in said.err
    assert list_named(workspace) == []


def test_a_damaged_list_is_told(workspace, theirs):
    workspace.trusted.write_text('{"command": []}')
    with pytest.raises(EXPECTED_ERRORS, match=r"trusted\.json cannot be read"):
        Permissions(workspace).check(Resume(run=theirs))


@pytest.mark.parametrize("name", ["trusted.json", "runs/trusted_classes.json", "studio.db"])
def test_a_browser_cannot_write_over_the_lists_of_what_is_trusted(workspace, name):
    with pytest.raises(StudioError, match="record of the workspace"):
        workspace.inside(name)


def test_a_job_imports_nothing_from_the_folder_that_it_is_started_in(
    workspace, tmp_path, mark, monkeypatch
):
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "psutil.py").write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.chdir(folder)
    job = Job(workspace, submit(workspace, Reindex()).id).wait(120)
    assert job.status == "done", job.log
    assert not mark.exists()
