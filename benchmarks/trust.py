"""How often structure is found where there is none, and where there is; how faithful maps are.

Prints one JSON document a line: of each kind of cloud, in how many of so many draws structure was
found; with `--faithful`, the trust of one map of each kind; with `--run`, that of a run's spaces.

    python -m benchmarks.trust [--draws 100] [--points 500 2000 5000]
    python -m benchmarks.trust --faithful [--points 100 400 2000 10000]
    python -m benchmarks.trust --run RUNS/NAME [--points 1000]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist

from latent.trust.structure import find_structure

Cloud = Callable[[np.random.Generator, int], np.ndarray]
SIGMAS_APART = 6.0


def gaussian(dimensions: int, power: float = 0.0) -> Cloud:
    """A Gaussian whose deviations fall as 1 / i^power."""
    scales = np.arange(1.0, dimensions + 1) ** -power
    return lambda stream, count: stream.standard_normal((count, dimensions)) * scales


def clusters(dimensions: int, number: int = 5) -> Cloud:
    """Clusters of deviation one; the two nearest centres are six of them apart."""

    def draw(stream: np.random.Generator, count: int) -> np.ndarray:
        centres = stream.standard_normal((number, dimensions))
        centres *= SIGMAS_APART / pdist(centres).min()
        chosen = stream.integers(number, size=count)
        return centres[chosen] + stream.standard_normal((count, dimensions))

    return draw


def simplex(dimensions: int, number: int = 5) -> Cloud:
    """Clusters of deviation one, of which every two centres are six of them apart."""
    centres = np.zeros((number, dimensions))
    centres[:, :number] = np.eye(number) * SIGMAS_APART / 2**0.5

    def draw(stream: np.random.Generator, count: int) -> np.ndarray:
        chosen = stream.integers(number, size=count)
        return centres[chosen] + stream.standard_normal((count, dimensions))

    return draw


def swiss_roll(stream: np.random.Generator, count: int) -> np.ndarray:
    """A sheet rolled up (Marsland 2009)."""
    angle = 1.5 * np.pi * (1 + 2 * stream.random(count))
    return np.column_stack(
        [angle * np.cos(angle), 21 * stream.random(count), angle * np.sin(angle)]
    )


def torus(stream: np.random.Generator, count: int) -> np.ndarray:
    """The surface of a ring of radii 2 and 0.7."""
    around, across = 2 * np.pi * stream.random((2, count))
    out = 2 + 0.7 * np.cos(across)
    return np.column_stack([out * np.cos(around), out * np.sin(around), 0.7 * np.sin(across)])


DIMENSIONS = (2, 5, 10, 20, 50, 100, 200)
CLOUDS: dict[str, Cloud] = {
    **{f"gaussian of {d} dimensions": gaussian(d) for d in DIMENSIONS},
    **{f"gaussian of {d} dimensions, falling": gaussian(d, 1.0) for d in DIMENSIONS},
    **{f"five clusters in {d} dimensions": clusters(d) for d in DIMENSIONS if d <= 50},
    "five clusters in 50 dimensions, each six from all": simplex(50),
    "swiss roll": swiss_roll,
    "torus": torus,
}


def count_found(name: str, count: int, draws: int) -> dict[str, object]:
    """In how many draws of a cloud structure was found."""
    found, dimensions = 0, []
    for draw in range(draws):
        stream = np.random.default_rng([draw, count])
        structure = find_structure(CLOUDS[name](stream, count), seed=draw)
        found += structure.found
        dimensions.append((structure.dimension, structure.reference_dimension))
    own, reference = np.mean(dimensions, 0).round(2).tolist()
    right = found if "gaussian" not in name else draws - found
    return {
        "cloud": name,
        "points": count,
        "draws": draws,
        "found": found,
        "right": right / draws,
        "dimension": own,
        "reference_dimension": reference,
    }


def measure_map(name: str, features: np.ndarray) -> dict[str, object]:
    """The trust of one map."""
    from latent import draw_map

    drawn = draw_map(features)
    return {
        "cloud": name,
        "points": len(features),
        "faithful": round(drawn.faithful, 3),
        "trustworthiness": round(drawn.trustworthiness, 3),
        "continuity": round(drawn.continuity, 3),
        "structure": drawn.structure,
        "structure_p": drawn.structure_p,
        "repeatable": round(drawn.repeatable, 3),
    }


def describe_run(folder: Path, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """The features of random points of a run's last checkpoint, in each space."""
    import torch

    from checkpoints_index import CheckpointIndex
    from latent.nearness.features import SPACES, compute_features

    run = CheckpointIndex(folder.parent)[folder.name]
    z = torch.randn(count, run.spec.z_dim, generator=torch.Generator().manual_seed(0))
    G = run.generator(run.batches[-1])
    for space in SPACES:
        yield f"{folder.name}, {space}", compute_features(G, z, space).numpy()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--points", type=int, nargs="+", default=[500, 2000, 5000])
    parser.add_argument("--faithful", action="store_true")
    parser.add_argument("--run", type=Path)
    asked = parser.parse_args()
    for count in asked.points:
        if asked.run is not None:
            measured = (measure_map(*each) for each in describe_run(asked.run, count))
        elif asked.faithful:
            stream = np.random.default_rng(0)
            measured = (measure_map(name, draw(stream, count)) for name, draw in CLOUDS.items())
        else:
            measured = (count_found(name, count, asked.draws) for name in CLOUDS)
        for row in measured:
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
