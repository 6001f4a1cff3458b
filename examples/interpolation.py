"""Walk through latent space at one checkpoint, from city to city and back to the first.

python examples/interpolation.py [WORKSPACE]
"""

import torch
from _workspace import RUN, open_workspace

from latent.routes import route

here = open_workspace()
walk = here.render_interpolation(
    run=RUN, points=["seed:1", "seed:2", "seed:3"], kind="spline", loop=True, seconds=2
)
print(walk.videos[0].path.name, walk.videos[0].frames, "frames")

# The same points without a film: any generator takes them.
stops = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
z = route(list(stops), num_frames=60, kind="slerp")
print("points on great circles:", tuple(z.shape))
