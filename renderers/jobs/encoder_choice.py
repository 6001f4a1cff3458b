"""Which encoder makes the parts of a film: the plan's own, or the one that works everywhere.

Parts of two encoders cannot be joined without encoding them anew. So where a card's encoder fails,
the whole film is given to the encoder that works everywhere, and a file beside the parts says so to
all processes and nodes: what the card's encoder has made by then is rendered again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from renderers.files import read_json, write_json
from renderers.frames.devices import card_number
from renderers.plan.options import RenderOptions
from renderers.video.encoders import HARDWARE, VideoEncoder, default_encoder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncoderChoice:
    """The encoder of a film's parts, as it is known in the folder where they lie.

    Args:
        folder: of the parts.
        options: of the film.
    """

    folder: Path
    options: RenderOptions

    @property
    def planned(self) -> VideoEncoder:
        """The encoder that the plan names."""
        return self.options.encoder_for(1)

    @property
    def given_up_file(self) -> Path:
        """Says that the planned encoder was given up, for as long as there are parts."""
        return self.folder / f"without-{self.planned.name}.json"

    @property
    def is_given_up(self) -> bool:
        """Whether the film has gone over to the encoder that works everywhere."""
        return self.planned.name in HARDWARE and read_json(self.given_up_file) is not None

    @property
    def is_hardware(self) -> bool:
        """Whether cards encode."""
        return self.planned.name in HARDWARE and not self.is_given_up

    def current(self, videos: int, device: str) -> VideoEncoder:
        """The encoder to use now, when so many videos are written at once.

        Args:
            device: where pictures are rendered; a GPU encodes its own.
        """
        encoder = self.options.encoder_for(videos)
        if self.is_given_up:  # The preset was in the words of the other one.
            return replace(encoder, name=default_encoder(encoder.kind.codec), preset=None)
        return replace(encoder, card=card_number(device))

    def takes(self, name: str | None) -> bool:
        """Whether a part of this encoder can be one of the film's; None where it is not known."""
        if self.planned.name not in HARDWARE:
            return True
        made_by = name or self.planned.name
        return (made_by == self.planned.name) is not self.is_given_up

    def give_up(self, reason: str, device: str = "") -> None:
        """Go on without the planned encoder, and say so.

        Args:
            reason: what happened.
            device: where it happened.

        Raises:
            RenderError: it cannot be written down.
        """
        where = f" on {device}" if device else ""
        write_json({"device": device, "reason": reason}, self.given_up_file)
        log.warning(
            "%s is given up%s: %s The whole film is encoded by %s; what was encoded is made anew.",
            *(self.planned.name, where, f"{reason.rstrip('.')}."),
            default_encoder(self.planned.kind.codec),
        )
