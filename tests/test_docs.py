"""The documentation is true where it can be proved: links, pictures, tables of bytes, the site."""

import importlib.util
import json
import os
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
import xxhash
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.parity import payload_length
from studio.main import build

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def load_script(name):
    """A module of docs/scripts/, which is no package."""
    sys.path.insert(0, str(DOCS / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location(name, DOCS / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up there
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@pytest.fixture(scope="module")
def house():
    return load_script("house")


def anchors_of(page):
    """The anchors of a page's headings, as forges and the site make them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    plain = (re.sub(r"[^\w\- ]", "", heading).strip() for heading in headings)
    return {heading.lower().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_of_a_page_is_there(page):
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = []
    for target in targets:
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            missing.append(target)
    assert missing == []


def test_every_picture_is_shown_on_a_page():
    shown = {Path(t).name for page in PAGES for t in LINK.findall(page.read_text())}
    pictures = {path.name for path in (DOCS / "pictures").rglob("*") if path.is_file()}
    assert pictures - shown == set()


# The tables of bytes.


def fields_of(section):
    """The table of a section of segment.md: (offset, struct code) of each field with a size."""
    text = (DOCS / "segment.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if "|" in line]
    codes = {"u8": "B", "u32": "I", "u64": "Q", "zero": "{}x", "bytes": "{}s"}
    return [
        (int(row[0]), codes[row[2]].format(row[1]))
        for row in rows
        if row[0].isdecimal() and row[1].isdecimal() and row[2] in codes
    ]


def read_fields(section, content, start):
    """The values of a section's fields, and how many bytes they take."""
    fields = fields_of(section)
    pattern = struct.Struct("<" + "".join(code for _, code in fields))
    ends = [struct.calcsize("<" + "".join(c for _, c in fields[:i])) for i in range(len(fields))]
    assert ends == [offset for offset, _ in fields]  # each field begins where the one before ends
    return pattern.unpack_from(content, start), pattern.size


@pytest.fixture(scope="module")
def segment_bytes(tmp_path_factory):
    """A finished segment with three checkpoints, in the storage "visual"."""
    spec = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
    run = CheckpointIndex(tmp_path_factory.mktemp("runs")).create("city", spec, storage="visual")
    weights = spec.build().state_dict()
    for batch in (3, 4, 6):
        moved = {k: t + 1e-4 if t.is_floating_point() else t for k, t in weights.items()}
        run.append(batch, moved)
        weights = moved
    run.close()
    (path,) = run_folder(run).rglob("*.segment")
    assert path.name == "000000000003.segment"
    return path.read_bytes()


def run_folder(run):
    return Path(run.folder)


def read_header(content, start):
    (magic, length, check), size = read_fields("Header", content, start)
    text = content[start + size : start + size + length]
    assert (magic, xxhash.xxh3_64_intdigest(text)) == (b"CITYSEG2", check)
    return json.loads(text), start + size + length


def test_a_real_segment_is_read_by_the_tables_of_bytes(segment_bytes):
    content = segment_bytes
    description, at = read_header(content, 0)
    documented = re.findall(r"(?m)^\| `(\w+)` \|", (DOCS / "segment.md").read_text())
    assert sorted(description) == sorted(documented)

    records = []
    while not content.startswith(b"CITYTAB2", at):
        (magic, kind, parity, *numbers, check), size = read_fields("Record", content, at)
        batch, base, payload_bytes, payload_check, integers_check = numbers
        payload = content[at + size : at + size + payload_bytes]
        assert magic == b"CKPT"
        assert check == xxhash.xxh3_64_intdigest(content[at : at + size - 8])
        assert payload_check == xxhash.xxh3_64_intdigest(payload)
        checks = payload_check, integers_check
        records.append((at, kind, parity, batch, base, payload_bytes, *checks))
        at += size + payload_bytes
    *checkpoints, table = records
    assert [record[1:5] for record in checkpoints] == [
        (0, 1, 3, 3),
        (1, 1, 4, 3),
        (4, 1, 6, 4),
    ]

    (_, table_offset, check), size = read_fields("Trailer", content, at)
    assert at + size == len(content)
    assert (table_offset, table[1]) == (table[0], 3)
    assert check == xxhash.xxh3_64_intdigest(struct.pack("<Q", table_offset))

    again, row_at = read_header(content, table_offset + read_fields("Record", content, 0)[1])
    rows = []
    while row_at < at:
        row, size = read_fields("Table", content, row_at)
        rows.append(row)
        row_at += size
    assert (again, rows) == (description, checkpoints)


def test_a_payload_begins_with_the_lengths_of_its_blocks(segment_bytes):
    _, at = read_header(segment_bytes, 0)
    (_, _, _, _, _, whole_bytes, *_), size = read_fields("Record", segment_bytes, at)
    payload_bytes = payload_length(whole_bytes)
    payload = segment_bytes[at + size : at + size + payload_bytes]
    total, blocks = 0, 0
    while total + 4 * blocks < payload_bytes:
        total += struct.unpack_from("<I", payload, 4 * blocks)[0]
        blocks += 1
    assert total + 4 * blocks == payload_bytes
    assert payload[4 * blocks] in range(6)  # the form of the first block


# The map and the picture of the house.


def test_every_room_has_its_line_in_the_readme_and_on_the_map(house):
    folders = {
        f"studio.{path.parent.name}" for path in (REPOSITORY / "studio").glob("*/__init__.py")
    }
    assert folders | {"latent", "checkpoints_index", "renderers"} == set(house.ROOMS)
    readme = (REPOSITORY / "README.md").read_text()
    names = [f"{room.removeprefix('studio.')}/" for room in house.ROOMS]
    assert [name for name in names if not re.search(rf"(?m)^ *{name} ", readme)] == []


def test_the_picture_of_the_house_shows_the_imports_that_there_are():
    drawn = load_script("draw_house").draw_house()
    assert (DOCS / "pictures" / "house.svg").read_text() == drawn, (
        "Draw it again: python docs/scripts/draw_house.py"
    )


def test_the_picture_of_a_segment_is_what_its_script_draws():
    drawn = load_script("draw_segment").draw_segment()
    assert (DOCS / "pictures" / "segment.svg").read_text() == drawn


# The tables of options.


def test_the_tables_have_every_action_with_its_options_and_every_setting():
    from studio.actions.catalogue import known_actions
    from studio.runs.config import describe_settings

    tables = load_script("option_tables")
    actions, settings = tables.make_actions_page(), tables.make_settings_page()
    for name, action in known_actions().items():
        section = actions.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert action.summary() in section
        assert [f.name for f in action.fields() if f"| {tables.spell(f)} |" not in section] == []
    assert [s.name for s in describe_settings() if f"| `{s.name}` |" not in settings] == []


# The site.


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_nobody_for_anything(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "house.html", "glossary.html"} <= {page.name for page in pages}
    fetched = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^ >]+")
    assert [found for page in pages for found in fetched.findall(page.read_text())] == []


# The commands.

EXPLORING = ("explore", "specimens", "mixing", "atlas")  # The later ones name what these make.
BATCHES = (1, 100, 250, 429, 500, 749, 857, 999, 1000)

commands_of = load_script("run_commands").commands_of
COMMANDED = [page for page in sorted(DOCS.glob("*.md")) if commands_of(page)]


def understand(command):
    """Parse a command as the command line does, without doing anything; the command found."""
    context = build().make_context("studio", shlex.split(command, comments=True)[1:])
    while isinstance(context.command, click.Group):
        words = [*context._protected_args, *context.args]
        name, found, rest = context.command.resolve_command(context, words)
        context = found.make_context(name, rest, parent=context)
    return context.command


@pytest.mark.parametrize("page", COMMANDED, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_understood(page):
    for command in commands_of(page):
        assert understand(command).name, command


def test_a_command_that_is_not_there_or_an_unknown_option_is_not_understood():
    for command in ("studio dance helsinki", "studio near helsinki seed:1 --loud"):
        with pytest.raises(click.UsageError):
            understand(command)


@pytest.fixture(scope="module")
def helsinki(tmp_path_factory):
    """A folder with a workspace, in which a run has the name and the batches of the demo's."""
    folder = tmp_path_factory.mktemp("docs")
    for words in (
        *("datasets add-cities --name helsinki --count 24 --image-size 64 --metres-per-pixel 2",),
        *("train helsinki --run helsinki --batches 1 --preset small-and-quick",),
    ):
        run(folder, shlex.split(words))
    with CheckpointIndex(folder / "workspace" / "runs")["helsinki"] as checkpoints:
        for batch in BATCHES[1:]:
            torch.manual_seed(batch)
            checkpoints.append(batch, checkpoints.spec.build().state_dict())
    for name in ("crop", "other"):
        noise = np.random.default_rng(len(name)).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


def run(folder, words):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", "studio", "--workspace", "workspace", *words],
        **{"cwd": folder, "capture_output": True, "text": True, "env": environment},
    )
    assert done.returncode == 0, (words, done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("STUDIO_TEST_DOCS" not in os.environ, reason="STUDIO_TEST_DOCS is not set")
def test_the_commands_on_exploring_run_as_they_are_written(helsinki):
    for page in EXPLORING:
        for command in commands_of(DOCS / f"{page}.md"):
            run(helsinki, shlex.split(command)[1:])
