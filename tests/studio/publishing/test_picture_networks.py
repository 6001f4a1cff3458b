"""Publishing networks whose latent points are pictures: enlarging ones, and letters."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import LatentPoint
from renderers.frames.frame_renderer import render_frames
from studio.datasets.fonts.glyphs import LETTERS, measure_field, read_letters
from studio.publishing.network_files import describe_network, generate_source, network_source
from studio.publishing.published_folder import CARD, FILM, POINTS, SCRIPT, SHEET, WEIGHTS
from studio.runs.config import TrainingConfig
from studio.specimens.points import FIXED, keep_points, points_of
from tests.studio.conftest import run_studio
from tests.studio.datasets.font_files import whole_font

TO = "mira/large"
ALL_FOUR = ("held_out_lower", "held_out_upper", "average_lower", "average_upper")
LARGE = GeneratorSpec(
    "shufflemixer",
    {"z_dim": 3 * 8 * 8, "image_size": 16, "scale": 2, "channels": 16, "kernel": 3},
)
THREE = GeneratorSpec(
    "shufflemixer",
    {"z_dim": 3 * 6 * 6, "image_size": 18, "scale": 3, "channels": 24, "kernel": 5}
    | {"shuffle": False},
)
FOUR = GeneratorSpec("shufflemixer", {"z_dim": 3 * 6 * 6, "image_size": 24, "channels": 16})
SMALL_LETTERS = {"z_dim": 1296, "image_size": 216}
CONV = GeneratorSpec(
    "letters",
    SMALL_LETTERS
    | {"units": [4, 6, 16, 6, 4], "uppercase_units": [3, 4, 12, 5, 6]}
    | {"lowercase_deeper": [1, 0, 2, 1, 1]},
)
DENSE = GeneratorSpec(
    "letters", SMALL_LETTERS | {"body": "dense", "units": [12, 9], "uppercase_deeper": [2, 1]}
)
SPARSE = GeneratorSpec(
    "letters", SMALL_LETTERS | {"body": "sparse", "units": [16, 9], "lowercase_deeper": [1, 0]}
)
SPECS = {"x2": LARGE, "x3": THREE, "x4": FOUR, "conv": CONV, "dense": DENSE, "sparse": SPARSE}


def stir(spec):
    """The generator with weights that no layer leaves out."""
    torch.manual_seed(0)
    G = spec.build()
    with torch.no_grad():
        for tensor in G.parameters():
            tensor.add_(torch.randn_like(tensor) * 0.05)
        if spec.architecture == "shufflemixer":
            G.tail.weight.mul_(0.1)
    return G


def build_plain(spec, G):
    """The plain network, with the weights of ours."""
    namespace = {}
    exec(compile(network_source(spec), "network.py", "exec"), namespace)
    plain = namespace["build_network"](json.loads(json.dumps(describe_network(spec)))).eval()
    plain.load_state_dict(G.state_dict())
    return plain


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_plain_network_draws_what_ours_draws(spec):
    G = stir(spec)
    plain, z = build_plain(spec, G), torch.rand(3, spec.z_dim) * 2 - 1
    seen = z
    if spec.architecture == "shufflemixer":
        seen = z.view(3, 3, G.small_size, G.small_size)
    with torch.inference_mode():
        ours, theirs = G(z), plain(seen)
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)
    assert ours.std() > 0.02
    assert ours.shape == (3, 3, spec.image_size, spec.image_size)


def test_weights_of_another_network_do_not_fit():
    with pytest.raises(RuntimeError, match="size mismatch"):
        build_plain(LARGE, SimpleNamespace(state_dict=lambda: stir(FOUR).state_dict()))


def run_as_stranger(folder, *words):
    """Run generate.py in a process that cannot import our packages, nor SciPy."""
    gone = ["studio", "latent", "renderers", "checkpoints_index", "scipy"]
    code = (
        f"import runpy, sys\nsys.modules.update(dict.fromkeys({gone}))"
        f"\nsys.path.insert(0, {str(folder)!r})"
        f"\nrunpy.run_path({str(folder / SCRIPT)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, words)],
        **{"capture_output": True, "text": True, "timeout": 240, "cwd": folder},
    )


def fields_of(font, letters):
    """Latent points of letters of a font, as datasets of letters are read: float [N, 1296]."""
    drawn = read_letters(font)
    levels = np.stack([measure_field(drawn[LETTERS.index(letter)]) for letter in letters])
    return torch.from_numpy(levels).float().div(255).flatten(1) * 2 - 1


@pytest.fixture(scope="module")
def runs_root(trained_root, tmp_path_factory):
    """The trained workspace with the runs `large` and `abc`, of two checkpoints each."""
    from studio.workspace.paths import Workspace

    root = tmp_path_factory.mktemp("pictures") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace.open(root)
    font = root.parent / "font.ttf"
    font.write_bytes(whole_font())
    torch.manual_seed(1)
    points = {"large": torch.rand(3, LARGE.z_dim) * 2 - 1, "abc": fields_of(font, "Rag")}
    for name, spec in (("large", LARGE), ("abc", CONV)):
        with CheckpointIndex(workspace.runs).create(name, spec, storage="exact") as run:
            G = stir(spec)
            for batch in (1, 2):
                run.append(batch, G.state_dict())
        kept = [LatentPoint(f"0.{i}", z) for i, z in enumerate(points[name])]
        keep_points(workspace, name, kept, origin=FIXED)
    return root


@pytest.fixture
def workspace(runs_root, tmp_path):
    from studio.workspace.paths import Workspace

    shutil.copytree(runs_root, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def studio(workspace, capsys, monkeypatch):
    return lambda *words: run_studio(workspace.root, words, capsys, monkeypatch)


@pytest.mark.slow
def test_a_stranger_enlarges_specimens_and_a_picture_of_any_size(studio, workspace, tmp_path):
    out = tmp_path / "out"
    told = studio("publish", "large", "--to", TO, "--dry-run", "--out", out, "--json")
    assert told.status == 0, told.err
    assert (out / SHEET).is_file()
    assert (out / FILM).is_file()
    card = (out / CARD).read_text()
    assert "2 times as wide and as high" in card
    assert "--picture photo.jpg" in card
    assert "super-resolution" in card
    assert not any(word in card for word in ("--seeds", "random numbers", '- "gan"'))
    assert run_as_stranger(out, "--out", tmp_path / "pictures").returncode == 0
    G = CheckpointIndex(workspace.runs)["large"].generator(2)
    points = points_of(workspace, "large")
    assert set(safetensors.torch.load_file(out / POINTS)) == {"0.0", "0.1", "0.2"}
    for point, frame in zip(
        points, render_frames(G, torch.stack([p.z for p in points])), strict=True
    ):
        drawn = np.asarray(Image.open(tmp_path / "pictures" / f"{point.label}.png")).astype(int)
        assert np.abs(drawn - frame).max() <= 1

    # Four tiles, the last of which are narrow, are what one pass is.
    pixels = np.random.default_rng(0).integers(0, 256, (197, 230, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    done = run_as_stranger(out, "--picture", tmp_path / "photo.png", "--out", tmp_path / "l.png")
    assert done.returncode == 0, done.stderr
    with torch.inference_mode():
        whole = G.enlarge(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
    wanted = whole.clamp(0, 1).mul(255).round()[0].permute(1, 2, 0).numpy()
    drawn = np.asarray(Image.open(tmp_path / "l.png")).astype(int)
    assert drawn.shape == (394, 460, 3)
    assert np.abs(drawn - wanted).max() <= 1
    (tmp_path / "no.png").write_text("no picture")
    refused = run_as_stranger(out, "--picture", tmp_path / "no.png", "--out", tmp_path / "x.png")
    assert refused.returncode == 1
    assert "cannot be read as a picture" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "x.png").exists()


@pytest.mark.slow
def test_a_stranger_tries_the_letters_of_another_font(studio, workspace, runs_root, tmp_path):
    out, font = tmp_path / "out", runs_root.parent / "font.ttf"
    told = studio("publish", "abc", "--to", TO, "--dry-run", "--out", out, "--json")
    assert told.status == 0, told.err
    card = (out / CARD).read_text()
    assert "--font FILE.ttf" in card
    assert "--seeds" not in card
    done = run_as_stranger(out, "--font", font, "--letter", "gQ", "--out", tmp_path / "own")
    assert done.returncode == 0, done.stderr
    G = CheckpointIndex(workspace.runs)["abc"].generator(2)
    names = ("lower-g", "upper-Q")
    for name, frame in zip(names, render_frames(G, fields_of(font, "gQ")), strict=True):
        drawn = np.asarray(Image.open(tmp_path / "own" / f"{name}.png")).astype(int)
        assert np.abs(drawn - frame).max() <= 1
    refused = run_as_stranger(out, "--font", font, "--letter", "é", "--out", tmp_path / "none")
    assert refused.returncode == 1
    assert "none of the 52 letters" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_the_fields_that_a_stranger_measures_are_those_of_datasets(runs_root):
    namespace = {"__file__": "generate.py"}
    sys.modules["network"] = SimpleNamespace(EDGE=220 / 255, FALLOFF=15 / 255, FIELD_PX=36)
    sys.modules["network"].build_network = None
    try:
        exec(compile(generate_source(CONV), "generate.py", "exec"), namespace)
    finally:
        del sys.modules["network"]
    font = runs_root.parent / "font.ttf"
    opened = namespace["open_font"](str(font))
    drawn = torch.stack([namespace["draw_point"](opened, letter) for letter in "gQij"])
    assert torch.equal(drawn, fields_of(font, "gQij"))


@pytest.mark.slow
@pytest.mark.parametrize("run", ["large", "abc"])
def test_networks_of_pictures_come_back_from_the_hub(studio, workspace, hub, run):
    assert studio("publish", f"{run}@2", "--to", TO, "--json").status == 0
    done = studio("import", f"hub:{TO}", "--run", "back")
    assert done.status == 0, done.err
    index = CheckpointIndex(workspace.runs)
    ours, back = index[run].weights(2), index["back"].weights(2)
    assert all(torch.equal(ours[name], back[name]) for name in ours)
    assert index["back"].spec == index[run].spec
    points = {point.label: point.z for point in points_of(workspace, "back")}
    assert len(points) == 3
    assert all(torch.equal(point.z, points[point.label]) for point in points_of(workspace, run))


@pytest.mark.slow
def test_a_run_without_points_is_published_without_specimens(studio, workspace, tmp_path):
    with CheckpointIndex(workspace.runs).create("bare", LARGE, storage="exact") as run:
        run.append(1, stir(LARGE).state_dict())
        run.append(2, stir(LARGE).state_dict())
    out = tmp_path / "out"
    done = studio("publish", "bare", "--to", TO, "--dry-run", "--out", out)
    assert done.status == 0, done.err
    assert not any((out / name).exists() for name in (POINTS, SHEET, FILM))
    assert (out / WEIGHTS).is_file()
    card = (out / CARD).read_text()
    assert not any(name in card for name in (POINTS, SHEET, FILM))
    refused = run_as_stranger(out)
    assert refused.returncode == 1
    assert "There is no points.safetensors here" in refused.stderr


def test_a_page_names_letters_and_pictures_and_draws_the_curves_of_their_recipe(
    studio, workspace, tmp_path
):
    for run, thing, metrics in (("abc", "Letter", ALL_FOUR), ("large", "Picture", ("psnr",))):
        config = TrainingConfig(recipe={"abc": "letters", "large": "upscale"}[run])
        config.write(workspace.run_config(run))
        entries = ({"batch": b, **dict.fromkeys(metrics, 9.0 + b)} for b in range(1, 13))
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        workspace.metrics(run).write_text(text)
        assert studio("gallery", run, "--out", tmp_path / run).status == 0
        page = (tmp_path / run / "index.html").read_text()
        assert f'alt="{thing} 0.0"' in page
        assert "City 0" not in page
        assert page.count("<polyline") == len(metrics)
