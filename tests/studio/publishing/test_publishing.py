"""Publishing: a folder that strangers can use, and its way to the Hub and back."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import seeded_point
from renderers.frames.frame_renderer import render_frames
from studio.publishing.model_card import CardContent, write_card
from studio.publishing.network_files import describe_network, network_source
from studio.publishing.published_folder import CARD, FILES, POINTS, SHEET, WEIGHTS
from studio.publishing.run_facts import RunFacts
from studio.runs.events import record_event
from studio.specimens.points import points_of
from studio.workspace.jobs import find_job
from tests.studio.conftest import BATCHES
from tests.studio.publishing.hub_server import TOKEN, Repository

TO = "mira/city"
CHAIN = {
    "layers": [
        {"layer": "Unflatten", "dim": 1, "unflattened_size": [8, 1, 1]},
        {"layer": "ConvTranspose2d", "name": "main.0", "in_channels": 8, "out_channels": 4}
        | {"kernel_size": 8},
        {"layer": "BatchNorm2d", "name": "main.1", "num_features": 4},
        {"layer": "PixelNorm"},
        {"layer": "Upsample", "scale_factor": 4},
        {"layer": "Conv2d", "name": "last.rgb", "in_channels": 4, "out_channels": 1}
        | {"kernel_size": 1},
        {"layer": "Sigmoid"},
    ]
}
DEEPENED = [
    {"layer": "Linear", "name": "a", "in_features": 8, "out_features": 6},
    {"layer": "DenseRefinement", "name": "a_refinement_1", "channels": 6},
    {"layer": "Linear", "name": "b", "in_features": 6, "out_features": 256},
    {"layer": "Unflatten", "dim": 1, "unflattened_size": [4, 8, 8]},
    {"layer": "LeakyRefinement", "name": "b_refinement_1", "channels": 4},
    {"layer": "Upsample", "scale_factor": 4},
    {"layer": "Conv2d", "name": "c", "in_channels": 4, "out_channels": 3, "kernel_size": 1},
    {"layer": "Tanh"},
]
SPECS = [
    GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125}),
    GeneratorSpec(
        "dcgan",
        {"z_dim": 8, "image_size": 32, "width": 0.125, "palette": 4, "upsampling": "transposed"}
        | {"full_resolution_block": True},
        z_distribution="sphere",
    ),
    GeneratorSpec("residual", {"z_dim": 8, "image_size": 32, "width": 0.125}),
    GeneratorSpec(
        "residual",
        {"z_dim": 8, "image_size": 32, "width": 0.25, "blocks": 1, "group_width": 0},
        z_distribution="uniform",
    ),
    GeneratorSpec("skyline", {"z_dim": 8, "image_size": 32, "width": 0.02}),
    GeneratorSpec("chain", {"z_dim": 8, "image_size": 32, **CHAIN}),
    # Networks that were changed at a batch: layers as wide and as many as somebody made them.
    GeneratorSpec(
        "dcgan",
        {"z_dim": 8, "image_size": 32, "channels": [9, 5, 7], "refinements": [2, 0, 1]}
        | {"max_channels": 64},
    ),
    GeneratorSpec(
        "residual",
        {"z_dim": 8, "image_size": 32, "width": 0.125, "blocks": 1, "group_width": 4}
        | {"inner": [[8], [12, 4], [16], [4]]},
    ),
    GeneratorSpec(
        "skyline",
        {"z_dim": 8, "image_size": 32, "width": 0.02, "channels": [9, 8, 7, 6, 5, 4, 3]}
        | {"refinements": [0, 2, 0, 0, 1]},
    ),
    GeneratorSpec("chain", {"z_dim": 8, "image_size": 32, "layers": DEEPENED}),
]


def run_as_stranger(folder, *words):
    """Run generate.py in a process that cannot import our packages."""
    code = (
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(['studio', 'latent', 'renderers', 'checkpoints_index']))"
        f"\nsys.path.insert(0, {str(folder)!r})"
        f"\nrunpy.run_path({str(folder / 'generate.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, words)],
        **{"capture_output": True, "text": True, "timeout": 120, "cwd": folder},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.architecture}-{len(spec.options)}")
def test_the_plain_network_draws_what_ours_draws(spec):
    G = spec.build()
    for name, tensor in G.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(0, 0.2)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    namespace = {}
    exec(compile(network_source(spec), "network.py", "exec"), namespace)
    plain = namespace["build_network"](json.loads(json.dumps(describe_network(spec)))).eval()
    plain.load_state_dict(G.state_dict())
    z = spec.shape_z(torch.randn(3, spec.z_dim))
    ours, theirs = render_frames(G, z), render_frames(plain, z)
    assert ours.shape == (3, spec.image_size, spec.image_size, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert ours.std() > 1
    with torch.inference_mode():
        torch.testing.assert_close(plain(z), G(z), atol=1e-5, rtol=1e-5)


def test_a_stranger_without_our_packages_draws_the_same_pictures(studio, workspace, tmp_path):
    told = studio("publish", "city@8", "--to", TO, "--dry-run", "--out", tmp_path / "out", "--json")
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert [file["name"] for file in told.json["files"]] == list(FILES)
    assert told.json["url"] is None
    card = (out / CARD).read_text()
    assert card == told.json["card"]
    for part in ("studio import hub:mira/city", "1 of 255", "streets", "as the run filmed itself"):
        assert part in card
    with Image.open(out / SHEET) as sheet:
        assert sheet.width > 100
    run_as_stranger(out, "--seeds", "3-4", "--out", tmp_path / "pictures")
    run = CheckpointIndex(workspace.runs)["city"]
    G, z = run.generator(8), [seeded_point(seed, run.spec.z_dim).z for seed in (3, 4)]
    points = safetensors.torch.load_file(out / POINTS)
    assert torch.equal(points["0.1"], points_of(workspace, "city")[1].z)
    for name, frame in zip(("seed-3", "seed-4"), render_frames(G, torch.stack(z)), strict=True):
        drawn = np.asarray(Image.open(tmp_path / "pictures" / f"{name}.png")).astype(int)
        assert np.abs(drawn - frame).max() <= 1
    for name, tensor in safetensors.torch.load_file(out / WEIGHTS).items():
        assert torch.equal(tensor, run.weights(8)[name])


def test_what_somebody_wrote_is_no_markup_in_a_card(workspace):
    manifest = workspace.dataset("streets") / "manifest.json"
    document = json.loads(manifest.read_text())
    del document["xxh3"]
    hostile = "x\n---\nlicense: mit\n# <script>alert(1)</script> [a](javascript:b) | ![](c) `d`"
    manifest.write_text(json.dumps({**document, "attribution": hostile, "source": hostile}))
    record_event(
        workspace, "city", 3, "alarm", f"{hostile} /home/me/secret/a.png https://x.org/?k=1"
    )
    record_event(workspace, "city", 4, "changed", "alarm_webhook:  -> https://x.org/?key=2")
    spec = CheckpointIndex(workspace.runs)["city"].spec
    content = CardContent(TO, 12, spec, 10, 40, ["0.0"], "a film.", True, 1)
    card = write_card(RunFacts.of_run(workspace, "city"), content)
    header, _, text = card.removeprefix("---\n").partition("\n---\n")
    assert 'license: "other"' in header
    assert "mit" not in header
    assert "\n---" not in text
    assert "<script" not in card
    assert "\\[a\\]\\(javascript\\:b\\)" in text
    assert "\n# x" not in text
    assert "1 alarm." in text
    assert "a.png" in text
    assert not any(private in text for private in ("/home/me", "x.org", "webhook"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["city@999"], "The nearest: city@12"),
        (["city@x"], "names no checkpoint"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anything_is_written(
    studio, tmp_path, words, sentence
):
    done = studio("publish", *words, "--to", TO, "--dry-run", "--out", tmp_path / "out")
    assert (done.status, (tmp_path / "out").exists()) == (1, False)
    assert sentence in " ".join(done.err.split())


def test_a_network_that_nobody_could_rebuild_is_refused(studio, workspace, tmp_path):
    spec = GeneratorSpec("tests.studio.publishing.own_network:OwnNetwork", {"z_dim": 4})
    with CheckpointIndex(workspace.runs).create("own", spec, storage="exact") as run:
        run.append(1, spec.build().state_dict())
    done = studio("publish", "own", "--to", TO, "--dry-run", "--out", tmp_path / "out")
    assert done.status == 1
    assert "a stranger could not rebuild" in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["letter.txt", "README.md"])
def test_a_folder_that_holds_other_things_is_left_alone(studio, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    done = studio("publish", "city", "--to", TO, "--dry-run", "--out", tmp_path / "out")
    assert done.status == 1
    assert f"'{name}'" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == "mine"


@pytest.mark.parametrize("to", ["mira", "mira/../city", "../x", "a/b/c", "a/b?c", "mira/a--b", ""])
def test_a_text_that_is_no_repository_is_wrong_usage(studio, to):
    assert studio("publish", "city", "--to", to, "--dry-run").status == 2


def test_a_checkpoint_is_published_and_comes_back_and_the_token_is_in_no_file(
    studio, workspace, hub
):
    done = studio("publish", "city@8", "--to", TO, "--json")
    assert done.status == 0, done.err
    assert done.json["url"] == f"{hub.url}/{TO}"
    assert done.json["private"] is True
    assert set(done.json["sent"]) == set(FILES)
    repository = hub.repositories[TO]
    assert repository.private
    assert set(repository.files) == {*FILES, ".gitattributes"}
    assert studio("import", f"hub:{TO}", "--run", "back").status == 0
    index = CheckpointIndex(workspace.runs)
    ours, back = index["city"].weights(8), index["back"].weights(8)
    assert back.keys() == ours.keys()
    assert all(torch.equal(ours[name], back[name]) for name in ours)
    assert index["back"].spec.options["width"] == 0.125
    assert "imported from" in studio("events", "back").out
    assert {"0.0", "0.8"} <= {point.label for point in points_of(workspace, "back")}
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert len(files) > 30
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert {there for method, _, there in hub.asked if method == "PUT"} == {False}
    assert {there for _, path, there in hub.asked if path.startswith("/api/")} == {True}
    assert not list(workspace.exports.glob(".hub*"))


def test_weights_of_somebody_else_are_recognised_as_those_of_files_are(studio, workspace, hub):
    weights = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125}).build()
    content = safetensors.torch.save(dict(weights.state_dict()))
    hub.repositories[TO] = Repository(False, {"generator.safetensors": content, "run.py": b"x"})
    assert studio("import", f"hub:{TO}", "--run", "theirs", "--storage", "exact").status == 0
    run = CheckpointIndex(workspace.runs)["theirs"]
    assert (run.spec.architecture, run.spec.image_size, run.batches) == ("dcgan", 32, [0])
    theirs = weights.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in run.weights(0).items())
    assert hub.count("GET", "run.py") == 0


@pytest.mark.slow
def test_a_job_publishes_and_its_row_and_its_log_do_not_have_the_token(
    studio, workspace, hub, monkeypatch
):
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    job = studio("publish", "city@8", "--to", TO, "--detach", "--json").json
    assert studio("jobs", "wait", job["id"]).status == 0
    assert find_job(workspace, job["id"]).status == "done"
    assert set(hub.repositories[TO].files) == {*FILES, ".gitattributes"}
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert workspace.log(job["id"]) in files
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.slow
def test_a_folder_is_the_same_when_it_is_written_again(studio, workspace):
    told = studio("publish", "city", "--to", TO, "--dry-run")
    assert "Nothing was sent. README.md says:" in told.out
    folder = workspace.published("city", BATCHES)
    before = {name: (folder / name).read_bytes() for name in FILES}
    assert studio("publish", "city", "--to", TO, "--dry-run").status == 0
    assert {name: (folder / name).read_bytes() for name in FILES} == before
