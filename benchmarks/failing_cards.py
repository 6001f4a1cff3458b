"""Films on three cards that fail at random moments, with every error that torch raises for a card.

The cards are a double (`tests/renderers/failing_cards.py`), the films and their worker processes
are real. Each film must have the frames of an undisturbed one, or end in the sentence that says
that no card is left; then one card that works must finish it from the parts that stayed. Nothing
but the videos and their record may be left. The workers are forked from a process that has torch in
memory, since to import it would take most of the time. Prints one JSON document.

    python -m benchmarks.failing_cards [--films 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.store import report
from renderers.errors import UnfinishedRenderError
from renderers.plan.outputs import Video
from renderers.plan.render_plan import make_plan
from renderers.video.video_reader import read_frames
from tests.renderers.failing_cards import film_on_cards
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, two_points

FRAMES = 100
CARDS = ("cuda:0", "cuda:1", "cuda:2")
# How likely a card fails when it is spoken to, some 45 times for each part of 20 frames.
CHANCES = (0.0, 0.004, 0.02, 0.1, 1.0)
LEFT = {".lock", "plan.json", "videos.json"}  # in the folder of a finished render


def digest_frames(videos: Sequence[Video]) -> str:
    digest = hashlib.sha256()
    for video in videos:
        for frame in read_frames(video.path):
            digest.update(frame.tobytes())
    return digest.hexdigest()


def count_failures(films: int, seed: int) -> dict[str, int | float]:
    """Film so often, and count how the films ended and what the cards did."""
    choose, plan = random.Random(seed), make_plan(two_points(), range(FRAMES), SHORT_PARTS)
    total, said, began = Counter[str](), _Said(), time.monotonic()
    logging.getLogger("renderers").addHandler(said)
    multiprocessing.set_forkserver_preload(["tests.renderers.failing_cards"])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sound = film_on_cards(scratch / "sound", GrowingSource(), plan, {"cuda:0": 0.0})
        expected = digest_frames(sound)
        for number in range(films):
            root = scratch / str(number)
            chances = {card: choose.choice(CHANCES) for card in CARDS}
            try:
                videos = film_on_cards(
                    root, GrowingSource(), plan, chances, start_method="forkserver"
                )
                total["finished"] += 1
            except UnfinishedRenderError as error:
                total["ended_in_the_sentence"] += str(error).startswith("No device is left")
                total["parts_that_stayed"] += len(list((root / "render/parts").glob("*.json")))
                videos = film_on_cards(root, GrowingSource(), plan, {"cuda:0": 0.0})
            total["wrong"] += digest_frames(videos) != expected
            total["left"] += len({path.name for path in (root / "render").iterdir()} - LEFT)
            report(f"{number + 1} films: {dict(total)}, {time.monotonic() - began:.0f} s")
    logging.getLogger("renderers").removeHandler(said)
    seconds = round(time.monotonic() - began, 1)
    return {"films": films, **total, **said.counts, "seconds": seconds}


class _Said(logging.Handler):
    """Counts what is said of cards."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[str]()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        kinds = {" said: ": "errors", " lost its process ": "deaths", "left out": "left_out"}
        for words, kind in kinds.items():
            self.counts[kind] += words in message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    print(json.dumps(count_failures(wanted.films, wanted.seed)))


if __name__ == "__main__":
    main()
