"""Names that people type: those that a glob means, and the nearest of those that there are. Pure."""

import difflib
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Final

from flashdeck.errors import ErrorKind, RequestError
from flashdeck.text import clean

SHOWN: Final = 5
"""Names that one message lists at the most."""
LONGEST: Final = 60
"""Characters of a name that are looked at: comparing takes the product of both lengths."""
_WILD: Final = "*?["


def near(word: str, known: Iterable[str], *, most: int = 1, alike: float = 0.6) -> list[str]:
    """Return the names of `known` that `word` may have meant, the nearest first.

    A beginning is as good as the whole, and case does not count.
    `alike` is from 0 (anything) to 1 (the same); of a glob the letters are compared.
    """
    wanted = "".join(letter for letter in word[:LONGEST] if letter not in _WILD + "]").casefold()
    if not wanted:
        return []
    names = {name[:LONGEST].casefold(): name for name in sorted(known, reverse=True)}
    begun = sorted(name for name in names if name.startswith(wanted))
    found = begun[:most] or difflib.get_close_matches(wanted, names, n=most, cutoff=alike)
    return [names[name] for name in found]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest of `known`; "" where none is near."""
    found = near(word, known)
    return f"did you mean {clean(found[0])}?" if found else ""


def few(names: Collection[str]) -> str:
    """Return the first names as a list in words: "a, b, c, d, e and 97 more"."""
    shown = ", ".join(clean(name, LONGEST) for name in list(names)[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def which(word: str, known: Collection[str], *, none: str = "") -> str:
    """Return a hint that names the nearest of `known`, else a few of them, else `none`."""
    return did_you_mean(word, known) or (f"there are: {few(sorted(known))}" if known else none)


def literal(name: str) -> str:
    """Return a pattern that means the board `name` alone."""
    return "".join(f"[{letter}]" if letter in _WILD else letter for letter in name)


def is_meant(name: str, patterns: Iterable[str]) -> bool:
    """Return whether one of `patterns`, names and globs, means `name`."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def required(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return `patterns`, for what is never done to all boards by accident; raises RequestError where there are none."""
    if not patterns:
        raise RequestError("no board is named", hint="name boards, as left or 'rack-*'; '*' means all of them")
    return patterns


def select(patterns: Iterable[str], known: Collection[str], *, thing: str = "board", none: str = "") -> list[str]:
    """Return the names of `known` that `patterns` mean, names and globs, in the order of `known`.

    Raises RequestError (`no-such-board`) with what there is instead where a pattern means none. `thing` is what the
    names are of; `none` is the hint where there are no names at all.
    """
    patterns = tuple(patterns)
    for pattern in patterns:
        if not any(is_meant(name, (pattern,)) for name in known):
            seen = f"no {thing} matches" if any(letter in _WILD for letter in pattern) else f"there is no {thing}"
            raise RequestError(
                f"{seen} '{clean(pattern, LONGEST)}'" if known else f"there are no {thing}s",
                kind=ErrorKind.NO_SUCH_BOARD,
                hint=which(pattern, known, none=none),
            )
    return [name for name in known if is_meant(name, patterns)]


def select_one(pattern: str, known: Collection[str], *, thing: str = "board") -> str:
    """Return the one name that `pattern`, a name or a glob, means; raises RequestError (also `ambiguous`)."""
    found = select((pattern,), known, thing=thing)
    if len(found) > 1:
        raise RequestError(
            f"'{clean(pattern, LONGEST)}' means {len(found)} {thing}s: {few(found)}",
            kind=ErrorKind.AMBIGUOUS,
            hint="name one of them",
        )
    return found[0]
