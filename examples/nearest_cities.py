"""Find the cities that look most like one.

python examples/nearest_cities.py [WORKSPACE]
"""

import torch
from _workspace import BATCHES, RUN, open_workspace

from latent.nearness.neighbours import find_neighbours

here = open_workspace()
sampled = here.specimens_sample(run=RUN, batch=BATCHES, count=12)
first = sampled.specimens[0].label
for near in here.near(run=RUN, point=first, k=3).neighbours:
    print(f"{near.label} is {near.distance:.2f} from {first}")

# The same for features of your own: exact, on any device.
features = torch.randn(1000, 32, generator=torch.Generator().manual_seed(0))
indices, distances = find_neighbours(features, features[:1], k=3)
print("nearest rows:", indices[0].tolist(), "at", [round(d, 2) for d in distances[0].tolist()])
