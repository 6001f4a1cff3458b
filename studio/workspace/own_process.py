"""How the studio starts processes: with its own code, whatever the current folder has."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

import studio


def module_command(module: str) -> list[str]:
    """The beginning of a command that runs a module of the studio.

    Python would look for every module in the current folder first, which may be anybody's; `-P`
    leaves it out.
    """
    return [sys.executable, "-P", "-m", module]


def module_environment() -> dict[str, str]:
    """The variables without which that command would not find the studio; none where installed."""
    home = str(Path(studio.__file__).resolve().parents[1])
    if home in (*site.getsitepackages(), site.getusersitepackages()):
        return {}
    known = os.environ.get("PYTHONPATH", "")
    others = [folder for folder in known.split(os.pathsep) if folder and folder != home]
    return {"PYTHONPATH": os.pathsep.join([home, *others])}
