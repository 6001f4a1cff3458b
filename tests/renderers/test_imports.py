"""What a film and a picture import, which decides how long a worker process takes to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = """
import sys
import latent
import renderers.jobs.following, renderers.jobs.rendering, renderers.jobs.workers
import renderers.pictures.montage, renderers.plan.pacing, renderers.plan.render_plan
heavy = {"gradio", "ray", "sklearn", "umap", "matplotlib", "pandas", "numba"} & set(sys.modules)
assert not heavy, heavy
from latent import find_neighbours
assert "numba" in sys.modules and "umap" not in sys.modules
"""


def test_a_film_imports_no_screen_no_cluster_no_map_and_no_nearness() -> None:
    result = subprocess.run([sys.executable, "-c", CHECK], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
