"""The names that Textual has for keys with a sign on them. Pure."""

import string
import unicodedata
from collections.abc import Mapping
from typing import Final

_SHORTER: Final = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def _name(sign: str) -> str:
    name = unicodedata.name(sign).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


SIGNS: Final[Mapping[str, str]] = {sign: _name(sign) for sign in string.punctuation}
"""By the sign, as "/": "slash"."""
