"""Files that flashdeck has written, told from those that a person has written or changed. Pure."""

import hashlib
import re
from typing import Final

ROFF: Final = '.\\" '
"""The beginning of a comment in a man page."""
_MARK: Final = re.compile(r"(?:# |\.\\\" )written by `flashdeck install`, sha256 of what is above: ([0-9a-f]{64})\n\Z")


def marked(text: str, comment: str = "# ") -> str:
    """Return a file's text with a last line, a `comment`, by which it is known again; `text` is a line or more."""
    return f"{text}{comment}written by `flashdeck install`, sha256 of what is above: {_sum(text)}\n"


def is_ours(text: str) -> bool:
    """Return whether `install` wrote a file, this release's or another one's, and nobody has changed it since."""
    mark = _MARK.search(text)
    return mark is not None and mark[1] == _sum(text[: mark.start()])


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
