"""Actions: declared once, they are commands, form fields, jobs, Python names and schemas."""

import inspect
import os
import sys
import textwrap
import time

import gradio as gr
import pytest

import studio as studio_package
from studio.actions import catalogue, registry
from studio.actions.action import words_of
from studio.actions.catalogue import known_actions
from studio.actions.declared.specimen_actions import SpecimensSample
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.schema import describe_actions
from studio.actions.studio import JobFailedError
from studio.actions.submission import perform, submit
from studio.command_line.commands import make_command, read_action
from studio.screens.parts.form import Form
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import ACTIVE, find_job, insert_job, list_jobs
from studio.workspace.queue.work import working_as_job
from tests.studio.conftest import run_studio

GREET = """
from studio.actions.action import Action, Done
from studio.workspace.records.record import option

class Greet(Action):
    \"\"\"Greet somebody politely.\"\"\"
    command = "greet"
    name: str = option(help="Whom to greet.", argument=True)
    times: int = option(1, "How often.", ge=1, le=9)

    def perform(self, workspace, reporter) -> Done:
        reporter.say(f"Hello {self.name}!")
        return Done(said="Hello. " * self.times)
"""


@pytest.fixture
def greet(tmp_path, monkeypatch):
    """An action of ten lines that an installed package declares."""
    (tmp_path / "politeness.py").write_text(textwrap.dedent(GREET))
    info = tmp_path / "politeness-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: politeness\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\ng = politeness:Greet\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    registry.work_actions.cache_clear()
    catalogue.known_actions.cache_clear()
    yield known_actions()["greet"]
    registry.work_actions.cache_clear()
    catalogue.known_actions.cache_clear()
    sys.modules.pop("politeness", None)


def ended(workspace, job):
    """A job once it has ended."""
    deadline = time.monotonic() + 120
    while (found := find_job(workspace, job.id)).status in ACTIVE:
        assert time.monotonic() < deadline, f"{found} did not end"
        time.sleep(0.1)
    return found


def test_a_made_up_action_is_found_in_every_face(greet, empty_workspace, capsys, monkeypatch):
    page = run_studio(empty_workspace.root, ["greet", "-h"], capsys, monkeypatch).out
    assert "Greet somebody politely." in page
    assert "--times N" in page
    assert "How often." in page
    said = run_studio(empty_workspace.root, ["greet", "Ada", "--json"], capsys, monkeypatch)
    assert said.json == {"said": "Hello. "}
    refused = run_studio(
        empty_workspace.root, ["greet", "Ada", "--times", "10"], capsys, monkeypatch
    )
    assert "--times 10 is out of range: use 9 or less" in refused.err

    with gr.Blocks():
        form = Form(greet)
        form.rest()
    assert {"name", "times"} == form.laid.keys()
    assert (form.laid["times"].minimum, form.laid["times"].info) == (1, "How often.")
    assert words_of(form.read("Ada", 3)) == ["greet", "Ada", "--times", "3"]

    here = studio_package.open(empty_workspace.root)
    assert "greet" in dir(here)
    assert str(inspect.signature(here.greet)).startswith("(*, name: str, times: int = 1, detach")
    assert here.greet(name="Ada", times=2).said == "Hello. Hello. "
    job = here.greet(name="Bob", detach=True)
    assert job.result().said == "Hello. "
    assert "Hello Bob!" in job.log
    assert (job.status, job.error, job.row.text) == ("done", None, "studio greet Bob")

    schema = describe_actions()["greet"]
    assert schema["input"]["properties"]["times"]["maximum"] == 9
    assert "said" in schema["result"]["properties"]


def test_a_package_whose_action_cannot_be_loaded_is_told_and_the_others_are_there(
    greet, tmp_path, empty_workspace, capsys, monkeypatch, caplog
):
    entries = f"[{registry.ENTRY_POINTS}]\na = politeness:Greet\nb = no_such:Action\nc = os:sep\n"
    (tmp_path / "politeness-1.0.dist-info" / "entry_points.txt").write_text(entries)
    registry.work_actions.cache_clear()
    catalogue.known_actions.cache_clear()
    assert run_studio(empty_workspace.root, ["greet", "Ada"], capsys, monkeypatch).status == 0
    told = [record.getMessage() for record in caplog.records]
    assert any("'no_such:Action' cannot be loaded" in line for line in told)
    assert any("'os:sep' is declared as an action, and is none" in line for line in told)


def within_range(field, example):
    """An example of a number that a field takes; other examples as they are."""
    if field.kind not in ("whole", "number"):
        return example
    lowest, highest = (example if end is None else end for end in (field.minimum, field.maximum))
    return type(example)(max(lowest, min(example, highest)))


