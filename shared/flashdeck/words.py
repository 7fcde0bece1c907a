"""State in words, the same for tables and for the screen. Pure."""

from flashdeck.model import Contents
from flashdeck.text import clean, short_sha

_LONGEST_VERSION = 24


def image_name(version: str, sha256: str) -> str:
    """Return how people tell images apart: by the version in one, else by the start of its hash."""
    return clean(version, _LONGEST_VERSION) if version else short_sha(clean(sha256))


def contents_name(contents: Contents) -> str:
    """Return what a partition has: its program, and how many patches lie over it."""
    program = image_name(contents.version, contents.sha256) if contents.sha256 else "unknown"
    match len(contents.patches):
        case 0:
            return program
        case 1:
            return f"{program} + a patch"
        case number:
            return f"{program} + {number} patches"
