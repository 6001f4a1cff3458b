"""The one guard around all readers of foreign bytes, and which files are opened at all."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from checkpoints_index.errors import CheckpointError, UnusableFileError

MAX_SAID = 300  # So many letters of what a library said are repeated.
TORCHSCRIPT = (
    "is a TorchScript program; save its weights: "
    "torch.save(torch.jit.load(FILE).state_dict(), FILE)"
)
DESCRIPTORS = Path("/dev/fd")  # Open files by their numbers, on Linux and macOS.
_WANTED_CLASS = re.compile(r"GLOBAL (\S+)")
MAX_EXPANSION = 16  # Weights hardly shrink when they are compressed ...
FREE_BYTES = 1 << 24  # ... but small files of zeros do.


class OpenFile(NamedTuple):
    """A regular file that stays open while it is looked at and read.

    Attributes:
        path: leads to this very file, whatever takes its name meanwhile.
        beginning: its first bytes, at most 8.
        size_bytes: its size, which bounds what it may claim to hold.
    """

    path: Path
    beginning: bytes
    size_bytes: int

    def read(self) -> bytes:
        """All that was in it when it was opened.

        Raises:
            OSError: it cannot be read.
        """
        with self.path.open("rb") as file:
            return file.read(self.size_bytes)


@contextmanager
def guard_reading() -> Iterator[None]:
    """Turn whatever a reader of foreign bytes raises into the reason of their file.

    Raises:
        UnusableFileError: anything but an error of this package was raised.
    """
    try:
        yield
    except CheckpointError:
        raise
    except MemoryError as error:
        raise UnusableFileError("asks for more memory than there is") from error
    except Exception as error:  # Reading arbitrary bytes may lead to anything.
        raise UnusableFileError(explain_failure(error)) from error


@contextmanager
def open_once(path: Path) -> Iterator[OpenFile]:
    """Open a regular file; nothing else is opened, waits or ends never.

    What is found out about it holds for what is read, since no other file can take its place.

    Raises:
        UnusableFileError: it is empty, or a pipe, a device or a socket.
        OSError: it cannot be opened or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise UnusableFileError("is no regular file")
        if not state.st_size:
            raise UnusableFileError("is empty")
        by_number = DESCRIPTORS / str(descriptor)
        opened = by_number if by_number.exists() else path
        yield OpenFile(opened, os.pread(descriptor, 8, 0), state.st_size)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """All of a regular file that is not too large.

    Raises:
        UnusableFileError: it is larger, empty, or no regular file.
        OSError: it cannot be read.
    """
    with open_once(path) as opened:
        if opened.size_bytes > most_bytes:
            raise UnusableFileError(f"has more than {most_bytes:,} bytes in '{path.name}'")
        return opened.read()


def find_wanted_class(error: Exception) -> str:
    """The class whose code a file needs, from what torch raised; "" where it is another fault."""
    wanted = _WANTED_CLASS.search(str(error))
    return wanted.group(1) if wanted else ""


def explain_failure(error: Exception) -> str:
    """Why a file cannot be read, from what a library raised."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    wanted = find_wanted_class(error)
    if wanted:
        return (
            f"needs the code of '{wanted}' to be read, and code in files is not run; "
            "re-save its weights alone where that code is: torch.save(G.state_dict(), FILE)"
        )
    if "TorchScript" in str(error):
        return TORCHSCRIPT
    said = (str(error).strip().splitlines() or [""])[0].split(". ")[0][:MAX_SAID]
    return f"is damaged, or of a kind unknown here ({type(error).__name__}{said and ': '}{said})"


def may_hold(file_bytes: int, claimed_bytes: int) -> bool:
    """Whether a compressed file of weights can be of so many bytes once it is unpacked."""
    return claimed_bytes <= FREE_BYTES + MAX_EXPANSION * file_bytes
