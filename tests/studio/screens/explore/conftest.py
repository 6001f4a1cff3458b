"""Views of the tab Explore without a page: what they do with what a page sends them."""

from types import SimpleNamespace

import pytest

from studio.actions.permissions import Permissions
from studio.runs.attribution import attribution_of
from studio.screens.parts.picture_cache import PictureCache


@pytest.fixture
def app(workspace):
    """What views use of the page: the workspace, its pictures, and what pages may ask for."""
    permissions, pictures = Permissions(workspace), PictureCache(workspace)
    return SimpleNamespace(
        workspace=workspace,
        picture_cache=pictures,
        batches=lambda run: pictures.batches(run) if run else [],
        attribution=lambda run: attribution_of(workspace, run),
        submit=permissions.submit,
        perform=permissions.perform,
    )


@pytest.fixture
def view_of(app):
    """view_of(View): a view that is not laid out on any page."""

    def make(kind):
        view = kind.__new__(kind)
        view._app = app
        return view

    return make
