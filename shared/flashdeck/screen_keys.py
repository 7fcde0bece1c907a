"""The keys of the screen as people write them: which there are, which are taken for good, and who has which. Pure.

The actions themselves stand in `flashdeck_tui`. A configuration is read without it, so their names and keys are here.
"""

import string
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from flashdeck.names import did_you_mean

NO_KEY: Final = "none"
"""The spelling of no key at all: the action is then in the palette alone."""
NAMED: Final = ("enter", "space", "insert", "delete", "backspace", *(f"f{number}" for number in range(1, 13)))
"""Keys that are written by their names."""
ALIASES: Final = MappingProxyType(
    {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+j": "enter", "ctrl+m": "enter", "ctrl+[": "escape"}
)
"""Keys that a terminal cannot tell from another one."""
FIXED: Final = MappingProxyType(
    {
        **dict.fromkeys(("j", "k", "g", "G", "ctrl+d", "ctrl+u"), "moves in lists"),
        **dict.fromkeys(("up", "down", "left", "right", "home", "end", "pageup", "pagedown"), "moves in lists"),
        "tab": "goes to the next list",
        "shift+tab": "goes to the list before",
        "escape": "goes back",
        "ctrl+c": "copies and quits",
        "ctrl+q": "quits",
    }
)
"""Keys that no action can have, and what they are for."""
_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + string.punctuation)

DEFAULT_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "demo-build": "B",
        "demo-unplug": "U",
        "demo-plug": "P",
        "demo-press": "S",
        "flash": "f",
        "plan": "p",
        "verify": "v",
        "verify-with": "V",
        "rollback": "b",
        "erase": "E",
        "read": "R",
        "read-forced": NO_KEY,
        "retry": "r",
        "cancel": "c",
        "move-up": "K",
        "move-down": "J",
        "move-first": NO_KEY,
        "hold": "H",
        "release": "L",
        "arm": "A",
        "arm-once": "O",
        "disarm": "Z",
        "take": "T",
        "reset": "x",
        "undo": "u",
        "messages": "!",
        "doctor": "D",
        "doctor-of-machine": NO_KEY,
        "adopt": "i",
        "init": NO_KEY,
        "report": NO_KEY,
        "config-reload": NO_KEY,
        "config-trust": NO_KEY,
        "flash-map": "m",
        "history": "h",
        "log": "3",
        "board-log": NO_KEY,
        "slots": "4",
        "next-problem": "n",
        "previous-problem": "N",
        "filter": "/",
        "clear-filter": "escape",
        "mark": "space",
        "mark-all": "*",
        "sort": "s",
        "group": "z",
        "boards": "1",
        "queue": "2",
        "wall": "w",
        "details": "enter",
        "help": "?",
        "palette": "ctrl+p",
        "quit": "q",
        "theme": NO_KEY,
        "redraw": "ctrl+l",
        "suspend": "ctrl+z",
    }
)
"""The key of each action of the screen, by the action's name, where nobody has said another one."""
PAGE_KEYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "log": MappingProxyType(
            {
                "log-pause": "space",
                "log-search": "/",
                "log-next-hit": "n",
                "log-previous-hit": "N",
                "log-boards": "b",
                "log-level": "e",
                "log-text": "t",
                "log-consoles": "o",
                "log-clear": "c",
                "log-mark": "v",
                "log-copy": "y",
                "log-save": "s",
            }
        ),
        "history": MappingProxyType({"history-job": "enter", "history-back": "b", "history-widen": "a"}),
    }
)
"""The keys of pages that have any of their own, likewise. There they come before all others."""
ALL_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {**DEFAULT_KEYS, **{name: key for page in PAGE_KEYS.values() for name, key in page.items()}}
)
"""All that can have another key."""


class WrongKeyError(ValueError):
    """A key that no action can have: why, and what to write instead."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


def checked_key(text: str) -> str:
    """Return a key that an action may have, as it is written; raises WrongKeyError."""
    key = text if len(text) == 1 else text.lower()
    same = ALIASES.get(key, key)
    if same in FIXED:
        also = "" if same == key else f", which terminals send as {same}: that key"
        raise WrongKeyError(f'"{key}"{also} {FIXED[same]}', "choose another key")
    if same != key:
        raise WrongKeyError(f'"{key}" is what terminals send for "{same}"', f'write "{same}"')
    if key in _CHARACTERS or key in NAMED or key == NO_KEY or key in _controls():
        return key
    near = did_you_mean(key, (*NAMED, *_controls()))
    return _refuse(text, near)


def clashes(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield each key that two actions have in one place, with both; `keys` are those that differ from the default ones.

    The second of the two is one of `keys`.
    """
    for usual in (DEFAULT_KEYS, *PAGE_KEYS.values()):
        yield from _clashes(usual, {name: key for name, key in keys.items() if name in usual})


def _clashes(usual: Mapping[str, str], keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    holders: dict[str, str] = {}
    all_keys = {**usual, **keys}
    for action in sorted(all_keys, key=lambda action: action in keys):
        key = all_keys[action]
        if key != NO_KEY and (first := holders.setdefault(key, action)) != action:
            yield key, first, action


def _controls() -> tuple[str, ...]:
    return tuple(f"ctrl+{letter}" for letter in string.ascii_lowercase)


def _refuse(text: str, near: str) -> str:
    raise WrongKeyError(
        f'there is no key "{text}"', near or 'write a character as it is typed, as "H", or "ctrl+k", "f5", "space"'
    )
