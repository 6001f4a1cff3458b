"""Passports of exported JPEGs: run, batch, label and latent point of a picture, in its EXIF."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
import xxhash
from PIL import Image
from torch import Tensor

from checkpoints_index.storage.files import open_whole
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import (
    UnfitTextError,
    require_batch,
    require_path,
    require_point_label,
    require_run_name,
    shorten,
)

IMAGE_DESCRIPTION, SOFTWARE, COPYRIGHT = 0x010E, 0x0131, 0x8298
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
ASCII_PREFIX = b"ASCII\0\0\0"  # EXIF 2.3, section 4.6.5: how a comment is encoded
FORMAT = "latent-city-studio/2"
FIRST_FORMAT = "latent-city-studio/1"  # It had no checksum.
MAX_COMMENT_BYTES = 1 << 20
DIGEST = re.compile("[0-9A-Za-z]{1,64}")
MAX_COORDINATE = 1e6  # Far beyond any point that is drawn; forward passes stay finite.
QUALITY = 95
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description rdf:about="">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default"/></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True, eq=False)
class Passport:
    """Where a picture comes from.

    Attributes:
        run: name of the run.
        label: label of the latent point, such as `16500.28` or `seed:123`.
        batch: the checkpoint that drew the picture.
        z: the latent point, float32 [z_dim], on the CPU.
        weights_digest: digest of that checkpoint's weights, `CheckpointRun.digest([batch])`.
    """

    run: str
    label: str
    batch: int
    z: Tensor
    weights_digest: str


def save_specimen(frame: np.ndarray, path: Path, passport: Passport, attribution: str) -> Path:
    """Write a picture with its passport as a JPEG, whole or not at all.

    Args:
        frame: uint8 [H, W, 3].
        path: the JPEG; its folder is made if it is not there.
        attribution: the copyright notice; may be empty.

    Returns:
        path.

    Raises:
        StudioError: the file cannot be written.
    """
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = f"{passport.label} of run {passport.run} at batch {passport.batch}"
    exif[SOFTWARE] = FORMAT
    if attribution:
        exif[COPYRIGHT] = attribution.replace("©", "(c)")  # EXIF texts are ASCII; XMP is not.
    document = {
        "format": FORMAT,
        "run": passport.run,
        "label": passport.label,
        "batch": passport.batch,
        "z": base64.b64encode(passport.z.numpy().astype("<f4").tobytes()).decode(),
        "weights": passport.weights_digest,
    }
    document["checksum"] = compute_checksum(document)
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + json.dumps(document).encode("ascii")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(path) as file:
            image = Image.fromarray(frame)
            image.save(
                file,
                format="JPEG",
                quality=QUALITY,
                subsampling=0,
                exif=exif,
                xmp=_xmp(attribution),
            )
    except OSError as error:
        raise StudioError(
            f"Cannot write {path}: {error.strerror or error}. "
            "Free some space or choose another folder."
        ) from error
    return path


def _xmp(attribution: str) -> bytes:
    """The copyright notice as XMP, which has every letter; empty where there is none."""
    if not attribution:
        return b""
    packet = ElementTree.fromstring(XMP)
    notice = next(packet.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"))
    notice.text = attribution
    return bytes(ElementTree.tostring(packet, encoding="utf-8"))


def read_passport(path: Path) -> Passport:
    """Read the passport of an exported JPEG.

    Raises:
        StudioError: the file is no picture, no passport stands in it, or what stands there cannot
            be true.
    """
    require_path(path)
    try:
        return _from_document(_read_comment(path))
    except EXPECTED_ERRORS as error:
        reason = str(error).rstrip(".")
    except Exception:
        # Pillow and JSON meet foreign bytes with errors of many kinds: OSError, SyntaxError,
        # ValueError, KeyError, TypeError, struct.error, RecursionError and more.
        reason = "it is no JPEG exported here, or its metadata was stripped"
    raise StudioError(
        f"{shorten(path.name)} does not say which latent point it shows: {reason}. "
        "Export it again: studio specimens export RUN LABEL"
    )


def compute_checksum(document: Mapping[str, Any]) -> str:
    """xxh3 of a passport as JSON with sorted keys, without the checksum itself."""
    said = {name: value for name, value in document.items() if name != "checksum"}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(canonical.encode("ascii"))


def _read_comment(path: Path) -> Any:
    """The JSON in a picture's EXIF; its pixels are not decoded."""
    if not path.is_file():
        raise UnfitTextError("it is no file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and of odd metadata.
        with Image.open(path, formats=("JPEG",)) as image:
            comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    raw = comment if isinstance(comment, bytes) else str(comment).encode()
    if len(raw) > MAX_COMMENT_BYTES:
        raise UnfitTextError(f"its comment of {len(raw):,} bytes is too long")
    return json.loads(raw.removeprefix(ASCII_PREFIX))


def _from_document(document: Any) -> Passport:
    """The passport that `save_specimen` wrote as JSON; any error where it did not."""
    if document["format"] not in (FIRST_FORMAT, FORMAT):
        raise UnfitTextError("its passport is of another version")
    if document["format"] == FORMAT and document["checksum"] != compute_checksum(document):
        raise UnfitTextError("its passport is damaged: the checksum differs")
    z = np.frombuffer(base64.b64decode(document["z"], validate=True), "<f4").astype(np.float32)
    if not np.isfinite(z).all() or not z.any() or np.abs(z).max() > MAX_COORDINATE:
        raise UnfitTextError(
            f"a latent point is made of finite numbers up to {MAX_COORDINATE:,.0f}, not all zero"
        )
    weights = document["weights"]
    if not DIGEST.fullmatch(weights):
        raise UnfitTextError("its digest of weights is none")
    return Passport(
        require_run_name(document["run"]),
        require_point_label(document["label"]),
        require_batch(document["batch"]),
        torch.from_numpy(z),
        weights,
    )
