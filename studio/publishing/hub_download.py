"""Fetching a model of the Hub: the files that are known, bounded and held against their digests."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2
from huggingface_hub import HfApi, get_token
from huggingface_hub.hf_api import RepoFile

from checkpoints_index import GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.files import open_whole
from renderers.progress import OnProgress, ignore_progress
from studio.publishing.hub_addresses import HubError, hub_endpoint
from studio.publishing.hub_client import TIMEOUT_S, talking_to_hub
from studio.publishing.hub_upload import digest_as, expected_digest, list_entries
from studio.publishing.network_files import FORMAT, sha256_of
from studio.publishing.published_folder import CONFIG, POINTS, WEIGHTS
from studio.workspace.names import MAX_BATCH
from studio.workspace.records.quantities import format_bytes

MAX_CONFIG_BYTES = 10**6
MAX_POINTS_BYTES = 64 * 10**6
MAX_HEADER_BYTES = 10**8  # What a file of weights may have beside them.
MAX_FOREIGN_BYTES = 20 * 10**9
MAX_REDIRECTS = 5
PATIENCE_S, LEAST_RATE = 60.0, 1000.0  # Then a file has to come with so many bytes a second.
FOREIGN_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class FetchedModel:
    """A model of the Hub that lies here now.

    Attributes:
        weights: the file of weights, whose name has the batch in it where that is known.
        spec: its generator; None for a model of somebody else's, which has to be recognised.
        batch: of the checkpoint; None where it is not known.
        points: the latent points of its specimens; None where there are none.
        revision: the commit that was fetched.
    """

    weights: Path
    spec: GeneratorSpec | None
    batch: int | None
    points: Path | None
    revision: str


def fetch_model(
    repository: str, folder: Path, on_progress: OnProgress = ignore_progress
) -> FetchedModel:
    """Fetch a model that `studio publish` sent, or one of somebody else's in a single file.

    Nothing but weights, points and config.json is fetched; no code is, and none is run.

    Args:
        repository: USER/NAME.
        folder: an empty one.

    Raises:
        HubError: the Hub cannot be reached or refuses, or what it has is no model for us.
    """
    with talking_to_hub(repository):
        api = HfApi(endpoint=hub_endpoint(), library_name="latent-city-studio")
        revision = api.model_info(repository).sha
        if not isinstance(revision, str) or not revision.isalnum():
            raise HubError(f"'{repository}' is empty on the Hub.")
        entries = {entry.path: entry for entry in list_entries(api, repository, revision)}
    source = _Source(repository, revision, folder, on_progress)
    document = None
    if CONFIG in entries and entries[CONFIG].size <= MAX_CONFIG_BYTES:
        document = _read_config(source.fetch(entries[CONFIG], CONFIG, MAX_CONFIG_BYTES))
    if document is None:
        return _fetch_foreign(source, entries, revision)
    return _fetch_ours(source, entries, document, revision)


def _fetch_ours(
    source: _Source, entries: dict[str, RepoFile], document: dict[str, Any], revision: str
) -> FetchedModel:
    spec, batch = _read_model(document, source.repository)
    if WEIGHTS not in entries:
        raise HubError(f"'{source.repository}' has no {WEIGHTS} on the Hub. Publish it again.")
    needed = sum(t.numel() * t.element_size() for t in spec.expected_weights().values())
    name = f"checkpoint-{batch}.safetensors"
    weights = source.fetch(entries[WEIGHTS], name, needed + MAX_HEADER_BYTES)
    if sha256_of(weights) != document.get("weights_sha256"):
        raise HubError(
            f"{WEIGHTS} of '{source.repository}' is not the one that its {CONFIG} tells of."
        )
    points = None
    if POINTS in entries:
        points = source.fetch(entries[POINTS], POINTS, MAX_POINTS_BYTES)
    return FetchedModel(weights, spec, batch, points, revision)


def _fetch_foreign(source: _Source, entries: dict[str, RepoFile], revision: str) -> FetchedModel:
    """The only file of weights of a model that we did not write."""
    found = [e for e in entries.values() if Path(e.path).suffix in FOREIGN_SUFFIXES]
    plain = [entry for entry in found if entry.path.endswith(".safetensors")]
    chosen = plain or found
    if len(chosen) != 1:
        how_many = "no file" if not chosen else f"{len(chosen):,} files"
        raise HubError(
            f"'{source.repository}' has {how_many} of weights at its top, and one is imported. "
            "Fetch it yourself, and import the file: studio import FILE --run NAME"
        )
    suffix = ".safetensors" if plain else ".pt"
    weights = source.fetch(chosen[0], f"model-0{suffix}", MAX_FOREIGN_BYTES)
    return FetchedModel(weights, None, None, None, revision)


def _read_config(path: Path) -> dict[str, Any] | None:
    """The document of config.json if it is one of ours; None for those of others."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    ours = isinstance(document, dict) and document.get("format") == FORMAT
    return document if ours else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _read_model(document: dict[str, Any], repository: str) -> tuple[GeneratorSpec, int]:
    """The generator and the batch of a config.json of ours.

    Raises:
        HubError: it describes no generator of this package.
    """
    batch = document.get("batch")
    try:
        spec = GeneratorSpec.from_json(document.get("generator"), trusted=False)
        if not spec.is_ours:
            raise ValueError("its generator is somebody's code, which is not run")
        if type(batch) is not int or not 0 <= batch <= MAX_BATCH:
            raise ValueError("its batch is none")
        spec.expected_weights()
    except (ValueError, CheckpointError) as error:
        said = str(error).rstrip(".")
        raise HubError(f"{CONFIG} of '{repository}' cannot be used: {said}.") from error
    return spec, batch


