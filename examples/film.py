"""Film a training run from Python: every batch is a frame, all latent points in one pass.

python examples/film.py [WORKSPACE]
"""

from _workspace import RUN, open_workspace

here = open_workspace()
made = here.render_timelapse(
    run=RUN,
    points=["0.0", "0.1", "seed:7"],  # two of the run's fixed points, and any point by its seed
    films="both",  # one of each point, and a grid of all
    pace="perceptual",  # the same visible change from frame to frame
    overlay=True,  # with the batch number
)
for video in made.videos:
    print(f"{video.path.name}: {video.frames} frames of {video.label}")
print(f"{made.seconds} s")
