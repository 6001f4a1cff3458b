"""How far points move between maps of neighbouring batches: in a chain, and in separate maps.

Prints one JSON document with an entry for each number of maps. `moved` is the mean way of a point
from map to map, as a share of the root mean square radius that all maps are scaled to; `faithful`
the mean area under R_NX; `neighbours` the share of 15 neighbours kept.

- `separate`: a map of each batch by itself, as the studio draws it;
- `aligned`:  the same, each turned, mirrored and shifted onto the one before;
- `box`:      each layout begins where the one before ended, by `umap.UMAP(init=...)`, which
              stretches that start to a square (200 rounds at a tenth of the rate, aligned);
- `chain`:    as `studio atlas-growth` draws them (`latent.maps.growth`).

`less` is how many times less points move in the chain than in separate maps, and than in aligned
ones; `neighbours_kept` the chain's share of neighbours over that of separate maps.

Batches are chosen evenly, or so that pictures change as much from each to the next.

    python -m benchmarks.growth --run RUNS/NAME [--maps 12,32] [--pace even|perceptual]
                                [--points 500] [--space activations] [--first 100]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.maps.directions import shorten_features
from latent.maps.growth import align, draw_growth, measure_movement, near_of
from latent.maps.layout import MIN_DIST, find_graph, lay_out
from latent.nearness.agreement import measure_agreement
from latent.nearness.features import compute_features
from latent.points import draw_z, seeded_point
from latent.trust.ranks import compare_ranks
from renderers.plan.pacing import measure_change, spread, spread_change

LOOKED_AT = 200  # Pictures of so many checkpoints are compared at most.


def describe(features: Sequence[np.ndarray], maps: Sequence[np.ndarray]) -> dict[str, float]:
    """The numbers of one way, over all maps but the first."""
    moved = [measure_movement(*pair) for pair in pairwise(maps)]
    rest = list(zip(features, maps, strict=True))[1:]
    kept = [measure_agreement(near_of(a), near_of(b)).shared for a, b in rest]
    return {
        "moved": round(float(np.mean(moved)), 3),
        "faithful": round(float(np.mean([compare_ranks(*each).area for each in rest])), 3),
        "neighbours": round(float(np.mean(kept)), 3),
    }


def align_all(maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each map turned, mirrored and shifted onto the one before."""
    aligned = [maps[0]]
    for drawn in maps[1:]:
        aligned.append(align(drawn, aligned[-1]))
    return aligned


def chain_in_box(features: Sequence[np.ndarray], first: np.ndarray) -> list[np.ndarray]:
    """A chain of layouts by UMAP's own class, as anybody would write it."""
    import umap

    maps = [first]
    for each in features[1:]:
        graph = find_graph(each)
        layout = umap.UMAP(
            n_neighbors=graph.indices.shape[1],
            min_dist=MIN_DIST,
            init=maps[-1],
            random_state=0,
            n_epochs=200,
            learning_rate=0.1,
            n_jobs=1,
            precomputed_knn=(graph.indices, graph.distances),
            force_approximation_algorithm=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            maps.append(np.asarray(layout.fit_transform(each), np.float32))
    return align_all(maps)


def choose_batches(run: CheckpointRun, first: int, maps: int, pace: str) -> list[int]:
    """So many batches from a first one on."""
    kept = [batch for batch in run.batches if batch >= first]
    if pace == "even":
        return [kept[i] for i in spread(len(kept), maps)]
    looked = [kept[i] for i in sorted({*spread(len(kept), min(len(kept), LOOKED_AT))})]
    points = [seeded_point(seed, run.spec.z_dim, run.spec.shape_z) for seed in range(4)]
    return [looked[i] for i in sorted({*spread_change(measure_change(run, points, looked), maps)})]


def compare(run: CheckpointRun, batches: Sequence[int], points: int, space: str) -> dict[str, Any]:
    """The numbers of all ways at some batches."""
    z = draw_z(points, run.spec.z_dim, 0, run.spec.shape_z)
    features = [
        shorten_features(compute_features(G, z, space).numpy())[0] for _, G in run.stream(batches)
    ]
    separate = [lay_out(each, find_graph(each), 0) for each in features]
    ways = {
        "separate": separate,
        "aligned": align_all(separate),
        "box": chain_in_box(features, separate[0]),
        "chain": [drawn.coordinates for drawn in draw_growth(features)],
    }
    measured = {name: describe(features, maps) for name, maps in ways.items()}
    own, each = measured["chain"], measured["separate"]
    return {
        "batches": list(batches),
        **measured,
        "less": {
            name: round(measured[name]["moved"] / own["moved"], 2)
            for name in ("separate", "aligned")
        },
        "neighbours_kept": round(own["neighbours"] / each["neighbours"], 3),
    }


def main() -> None:
    """Measure the ways."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--maps", default="12,32")
    parser.add_argument("--pace", choices=("even", "perceptual"), default="perceptual")
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--space", default="activations")
    parser.add_argument("--first", type=int, default=100)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    run = CheckpointIndex(asked.run.parent)[asked.run.name]
    document: dict[str, Any] = {"points": asked.points, "space": asked.space, "pace": asked.pace}
    for maps in map(int, asked.maps.split(",")):
        batches = choose_batches(run, asked.first, maps, asked.pace)
        document[f"{maps} maps"] = compare(run, batches, asked.points, asked.space)
    print(json.dumps(document))


if __name__ == "__main__":
    main()
