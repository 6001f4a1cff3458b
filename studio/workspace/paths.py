"""Where everything lies. The one module that knows the workspace's paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.storage.catalogue import checkpoints_folder
from studio.workspace.errors import StudioError

VARIABLE = "STUDIO_WORKSPACE"


@dataclass(frozen=True)
class Workspace:
    """The folder that holds datasets, runs, renders and exports."""

    root: Path

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Workspace:
        """The workspace in a folder, else in $STUDIO_WORKSPACE, else in ./workspace; made if new.

        Raises:
            StudioError: it cannot be made, or is no folder.
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
        return self.root / "studio.db"

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def renders(self) -> Path:
        return self.root / "renders"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def dataset(self, name: str) -> Path:
        return self.datasets / name

    def run(self, name: str) -> Path:
        """A run's folder; a name that could not be a folder's is refused."""
        return checkpoints_folder(self.runs, name).parent

    def run_config(self, name: str) -> Path:
        return self.run(name) / "run.toml"

    def metrics(self, name: str) -> Path:
        return self.run(name) / "metrics.jsonl"

    def training_states(self, name: str) -> Path:
        return self.run(name) / "training_state"

    def tensorboard(self, name: str) -> Path:
        return self.run(name) / "tensorboard"

    def histograms(self, name: str) -> Path:
        return self.run(name) / "histograms.jsonl"

    def live_film(self, name: str) -> Path:
        """Chunks of the film that grows while a run trains."""
        return self.run(name) / "film"

    def preview(self, name: str) -> Path:
        """The pictures of the fixed points as training last saw them."""
        return self.run(name) / "preview.png"

    def render(self, name: str) -> Path:
        return self.renders / name

    def specimens(self, run: str) -> Path:
        return self.exports / run

    def exported_checkpoint(self, run: str, batch: int) -> Path:
        return self.exports / run / f"{run}-{batch}.safetensors"

    def log(self, job_id: int) -> Path:
        return self.logs / f"job-{job_id}.log"

    def inside(self, path: str | Path) -> Path:
        """A path that somebody handed in, resolved, if it lies in the workspace.

        Raises:
            StudioError: it lies elsewhere.
        """
        resolved = (self.root / path).resolve()
        if not resolved.is_relative_to(self.root.resolve()):
            raise StudioError(f"'{path}' lies outside the workspace. Choose a place within it.")
        return resolved
