"""Exported JPEGs that were mutated: markers, EXIF, the passport, and passports by a forger.

A passport that is read says what the genuine one says; one that a forger sealed says what the
forger wrote, and nothing that no specimen could have.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_json, mutate_parts
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    count_outcomes,
    open_yard,
)
from latent.points import parse_label
from studio.specimens.passports import (
    Passport,
    compute_checksum,
    read_passport,
    save_specimen,
)
from studio.specimens.picture_metadata import ASCII_PREFIX, EXIF_IFD, USER_COMMENT
from studio.workspace.errors import EXPECTED_ERRORS

SIZE_PX = 48


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of reading so many mutants of one exported specimen."""
    z = torch.randn(100, generator=torch.Generator().manual_seed(seed))
    genuine = Passport("city", "40.1", 40, z, "f" * 32)
    with open_yard() as yard:
        path = yard.inside / "40.1.jpg"
        save_specimen(np.full((SIZE_PX, SIZE_PX, 3), 99, np.uint8), path, genuine, "Somebody")
        content = path.read_bytes()
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _read_mutant(at, path, content, genuine), yard)


def _read_mutant(seed: int, path: Path, content: bytes, genuine: Passport) -> str:
    drawn = random.Random(seed)
    kind, said = drawn.randrange(4), None
    if kind == 0:
        mutant = mutate_bytes(content, drawn)
    elif kind == 1:
        mutant = mutate_parts(cut_jpeg(content), drawn)
    elif kind == 2:
        mutant = _mutate_exif(content, drawn)
    else:
        mutant, said = _forge(content, drawn)
    path.write_bytes(mutant)
    try:
        passport = read_passport(path)
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK
    is_right = _says(passport, genuine) or (said is not None and _is_as_forged(passport, said))
    return HARMLESS if is_right else SILENTLY_WRONG


def cut_jpeg(content: bytes) -> list[bytes]:
    """The segments of a JPEG: a marker, a length, and what follows; pixels are the last."""
    parts, at = [content[:2]], 2
    while content[at : at + 2] != b"\xff\xda":
        (length,) = struct.unpack_from(">H", content, at + 2)
        parts.append(content[at : at + 2 + length])
        at += 2 + length
    return [*parts, content[at:]]


def _mutate_exif(content: bytes, drawn: random.Random) -> bytes:
    """Numbers in the EXIF's tables are others: tags, types, counts, offsets."""
    start = content.index(b"Exif\0\0") + 6
    end = content.index(b"ASCII\0\0\0", start)
    mutant = bytearray(content)
    for _ in range(drawn.choice((1, 1, 2, 5))):
        at = start + 2 * drawn.randrange((end - start) // 2)
        number = drawn.choice((0, 1, 2, 12, 13, 0xFF, 0xFFFF, drawn.randrange(65536)))
        mutant[at : at + 2] = struct.pack(drawn.choice(("<H", ">H")), number)
    return bytes(mutant)


def _forge(content: bytes, drawn: random.Random) -> tuple[bytes, Any]:
    """A JPEG whose passport says other things; where that is JSON, sealed as a forger would."""
    with Image.open(io.BytesIO(content)) as image:
        exif = image.getexif()
        comment = exif.get_ifd(EXIF_IFD)[USER_COMMENT]
        genuine = json.loads(comment.removeprefix(ASCII_PREFIX))
        if drawn.random() < 0.3:
            genuine["z"] = base64.b64encode(_draw_numbers(drawn)).decode()
        text = mutate_json(genuine, drawn) if drawn.random() < 0.8 else json.dumps(genuine).encode()
        said = None
        try:
            said = json.loads(text)
            if isinstance(said, dict) and "checksum" in said and drawn.random() < 0.8:
                said["checksum"] = compute_checksum(said)
                text = json.dumps(said).encode()
        except (ValueError, RecursionError):
            said = None
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + text[:60_000]
        file = io.BytesIO()
        image.save(file, format="JPEG", exif=exif)
    return file.getvalue(), said


def _draw_numbers(drawn: random.Random) -> bytes:
    number = drawn.choice((0.0, float("nan"), float("inf"), 3e38, 1e6, 0.5, -1.0))
    return np.full(drawn.choice((0, 1, 99, 100, 3000)), number, "<f4").tobytes()


def _is_as_forged(passport: Passport, said: Any) -> bool:
    """Whether a passport says what was forged, and could be that of a specimen."""
    facts = {"run": passport.run, "label": passport.label, "batch": passport.batch}
    same = all(said.get(name) == value for name, value in facts.items())
    sealed = said.get("checksum") == compute_checksum(said)
    plain = passport.label.startswith("seed:") or parse_label(passport.label) is not None
    sound = bool(passport.z.isfinite().all()) and float(passport.z.abs().max()) <= 1e6
    numbers = base64.b64decode(said["z"]) == passport.z.numpy().astype("<f4").tobytes()
    return same and sealed and plain and sound and numbers and "/" not in passport.run


def _says(passport: Passport, genuine: Passport) -> bool:
    facts = ("run", "label", "batch", "weights_digest")
    same = all(getattr(passport, fact) == getattr(genuine, fact) for fact in facts)
    return same and torch.equal(passport.z, genuine.z)
