"""Passports of exported pictures, from which each finds its way back.

Run, batch, label and latent point, the digest of the weights, how the picture was made of the
frame, and the licence, as JSON with a checksum, in the EXIF and in the XMP of a picture.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import xxhash
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from checkpoints_index.storage.files import open_whole
from renderers.files import unwritable
from studio.specimens.picture_metadata import read_texts, write_metadata, write_picture
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import (
    UnfitTextError,
    require_batch,
    require_path,
    require_point_label,
    require_run_name,
    shorten,
)

FORMAT = "latent-city-studio/3"
FORMER_FORMATS = ("latent-city-studio/1", "latent-city-studio/2")
FIRST_KEYS = {"format", "run", "label", "batch", "z", "weights"}  # The first had no checksum.
DIGEST = re.compile("[0-9A-Za-z]{1,64}")
MAX_COORDINATE = 1e6  # Far beyond any point that is drawn; forward passes stay finite.
MAX_OPTIONS, MAX_NAME_LENGTH = 16, 200
QUALITY = 95


@dataclass(frozen=True, eq=False)
class Passport:
    """Where a picture comes from.

    Attributes:
        run: name of the run.
        label: label of the latent point, such as `16500.28` or `seed:123`.
        batch: the checkpoint that drew the picture.
        z: the latent point, float32 [z_dim], on the CPU.
        weights_digest: digest of that checkpoint's weights, `CheckpointRun.digest([batch])`.
        options: how the picture was made of the frame; empty where its pixels are the frame's.
        licence: the copyright notice; may be empty.
    """

    run: str
    label: str
    batch: int
    z: Tensor
    weights_digest: str
    options: Mapping[str, str | int] = field(default_factory=dict)
    licence: str = ""


def save_specimen(
    picture: np.ndarray, path: Path, passport: Passport, attribution: str, quality: int = QUALITY
) -> Path:
    """Write a picture with its passport as JPEG, PNG or WebP by its suffix, whole or not at all.

    Args:
        picture: uint8 [H, W, 3].
        path: its folder is made if it is not there.
        attribution: the copyright notice; may be empty.
        quality: of JPEG and WebP, 1..100; WebP of 100 is lossless.

    Returns:
        path.

    Raises:
        RenderError: the file cannot be written.
        StudioError: a JPEG has no room for the passport.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(path) as file:
            passport = replace(passport, licence=attribution)
            write_specimen(picture, file, path.suffix, passport, quality)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def write_specimen(
    picture: np.ndarray, file: BinaryIO, suffix: str, passport: Passport, quality: int = QUALITY
) -> None:
    """Do what `save_specimen` does, into an open file.

    Args:
        picture: uint8 [H, W, 3].
        suffix: `.jpg`, `.png` or `.webp`.

    Raises:
        OSError: it cannot be written.
        StudioError: a JPEG has no room for the passport.
    """
    write_picture(Image.fromarray(picture), file, suffix, quality, **_describe(passport))


def write_passport(passport: Passport) -> tuple[bytes, bytes]:
    """The EXIF and the XMP of a picture that is written elsewhere, with a passport in both."""
    exif, xmp = write_metadata(**_describe(passport))
    return exif.tobytes(), xmp


def _describe(passport: Passport) -> dict[str, str]:
    """A passport as JSON, and the texts beside it, as `write_picture` takes them."""
    document = {
        "format": FORMAT,
        "run": passport.run,
        "label": passport.label,
        "batch": passport.batch,
        "z": base64.b64encode(passport.z.numpy().astype("<f4").tobytes()).decode(),
        "weights": passport.weights_digest,
        "options": dict(passport.options),
        "licence": passport.licence,
    }
    document["checksum"] = compute_checksum(document)
    return {
        "passport": json.dumps(document),
        "software": FORMAT,
        "description": f"{passport.label} of run {passport.run} at batch {passport.batch}",
        "attribution": passport.licence,
    }


def read_passport(path: Path) -> Passport:
    """Read the passport of an exported picture from its EXIF, its XMP, or both.

    What one of them lacks the other has; where both have a passport, they have to agree.

    Raises:
        StudioError: the file is no picture, no passport stands in it, or what stands there cannot
            be true.
    """
    require_path(path)
    try:
        return _from_texts(read_texts(path))
    except EXPECTED_ERRORS as error:
        reason = str(error).rstrip(".")
    except Exception:
        # Pillow and JSON meet foreign bytes with errors of many kinds: OSError, SyntaxError,
        # ValueError, KeyError, TypeError, struct.error, RecursionError and more.
        reason = "it is no picture exported here, or its metadata was stripped"
    raise StudioError(
        f"{shorten(path.name)} does not say which latent point it shows: {reason}. "
        "Export it again: studio specimens export RUN LABEL"
    )


def has_passport(path: Path) -> bool:
    """Whether something in a picture may be meant as a passport, be it true or not.

    What says that it is one and cannot be read is no plain picture: `read_passport` says why.
    """
    try:
        texts = read_texts(path)
    except UnidentifiedImageError:  # A picture of another kind has none.
        return False
    except Exception:  # See `read_passport`.
        return True
    return any(map(_may_be_passport, texts))


def _may_be_passport(text: str) -> bool:
    try:
        document = json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return '"format"' in text
    return isinstance(document, dict) and "format" in document


def compute_checksum(document: Mapping[str, Any]) -> str:
    """xxh3 of a passport as JSON with sorted keys, without the checksum itself."""
    said = {name: value for name, value in document.items() if name != "checksum"}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(canonical.encode("ascii"))


def _from_texts(texts: Sequence[str]) -> Passport:
    """The passport that stands in one of the texts, or in all of them alike.

    Raises:
        ValueError: there is none; or any other error.
    """
    documents = [document for text in texts if (document := _parse(text)) is not None]
    if not documents:
        raise ValueError("no passport")
    passports = [_from_document(document) for document in documents]
    if any(document != documents[0] for document in documents):
        raise UnfitTextError("its EXIF and its XMP say different things")
    return passports[0]


def _parse(text: str) -> dict[str, Any] | None:
    """What may be a passport; None for any other text, such as somebody's comment."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "format" in document else None


def _from_document(document: Any) -> Passport:
    """The passport that `write_specimen` wrote as JSON; any error where it did not."""
    if document["format"] not in (FORMAT, *FORMER_FORMATS):
        raise UnfitTextError("its passport is of another version")
    has_checksum = document["format"] != FORMER_FORMATS[0] or document.keys() != FIRST_KEYS
    if has_checksum and document["checksum"] != compute_checksum(document):
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
        _require_options(document.get("options", {})),
        _require_licence(document.get("licence", "")),
    )


def _require_licence(licence: Any) -> str:
    if not isinstance(licence, str):
        raise UnfitTextError("its licence is none")
    return licence


def _require_options(options: Any) -> dict[str, str | int]:
    """The options of a passport, which are few and short."""
    if not isinstance(options, dict) or len(options) > MAX_OPTIONS:
        raise UnfitTextError("its options are none")
    for name, value in options.items():
        if type(value) not in (str, int) or len(f"{name}{value}") > MAX_NAME_LENGTH:
            raise UnfitTextError(f"its option {shorten(name)} is none")
    return options
