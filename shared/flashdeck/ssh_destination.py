"""The name of another machine as ssh takes it. Pure."""

import re
from typing import Final

from flashdeck.text import clean

LONGEST_DESTINATION: Final = 255
"""Characters of a destination."""
PATTERN: Final = r"(?:ssh://)?(?:[A-Za-z0-9_.+][A-Za-z0-9_.+%-]*@)?[A-Za-z0-9_.:\[][A-Za-z0-9_.:%\[\]-]*"
"""User and host, neither beginning with a dash, of characters that no shell and no ProxyCommand takes for anything."""
_DESTINATION: Final = re.compile(PATTERN, re.ASCII)


def checked_destination(text: str) -> str:
    """Return where ssh is to go, as `user@box`, `box` or `ssh://user@box:2222`.

    Raises ValueError, with a sentence, for anything that ssh, or a command in its configuration, could take for
    something else (safety rule 13).
    """
    shown = clean(text, 60)
    if text.startswith("-") or "@-" in text:
        raise ValueError(f'"{shown}" is no host: it begins with -')
    if len(text) > LONGEST_DESTINATION or _DESTINATION.fullmatch(text) is None:
        raise ValueError(f'"{shown}" is no host; write user@box, box, or a name from [hosts]')
    return text
