"""An ffmpeg whose `h264_nvenc` works without a GPU, and fails as cards do.

Whether a card has room for one more session, fails in the middle of a film, or writes streams that
those of another kind cannot be joined with, cannot be had on a machine without such cards. The
double stands in front of the real ffmpeg and lets x264 do the work: everything else is real.
"""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import pytest

SCRIPT = r"""#!/bin/bash
here={folder} card= arguments=()
original=("$@")
while (( $# )); do
    case "$1" in
        h264_nvenc) card=${{card:-any}}; arguments+=(libx264) ;;
        -gpu) card=$2; shift ;;
        -rc) shift ;;
        -cq) arguments+=(-crf) ;;
        p4) arguments+=(ultrafast) ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
[[ -z $card ]] && exec {ffmpeg} "${{original[@]}}"

exec 9>> $here/begun
flock 9
echo $card >&9
count=$(grep -c "^$card$" $here/begun)
exec 9>&-
if [[ $card == {failing_card} ]] && (( count > {good_videos} )); then
    head -c 5000 > /dev/null
    echo "[h264_nvenc @ 0x1] EncodePicture failed!: device lost" >&2
    exit 1
fi
for (( slot = 0; slot < {sessions}; slot++ )); do
    exec 9> $here/session-$card-$slot
    if flock -n 9; then
        exec {ffmpeg} "${{arguments[@]:0:${{#arguments[@]}}-1}}" {by_kind} "${{arguments[@]: -1}}"
    fi
done
echo "[h264_nvenc @ 0x1] OpenEncodeSessionEx failed: out of memory (10)" >&2
exit 1
"""


def fake_nvenc(
    folder: Path,
    patch: pytest.MonkeyPatch,
    sessions: int = 8,
    failing_card: str = "none",
    good_videos: int = 0,
    several_kinds: bool = False,
) -> Path:
    """Put it in the place of ffmpeg.

    Args:
        folder: for the double, made here.
        sessions: so many videos at a time a card encodes.
        failing_card: the number of one that fails in the middle of a video.
        good_videos: so many videos it encodes before that.
        several_kinds: card 1 writes another kind of stream than the others.

    Returns:
        A file with a line, the number of the card, for each video that was begun.
    """
    folder.mkdir()
    kinds = "$([[ $card == 1 ]] && echo -refs 2 -level 5.1)" if several_kinds else ""
    script = folder / "ffmpeg"
    script.write_text(
        SCRIPT.format(
            folder=folder,
            ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(),
            failing_card=failing_card,
            good_videos=good_videos,
            sessions=sessions,
            by_kind=kinds,
        )
    )
    script.chmod(0o755)
    patch.setenv("IMAGEIO_FFMPEG_EXE", str(script))
    return folder / "begun"
