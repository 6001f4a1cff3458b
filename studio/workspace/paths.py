"""The workspace's folders and files; no other module builds their paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.storage.catalogue import checkpoints_folder
from checkpoints_index.storage.trusted_classes import FILE as TRUSTED_CLASSES
from studio.workspace.errors import StudioError
from studio.workspace.names import require_part, require_path

VARIABLE = "STUDIO_WORKSPACE"
HERE = "{workspace}"  # What a path in a record begins with that lies in the workspace.
PLACES = ("datasets", "runs", "renders", "exports")  # Where records name files.


@dataclass(frozen=True)
class Workspace:
    """The folder that holds datasets, runs, renders and exports.

    Attributes:
        root: its absolute path.
    """

    root: Path

    @classmethod
    def open(cls, folder: str | Path | None = None, *, make: bool = True) -> Workspace:
        """Open a workspace, and make its folders where they are not there.

        Args:
            folder: by default $STUDIO_WORKSPACE, else ./workspace; `~` is the home folder.
            make: whether there may be a new workspace.

        Raises:
            StudioError: the folders cannot be made; or there is no workspace, and none is to be
                made.
        """
        chosen = Path(folder or os.environ.get(VARIABLE) or "workspace")
        try:
            root = chosen.expanduser().absolute()
        except RuntimeError:
            raise StudioError(f"There is no home folder for {chosen}. Write it in full.") from None
        workspace = cls(root)
        if not make or (workspace._is_there() and not workspace.is_writable):
            workspace._require()
            return workspace
        try:
            for made in (root, workspace.datasets, workspace.runs, workspace.renders):
                made.mkdir(parents=True, exist_ok=True)
            for made in (workspace.exports, workspace.logs):
                made.mkdir(exist_ok=True)
        except OSError as error:
            raise StudioError(
                f"There can be no workspace in {root}: {error.strerror}. "
                f"Choose a folder you can write to: --workspace DIR or {VARIABLE}."
            ) from error
        return workspace

    @property
    def is_writable(self) -> bool:
        """Whether jobs can be recorded and films be kept in it; a frozen archive is not."""
        needed = (self.root, self.renders, self.database)
        return all(os.access(path, os.W_OK) for path in needed if path.exists())

    def _is_there(self) -> bool:
        return any(part.exists() for part in (self.runs, self.datasets, self.database))

    def _require(self) -> None:
        """Raise StudioError where this is no workspace."""
        if not self._is_there():
            raise StudioError(
                f"There is no workspace in {self.root}. Check --workspace and {VARIABLE}, or begin "
                "one: studio datasets add FOLDER --name NAME"
            )

    @property
    def database(self) -> Path:
        """The SQLite file of runs' events, points, pins and jobs."""
        return self.root / "studio.db"

    @property
    def datasets(self) -> Path:
        """The folder of prepared datasets."""
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self.root / "runs"

    @property
    def renders(self) -> Path:
        """The folder of films, atlases and sheets."""
        return self.root / "renders"

    @property
    def posters(self) -> Path:
        """The folder of small pictures of films."""
        return self.renders / ".posters"

    @property
    def presets(self) -> Path:
        """The folder of the settings that somebody keeps under names of their own."""
        return self.root / "presets"

    def preset(self, name: str) -> Path:
        """The file of settings of one's own.

        Raises:
            StudioError: the name cannot be that of a file.
        """
        return self.presets / f"{require_part(name)}.toml"

    @property
    def film_previews(self) -> Path:
        """The folder of the frames that were drawn of films before they were rendered."""
        return self.renders / ".previews"

    def dry_run_sheet(self, dataset: str) -> Path:
        """The picture of what networks see that try a dataset.

        Raises:
            StudioError: the name cannot be that of a folder.
        """
        return self.renders / ".dry-runs" / f"{require_part(dataset)}.png"

    @property
    def thumbnails(self) -> Path:
        """The folder of small pictures of specimens, each of which can be drawn again."""
        return self.root / "thumbnails"

    @property
    def uploads(self) -> Path:
        """The folder of pictures that a browser sent, until a dataset is made of them."""
        return self.root / "uploads"

    @property
    def timelines(self) -> Path:
        """The folder of the small pictures that stand along the timelines of runs."""
        return self.renders / ".timelines"

    @property
    def given_pictures(self) -> Path:
        """The folder of pictures that somebody gave a page to find their latent points."""
        return self.renders / ".given"

    @property
    def exports(self) -> Path:
        """The folder of exported pictures and checkpoints."""
        return self.root / "exports"

    @property
    def leases(self) -> Path:
        """The folder of locks that say who works on which device."""
        return self.root / "leases"

    @property
    def logs(self) -> Path:
        """The folder of the jobs' logs."""
        return self.root / "logs"

    @property
    def locks(self) -> Path:
        """The folder of the files that say who works on what."""
        return self.root / "locks"

    @property
    def trash(self) -> Path:
        """The folder of what is about to be removed."""
        return self.root / "trash"

    @property
    def trusted(self) -> Path:
        """The list of commands and addresses that the owner has named; it lies in no run."""
        return self.root / "trusted.json"

    @property
    def trusted_classes(self) -> Path:
        """The list of classes that the owner has named."""
        return self.runs / TRUSTED_CLASSES

    def dataset(self, name: str) -> Path:
        """The folder of a dataset.

        Raises:
            StudioError: the name cannot be that of a folder.
        """
        return self.datasets / require_part(name)

    def run(self, name: str) -> Path:
        """The folder of a run.

        Raises:
            CheckpointError: the name cannot be that of a folder.
        """
        return checkpoints_folder(self.runs, name).parent

    def run_config(self, name: str) -> Path:
        """The file that says how a run is trained."""
        return self.run(name) / "run.toml"

    def metrics(self, name: str) -> Path:
        """The file of a run's numbers, a JSON object a line."""
        return self.run(name) / "metrics.jsonl"

    def training_states(self, name: str) -> Path:
        """The folder of a run's training states."""
        return self.run(name) / "training_state"

    def tensorboard(self, name: str) -> Path:
        """The folder of a run's numbers for TensorBoard."""
        return self.run(name) / "tensorboard"

    def histograms(self, name: str) -> Path:
        """The file of a run's histograms of weights, a JSON object a line."""
        return self.run(name) / "histograms.jsonl"

    def live_film(self, name: str) -> Path:
        """The folder of the film that grows while a run trains."""
        return self.run(name) / "film"

    def own_points(self, name: str) -> Path:
        """The file of the latent points that were brought into a run from elsewhere."""
        return self.run(name) / "imported_points.json"

    def marks(self, name: str) -> Path:
        """The file of a run's former names, pins, and what was said of its specimens."""
        return self.run(name) / "marks.json"

    def preview(self, name: str) -> Path:
        """The newest picture of the fixed points that training drew."""
        return self.run(name) / "preview.png"

    def render(self, name: str) -> Path:
        """The folder of one film, atlas or sheet.

        Raises:
            StudioError: the name cannot be that of a folder.
        """
        return self.renders / require_part(name)

    def specimens(self, run: str) -> Path:
        """The folder of a run's exported specimens.

        Raises:
            CheckpointError: the name cannot be that of a folder.
        """
        return self.exports / self.run(run).name

    def exported_checkpoint(self, run: str, batch: int) -> Path:
        """Where a checkpoint is exported to when a person names no place."""
        return self.specimens(run) / f"{run}-{batch}.safetensors"

    def exported_archive(self, run: str, batches: Sequence[int]) -> Path:
        """Where some checkpoints are archived when a person names no place."""
        mark = f"{batches[0]}-{batches[-1]}-{len(batches)}"
        return self.specimens(run) / f"{run}-archive-{mark}.zip"

    def published(self, run: str, batch: int) -> Path:
        """The folder of a checkpoint as it is published when a person names no place."""
        return self.specimens(run) / f"{run}-{batch}-published"

    def exported_gallery(self, run: str) -> Path:
        """The folder of the page about a run when a person names no place."""
        return self.specimens(run) / f"{run}-gallery"

    def log(self, job_id: int) -> Path:
        """The log of a job."""
        return self.logs / f"job-{job_id}.log"

    def recorded(self, path: Path) -> Path:
        """A path as records hold it: of what lies in the workspace, from its folder on.

        So records stay true when the workspace is moved, or is copied and the first one goes.

        Example:
            >>> str(Workspace(Path("/w")).recorded(Path("/w/renders/a.mp4")))
            '{workspace}/renders/a.mp4'
        """
        whole = path.absolute()
        if whole.is_relative_to(self.root):
            return Path(HERE, whole.relative_to(self.root))
        return path

    def recalled(self, path: str | Path) -> Path:
        """The path that a record means, in the workspace as it lies now.

        Earlier versions wrote whole paths. One that names a place of a workspace elsewhere means
        that place in this one, where there is such a file.

        Example:
            >>> str(Workspace(Path("/w")).recalled("{workspace}/renders/a.mp4"))
            '/w/renders/a.mp4'
        """
        path = Path(path)
        parts = path.parts
        if parts[:1] == (HERE,) and ".." not in parts:
            return self.root.joinpath(*parts[1:])
        if not path.is_absolute() or path.is_relative_to(self.root):
            return path
        for start in range(len(parts) - 2, 0, -1):
            if parts[start] in PLACES and (own := self.root.joinpath(*parts[start:])).exists():
                return own
        return path

    def inside(self, path: str | Path, opened: Sequence[Path] = ()) -> Path:
        """Resolve a path from outside, which has to lie in the workspace or in an opened folder.

        Args:
            path: absolute, or relative to the workspace; links are followed before it is looked at.
            opened: further folders.

        Raises:
            StudioError: it lies elsewhere.
        """
        plain = require_path(self.root / path)
        try:
            resolved = plain.resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise StudioError(f"'{path!s:.200}' can be no path: {error}.") from error
        folders = [folder.resolve() for folder in (self.root, *opened)]
        if not any(resolved.is_relative_to(folder) for folder in folders):
            raise StudioError(
                f"'{path}' lies outside the workspace. Choose a place within it, or open its "
                "folder: studio app --open FOLDER"
            )
        own = (self.database, self.trusted, self.trusted_classes)
        if resolved in [file.resolve() for file in own]:
            raise StudioError(f"'{path}' is a record of the workspace. Choose another place.")
        return resolved
