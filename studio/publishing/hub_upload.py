"""Sending a published folder to the Hub; what is there already is not sent again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from renderers.progress import OnProgress, ignore_progress
from studio.publishing.hub_addresses import HubError, hub_address, hub_endpoint
from studio.publishing.hub_client import require_token, talking_to_hub
from studio.publishing.published_folder import FILES, list_published

MAX_ENTRIES = 10_000


@dataclass(frozen=True)
class UploadedFolder:
    """What came of sending a folder.

    Attributes:
        url: the page of the repository.
        private: whether only its owners see it.
        sent, kept: the names of the files that were sent, and of those that were there.
    """

    url: str
    private: bool
    sent: tuple[str, ...]
    kept: tuple[str, ...]


def upload_published(
    folder: Path, to: str, public: bool, on_progress: OnProgress = ignore_progress
) -> UploadedFolder:
    """Send a folder of `write_published` to the Hub in one commit.

    A call that was cut off goes on: files whose bytes are there already are not sent again.

    Args:
        to: the repository, USER/NAME, which is made if it is not there.
        public: whether everybody may see it.

    Raises:
        HubError: there is no token, the Hub refuses or cannot be reached, or the repository is
            public and nobody asked for that.
    """
    api = HfApi(endpoint=hub_endpoint(), token=require_token(), library_name="latent-city-studio")
    with talking_to_hub(to):
        api.create_repo(to, private=not public, exist_ok=True)
        private = bool(api.model_info(to).private)
        if not private and not public:
            raise HubError(
                f"{to} is public on the Hub, so that everybody would see this. Where that is "
                "meant: --public. Else choose another name."
            )
        there = {entry.path: entry for entry in list_entries(api, to)}
        local = list_published(folder)
        kept = tuple(f.name for f in local if _is_same(folder / f.name, there.get(f.name)))
        sent = [file for file in local if file.name not in kept]
        gone = [name for name in FILES if name in there and name not in {f.name for f in local}]
        additions = [CommitOperationAdd(file.name, str(folder / file.name)) for file in sent]
        total = sum(file.size_bytes for file in sent)
        done = 0
        for file, addition in zip(sent, additions, strict=True):
            on_progress(done, total, file.name)
            api.preupload_lfs_files(to, [addition], free_memory=False)
            done += file.size_bytes
        if additions or gone:
            deletions = [CommitOperationDelete(name) for name in gone]
            message = "Published by Latent City Studio"
            api.create_commit(to, [*additions, *deletions], commit_message=message)
        on_progress(total, total)
    return UploadedFolder(hub_address(to), private, tuple(f.name for f in sent), kept)


def list_entries(api: HfApi, repository: str, revision: str | None = None) -> list[RepoFile]:
    """The files at the top of a repository; none where nothing was ever sent.

    Raises:
        HubError: there are too many.
    """
    try:
        entries = list(islice(api.list_repo_tree(repository, revision=revision), MAX_ENTRIES + 1))
    except (EntryNotFoundError, RevisionNotFoundError):
        return []
    if len(entries) > MAX_ENTRIES:
        raise HubError(f"{repository} has more than {MAX_ENTRIES:,} files at its top.")
    return [entry for entry in entries if isinstance(entry, RepoFile)]


def _is_same(path: Path, entry: RepoFile | None) -> bool:
    """Whether the Hub has a file with the same bytes."""
    return (
        entry is not None
        and entry.size == path.stat().st_size
        and digest_as(path, entry) == expected_digest(entry)
    )


def expected_digest(entry: RepoFile) -> str:
    """The digest of a file of the Hub: SHA-256 of large ones, else that of a blob of git."""
    return str(entry.lfs.sha256 if entry.lfs is not None else entry.blob_id)


def digest_as(path: Path, entry: RepoFile) -> str:
    """The digest of a file here, of the kind that the Hub has of one there."""
    if entry.lfs is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
