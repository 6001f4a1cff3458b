"""What a person sees: films decoded by Chromium, drawn to a canvas, read back."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from renderers.pictures.display_options import DisplayOptions
from renderers.video.formats import format_of
from renderers.video.frame_encoding import encode_frames
from tests.renderers.tiny import number_frames

pytestmark = pytest.mark.browser

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)]
FIRST_PICTURE = """async (source) => {
    const video = document.createElement("video");
    const shown = new Promise((resolve, reject) => {
        video.requestVideoFrameCallback(resolve);
        video.onerror = () => reject(new Error(video.error.message));
    });
    [video.muted, video.src] = [true, source];
    await video.play();
    await shown;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


@pytest.fixture(scope="module")
def page(launch_chromium):
    # A graphics card in software: without one, Chromium draws videos with rounded coefficients, in
    # which pure green has 11 levels of blue, whoever made the file.
    graphics = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    browser = launch_chromium(*graphics)
    yield browser.new_page()
    browser.close()


def as_url(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:video/{path.suffix[1:]};base64,{content}"


@pytest.mark.parametrize(
    "display", [DisplayOptions(scale=1), DisplayOptions(scale=3)], ids=["native", "enlarged"]
)
@pytest.mark.parametrize(
    ("name", "codec"), [("film.mp4", "h264"), ("film.webm", "vp9"), ("film.webm", "av1")]
)
def test_pure_colours_are_seen_within_three_levels(tmp_path, page, name, codec, display) -> None:
    path = tmp_path / name
    for colour in COLOURS:
        frames = number_frames([np.full((33, 45, 3), colour, np.uint8)] * 3)
        encode_frames(frames, path, 24, display, None, format_of(path, codec).encoder())
        pixels = np.array(page.evaluate(FIRST_PICTURE, as_url(path))).reshape(-1, 4)
        assert abs(pixels[:, :3] - colour).max() <= 3
