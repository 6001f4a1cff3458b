"""Where things are in latent space: points, routes, nearness and maps.

    from latent import draw_map, find_neighbours

These two are loaded when they are first used, because they import numba and UMAP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latent.maps.atlas import draw_map
    from latent.nearness.neighbours import find_neighbours

__all__ = ["draw_map", "find_neighbours"]

_MODULES = {"draw_map": "latent.maps.atlas", "find_neighbours": "latent.nearness.neighbours"}


def __getattr__(name: str) -> Any:
    """Load a name of `__all__` when it is first used.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'latent' has no attribute '{name}'")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
