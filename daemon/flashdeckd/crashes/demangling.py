"""Names of functions as people write them, where that can be undone simply: C++ and the older ones of Rust. Pure.

Itanium C++ ABI, "External Names": only plain and nested names are undone, without parameters. What is more (templates,
operators, Rust's `_R…`) is shown as it is, for a name that can be looked for is better than a wrong one.
"""

import re
from typing import Final

LONGEST_NAME: Final = 200
"""Characters of a name that are shown."""
_MOST_DIGITS: Final = 4
_NESTED: Final = re.compile(r"_ZNK?(?P<rest>[0-9].*)")
_PLAIN: Final = re.compile(r"_ZL?(?P<rest>[0-9].*)")
_RUST_HASH: Final = re.compile(r"h[0-9a-f]{16}")
_RUST_ESCAPES: Final = {
    "$LT$": "<",
    "$GT$": ">",
    "$LP$": "(",
    "$RP$": ")",
    "$RF$": "&",
    "$BP$": "*",
    "$C$": ",",
    "$SP$": "@",
    "$u20$": " ",
    "$u7b$": "{",
    "$u7d$": "}",
    "$u27$": "'",
    "$u5b$": "[",
    "$u5d$": "]",
}
_RUST_ESCAPE: Final = re.compile("|".join(map(re.escape, _RUST_ESCAPES)))


def demangled(name: str) -> str:
    """Return the name of a function as people write it; as it is where that is not known."""
    name = name.split("@", 1)[0] if name.startswith("_Z") else name
    nested = _NESTED.fullmatch(name)
    if nested is not None:
        parts = _parts(nested["rest"], ends=True)
    else:
        plain = _PLAIN.fullmatch(name)
        parts = _parts(plain["rest"], ends=False) if plain is not None else []
    if len(parts) > 1 and _RUST_HASH.fullmatch(parts[-1]):
        parts = [_from_rust(part) for part in parts[:-1]]
    return ("::".join(parts) or name)[:LONGEST_NAME]


def _parts(rest: str, *, ends: bool) -> list[str]:
    """Return the parts of a name, each with its length before it; none where anything else is among them.

    A nested name ends with E. What follows are its parameters, and what the compiler has made of it (`.isra.0`).
    """
    parts: list[str] = []
    at = 0
    while at < len(rest) and rest[at].isdigit():
        digits = re.match(rf"[0-9]{{1,{_MOST_DIGITS}}}", rest[at:])
        length = int(digits[0]) if digits else 0
        start = at + (digits.end() if digits else 0)
        part = rest[start : start + length]
        if not part or len(part) < length:
            return []
        parts.append("(anonymous)" if part.startswith("_GLOBAL__N_") else part)
        at = start + length
        if not ends:
            return [] if rest[at : at + 1] == "I" else parts  # a template: its parameters are part of the name
    return parts if ends and rest[at : at + 1] == "E" else []


def _from_rust(part: str) -> str:
    part = part.removeprefix("_") if part.startswith("_$") else part
    return _RUST_ESCAPE.sub(lambda match: _RUST_ESCAPES[match[0]], part).replace("..", "::")
