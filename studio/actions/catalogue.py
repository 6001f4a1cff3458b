"""Every action that there is, by its name."""

from __future__ import annotations

from functools import cache

from studio.actions import job_actions
from studio.actions.action import Action
from studio.actions.registry import work_actions


@cache
def known_actions() -> dict[str, type[Action]]:
    """Actions by name: those of the studio, and those of installed packages."""
    return {**work_actions(), **{action.command: action for action in job_actions.ACTIONS}}
