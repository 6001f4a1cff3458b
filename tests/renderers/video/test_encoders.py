from __future__ import annotations

import os

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.video.encoders import VideoEncoder, choose_encoder
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import write_film


def test_a_hardware_encoder_is_refused_where_it_cannot_encode_a_frame() -> None:
    VideoEncoder().prove()
    if not os.path.exists("/dev/dri"):  # noqa: PTH110
        with pytest.raises(RenderError, match="'h264_qsv' does not work on this machine"):
            choose_encoder("h264_qsv")


def test_the_chosen_encoder_works_and_makes_the_codec() -> None:
    assert choose_encoder(None, "av1") == "libsvtav1"
    assert choose_encoder("auto", "vp9") == "libvpx-vp9"
    chosen = VideoEncoder(choose_encoder("auto"))
    assert chosen.kind.codec == "h264"
    chosen.prove()


def test_unknown_encoders_presets_and_qualities_are_refused() -> None:
    with pytest.raises(RenderError, match=r"no encoder 'h264'\. Known: libx264"):
        VideoEncoder("h264")
    with pytest.raises(RenderError, match="99 is out of range: use 0 \\(best\\) to 51"):
        VideoEncoder(crf=99)
    with pytest.raises(RenderError, match="ffv1 has no quality"):
        VideoEncoder("ffv1", crf=18)
    with pytest.raises(RenderError, match="prores_ks has no presets: leave 'fast' out"):
        VideoEncoder("prores_ks", "fast")
    with pytest.raises(RenderError, match=r"libx264 does not make vp9\. Use libvpx-vp9"):
        choose_encoder("libx264", "vp9")


@pytest.mark.parametrize("name", ["libx264", "libvpx-vp9", "libsvtav1"])
def test_the_same_number_of_threads_gives_the_same_frames(tmp_path, name) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), np.uint8)
    suffix = ".mp4" if name == "libx264" else ".webm"
    encoder = VideoEncoder(name, threads=3)
    one, other = (write_film(tmp_path / f"{i}{suffix}", noise, encoder=encoder) for i in range(2))
    for frame, same in zip(read_frames(one), read_frames(other), strict=True):
        np.testing.assert_array_equal(frame, same)
