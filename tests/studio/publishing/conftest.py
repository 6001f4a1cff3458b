"""A Hub on this machine, and a token for it."""

from types import SimpleNamespace

import pytest

from tests.studio.publishing.hub_server import TOKEN, serving_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The Hub that commands talk to; where they wait between two tries, no time passes."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-login"))
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served