@pytest.mark.parametrize("name", known_actions())
def test_the_words_of_every_action_are_read_as_the_same_action(name):
    action = known_actions()[name]
    examples = {"whole": 7, "number": 1.5, "flag": True, "path": "some/where", "text": "word"}
    values = {}
    for field in action.fields():
        if field.name == "settings":
            values[field.name] = {"loss": "hinge"} if name == "train" else ["seed=7"]
        elif field.name == "options":
            values[field.name] = {"width": 2}
        elif field.metavar in ("SIZE", "TIME", "SHARE", "RATE", "WHEN", "USER/NAME"):
            values[field.name] = field.example
        elif field.choices:
            values[field.name] = field.choices[-1]
        elif field.kind == "flag":
            values[field.name] = not field.default
        else:
            one = "7" if field.name == "batch_size" else within_range(field, examples[field.kind])
            values[field.name] = [one, one] if field.many else one
    filled = action.read(values)
    command = make_command(action)
    words = words_of(filled)[len(name.split()) :]
    given = command.make_context(name, words).params
    assert read_action(action, given) == filled
    assert action.read(filled.model_dump(mode="json")) == filled


def test_every_action_says_what_it_takes_and_gives():
    for name, description in describe_actions().items():
        assert description["summary"].endswith("."), name
        for field, schema in description["input"]["properties"].items():
            assert schema.get("description"), (name, field)


def test_an_action_that_cannot_be_is_refused_before_there_is_a_job(workspace):
    before = len(list_jobs(workspace))
    with pytest.raises(EXPECTED_ERRORS, match="There is no dataset 'nowhere'"):
        submit(workspace, Train(dataset="nowhere", run="new"))
    with pytest.raises(EXPECTED_ERRORS, match="Run 'city' exists already"):
        perform(workspace, Train(dataset="streets", run="city"))
    assert len(list_jobs(workspace)) == before


def test_a_job_is_a_process_of_its_own_with_a_log_progress_and_a_result(workspace):
    here = studio_package.open(workspace.root)
    job = here.specimens_sample(run="city", batch=5, count=8, detach=True)
    assert job.row.pid != os.getpid()
    assert [specimen.label for specimen in job.result().specimens][:2] == ["5.0", "5.1"]
    assert (job.row.done, job.row.total, job.row.run) == (8, 8, "city")
    assert here.job(job.id).status == "done"


def test_a_job_that_fails_says_why_in_its_row_its_log_and_to_who_waits(workspace):
    here = studio_package.open(workspace.root)
    job = here.specimens_sample(run="city", batch=99, detach=True)
    with pytest.raises(JobFailedError, match="no checkpoint 99"):
        job.result()
    assert "no checkpoint 99" in job.error
    assert "no checkpoint 99" in job.log


def test_a_job_is_run_again_by_the_same_action(workspace, studio):
    job = ended(workspace, submit(workspace, SpecimensSample(run="city", batch=99)))
    assert studio("jobs", "retry", job.id).out == f"Job {job.id + 1}: {job.text}\n"
    again = ended(workspace, find_job(workspace, job.id + 1))
    assert (again.status, again.fields) == ("failed", job.fields)


def test_training_that_had_begun_is_gone_on_with(workspace, studio):
    training = Train(dataset="streets", run="city")
    fields = training.model_dump(mode="json")
    number = insert_job(workspace, "train", fields, words_of(training), "city")
    with pytest.raises(StudioError), working_as_job(workspace, number):
        raise StudioError("the disk is full")
    refused = studio("jobs", "retry", number)
    assert "studio resume city --batches 24" in refused.err  # The run is where it was to go.


def test_training_that_never_began_is_begun_as_it_was(workspace, studio):
    training = Train(dataset="streets", run="paris", init_from="rome")
    fields = training.model_dump(mode="json")
    number = insert_job(workspace, "train", fields, words_of(training), "paris")
    workspace_row = find_job(workspace, number)
    assert workspace_row.started_at is None
    from studio.actions.submission import retry
    from studio.workspace.queue.requests import cancel_job

    cancel_job(workspace, workspace_row)
    with pytest.raises(EXPECTED_ERRORS, match="rome"):
        retry(workspace, find_job(workspace, number))


def test_a_job_of_an_earlier_version_is_shown_and_says_how_to_give_it_again(workspace, studio):
    from studio.workspace.database import open_database

    with open_database(workspace.database) as db:
        db.execute(
            "INSERT INTO jobs (command, run, status, action, created_at) "
            "VALUES ('[\"thin\", \"city\", \"--every\", \"2\"]', 'city', 'failed', 'thin', 1)"
        )
    job = list_jobs(workspace)[0]
    assert job.text == "studio thin city --every 2"
    refused = studio("jobs", "retry", job.id)
    assert refused.status == 1
    assert "Give its command again: studio thin city --every 2" in refused.err


def test_a_run_is_trained_and_filmed_from_python(workspace):
    here = studio_package.open(workspace.root)
    assert [run.name for run in here.runs().runs] == ["city"]
    job = here.resume(run="city", batches=14, detach=True)
    report = job.wait().result()
    assert (report.run, report.status, report.batch) == ("city", "finished", 14)
    film = here.render_timelapse(run="city", points="seed:1", fps=24)
    assert [video.frames for video in film.videos] == [14]
    with pytest.raises(StudioError, match="fps 0 is out of range"):
        here.render_timelapse(run="city", fps=0)
    with pytest.raises(AttributeError, match="no action 'fly'"):
        here.fly()


def test_resume_is_an_action_of_a_run():
    assert Resume(run="city").about_run == "city"
    assert Train(dataset="a", run="b", duration=5100).resumed() == Resume(run="b", duration=5100)
