"""Draw the moving pictures of docs/gallery.md: python docs/scripts/draw_gallery.py RUN OUT [NAME]

The run needs an atlas, since one of the films shows it. Each film is rendered as it would be
watched, then made small, with fewer frames, so that the page stays light.
"""

import shlex
import sys
import tempfile
from pathlib import Path

from renderers.video.ffmpeg import ffmpeg_command, run_ffmpeg
from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.submission import perform
from studio.films.options.film_options import Timelapse
from studio.specimens.points import FIXED, points_of
from studio.workspace.paths import Workspace

SECONDS, RATE = 7, 12
WIDTHS = {"1:1": 400, "16:9": 560, "9:16": 300, "4:5": 360}
QUALITY = 45
FILMS = (
    ("grid-wide", {"composition": "grid", "aspect": "16:9"}, 3),
    ("grid-portrait", {"composition": "grid", "aspect": "4:5"}, 9),
    ("large", {"composition": "large", "aspect": "1:1"}, 5),
    ("wipe", {"composition": "wipe", "aspect": "9:16"}, 2),
    ("strip", {"composition": "strip", "aspect": "16:9"}, 9),
    ("map", {"composition": "map", "aspect": "16:9"}, 0),
)


def film(workspace: Workspace, run: str, given: dict, points: list[str], out: Path) -> Timelapse:
    """Render one film as a person would, but shorter and with fewer frames a second."""
    asked = {"run": run, "points": tuple(points), "duration": SECONDS, "fps": RATE, **given}
    action = RenderTimelapse(**asked, out=out, overwrite=True)
    perform(workspace, action)
    return action


def make_small(path: Path, out: Path, width_px: int) -> None:
    """An animated WebP of a film, which is played again and again."""
    out.parent.mkdir(parents=True, exist_ok=True)
    look = ["-vf", f"scale={width_px}:-2:flags=lanczos", "-fps_mode", "passthrough", "-an"]
    coded = ["-c:v", "libwebp_anim", "-quality", str(QUALITY), "-compression_level", "4"]
    command = ffmpeg_command("-i", str(path), *look, *coded, "-loop", "0", str(out))
    run_ffmpeg(command, f"Making {out}")


def main(run: str, folder: Path, only: str = "") -> None:
    workspace = Workspace.open()
    labels = [point.label for point in points_of(workspace, run, FIXED)]
    labels += [f"{labels[0].split('.')[0]}.{n}" for n in range(len(labels), 9)]
    with tempfile.TemporaryDirectory() as temporary:
        for name, given, count in FILMS:
            if only not in ("", name):
                continue
            path = Path(temporary) / f"{name}.mp4"
            action = film(workspace, run, given, labels[:count], path)
            make_small(path, folder / f"{name}.webp", WIDTHS[given["aspect"]])
            print(f"{name}: {shlex.join(action.spelled().split())}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
