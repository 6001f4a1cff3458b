"""A studio that offers its actions to other programs, started once for all tests of them."""

import shutil

import pytest

from studio.workspace.paths import Workspace
from tests.studio.screens.conftest import serving


@pytest.fixture(scope="session")
def offered(trained_root, tmp_path_factory):
    """(workspace, URL) of a studio that was started with --api and --mcp."""
    root = shutil.copytree(trained_root, tmp_path_factory.mktemp("programs") / "w")
    workspace = Workspace.open(root)
    with serving(workspace, "--api", "--mcp") as url:
        yield workspace, url
