"""Values of TOML in words: as they might stand in the file, of which kind they are, and what may have been meant."""

import json
from collections.abc import Collection, Iterable
from typing import cast

from flashdeck.names import did_you_mean, near
from flashdeck.text import clean

MAX_NUMBER = (1 << 64) - 1
"""The largest number that is taken as one; TOML promises less."""
FEW = 4
"""Items of an array or a table that are shown: enough to recognise it."""
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),  # before int, of which it is one
    (int, "a number"),
    (float, "a number with a fraction"),
    (str, "text"),
    (list, "an array"),
    (dict, "a table"),
)


def shown(value: object) -> str:
    """Return a value as it might stand in the file, short and printable."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{clean(value, 60)}"'
        case int() if abs(value) > MAX_NUMBER:
            return clean(hex(value), 60)  # Python writes thousands of digits in hexadecimal only
        case dict():
            keys = ", ".join(f"{clean(key, 20)} = …" for key in list(cast("dict[str, object]", value))[:FEW])
            return f"{{ {keys} }}"
        case list():
            items = cast("list[object]", value)
            return f"[{', '.join(shown(item) for item in items[:FEW])}{', …' if len(items) > FEW else ''}]"
        case _:
            return clean(str(value), 60)


def kind(value: object) -> str:
    """Return what a value is, in the words of TOML."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return "a negative number"
    return next((words for each, words in _KINDS if isinstance(value, each)), "a date or time")


def nearest_of(word: str, known: Collection[str]) -> str:
    """Return the one of `known` that `word` may have meant; "" where there is none."""
    return next(iter(near(word, known)), "")


def nearest(word: str, known: Collection[str]) -> str:
    """Return a hint that names what `word` may have meant."""
    listed = f"known here: {', '.join(sorted(known))}" if known else "nothing is known here"
    return did_you_mean(word, known) or listed


def one_of(values: Iterable[str]) -> str:
    """Return a hint that lists the values that there are."""
    return "use " + " or ".join(f'"{value}"' for value in values)


def quoted(text: str) -> str:
    """Return a basic string: JSON's escapes are TOML's, except that TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def header(*path: str) -> str:
    """Return the header of a table; a bare key may not have a dot in it, and a name may."""
    return f"[{'.'.join(quoted(part) if '.' in part else part for part in path)}]"
