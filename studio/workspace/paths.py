"""The workspace's folders and files; no other module builds their paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.storage.catalogue import checkpoints_folder
from studio.workspace.errors import StudioError

VARIABLE = "STUDIO_WORKSPACE"


@dataclass(frozen=True)
class Workspace:
    """The folder that holds datasets, runs, renders and exports.

    Attributes:
        root: its absolute path.
    """

    root: Path

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Workspace:
        """Open a workspace, and make its folders where they are not there.

        Args:
            folder: by default $STUDIO_WORKSPACE, else ./workspace.

        Raises:
            StudioError: the folders cannot be made.
        """
        root = Path(folder or os.environ.get(VARIABLE) or "workspace").absolute()
        workspace = cls(root)
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
    def exports(self) -> Path:
        """The folder of exported pictures and checkpoints."""
        return self.root / "exports"

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

    def dataset(self, name: str) -> Path:
        """The folder of a dataset."""
        return self.datasets / name

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

    def preview(self, name: str) -> Path:
        """The newest picture of the fixed points that training drew."""
        return self.run(name) / "preview.png"

    def render(self, name: str) -> Path:
        """The folder of one film, atlas or sheet."""
        return self.renders / name

    def specimens(self, run: str) -> Path:
        """The folder of a run's exported specimens."""
        return self.exports / run

    def exported_checkpoint(self, run: str, batch: int) -> Path:
        """Where a checkpoint is exported to when a person names no place."""
        return self.exports / run / f"{run}-{batch}.safetensors"

    def log(self, job_id: int) -> Path:
        """The log of a job."""
        return self.logs / f"job-{job_id}.log"

    def inside(self, path: str | Path) -> Path:
        """Resolve a path from outside, which has to lie in the workspace.

        Args:
            path: absolute, or relative to the workspace.

        Raises:
            StudioError: it lies elsewhere.
        """
        resolved = (self.root / path).resolve()
        if not resolved.is_relative_to(self.root.resolve()):
            raise StudioError(f"'{path}' lies outside the workspace. Choose a place within it.")
        return resolved
