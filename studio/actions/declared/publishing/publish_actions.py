"""A checkpoint for others as an action: a folder that explains itself, and the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.actions.declared.checkpoint_actions import SECTION
from studio.workspace.claims import Claim
from studio.workspace.names import (
    named_run,
    require_repository,
    require_run_name,
    split_checkpoint,
)
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import DeclaredRecord, device_option, option
from studio.workspace.trust import Named


class FileOfPublished(DeclaredRecord):
    """A file of a published folder."""

    name: str
    size_bytes: int
    sha256: str


class PublishResult(Result):
    """What was written, and what was sent."""

    run: str
    batch: int
    path: Path
    files: tuple[FileOfPublished, ...]
    card: str
    url: str | None = None
    private: bool | None = None
    sent: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def tell(self) -> Iterator[str | Table]:
        """The files with their sizes; the card, or where it can be seen."""
        rows = [(file.name, format_bytes(file.size_bytes)) for file in self.files]
        yield f"Batch {self.batch:,} of run '{self.run}', in {self.path}:"
        yield Table(["file", "size"], rows)
        if self.url is None:
            yield "Nothing was sent. README.md says:"
            yield ""
            yield from self.card.splitlines()
            return
        seen = "only its owners see it" if self.private else "everybody can see it"
        yield f"{self.url}: {seen}."
        yield f"{len(self.sent):,} files were sent; {len(self.kept):,} were there already."


class Publish(Action):
    """Publish a checkpoint on the Hugging Face Hub.

    Weights, a network in plain PyTorch that needs nothing of ours, a script that draws pictures, a
    model card made from the run, specimens and a film become a folder, which is sent. It takes a
    token of the Hub from HF_TOKEN or from its own login (hf auth login), and keeps it nowhere. The
    repository is private unless --public is given.
    """

    command = "publish"
    section = SECTION
    kept = "What was sent is not sent again."

    checkpoint: str = option(
        help="RUN@BATCH, or RUN for its last batch.", argument=True, metavar="RUN@BATCH"
    )
    to: str = option(
        help="Repository of the Hub; it is made if it is not there.",
        metavar="USER/NAME",
        example="mira/helsinki",
        check=require_repository,
        risk="address",
    )
    dry_run: bool = option(False, "Write the folder and show it; send nothing.")
    out: Path | None = option(
        None, "A new or empty folder for the files; among the exports by default.", metavar="DIR"
    )
    public: bool = option(False, "Let everybody see it.")
    device: str | None = device_option()

    @property
    def about_run(self) -> str | None:
        """The run whose checkpoint it is."""
        return named_run(self.checkpoint) or None

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name and its checkpoints meanwhile."""
        return [Claim("run", self._place()[0])]

    def writes_elsewhere(self) -> bool:
        """The film is kept in the workspace."""
        return False

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """The place that it sends a checkpoint to, which is another one than its page."""
        from studio.publishing.hub_addresses import upload_address

        if not self.dry_run:
            yield Named("to", "address", upload_address(self.to))

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown checkpoint, a network that nobody could rebuild, a folder in use."""
        from studio.publishing.hub_client import require_token
        from studio.publishing.published_folder import FOLDER, require_publishable
        from studio.workspace.devices import require_device

        run, batch = self._place()
        batch = require_publishable(workspace, run, batch)
        require_device(self.device)
        FOLDER.require(self.out or workspace.published(run, batch))
        if not self.dry_run:
            require_token()

    def perform(self, workspace: Workspace, reporter: Reporter) -> PublishResult:
        """Write the folder, and send it unless nothing but a look was asked for."""
        from studio.publishing.hub_upload import upload_published
        from studio.publishing.published_folder import CARD, require_publishable, write_published

        run, asked = self._place()
        batch = require_publishable(workspace, run, asked)
        folder = self.out or workspace.published(run, batch)
        with reporter.task("Writing the folder") as on_progress:
            files = write_published(
                workspace, run, batch, self.to, folder, self.device, on_progress
            )
        written = tuple(
            FileOfPublished(name=f.name, size_bytes=f.size_bytes, sha256=f.sha256) for f in files
        )
        card = (folder / CARD).read_text(encoding="utf-8")
        done = PublishResult(run=run, batch=batch, path=folder, files=written, card=card)
        if self.dry_run:
            return done
        with reporter.task("Sending to the Hub") as on_progress:
            sent = upload_published(folder, self.to, self.public, on_progress)
        told = {"url": sent.url, "private": sent.private, "sent": sent.sent, "kept": sent.kept}
        return done.model_copy(update=told)

    def _place(self) -> tuple[str, int | None]:
        """The run and the batch; None for its last.

        Raises:
            StudioError: the text names no checkpoint.
            RunNameError: or no run.
        """
        run, batch = split_checkpoint(self.checkpoint)
        return require_run_name(run), batch


ACTIONS = (Publish,)
