"""How long an atlas takes, from sampling to its trust, against sampling and plain UMAP alone.

Makes a DCGAN of 64x64 (untrained: its speed is that of a trained one), samples points, and prints
one JSON document, all measured in one run and in one process each:

- `sampling`: the features of the points, as any atlas needs them;
- `plain`:    `umap.UMAP(random_state=0).fit_transform` of those features;
- `ours`:     the studio's atlas: sampling, thumbnails, layout, trust, clusters, pictures, files.

Seconds are of the clock, and of the processor, which other work on the machine disturbs less. UMAP
is compiled before, for both.

    python -m benchmarks.atlas [--points 10000] [--space activations] [--width 1.0]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent import draw_map
from latent.nearness.features import compute_features
from studio.atlases.atlas_drawing import make_atlas
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """A result, and the seconds that it took by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    taken = time.perf_counter() - clock, time.process_time() - processor
    return result, {"clock_s": round(taken[0], 1), "processor_s": round(taken[1], 1)}


def measure_plain(run: Any, count: int, space: str) -> dict[str, Any]:
    """Sampling, and UMAP as anybody would call it."""
    import umap

    z = torch.randn(count, run.spec.z_dim, generator=torch.Generator().manual_seed(0))
    G = run.generator(0)
    features, sampling = timed(lambda: compute_features(G, z, space).numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, plain = timed(lambda: umap.UMAP(random_state=0).fit_transform(features))
    return {"features": features.shape[1], "sampling": sampling, "plain": plain}


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--space", default="activations")
    parser.add_argument("--width", type=float, default=1.0)
    asked = parser.parse_args()
    draw_map(np.random.default_rng(0).normal(size=(64, 8)))  # Compiles UMAP.
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder))
        options = {"z_dim": 100, "image_size": 64, "width": asked.width}
        run = CheckpointIndex(workspace.runs).create("city", GeneratorSpec("dcgan", options))
        run.append(0, run.spec.build().state_dict())
        run.flush()
        reporter = Reporter(workspace)
        atlas, ours = timed(
            lambda: make_atlas(workspace, "city", 0, asked.points, reporter, asked.space)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        document = measure_plain(run, asked.points, asked.space)
        run.close()
    base = {key: document["sampling"][key] + document["plain"][key] for key in ours}
    document = {
        "points": asked.points,
        "space": asked.space,
        **document,
        "ours": ours,
        "ratio": {key: round(ours[key] / base[key], 3) for key in ours},
        "ours_peak_mb": peak // (1 if sys.platform == "darwin" else 1024),
        "faithful": atlas.trust and atlas.trust.faithful,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