@dataclass(frozen=True)
class _Source:
    """Where files of one commit come from, and where they are put."""

    repository: str
    revision: str
    folder: Path
    on_progress: OnProgress

    def fetch(self, entry: RepoFile, name: str, most_bytes: int) -> Path:
        """A file of the commit, whole and with its digest, or nothing of it.

        Raises:
            HubError: it is larger than it may be, or other bytes come than the Hub says.
        """
        self._require_size(entry, most_bytes)
        path = self.folder / name
        remote = f"{self.repository}/resolve/{self.revision}/{quote(entry.path)}"
        with talking_to_hub(self.repository), open_whole(path) as file:
            begun, done = time.monotonic(), 0
            with _opening(f"{hub_endpoint()}/{remote}") as response:
                for chunk in response.iter_raw(1 << 20):
                    done += len(chunk)
                    if done > entry.size:
                        raise HubError(
                            f"More comes of {entry.path!r:.80} than the {entry.size:,} bytes that "
                            "the Hub says it has."
                        )
                    took_s = time.monotonic() - begun
                    if took_s > PATIENCE_S and done < LEAST_RATE * took_s:
                        raise HubError(
                            f"{entry.path!r:.80} comes with {done / took_s:,.0f} bytes a second, "
                            "which takes too long. Try again later."
                        )
                    file.write(chunk)
                    self.on_progress(done, entry.size, name)
            file.flush()
            if done < entry.size or digest_as(Path(file.name), entry) != expected_digest(entry):
                raise HubError(
                    f"Of {entry.path!r:.80} other bytes came than the Hub says it has. Give the "
                    "same command again."
                )
        return path

    def _require_size(self, entry: RepoFile, most_bytes: int) -> None:
        size = entry.size
        if type(size) is not int or not 0 <= size <= most_bytes:
            shown = format_bytes(size) if type(size) is int and size >= 0 else "no number of bytes"
            raise HubError(
                f"{entry.path!r:.80} of '{self.repository}' has {shown}, and what it should hold "
                f"takes at most {format_bytes(most_bytes)}. It was not fetched."
            )
        free = shutil.disk_usage(self.folder).free
        if size > free:
            raise HubError(
                f"{entry.path!r:.80} has {format_bytes(size)}, and the disk has room for "
                f"{format_bytes(free)}."
            )


@contextmanager
def _opening(address: str) -> Iterator[httpx2.Response]:
    """The answer that has the bytes of a file; the Hub sends us on for large ones.

    The token goes to the Hub alone, and only to the Hub itself is spoken without encryption.

    Raises:
        HubError: it sends us on to what is neither itself nor encrypted, or in circles.
    """
    hub = urlsplit(hub_endpoint())
    with httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
        for _ in range(MAX_REDIRECTS):
            parts = urlsplit(address)
            at_hub = (parts.scheme, parts.netloc) == (hub.scheme, hub.netloc)
            if not at_hub and parts.scheme != "https":
                raise HubError(
                    f"{hub.hostname} sends us on to {parts.netloc!r:.80}, which is neither itself "
                    "nor encrypted."
                )
            token = get_token() if at_hub else None
            headers = {"authorization": f"Bearer {token}"} if token else {}
            headers["accept-encoding"] = "identity"
            with client.stream("GET", address, headers=headers) as response:
                if not response.has_redirect_location:
                    _require_ok(response.status_code)
                    yield response
                    return
                address = urljoin(address, response.headers["location"])
    raise HubError(f"{hub.hostname} sends us on in circles.")


def _require_ok(status: int) -> None:
    if status != httpx2.codes.OK:
        raise HubError(f"The Hub answered with {status}. Give the same command again.")
