import subprocess
import sys

import pytest

from latent.maps.layout import COMPILED

DRAW = """
import numpy, sys
from numba.core.event import RecordingListener, install_listener
from latent import draw_map

recorded = RecordingListener()
with install_listener("numba:compile", recorded):
    drawn = draw_map(numpy.eye(64, dtype=numpy.float32), seed=3)
names = {event.data["dispatcher"].py_func.__name__ for _, event in recorded.buffer}
print(*sorted(names), file=sys.stderr)
print(drawn.coordinates.tobytes().hex())
"""


@pytest.mark.slow
def test_umap_is_compiled_once_for_a_machine_and_draws_the_same():
    first, second = (
        subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    compiled = set(second.stderr.split())
    for names in COMPILED.values():
        assert not compiled & {name.removeprefix("_nb") for name in names}
    assert second.stdout == first.stdout
    assert len(second.stdout) > 64
