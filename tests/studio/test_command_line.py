"""Every command as outside programs call it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import studio as studio_package
from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.segments import RECORD_HEAD_BYTES
from renderers.video.video_reader import count_frames
from studio.actions.catalogue import known_actions
from tests.studio.conftest import BATCHES, TINY, write_pictures

REPOSITORY = Path(__file__).parents[2]


def test_runs_are_listed(studio):
    (run,) = studio("runs", "--json").json
    assert run["name"] == "city"
    assert run["status"] == "finished"
    assert run["checkpoints"] == BATCHES
    assert (run["first_batch"], run["last_batch"]) == (1, BATCHES)
    assert run["size_bytes"] > 0
    assert "city" in studio("runs").out


@pytest.mark.parametrize("left", [None, b"{"])
def test_a_run_that_cannot_be_opened_hides_no_other(studio, workspace, left):
    broken = shutil.copytree(workspace.run("city"), workspace.run("broken")) / "checkpoints"
    (broken / "generator.json").unlink()
    if left is not None:
        (broken / "generator.json").write_bytes(left)
    listed = studio("runs", "--json")
    assert [(run["name"], run["status"]) for run in listed.json] == [
        ("broken", "damaged"),
        ("city", "finished"),
    ]
    assert "Run 'broken' cannot be opened: generator.json" in listed.err
    assert "studio reindex" in listed.err
    assert "broken" in studio("runs").out


def test_checkpoints_are_described(studio):
    found = studio("checkpoints", "city", "--json").json
    assert found["run"] == "city"
    assert found["checkpoints"] == BATCHES
    assert found["missing"] == []
    assert found["storage"] == "visual"
    assert found["bytes_per_checkpoint"] == round(found["size_bytes"] / BATCHES)


def test_training_reports_run_status_and_batch(studio):
    ended = studio("train", "streets", "--run", "town", "--batches", 3, *TINY, "--json")
    assert ended.status == 0
    assert ended.json == {"run": "town", "status": "finished", "batch": 3}
    kept = studio("checkpoints", "town", "--json").json
    assert (kept["checkpoints"], kept["first_batch"], kept["last_batch"]) == (3, 1, 3)


def test_exact_storage_is_a_choice(studio, workspace):
    studio("train", "streets", "--run", "town", "--batches", 2, "--storage", "exact", *TINY)
    assert CheckpointIndex(workspace.runs)["town"].storage == "exact"


def test_a_finished_run_can_be_extended(studio, workspace):
    ended = studio("resume", "city", "--batches", BATCHES + 3, "--json")
    assert ended.json == {"run": "city", "status": "finished", "batch": BATCHES + 3}
    assert CheckpointIndex(workspace.runs)["city"].batches == list(range(1, BATCHES + 4))


def test_a_run_of_a_deleted_ones_name_begins_without_its_specimens(studio, workspace):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 2)
    shutil.rmtree(workspace.run("city"))
    again = ("train", "streets", "--run", "city", "--batches", 2, *TINY, "--set", "z_dim=9")
    assert studio(*again).status == 0
    listed = studio("specimens", "list", "city", "--json").json
    assert [s["label"] for s in listed] == [f"0.{i}" for i in range(9)]


def test_a_config_file_names_its_unknown_settings(studio, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("learning_rat_g = 1e-4\n")
    ended = studio("train", "streets", "--run", "town", "--config", config)
    assert ended.status == 1
    assert "learning_rate_g" in ended.err
    assert not studio("runs", "--json").json[1:]


def test_verify_tells_whole_from_damaged(studio, workspace):
    found = studio("verify", "city", "--json").json
    assert (found["ok"], found["checked"], found["damaged"]) == (True, BATCHES, [])
    assert found["promise"].startswith("pictures differ by at most 1 of 255")
    last = open_catalogue(workspace.runs, "city").records[BATCHES]
    path, content = last.path, bytearray(last.path.read_bytes())
    content[last.end - 1] ^= 1
    path.write_bytes(content)
    assert studio("verify", "city", "--deep").status == 3  # One flipped bit is brought back.
    for place in range(last.offset + RECORD_HEAD_BYTES, last.end, 40):
        content[place] ^= 2
    path.write_bytes(content)
    ended = studio("verify", "city", "--deep", "--json")
    assert ended.status == 1
    (damage,) = ended.json["damaged"]
    assert damage["batch"] == BATCHES
    assert damage["file"] == path.name
    assert damage["reason"]


def test_specimens_are_sampled_exported_and_listed(studio, tmp_path):
    drawn = studio("specimens", "sample", "city", "--batch", 5, "--count", 3, "--json").json
    assert [s["label"] for s in drawn] == ["5.0", "5.1", "5.2"]
    assert [(s["batch"], s["index"]) for s in drawn] == [(5, 0), (5, 1), (5, 2)]
    assert all(Image.open(s["path"]).size == (32, 32) for s in drawn)
    (more,) = studio("specimens", "sample", "city", "--batch", 5, "--count", 1, "--json").json
    assert more["label"] == "5.3"

    out = tmp_path / "pictures"
    (exported,) = studio("specimens", "export", "city", "5.1", "--out", out, "--json").json
    assert exported["label"] == "5.1"
    assert Path(exported["path"]).parent == out
    assert studio("specimens", "star", "city", "5.2").status == 0
    listed = studio("specimens", "list", "city", "--json").json
    assert listed[0]["label"] == "5.2"
    assert {s["label"] for s in listed} >= {"0.0", "0.8", "5.0", "5.3"}


def test_an_exported_jpeg_finds_its_own_way_back(studio, tmp_path):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 4)
    (exported,) = studio(
        "specimens", "export", "city", "5.1", "--out", tmp_path / "out", "--json"
    ).json
    near = studio("near", "city", exported["path"], "-k", 2, "--json").json
    assert near["point"] == "5.1"
    assert near["batch"] == 5


def test_near_lists_specimens_nearest_first(studio):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 6)
    found = studio("near", "city", "5.3", "-k", 4, "--json").json
    assert found["space"] == "pictures"
    assert found["metric"] == "euclidean"
    distances = [n["distance"] for n in found["neighbours"]]
    assert len(distances) == 4
    assert distances == sorted(distances)
    assert "5.3" not in [n["label"] for n in found["neighbours"]]


def test_a_timelapse_has_a_film_a_point_with_a_frame_a_checkpoint(studio, tmp_path):
    out = tmp_path / "films" / "city.mp4"
    made = studio(
        "render", "timelapse", "city", "--points", "0.0,seed:7", "--out", out, "--fps", 24, "--json"
    ).json
    assert made["seconds"] > 0
    assert [video["label"] for video in made["videos"]] == ["0.0", "seed:7"]
    assert Path(made["videos"][0]["path"]) == tmp_path / "films" / "city-0.0.mp4"
    for video in made["videos"]:
        assert video["frames"] == BATCHES
        assert count_frames(video["path"]) == BATCHES


def test_batch_ranges_are_half_open(studio, tmp_path):
    words = ("--points", "0.0", "--grid", "--out", tmp_path / "x.mp4", "--json")
    made = studio("render", "timelapse", "city", "--batches", "0:11:5", *words).json
    assert [video["frames"] for video in made["videos"]] == [2]
    assert made["videos"][0]["path"] == str(tmp_path / "x.mp4")


def test_an_interpolation_lasts_as_long_as_asked_for(studio, tmp_path):
    out = tmp_path / "walk.mp4"
    words = ("--points", "0.0,0.1", "--seconds", 1.5, "--fps", 20, "--out", out, "--json")
    (video,) = studio("render", "interpolation", "city", "--batch", 5, *words).json["videos"]
    assert video["path"] == str(out)
    assert video["frames"] == count_frames(out) == 30


@pytest.mark.slow
def test_an_atlas_is_drawn_and_says_how_faithful_it_is(studio, workspace):
    drawn = studio("atlas", "city", "--batch", 5, "--count", 40, "--json").json
    assert (drawn["run"], drawn["batch"], drawn["count"]) == ("city", 5, 40)
    assert (drawn["space"], drawn["structure_p"] >= 0.01) == ("pictures", True)
    assert drawn["structure"] is (drawn["structure_p"] <= 0.01)
    assert all(0 <= drawn[number] <= 1 for number in ("faithful", "repeatable"))
    with Image.open(drawn["path"]) as picture:
        assert picture.width == picture.height >= 32 * 6
    assert studio("near", "city", "5.39", "-k", 1).status == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["checkpoints", "cty"], "Run 'cty' is not in the index. Known: city"),
        (["resume", "cty"], "Run 'cty' is not in the index"),
        (["stop", "city"], "not training"),
        (["train", "nowhere", "--run", "x"], "There is no dataset 'nowhere'. Known: streets"),
        (["train", "streets", "--run", "city"], "exists already"),
        (["train", "streets", "--run", "x", "--recipe", "vae"], "No training recipe"),
        (["train", "streets", "--run", "x", "--preset", "huge"], "no preset 'huge'"),
        (["specimens", "export", "city", "99.5"], "no specimen 99.5"),
        (["specimens", "export", "city", "elsewhere.jpg"], "no latent point"),
        (["specimens", "sample", "city", "--batch", "99"], "no checkpoint 99"),
        (["render", "timelapse", "city", "--batches", "50:60"], "No checkpoint of run 'city'"),
        (["render", "timelapse", "city", "--batches", "a:b"], "no choice of batches"),
        (["render", "timelapse", "city", "--points", "99.9"], "no specimen 99.9"),
        (["render", "timelapse", "city", "--devices", "cuda:7"], "cuda:7"),
        (["render", "interpolation", "city", "--points", "0.0"], "at least two latent points"),
        (["atlas", "city", "--count", "3"], "out of range"),
        (["datasets", "add", "missing-folder", "--name", "x"], "missing-folder"),
        (["jobs", "log", "999"], "no job 999"),
    ],
)
def test_bad_input_gets_a_sentence_and_status_1(studio, words, sentence):
    ended = studio(*words)
    assert ended.status == 1
    assert sentence in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fly"], "No such command 'fly'"),
        (["train"], "--run is missing. Name of the new run."),
        (["render", "timelapse"], "RUN is missing"),
        (["near", "city"], "POINT is missing. A label, seed:N, a picture of any kind,"),
        (["near", "city", "seed:1", "-k", "0"], "-k 0 is out of range: use 1 or more"),
        (["near", "city", "seed:1", "--space", "clip"], "--space 'clip' is not known. Use 'pict"),
        (["verify", "city", "--subset", "120%"], "'120%' is no share. Write it as 5% or 0.05."),
        (["thin", "city"], "Give one of --budget, --every and --keep-pinned."),
        (["thin", "city", "--keep-pinned", "--from", "3"], "--from and --to go with --every."),
        (["thin", "city", "--every", "2", "--from", "9", "--to", "3"], "--from is behind --to."),
        (["runs", "--workspace", "x"], "--workspace stands before the command"),
    ],
)
def test_wrong_usage_has_status_2_and_says_what_is_wrong(studio, words, sentence):
    ended = studio(*words)
    assert ended.status == 2
    assert sentence in ended.err
    assert ended.out == ""


def test_help_lists_every_command_under_a_heading_with_a_whole_sentence(empty_studio):
    told = empty_studio("-h").out
    assert "\nTraining:\n" in told
    for action in known_actions().values():
        assert len(action.summary()) <= 49, action.command
        assert action.summary().endswith("."), action.command
        page = empty_studio(*action.command.split(), "-h").out
        assert action.summary() in page
        assert all(field.help.strip().endswith((".", "list", "runs")) for field in action.fields())


def test_the_version_is_told(empty_studio):
    assert empty_studio("--version").out == f"studio {studio_package.__version__}\n"


def test_jobs_alone_lists_them(studio):
    assert studio("jobs").out == studio("jobs", "list").out
    assert studio("jobs", "--json").json == studio("jobs", "list", "--json").json
    assert studio("specimens").status == 2


def test_paths_are_not_broken_where_output_is_no_terminal(studio, tmp_path):
    out = tmp_path / ("a-rather-long-name-" * 6) / "film.mp4"
    made = studio("render", "timelapse", "city", "--points", "0.0", "--last", 2, "--out", out)
    assert str(out) in made.out


def test_an_empty_workspace_says_what_to_do(empty_studio):
    assert "studio train" in empty_studio("runs").out
    assert empty_studio("runs", "--json").json == []
    assert "studio datasets add" in empty_studio("datasets", "list").out


def test_datasets_of_folders_and_cities_are_added_and_listed(empty_studio, tmp_path):
    pictures = write_pictures(tmp_path / "pictures", count=3)
    (pictures / "broken.jpg").write_bytes(b"no picture")
    added = empty_studio("datasets", "add", pictures, "--name", "mine", "--image-size", 32)
    assert added.status == 0
    assert "broken.jpg" in added.out
    city = empty_studio(
        *("datasets", "add-cities", "--name", "helsinki", "--count", 20, "--image-size", 32),
        *("--metres-per-pixel", 4, "--json"),
    ).json
    assert city["pictures"] == 20
    assert city["attribution"] == "© OpenStreetMap contributors, ODbL"
    names = [dataset["name"] for dataset in empty_studio("datasets", "list", "--json").json]
    assert names == ["helsinki", "mine"]


def test_commands_are_remembered_as_jobs(studio):
    studio("render", "timelapse", "city", "--batches", "1:4", "--grid")
    studio("specimens", "sample", "city", "--batch", 99)
    failed, rendered, *_ = studio("jobs", "list", "--json").json
    assert failed["status"] == "failed"
    assert "no checkpoint 99" in failed["note"]
    assert rendered["status"] == "done"
    assert rendered["command"][:3] == ["render", "timelapse", "city"]


def start(workspace, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "studio", "--workspace", str(workspace.root), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def await_batches(workspace, run, count):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if run in (index := CheckpointIndex(workspace.runs)) and len(index[run].batches) >= count:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{run} did not reach {count} checkpoints")


def test_a_run_is_stopped_from_elsewhere_and_resumed(workspace, studio):
    training = start(workspace, "train", "streets", "--run", "long", *TINY, "--json")
    await_batches(workspace, "long", 2)
    assert studio("runs", "--json").json[1]["status"] == "training"
    stopped = studio("stop", "long", "--json").json
    assert stopped["status"] == "stopped"
    out, err = training.communicate(timeout=60)
    assert training.returncode == 0, err
    assert json.loads(out) == stopped

    ended = studio("resume", "long", "--batches", stopped["batch"] + 2, "--json").json
    assert ended == {"run": "long", "status": "finished", "batch": stopped["batch"] + 2}
    kept = studio("checkpoints", "long", "--json").json
    assert kept["missing"] == []
    assert kept["checkpoints"] == stopped["batch"] + 2


@pytest.mark.slow
def test_a_killed_run_is_found_interrupted_and_goes_on(workspace, studio):
    training = start(workspace, "train", "streets", "--run", "long", *TINY)
    await_batches(workspace, "long", 3)
    os.kill(training.pid, signal.SIGKILL)
    training.communicate(timeout=60)
    assert studio("runs", "--json").json[1]["status"] == "interrupted"
    ended = studio("resume", "long", "--batches", 300, "--json")
    assert ended.json == {"run": "long", "status": "finished", "batch": 300}
    assert CheckpointIndex(workspace.runs)["long"].batches == [*range(1, 301)]


@pytest.mark.slow
def test_training_goes_on_in_the_background(workspace, studio):
    studio("train", "streets", "--run", "back", "--batches", 3, *TINY, "--detach")
    await_batches(workspace, "back", 3)
    (job, *_) = studio("jobs", "list", "--json").json
    assert job["command"][:4] == ["train", "streets", "--run", "back"]
    assert job["run"] == "back"


def test_a_job_in_the_background_is_told_in_json_or_in_a_line(studio):
    words = ("specimens", "sample", "city", "--batch", 5, "--count", 1, "--detach")
    told = studio(*words, "--json")
    assert told.json["text"] == "studio specimens sample city --batch 5 --count 1"
    assert f"studio jobs log {told.json['id']}" in told.err
    assert studio(*words).out == f"Job {told.json['id'] + 1}: {told.json['text']}\n"


def test_listing_runs_imports_neither_torch_nor_gradio(workspace):
    listing = (
        "import sys; from studio.main import main\n"
        "sys.argv = ['studio', '--workspace', sys.argv[1], 'runs']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'gradio', 'umap', 'numpy'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", listing, str(workspace.root)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "[]"
