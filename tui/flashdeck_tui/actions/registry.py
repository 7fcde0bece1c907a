"""The one registry of what a person can do. The keys, the key bar, the help screen and the palette all come from it."""

from collections.abc import Iterable

from flashdeck_tui.actions import (
    boards,
    flashing,
    habits,
    jobs,
    past,
    read_into_file,
    records,
    show_map,
    show_slots,
    upkeep,
    view,
)
from flashdeck_tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    *flashing.ACTIONS,
    *read_into_file.ACTIONS,
    *jobs.ACTIONS,
    *boards.ACTIONS,
    *past.ACTIONS,
    *upkeep.ACTIONS,
    *show_map.ACTIONS,
    *records.ACTIONS,
    *show_slots.ACTIONS,
    *view.ACTIONS,
    *habits.ACTIONS,
)
"""In the order of key bar, help and palette."""


def registry(more: Iterable[Action] = ()) -> tuple[Action, ...]:
    """All actions, those of the bench's hands first; raises ValueError where two have the same id or key."""
    actions = (*more, *ACTIONS)
    ids = [action.id for action in actions]
    keys = [key for action in actions for key in action.key.split(",") if key]
    for names in (ids, keys):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two actions share {', '.join(sorted(twice))}")
    return actions
