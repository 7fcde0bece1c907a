"""The files and directories that a half-typed path may go on with."""

import os
from collections.abc import Sequence
from itertools import islice, takewhile

from flashdeck.errors import FlashdeckError
from flashdeck.paths import absolute

MOST_LOOKED_AT = 5000
"""Entries of a directory that are looked at."""
MOST_SHOWN = 50
"""Entries that are shown."""


def entries_of(typed: str) -> list[str]:
    """Return how a path may go on, as whole paths in the way in which it was begun; directories end with a slash.

    Hidden ones only where a dot was typed. Nothing where there is no such directory, or it cannot be read.
    """
    place, begun = _split(typed)
    try:
        with os.scandir(absolute(place or ".")) as entries:
            found = [
                place + entry.name + ("/" if entry.is_dir() else "")
                for entry in islice(entries, MOST_LOOKED_AT)
                if entry.name.startswith(begun) and _is_typable(entry.name) and (begun or entry.name[0] != ".")
            ]
    except (OSError, ValueError, FlashdeckError):
        return []
    return sorted(found, key=lambda path: (not path.endswith("/"), path))[:MOST_SHOWN]


def common(typed: str, entries: Sequence[str]) -> str:
    """Return a path as far as all its entries go on alike; what was typed where there are none."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*entries, strict=False))
    return "".join(letters[0] for letters in alike) if entries else typed


def _split(typed: str) -> tuple[str, str]:
    place, slash, begun = typed.rpartition("/")
    return (place + slash, begun) if slash else (("~/", "") if typed == "~" else ("", typed))


def _is_typable(name: str) -> bool:
    """Return whether a name is text that a person can type, and a terminal can show."""
    return name.isprintable()
