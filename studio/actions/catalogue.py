"""Every action that there is, by its name."""

from __future__ import annotations

from functools import cache

from studio.actions import job_actions, queue_actions
from studio.actions.action import Action
from studio.actions.registry import work_actions
from studio.actions.sweeps import sweep_actions


@cache
def known_actions() -> dict[str, type[Action]]:
    """Actions by name: those of the studio, and those of installed packages."""
    about_jobs: tuple[type[Action], ...] = (
        *job_actions.ACTIONS,
        *queue_actions.ACTIONS,
        *sweep_actions.ACTIONS,
    )
    return {**work_actions(), **{action.command: action for action in about_jobs}}
