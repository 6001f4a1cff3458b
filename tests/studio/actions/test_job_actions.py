"""How a job stands, its end, and what it gave back, by the commands."""

from studio.workspace.jobs import insert_job, newest_job


def test_a_job_that_is_done_tells_its_state_and_its_result(studio, workspace):
    studio("verify", "city")
    job = newest_job(workspace, "verify", run="city").id
    shown = studio("jobs", "show", job, "--json")
    assert (shown.status, shown.json["status"], shown.json["ended"]) == (0, "done", True)
    assert studio("jobs", "wait", job, "--json").json == shown.json
    assert studio("jobs", "show", job).out.startswith(f"Job {job} is done")
    told = studio("jobs", "result", job, "--json")
    assert told.json == studio("verify", "city", "--json").json
    assert (told.status, told.json["ok"]) == (0, True)


def test_a_wait_ends_with_its_time_and_a_job_without_an_end_has_no_result(studio, workspace):
    job = insert_job(workspace, "verify", {"run": "city"}, ["verify", "city"], "city")
    waited = studio("jobs", "wait", job, "--seconds", "0.1", "--json")
    assert (waited.status, waited.json["ended"]) == (0, False)
    refused = studio("jobs", "result", job)
    assert (refused.status, refused.out) == (1, "")
    assert f"Job {job} is queued. Wait for its end: studio jobs wait {job}" in refused.err
    assert "300.0 or less" in studio("jobs", "wait", job, "--seconds", "301").err


def test_a_job_that_failed_says_why_instead_of_a_result(studio, workspace):
    assert studio("verify", "nope").status == 1
    studio("datasets", "add", workspace.root / "exports", "--name", "none")
    job = newest_job(workspace, "datasets add").id
    assert studio("jobs", "show", job).status == 1
    refused = studio("jobs", "result", job)
    assert refused.status == 1
    assert f"Job {job} is failed: " in refused.err
