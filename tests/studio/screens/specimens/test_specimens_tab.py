"""The tab Specimens: a person's own points are dropped there, and shown alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from checkpoints_index import CheckpointIndex
from studio.screens.specimens.gallery.gallery_view import KINDS
from studio.screens.specimens.origin_panel import OriginPanel
from studio.specimens.points import IMPORTED
from studio.specimens.specimen_pages import read_specimens
from studio.specimens.specimen_search import SpecimenSearch, find_labels
from studio.workspace.errors import StudioError


def test_points_that_are_dropped_are_kept_and_shown_alone(workspace, tmp_path):
    z_dim = CheckpointIndex(workspace.runs)["city"].spec.z_dim
    table = tmp_path / "12.77.dat"
    table.write_text(" ".join(f"{number:.4f}" for number in np.linspace(-1, 1, z_dim)))
    # It stands for the page, of which bringing points in uses the workspace alone.
    screen = OriginPanel.__new__(OriginPanel)
    screen._app = SimpleNamespace(workspace=workspace)
    said = screen._bring_in("city", [str(table)])
    assert "1 points of run city are kept" in said
    assert "4 decimals" in said
    labels = find_labels(workspace, "city", SpecimenSearch(origin=IMPORTED))
    found = read_specimens(workspace, "city", labels)
    assert [(s.label, point.label) for s, point in found] == [("12.77", "12.77")]
    assert "Imported" in KINDS
    with pytest.raises(StudioError, match="no run"):
        screen._bring_in(None, [str(table)])
