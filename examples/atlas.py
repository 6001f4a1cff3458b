"""Lay many cities of one checkpoint out on a map, near ones near.

python examples/atlas.py [WORKSPACE]
"""

import numpy as np
from _workspace import RUN, open_workspace

from latent.maps.atlas import draw_map

here = open_workspace()
atlas = here.atlas(run=RUN, count=60)
print(atlas.path.name, f"{atlas.count} cities of batch {atlas.batch}, compared by {atlas.space}")

# A map of features of your own, such as those of a network that you trust.
features = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
own = draw_map(features, seed=0)
print("a map of your own features:", own.coordinates.shape)
