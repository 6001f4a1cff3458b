"""The actions that jobs carry out, by name; `catalogue` adds those that are about jobs."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from studio.actions.action import Action
from studio.actions.declared import (
    archive_actions,
    atlas_actions,
    checkpoint_actions,
    dataset_actions,
    direction_actions,
    film_actions,
    import_actions,
    inversion_actions,
    nearness_actions,
    removal_actions,
    run_actions,
    specimen_actions,
    training_actions,
    way_actions,
)
from studio.actions.declared.dry_runs import trial_actions
from studio.actions.declared.films import (
    folder_actions,
    plan_actions,
    poster_actions,
    upscale_actions,
)
from studio.actions.declared.latent import (
    growth_actions,
    layer_actions,
    look_actions,
    mixing_actions,
    route_actions,
    steering_actions,
)
from studio.actions.declared.publishing import gallery_actions, publish_actions
from studio.actions.declared.surgery import surgery_actions
from studio.actions.declared.training import lineage_actions, metric_actions, preset_actions
from studio.workspace.errors import StudioError

ENTRY_POINTS = "latent_city_studio.actions"  # Installed packages declare actions of their own here.
log = logging.getLogger(__name__)
OWN: tuple[type[Action], ...] = (
    *dataset_actions.ACTIONS,
    *training_actions.ACTIONS,
    *trial_actions.ACTIONS,
    *run_actions.ACTIONS,
    *preset_actions.ACTIONS,
    *metric_actions.ACTIONS,
    *lineage_actions.ACTIONS,
    *surgery_actions.ACTIONS,
    *checkpoint_actions.ACTIONS,
    *archive_actions.ACTIONS,
    *publish_actions.ACTIONS,
    *import_actions.ACTIONS,
    *look_actions.ACTIONS,
    *film_actions.ACTIONS,
    *folder_actions.ACTIONS,
    *plan_actions.ACTIONS,
    *poster_actions.ACTIONS,
    *gallery_actions.ACTIONS,
    *upscale_actions.ACTIONS,
    *specimen_actions.ACTIONS,
    *direction_actions.ACTIONS,
    *inversion_actions.ACTIONS,
    *mixing_actions.ACTIONS,
    *steering_actions.ACTIONS,
    *layer_actions.ACTIONS,
    *nearness_actions.ACTIONS,
    *route_actions.ACTIONS,
    *way_actions.ACTIONS,
    *atlas_actions.ACTIONS,
    *growth_actions.ACTIONS,
    *removal_actions.ACTIONS,
)


@cache
def work_actions() -> dict[str, type[Action]]:
    """Actions by name, but for those about jobs: the studio's, then those of installed packages.

    A package declares one by an entry point of the group `latent_city_studio.actions` that names
    its class. A name that is taken stays whose it is.
    """
    installed = [_load(entry) for entry in entry_points(group=ENTRY_POINTS)]
    found: dict[str, type[Action]] = {}
    for action in (*OWN, *filter(None, installed)):
        found.setdefault(action.command, action)
    return found


def _load(entry: EntryPoint) -> type[Action] | None:
    """The action that an installed package declares; None, with a warning, where it gives none."""
    try:
        declared = entry.load()
    except Exception as error:  # The code of somebody else's package may raise anything.
        log.warning("The action '%s' cannot be loaded: %r.", entry.value, error)
        return None
    if isinstance(declared, type) and issubclass(declared, Action) and declared.command:
        return declared
    log.warning("'%s' is declared as an action, and is none with a command.", entry.value)
    return None


def find_action(name: str) -> type[Action]:
    """An action of `work_actions` by its name.

    Raises:
        StudioError: there is none.
    """
    known = work_actions()
    if name not in known:
        raise StudioError(f"There is no action '{name}'. Known: {', '.join(sorted(known))}.")
    return known[name]


def run_makers() -> list[str]:
    """The names of the actions that make a run."""
    return [name for name, action in work_actions().items() if action.makes_run]
