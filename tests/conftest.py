"""Settings of all tests: CI draws nothing by chance, and property tests do not measure time."""

import os
import shutil

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "tests",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _same_weights_each_time():
    """New networks begin with the same weights whenever a test is run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def launch_chromium():
    """launch_chromium(flags...): a Chromium. A process can have one driver of them at a time."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    quiet = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
    with playwright.sync_playwright() as driver:
        yield lambda *flags: driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", *quiet, *flags]
        )
