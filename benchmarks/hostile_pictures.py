"""Hostile pictures: mutated bytes of exported JPEGs, and of pictures that a dataset is made of.

python benchmarks/hostile_pictures.py [--pictures 10000]
"""

from __future__ import annotations

import argparse
import io
import json
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from hostile_requests import OUTCOMES
from PIL import Image

from studio.datasets.picture import FORMATS, UnreadablePictureError, read_picture
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.workspace.errors import EXPECTED_ERRORS

MAX_SECONDS = 20  # What takes longer counts as a hang.
SIZE_PX = 48


class HangError(Exception):
    """Something took longer than MAX_SECONDS."""


def mutate(content: bytes, choose: random.Random) -> bytes:
    """Flip bits, overwrite, cut, repeat or insert bytes, once or a few times."""
    mutated = bytearray(content)
    for _ in range(choose.choice((1, 1, 2, 8))):
        place = choose.randrange(max(1, len(mutated)))
        length = choose.choice((1, 2, 4, 64))
        kind = choose.randrange(5)
        if kind == 0 and mutated:
            mutated[place] ^= 1 << choose.randrange(8)
        elif kind == 1:
            filler = choose.choice((b"\0", b"\xff", b"\x7f", choose.randbytes(1)))
            mutated[place : place + length] = filler * length
        elif kind == 2:
            del mutated[place : place + choose.choice((length, len(mutated)))]
        elif kind == 3:
            mutated[place:place] = mutated[place : place + length]
        else:
            mutated[place:place] = choose.randbytes(length)
    return bytes(mutated)


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raise HangError in the midst of what takes too long."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def judge(read: Callable[[], bool], refusals: tuple[type[Exception], ...]) -> str:
    """The outcome of reading something mutated.

    Args:
        read: whether what was read is sound.
        refusals: the errors whose text is a sentence for a person.
    """
    try:
        with no_longer_than(MAX_SECONDS):
            return "harmless" if read() else "silently wrong"
    except HangError:
        return "hang"
    except refusals as error:
        return "refused" if str(error).strip() else "traceback"
    except Exception as error:  # Everything else is what this benchmark looks for.
        print(f"traceback: {error!r:.300}", file=sys.stderr)
        return "traceback"


def attack_passports(count: int, seed: int = 0) -> Counter[str]:
    """Read mutated JPEGs of a specimen: each says what the genuine one says, or is refused."""
    choose, outcomes = random.Random(seed), Counter[str]()
    z = torch.randn(100, generator=torch.Generator().manual_seed(seed))
    genuine = Passport("city", "40.1", 40, z, "f" * 32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "40.1.jpg"
        save_specimen(np.full((SIZE_PX, SIZE_PX, 3), 99, np.uint8), path, genuine, "Somebody")
        content = path.read_bytes()
        for _ in range(count):
            path.write_bytes(mutate(content, choose))
            outcomes[judge(lambda: _says(read_passport(path), genuine), EXPECTED_ERRORS)] += 1
    return outcomes


def _says(passport: Passport, genuine: Passport) -> bool:
    facts = ("run", "label", "batch", "weights_digest")
    same = all(getattr(passport, fact) == getattr(genuine, fact) for fact in facts)
    return same and torch.equal(passport.z, genuine.z)


def attack_datasets(count: int, seed: int = 0) -> Counter[str]:
    """Read mutated pictures of every format: each has the size asked for, or is left out."""
    choose, outcomes = random.Random(seed), Counter[str]()
    numbers = np.random.default_rng(seed)
    pixels = numbers.integers(0, 256, (SIZE_PX, SIZE_PX + 9, 3), np.uint8)
    contents = [_encode(pixels, kind) for kind in FORMATS]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        for number in range(count):
            path.write_bytes(mutate(contents[number % len(contents)], choose))
            outcomes[judge(lambda: _is_square(path), (UnreadablePictureError,))] += 1
    return outcomes


def _is_square(path: Path) -> bool:
    return read_picture(path, 32).shape == (32, 32, 3)


def _encode(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind)
    return file.getvalue()


def main() -> None:
    """Attack, and print the counts as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts = {
        "passports": attack_passports(given.pictures, given.seed),
        "datasets": attack_datasets(given.pictures, given.seed),
    }
    print(json.dumps({part: {o: n[o] for o in OUTCOMES} for part, n in counts.items()}, indent=2))


if __name__ == "__main__":
    main()
