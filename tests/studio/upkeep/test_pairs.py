"""Two commands at once: a few fixed pairs, and that what a pair loses would be seen.

`benchmarks/pairs.py` tries random pairs.
"""

import shutil

import pytest
from PIL import Image

from benchmarks.pair_parts.checker import Checker
from benchmarks.pair_parts.commands import make_commands
from benchmarks.pair_parts.processes import KILLED, Ended, prepare_processes
from benchmarks.pair_parts.template import RUN, Template, film_name, make_template
from benchmarks.pairs import try_pair
from checkpoints_index import CheckpointIndex
from renderers.jobs.chunks import list_chunks
from studio.datasets.prepared import PIXELS
from studio.runs.events import record_event
from studio.workspace.database import open_database

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    prepare_processes()
    return make_template(tmp_path_factory.mktemp("pairs") / "template")


@pytest.fixture(scope="module")
def checker(made):
    return Checker(made)


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "copy")
    return Template(tmp_path / "copy")


def command(made, beginning):
    return next(each for each in make_commands(made) if each.words.startswith(beginning))


PAIRS = [
    (f"rename run {RUN}", f"resume {RUN}", None),
    ("rename dataset", "train", None),
    (f"thin {RUN}", f"specimens sample {RUN}", 0.2),
    (f"specimens import {RUN}", f"rename run {RUN}", 0.1),
    ("restore", f"archive {RUN} --batches 2,4 --run", 0.5),
]


@pytest.mark.parametrize(("one", "other", "kill_after"), PAIRS)
def test_of_two_at_once_nothing_is_lost(made, checker, one, other, kill_after):
    pair = [command(made, one), command(made, other)]
    assert try_pair(made, checker, pair, kill_after).faults == []


def write_to_database(template, words, *values):
    with open_database(template.workspace.database) as db:
        assert db.execute(words, values).rowcount


def lose_a_checkpoint(template):
    run = CheckpointIndex(template.workspace.runs)[RUN]
    run.thin(set(run.batches) - {3})
    run.close()


def swap_weights(template):
    run = CheckpointIndex(template.workspace.runs)[RUN]
    weights = {batch: run.weights(batch) for batch in run.batches}
    spec, folder = run.spec, template.workspace.run(RUN) / "checkpoints"
    shutil.rmtree(folder)
    with CheckpointIndex(template.workspace.runs).create(RUN, spec, "exact") as fresh:
        for batch in sorted(weights):
            fresh.append(batch, weights[{2: 3, 3: 2}.get(batch, batch)])


def show_another_city(template):
    folder = template.workspace.specimens(RUN)
    with (
        Image.open(folder / f"{RUN}-6.0.jpg") as own,
        Image.open(folder / f"{RUN}-2.0.jpg") as other,
    ):
        exif, pixels = own.getexif().tobytes(), other.convert("RGB")
        negative = pixels.point(lambda level: 255 - level)
    negative.save(folder / f"{RUN}-6.0.jpg", exif=exif, quality=95)


def cut_a_film(template):
    path = template.workspace.render(film_name(template)) / f"{RUN}-timelapse.mp4"
    path.write_bytes(path.read_bytes()[:-50])


def flip_a_pixel(template):
    path = template.workspace.dataset("photos") / PIXELS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def half_rename(template):
    template.workspace.run(RUN).rename(template.workspace.run("moved"))


def leave_in_the_trash(template):
    (template.workspace.trash / "run-gone-01234567").mkdir(parents=True)


def lose_a_mark(column, value):
    return lambda template: write_to_database(
        template, f"UPDATE specimens SET {column} = ? WHERE run = ? AND {column}", value, RUN
    )


def forget(table):
    return lambda template: write_to_database(template, f"DELETE FROM {table} WHERE run = ?", RUN)


FAULTS = {
    "a checkpoint is lost": (lose_a_checkpoint, "batches of 'city'"),
    "weights are another's": (swap_weights, "batch 2 of 'city' has other weights"),
    "a picture shows another city": (show_another_city, "shows something else"),
    "a picture is lost": (
        lambda t: (t.workspace.specimens(RUN) / f"{RUN}-6.1.jpg").unlink(),
        "pictures of 'city'",
    ),
    "a specimen is lost": (
        lambda t: write_to_database(t, "DELETE FROM specimens WHERE batch = 6 AND number = 1"),
        "specimens of 'city'",
    ),
    "a point has other numbers": (
        lambda t: write_to_database(t, "UPDATE specimens SET z = zeroblob(64) WHERE batch = 4"),
        "point 4.50 of 'city' has other numbers",
    ),
    "a star is lost": (lose_a_mark("starred", 0), "stars of 'city'"),
    "a name is lost": (
        lambda t: write_to_database(t, "UPDATE specimens SET name = '' WHERE name != ''"),
        "names of 'city'",
    ),
    "a pin is lost": (forget("pins"), "pins of 'city'"),
    "former names are lost": (forget("former_names"), "former of 'city'"),
    "a film is cut": (cut_a_film, "timelapse.mp4"),
    "a film is lost": (
        lambda t: shutil.rmtree(t.workspace.render(film_name(t))),
        "films of 'city'",
    ),
    "a piece of the live film is lost": (
        lambda t: list_chunks(t.workspace.live_film(RUN))[-1].drop(),
        "frames of 'city'",
    ),
    "a dataset is lost": (lambda t: shutil.rmtree(t.workspace.dataset("photos")), "datasets"),
    "a dataset has changed": (flip_a_pixel, "its checksum differs"),
    "a run is half renamed": (half_rename, "runs ['moved'] instead of ['city']"),
    "a renaming is told twice": (
        lambda t: record_event(t.workspace, RUN, None, "changed", "name: town -> city"),
        "renamed of 'city'",
    ),
    "something lies in the trash": (leave_in_the_trash, "something lies in the trash"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_pair_would_lose_is_seen(made, checker, copied, fault):
    inject, sentence = FAULTS[fault]
    inject(copied)
    pair = [command(made, "runs --json"), command(made, "specimens list")]
    ended = [Ended(each.words, 0, "") for each in pair]
    found = list(checker.find_faults(copied.workspace.root, pair, ended))
    assert any(sentence in line for line in found), found


def test_a_whole_workspace_has_no_fault(made, checker, copied):
    pair = [command(made, "runs --json"), command(made, "verify --all")]
    ended = [Ended(each.words, 0, "") for each in pair]
    assert list(checker.find_faults(copied.workspace.root, pair, ended)) == []


def test_what_no_order_explains_is_seen(made, checker, copied):
    pair = [command(made, f"rename run {RUN}"), command(made, f"delete run {RUN}")]
    both = [Ended(each.words, 0, "") for each in pair]
    assert "no order" in " ".join(checker.find_faults(copied.workspace.root, pair, both))
    pair = [command(made, f"set {RUN}"), command(made, "reindex")]
    needless = [Ended(pair[0].words, 1, "No."), Ended(pair[1].words, 0, "")]
    assert "no order" in " ".join(checker.find_faults(copied.workspace.root, pair, needless))


@pytest.mark.parametrize(
    ("status", "said", "fault"),
    [
        (None, "", "hangs"),
        (1, "Traceback (most recent call last)", "ended in 1"),
        (-11, "", "ended in -11"),
        (1, "One.\nTwo.", "no single sentence"),
        (1, "", "no single sentence"),
        (1, "One sentence.", None),
        (0, "", None),
        (KILLED, "", None),
    ],
)
def test_how_a_command_ends_is_looked_at(status, said, fault):
    found = list(Ended("runs", status, said).faults())
    assert [fault in line for line in found] == ([True] if fault else [])
