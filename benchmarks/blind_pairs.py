"""Whether the eye prefers new pictures to old ones, in pairs that do not say which is which.

    python -m benchmarks.blind_pairs make --old A@1000,B@1000 --new C@1600 --out FOLDER --key FILE
    python -m benchmarks.blind_pairs count --key FILE --choices LRRL...

`make` draws sheets of 64 pictures, old and new side by side in an order that chance decides, as
`FOLDER/01.png` and so on, and writes to FILE which side is the new one. A source is RUN@BATCH of
`--workspace`, or a file of uint8 pictures [N, S, S, 3] (`.npy`); with several of either kind each
pair takes one of each by chance, as often as any other. Keep the key out of the judge's sight.

`count` takes the judge's choices, L or R for each pair in order, and prints one JSON document: the
share of pairs in which the new pictures were preferred, and the probability of that or more if the
judge had thrown a coin.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path

import numpy as np

from checkpoints_index import CheckpointIndex
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import arrange_grid, enlarge
from renderers.progress import ignore_progress
from studio.training.monitor.picture_scores import draw_fakes

SHOWN, COLUMNS, SCALE, GAP_PX, BETWEEN_PX = 64, 8, 2, 4, 48
DRAWN = 512  # Pictures of a run, of which each pair shows some.


def open_source(source: str, workspace: Path) -> np.ndarray:
    """The pictures of RUN@BATCH, or those of a file: uint8 [N, S, S, 3]."""
    if source.endswith(".npy"):
        pictures: np.ndarray = np.load(source, mmap_mode="r")
        return pictures
    run, batch = source.split("@")
    checkpoints = CheckpointIndex(workspace / "runs")[run]
    G = checkpoints.generator(int(batch))
    return draw_fakes(G, checkpoints.spec, DRAWN, ignore_progress)


def draw_pair(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two sheets beside each other, uint8 [H, W, 3], of pictures uint8 [64, S, S, 3] each."""
    sheets = [
        arrange_grid(enlarge(pictures, SCALE), COLUMNS, gap_px=GAP_PX) for pictures in (left, right)
    ]
    gap = np.full((sheets[0].shape[0], BETWEEN_PX, 3), 255, np.uint8)
    return np.concatenate([sheets[0], gap, sheets[1]], axis=1)


def make(arguments: argparse.Namespace) -> None:
    """Draw the pairs, and write the key."""
    rng = np.random.default_rng(arguments.seed)
    old, new = (
        {name: open_source(name, arguments.workspace) for name in names.split(",")}
        for names in (arguments.old, arguments.new)
    )
    combinations = list(itertools.product(old, new))
    rounds = math.ceil(arguments.pairs / len(combinations))
    drawn = [combinations[i] for _ in range(rounds) for i in rng.permutation(len(combinations))]
    arguments.out.mkdir(parents=True, exist_ok=True)
    key = []
    for number, (old_name, new_name) in enumerate(drawn[: arguments.pairs], start=1):
        sides = [
            source[np.sort(rng.choice(len(source), SHOWN, replace=False))]
            for source in (old[old_name], new[new_name])
        ]
        new_side = "LR"[int(rng.integers(2))]
        left, right = sides if new_side == "R" else sides[::-1]
        save_picture(draw_pair(left, right), arguments.out / f"{number:02}.png")
        key.append(
            {"pair": number, "new": new_side, "old_source": old_name, "new_source": new_name}
        )
    arguments.key.write_text(json.dumps(key, indent=1))


def count(arguments: argparse.Namespace) -> None:
    """Print how often the new pictures were preferred."""
    key = json.loads(arguments.key.read_text())
    choices = arguments.choices.upper()
    if len(choices) != len(key) or set(choices) - set("LR"):
        raise SystemExit(f"--choices takes L or R for each of {len(key)} pairs, in their order.")
    preferred = sum(choice == pair["new"] for choice, pair in zip(choices, key, strict=True))
    by_chance = sum(math.comb(len(key), k) for k in range(preferred, len(key) + 1)) / 2 ** len(key)
    share = {"pairs": len(key), "preferred": preferred, "share": round(preferred / len(key), 3)}
    print(json.dumps({**share, "by_chance": by_chance}))


def main() -> None:
    """Make pairs, or count choices."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("--old", required=True, help="RUN@BATCH or FILE.npy, with commas between")
    making.add_argument("--new", required=True, help="as --old")
    making.add_argument("--workspace", type=Path, default=Path("workspace"))
    making.add_argument("--pairs", type=int, default=18)
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--out", type=Path, required=True, help="folder of the pairs")
    making.add_argument("--key", type=Path, required=True, help="file that says which is which")
    making.set_defaults(do=make)
    counting = commands.add_parser("count")
    counting.add_argument("--key", type=Path, required=True)
    counting.add_argument("--choices", required=True, help="such as LRRL")
    counting.set_defaults(do=count)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
