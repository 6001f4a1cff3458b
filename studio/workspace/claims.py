"""Claims: the right to work on a run or a dataset, taken before anything is touched.

Whoever reads shares a run with all but those who take things away; one alone writes to it. The
locks are the system's, so that a claim ends with its process, however that ends.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from checkpoints_index.storage.locks import FileLock, read_holder
from studio.workspace.errors import ReadOnlyWorkspaceError, StudioError
from studio.workspace.jobs import working_jobs
from studio.workspace.paths import Workspace

# What is read by several at once, written by one while others read, or had by one alone.
READ, WRITE, EXCLUSIVE = "read", "write", "exclusive"
MAX_NAME = 200  # Letters of a name in the name of its lock.
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class InUseError(StudioError):
    """Somebody else works on a run or a dataset, so this has to wait."""


@dataclass(frozen=True)
class Claim:
    """What an action works on, and how.

    Attributes:
        kind: what is worked on.
        name: its name.
        mode: READ, WRITE or EXCLUSIVE.
    """

    kind: Literal["run", "dataset"]
    name: str
    mode: str = READ

    @property
    def locks(self) -> dict[str, bool]:
        """The locks that it takes, and whether each is shared with others."""
        writer = {} if self.mode == READ else {"writer": False}
        return {**writer, "use": self.mode != EXCLUSIVE}


@contextmanager
def claiming(workspace: Workspace, claims: Sequence[Claim], purpose: str) -> Iterator[None]:
    """Hold some claims for the length of a block.

    Args:
        purpose: what is done meanwhile, such as the words of a command; others are told.

    Raises:
        InUseError: somebody else holds one of them; nothing was touched.
    """
    with ExitStack() as stack:
        for claim in sorted(claims, key=lambda claim: (claim.kind, claim.name)):
            for lock, shared in claim.locks.items():
                _take(stack, workspace, claim, lock, shared, purpose)
        yield


@contextmanager
def changing(workspace: Workspace, file: str) -> Iterator[None]:
    """Wait until nobody else changes a file of the workspace, and keep others from it meanwhile.

    What is read within and written anew then has what all others wrote.

    Args:
        file: its name, or what it is about.

    Raises:
        ReadOnlyWorkspaceError: nothing can be written in the workspace.
        StudioError: nothing can be locked in it.
    """
    path = workspace.locks / file
    try:
        path.parent.mkdir(exist_ok=True)
        lock = FileLock(path, wait=True)
    except OSError as error:
        if error.errno in READ_ONLY:
            raise ReadOnlyWorkspaceError(workspace.root) from error
        raise StudioError(f"{path} cannot be locked: {error.strerror}.") from error
    with lock:
        yield


def _take(
    stack: ExitStack, workspace: Workspace, claim: Claim, lock: str, shared: bool, purpose: str
) -> None:
    # A name that cannot be one is refused later, by what checks names.
    name = quote(claim.name, safe="", errors="replace")[:MAX_NAME]
    path = workspace.locks / f"{claim.kind}-{name}.{lock}"
    note = f"{purpose}, process {os.getpid()}"
    try:
        path.parent.mkdir(exist_ok=True)
        stack.enter_context(FileLock(path, note=note, shared=shared))
    except BlockingIOError:
        holder = _describe_holder(workspace, claim, read_holder(path))
        raise InUseError(
            f"{claim.kind.capitalize()} '{claim.name}' is in use ({holder}). Nothing was changed. "
            "Wait until that has ended, or end it: studio jobs"
        ) from None
    except OSError as error:
        # Where nothing can be written, nobody can take away what is read here.
        if error.errno not in READ_ONLY:
            raise StudioError(f"{path} cannot be locked: {error.strerror}.") from error
        if claim.mode != READ:
            raise ReadOnlyWorkspaceError(workspace.root) from error


def _describe_holder(workspace: Workspace, claim: Claim, note: str) -> str:
    """The job that holds a claim, where it is one, and its process."""
    process = note.rpartition("process ")[2]
    jobs = {str(job.pid): job for job in working_jobs(workspace)}
    job = jobs.get(process)
    return f"job {job.id}, {note}" if job is not None else note or "another process"
