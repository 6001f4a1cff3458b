"""Films that are held against their plan: mutated videos and records, playlists in their place.

A film is called whole where it has as many frames as its plan says. One that was only flipped is
counted by decoding, which no flipped pixel fails.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_json, mutate_parts
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    Yard,
    count_outcomes,
    open_yard,
)
from benchmarks.hostile_parts.runs import RUN, SPEC, _make_run
from studio.actions.catalogue import known_actions
from studio.actions.declared.film_actions import RenderTimelapse, RenderVerdict
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of verifying so many mutants of one short film, or of what is recorded of it."""
    with open_yard() as yard:
        kept = yard.folder / "kept"
        _make_run(kept, SPEC)
        workspace = Workspace(kept / SPEC.architecture)
        film = RenderTimelapse(run=RUN, points=["seed:1"], devices=["cpu"])
        path = film.perform(workspace, SilentReporter(workspace)).videos[0].path
        seeds = range(seed, seed + count)
        work = lambda at: _verify_mutant(at, yard, workspace, Path(path))  # noqa: E731
        return count_outcomes(seeds, work, yard)


def _verify_mutant(seed: int, yard: Yard, kept: Workspace, film: Path) -> str:
    drawn = random.Random(seed)
    workspace = Workspace(yard.inside / "workspace")
    shutil.copytree(kept.root, workspace.root)
    path = workspace.root / film.relative_to(kept.root.absolute())
    kind = drawn.randrange(4)
    records = [path.parent / name for name in ("videos.json", "plan.json")]
    if kind == 0:
        path.write_bytes(mutate_bytes(path.read_bytes(), drawn))
    elif kind == 1:
        path.write_bytes(mutate_parts(list(_cut_boxes(path.read_bytes())), drawn))
    elif kind == 2:
        path.write_bytes(_write_playlist(film, drawn))
    else:
        record = drawn.choice([record for record in records if record.is_file()])
        record.write_bytes(mutate_json(json.loads(record.read_bytes()), drawn))
    try:
        action = known_actions()["render verify"](file=path)
        verdict = action.perform(workspace, SilentReporter(workspace))
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK
    finally:
        shutil.rmtree(workspace.root)
    assert isinstance(verdict, RenderVerdict)
    if verdict.ok and (kind == 2 or verdict.frames != verdict.expected):
        return SILENTLY_WRONG
    return HARMLESS if verdict.ok else REFUSED


def _cut_boxes(content: bytes) -> Iterator[bytes]:
    """The outer boxes of an MP4."""
    at = 0
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        yield content[at : at + size]
        at += size


def _write_playlist(film: Path, drawn: random.Random) -> bytes:
    """A text that leads a player to another file, or to an address."""
    target = drawn.choice((str(film), f"file://{film}", "http://127.0.0.1:9/x.ts", "/dev/zero"))
    told = [
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{target}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        f"<MPD><Period><AdaptationSet><BaseURL>{target}</BaseURL></AdaptationSet></Period></MPD>",
    ]
    return drawn.choice(told).encode()
