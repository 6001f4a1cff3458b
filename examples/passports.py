"""Export cities as JPEGs, and read from a JPEG alone where it comes from.

python examples/passports.py [WORKSPACE]
"""

from _workspace import BATCHES, RUN, open_workspace

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from studio.specimens.passports import read_passport

here = open_workspace()
labels = [s.label for s in here.specimens_sample(run=RUN, batch=BATCHES, count=4).specimens]
exported = here.specimens_export(run=RUN, labels=labels[:2])
picture = exported.specimens[0].path

passport = read_passport(picture)  # from the picture's EXIF
print(f"{picture.name}: {passport.label} of run {passport.run} at batch {passport.batch}")

# The way back: the same checkpoint and the same point give the same city.
G = CheckpointIndex(here.workspace.runs)[passport.run].generator(passport.batch)
frame = render_frames(G, passport.z[None])[0]
print("rendered again:", frame.shape, frame.dtype)
