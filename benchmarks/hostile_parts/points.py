"""Files of latent points that were mutated: NumPy headers, archives, pickles, JSON, and text.

Points that are read are rows of the file as the plain readers of NumPy and JSON give them, finite,
and none of them is all zero.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.hostile_parts import archives
from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_json
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    count_outcomes,
    open_yard,
)
from benchmarks.hostile_parts.pickles import mutate_pickle
from latent.points import parse_label
from studio.specimens.passports import MAX_COORDINATE
from studio.specimens.point_files import read_points
from studio.workspace.errors import EXPECTED_ERRORS

Z_DIM = 12
TEXTS = ("nan", "inf", "1e999", "0x1p3", "1_000", "", "--", "\0", "9" * 5000, "٣", "1e-400", "1,5")
SHAPES = ("(3, -12)", "(36,)", "(2**62, 4)", "(0, 12)", "(4611686018427387904, 12)", "3", "None")
DTYPES = ("'<f8'", "'<i4'", "'|O'", "'<c8'", "'<f2'", "'>f4'", "'S4'", "[('a','<f4')]", "'<M8[s]'")


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of reading so many mutants of files of points."""
    rows = np.random.default_rng(seed).standard_normal((3, Z_DIM)).astype("f4")
    files = _make_files(rows)
    with open_yard() as yard:
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _read_mutant(at, yard.inside, files, rows), yard)


def _make_files(rows: np.ndarray) -> dict[str, bytes]:
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, rows)
    np.savez(npz, **{"16.1": rows[0], "16.2": rows[1]})
    table = {"16.1": rows[0].tolist(), "16.2": rows[1].tolist()}
    return {
        "z.npy": npy.getvalue(),
        "z.npz": npz.getvalue(),
        "z.json": json.dumps(table).encode(),
        "z.pkl": pickle.dumps({"16.1": rows[0], "16.2": rows[1]}, protocol=2),
        "z.csv": "\n".join(",".join(map(repr, row)) for row in rows.tolist()).encode(),
    }


def _read_mutant(seed: int, folder: Path, files: dict[str, bytes], rows: np.ndarray) -> str:
    drawn = random.Random(seed)
    name = drawn.choice(list(files))
    mutate = drawn.choice((mutate_bytes, STRUCTURED[name]))
    mutant = mutate(files[name], drawn)
    path = folder / name
    path.write_bytes(mutant)
    try:
        points, _ = read_points(path, Z_DIM)
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK
    is_checked = name == "z.npz" and mutate is mutate_bytes
    known = rows if is_checked else _read_plainly(path)
    for point in points:
        sound = point.z.shape == (Z_DIM,) and point.z.dtype == np.float32 and bool(point.z.any())
        fitting = bool((np.abs(point.z) <= MAX_COORDINATE).all())
        labelled = point.label is None or parse_label(point.label) is not None
        held = known is None or any(np.array_equal(point.z, row) for row in known)
        if not (sound and fitting and labelled and held):
            return SILENTLY_WRONG
    return HARMLESS


def _read_plainly(path: Path) -> np.ndarray | None:
    """The rows of a file as NumPy or JSON reads it; None for what has no other reader here."""
    content = path.read_bytes()
    if path.suffix == ".npy":
        return np.load(io.BytesIO(content)).astype("f4").reshape(-1, Z_DIM)
    if path.suffix == ".json":
        held = json.loads(content)
        values = held.values() if isinstance(held, dict) else [held]
        return np.concatenate([np.asarray(v, "f8").reshape(-1, Z_DIM) for v in values]).astype("f4")
    if path.suffix == ".npz":
        with np.load(io.BytesIO(content)) as held:
            return np.concatenate([held[n].astype("f4").reshape(-1, Z_DIM) for n in held.files])
    return None


def _mutate_npy(content: bytes, drawn: random.Random) -> bytes:
    """Another version, header, shape or dtype."""
    (length,) = struct.unpack_from("<H", content, 8)
    header, data = content[10 : 10 + length].decode(), content[10 + length :]
    kind = drawn.randrange(4)
    if kind == 0:
        header = header.replace("(3, 12)", drawn.choice(SHAPES))
    elif kind == 1:
        header = header.replace("'<f4'", drawn.choice(DTYPES))
    elif kind == 2:
        header = header.replace("False", "True")
    else:
        text = drawn.choice(
            ("{" * 9000, "(" * 9000, "__import__('os').system('touch owned')", "{}")
        )
        header = text + header[len(text) :]
    raw = header.encode()[:65535]
    version = drawn.choice((b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\x09\0"))
    size = struct.pack("<H", len(raw)) if version == b"\1\0" else struct.pack("<I", len(raw))
    return content[:6] + version + size + raw + data


def _mutate_npz(content: bytes, drawn: random.Random) -> bytes:
    def change(parts: archives.Parts) -> None:
        name = drawn.choice(list(parts))
        parts[name] = mutate_bytes(parts[name], drawn)
        parts[drawn.choice(("../../outside/owned", "16.3.npy", "x", "16.1"))] = parts[name]

    if drawn.random() < 0.4:
        return archives.rewrite(content, change, stored=drawn.random() < 0.5)
    if drawn.random() < 0.1:
        parts = {"a.npy": content[:128] + bytes(1 << 28)}
        return archives.pack(parts, zipfile.ZIP_DEFLATED)
    return drawn.choice((archives.mutate_members, archives.mutate_headers))(content, drawn)


def _mutate_json(content: bytes, drawn: random.Random) -> bytes:
    return mutate_json(json.loads(content), drawn)


def _mutate_csv(content: bytes, drawn: random.Random) -> bytes:
    words = content.decode().replace("\n", ",\n,").split(",")
    for _ in range(drawn.choice((1, 2, 5))):
        words[drawn.randrange(len(words))] = drawn.choice(TEXTS)
    return ",".join(words).encode("utf-8", "surrogatepass")


STRUCTURED: dict[str, Callable[[bytes, random.Random], bytes]] = {
    **{"z.npy": _mutate_npy, "z.npz": _mutate_npz, "z.json": _mutate_json},
    **{"z.pkl": mutate_pickle, "z.csv": _mutate_csv},
}
