"""The import form: what an import would be is shown before anything is imported."""

from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from torch import nn

from studio.actions.permissions import Permissions
from studio.actions.submission import perform
from studio.screens.checkpoints.import_panel import ImportPanel
from studio.workspace.errors import StudioError


def test_the_form_shows_the_candidates_and_looks_only_into_opened_folders(
    empty_workspace, tmp_path
):
    mine = tmp_path / "mine"
    mine.mkdir()
    network = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 784), nn.Tanh())
    torch.save(network.state_dict(), mine / "G_1.pt")
    with gr.Blocks():
        opened = SimpleNamespace(  # It stands for the page, of which the panel uses a few things.
            permissions=Permissions(empty_workspace, (mine,)),
            workspace=empty_workspace,
            awaited=gr.State(None),
            keep_form=lambda form, fields: None,
        )
        panel = ImportPanel(opened)
    written = [str(mine), "mine", "", "", "", "", False]
    said, sheet = panel._look(*written)
    assert "--option output=sigmoid" in said["value"]
    assert sheet["value"].width > 128
    assert list(empty_workspace.runs.iterdir()) == []
    perform(empty_workspace, panel._form.read(*written))
    said, _ = panel._look(str(mine), "mine", "", "output=sigmoid", "", "", True)
    assert "was {'layer': 'Tanh'} and is {'layer': 'Sigmoid'}" in said["value"]
    opened.permissions = Permissions(empty_workspace, ())
    with pytest.raises(StudioError):
        panel._look(*written)
