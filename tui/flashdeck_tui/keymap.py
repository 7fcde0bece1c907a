"""The keys of actions: those that a person gave them, in the names that Textual has. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from flashdeck.screen_keys import NO_KEY, PAGE_KEYS
from flashdeck_tui.actions.action import Action
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.key_signs import SIGNS


def with_keys(actions: Iterable[Action], keys: Mapping[str, str]) -> tuple[Action, ...]:
    """Return the actions, each with the key that `keys` has for it, by its id."""
    return tuple(replace(each, key=textual_key(keys[each.id])) if each.id in keys else each for each in actions)


def key_names(actions: Iterable[Action], keys: Mapping[str, str] = MappingProxyType({})) -> KeyNames:
    """Return how sentences name the keys of these actions, and of pages; `keys` has those of pages that are others."""
    named = tuple(actions)
    pages = {name: key for page in PAGE_KEYS.values() for name, key in page.items()}
    return KeyNames(
        labels={each.id: each.key_label for each in named},
        titles={each.id: each.title for each in named},
        pages={name: textual_key(keys.get(name, key)) for name, key in pages.items()},
        keys={each.id: each.key for each in named},
    )


def textual_key(key: str) -> str:
    """Return Textual's name of a key that is written as in the configuration; "" for none."""
    return "" if key == NO_KEY else SIGNS.get(key, key)


def works_anywhere(key: str) -> bool:
    """True if a key is never a part of text that is typed."""
    return key.startswith("ctrl+") or (key[:1] == "f" and key[1:].isdecimal())
