"""Where the city of an exported picture is: in which run here, and under which label."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import list_runs
from studio.specimens.passports import Passport
from studio.specimens.points import compare_passport, genuine_label
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class Origin:
    """Where a passport leads.

    Attributes:
        label: that of its city in the run, with a mark where the run has another under its label;
            see `genuine_label`.
        where: the city, the run and the batch, in words.
        missing: why the city cannot be drawn here, a sentence; empty where it can.
        remarks: what the passport says that is not so in the run, a sentence each.
    """

    passport: Passport
    label: str
    where: str
    missing: str
    remarks: tuple[str, ...]

    @property
    def has_own_label(self) -> bool:
        """Whether the run has this city under the label of the passport."""
        return self.label == self.passport.label


def find_origin(workspace: Workspace, passport: Passport, file: str) -> Origin:
    """Find out where a passport leads in a workspace.

    Args:
        file: the name of the picture, for remarks.

    Raises:
        CheckpointError: its run is damaged.
    """
    run, label = passport.run, passport.label
    where = f"City {label} of run {run}, seen at batch {passport.batch:,}"
    if run not in list_runs(workspace.runs):
        return Origin(passport, label, where, "That run is not in this workspace.", ())
    checkpoints = CheckpointIndex(workspace.runs)[run]
    if passport.batch not in checkpoints.batches:
        return Origin(passport, label, where, "That checkpoint is no longer kept.", ())
    if len(passport.z) != checkpoints.spec.z_dim:
        return Origin(passport, label, where, "The points of that run have another length.", ())
    remarks = compare_passport(workspace, checkpoints, passport, file)
    return Origin(passport, genuine_label(workspace, run, passport), where, "", tuple(remarks))
