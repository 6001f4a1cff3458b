"""Vacuum, cull, widen and deepen: the networks of a run change, as a branch of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import SECTION
from studio.workspace.claims import WRITE, Claim
from studio.workspace.names import CULL, DEEPEN, VACUUM, WIDEN, named_run, require_run_name
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    option,
)

if TYPE_CHECKING:
    from studio.training.surgery.surgery import Plan


def require_origin(text: str) -> str:
    """Refuse what names no run, perhaps with a batch.

    Raises:
        StudioError: the run cannot be called so.
    """
    require_run_name(named_run(text))
    return text


class LayerUnits(DeclaredRecord):
    """A layer, with its units before and after."""

    layer: str
    before: int
    after: int


class NetworkFacts(DeclaredRecord):
    """A network: its weights, their bytes, and how many pictures it draws in a second."""

    weights: int
    size_bytes: int
    pictures_per_s: float


class SurgeryResult(Result):
    """What was changed of the networks, and what that does.

    Attributes:
        run: the new run; None where it was only looked at.
        parent, batch: of which run it is, and from which batch.
        kind: vacuum, cull, widen or deepen.
        layers: the layers that have other numbers of units.
        before, after: the generator.
        largest, rms: how far pictures differ, in levels of 255, before they are rounded.
        pictures: how many were compared.
        sheet: pictures before and after, and how far they differ.
    """

    run: str | None
    parent: str
    batch: int
    kind: str
    layers: tuple[LayerUnits, ...]
    before: NetworkFacts
    after: NetworkFacts
    largest: float
    rms: float
    pictures: int
    sheet: Path

    def tell(self) -> Iterator[str | Table]:
        """Tables of layers and sizes, and how far pictures differ."""
        if self.run is None:
            yield f"{self.kind} of {self.parent}@{self.batch}, looked at; no run was made."
        else:
            yield f"Run '{self.run}': {self.kind} of {self.parent}@{self.batch}."
        rows = [(each.layer, each.before, each.after) for each in self.layers]
        yield Table(["layer", "units", "now"], rows, "Each layer has the units that it had.")
        old, new = self.before, self.after
        sizes = [
            ("weights", f"{old.weights:,}", f"{new.weights:,}"),
            ("size", format_bytes(old.size_bytes), format_bytes(new.size_bytes)),
            ("pictures a second", f"{old.pictures_per_s:,.1f}", f"{new.pictures_per_s:,.1f}"),
        ]
        yield Table(["generator", "before", "now"], sizes)
        yield (
            f"{self.pictures:,} pictures differ by {self.largest:.2g} of 255 at most, "
            f"{self.rms:.2g} rms: {self.sheet}"
        )

    def remarks(self) -> Iterator[str]:
        """How it goes on."""
        if self.run is not None:
            yield (
                f"Train it on: studio resume {self.run} --batches {2 * self.batch}. See both: "
                f"studio compare {self.parent} {self.run}"
            )


class SurgeryAction(Action):
    """A change of the networks of a run at a batch.

    Attributes:
        kind: as what the new run begins.
    """

    section = SECTION
    makes_run = True
    kind: ClassVar[str]

    origin: str = option(
        help="A run and its batch; RUN for its last one.",
        argument=True,
        metavar="RUN@BATCH",
        check=require_origin,
    )
    run: str = option(
        "",
        "Name of the new run; not needed with --dry-run.",
        metavar="NAME",
        check=lambda name: name and require_run_name(name),
    )
    layers: Commas = option(
        (), "Layers such as stem,blocks.0; all by default.", metavar="LAYER,LAYER"
    )
    points: int = option(
        256, "Latent points at which units and pictures are looked at.", ge=16, le=65536
    )
    storage: Literal["", "visual", "exact"] = option(
        "", "How checkpoints of the new run are kept; as the old one's by default."
    )
    dry_run: bool = option(False, "Say what it would do, and make no run.")
    out: Path | None = option(
        None, "FILE.png for before and after; a place in the workspace by default.", metavar="FILE"
    )
    overwrite: bool = option(False, "Replace the file in --out if it is there.")
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The old run keeps its name and its checkpoints; nobody else makes the new one."""
        made = [Claim("run", self.run, WRITE)] if self.run else []
        return [*made, Claim("run", named_run(self.origin))]

    @property
    def about_run(self) -> str | None:
        """The run that it makes, or looks at."""
        return self.run or named_run(self.origin)

    def writes_elsewhere(self) -> bool:
        """It makes a run."""
        return False

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown origin, a taken name, and networks that cannot be changed."""
        from renderers.destinations import require_destination
        from renderers.pictures.montage import SUFFIXES
        from studio.training.setup.branching import BranchOrigin
        from studio.training.surgery.branch_making import check_free
        from studio.training.surgery.surgery import check_surgery
        from studio.workspace.devices import require_device

        if self.dry_run == bool(self.run):
            raise InvalidValueError("Give {run}, the name of the new run, or {dry_run}.")
        if self.run:
            check_free(workspace, self.run)
        check_surgery(workspace, BranchOrigin.parse(workspace, self.origin), self.layers)
        require_device(self.device)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def plan(self) -> Plan:
        """Decides which units go and come."""
        raise AssertionError(f"{type(self).__name__} does not say what it changes")

    def asked(self) -> str:
        """What it asks for, in words."""
        raise AssertionError(f"{type(self).__name__} does not say what it changes")

    def perform(self, workspace: Workspace, reporter: Reporter) -> SurgeryResult:
        """Change the networks, look at them, make the run."""
        from dataclasses import asdict

        from studio.exploration.sheets import sheet_place
        from studio.training.setup.branching import BranchOrigin
        from studio.training.surgery.surgery import Surgery, operate
        from studio.workspace.devices import borrow_device

        origin = BranchOrigin.parse(workspace, self.origin)
        asked = Surgery(
            origin, self.kind, self.plan(), self.asked(), self.points, self.storage or None
        )
        sheet = self.out or sheet_place(workspace, self.run or origin.run, self.kind, self)
        words = f"{self.kind} of {origin}"
        with (
            borrow_device(workspace, self.device, words) as device,
            reporter.task(words.capitalize()) as on_progress,
        ):
            done = operate(workspace, asked, self.run or None, sheet, device, on_progress)
        return SurgeryResult(
            run=self.run or None,
            parent=origin.run,
            batch=origin.batch,
            kind=self.kind,
            layers=tuple(LayerUnits(**asdict(change)) for change in done.changes),
            before=NetworkFacts(**asdict(done.before)),
            after=NetworkFacts(**asdict(done.after)),
            largest=done.pictures.largest,
            rms=done.pictures.rms,
            pictures=done.pictures.pictures,
            sheet=sheet,
        )


class Vacuum(SurgeryAction):
    """Take units that do nothing out of a network.

    A unit does nothing if no weight that reads it, or none of its outputs, is larger than
    --below, in G and in its average. Pictures stay what they are. The result is a run that begins
    at the batch, with D and the optimisers, and can be trained on.
    """

    command = "vacuum"
    kind = VACUUM

    below: float = option(1e-5, "The largest weight or output of a unit that goes.", ge=0, le=1)

    def plan(self) -> Plan:
        """By weights and by outputs."""
        from studio.training.surgery.reshaping_plan import plan_vacuum

        return partial(plan_vacuum, names=self.layers, below=self.below)

    def asked(self) -> str:
        """How dead units are."""
        return f"units below {self.below:g}"


class Cull(SurgeryAction):
    """Take the weakest units out of a network.

    Unlike a vacuum it changes pictures; it says by how much. Train the new run on to mend them.
    """

    command = "cull"
    kind = CULL

    share: float = option(0.05, "Share of the units of each layer.", gt=0, le=0.95)

    def plan(self) -> Plan:
        """By what units give, and how it is read."""
        from studio.training.surgery.reshaping_plan import plan_cull

        return partial(plan_cull, names=self.layers, share=self.share)

    def asked(self) -> str:
        """How many units go."""
        return f"the weakest {self.share:.3g} of each layer"


class Widen(SurgeryAction):
    """Add units to the layers of a network.

    What makes them is drawn at random, and what reads them is 0, so pictures stay what they are
    until the new run is trained on.
    """

    command = "widen"
    kind = WIDEN

    by: float = option(0.1, "New units as a share of those of each layer.", gt=0, le=8)
    seed: int = option(0, "Of the new weights.", ge=0)

    def plan(self) -> Plan:
        """By a share of each layer."""
        from studio.training.surgery.reshaping_plan import plan_widening

        return drop_networks(partial(plan_widening, names=self.layers, by=self.by, seed=self.seed))

    def asked(self) -> str:
        """How many units come."""
        return f"each layer by {self.by:g}"


class Deepen(SurgeryAction):
    """Add a layer behind a layer of a network.

    It begins as the identity, so pictures stay what they are until the new run is trained on.
    """

    command = "deepen"
    kind = DEEPEN

    seed: int = option(0, "Of the new weights.", ge=0)

    def check(self, workspace: Workspace) -> None:
        """As of the others; and a layer is named."""
        if not self.layers:
            raise InvalidValueError("Behind which layer is another one to come? Give {layers}.")
        super().check(workspace)

    def plan(self) -> Plan:
        """Behind the layers that are named."""
        from studio.training.surgery.reshaping_plan import plan_deepening

        return drop_networks(partial(plan_deepening, names=self.layers, seed=self.seed))

    def asked(self) -> str:
        """Where the layers come."""
        return f"behind {', '.join(self.layers)}"


def drop_networks(plan: Any) -> Plan:
    """A plan for which the weights of the networks make no difference."""

    def planned(spec: Any, networks: Any, inputs: Any) -> Any:
        return plan(spec, inputs=inputs)

    return planned


ACTIONS = (Vacuum, Cull, Widen, Deepen)
