"""Builds in words: what became of each. Pure."""

from typing import Final

from flashdeck.disposition import Disposition

_WORDS: Final = {
    Disposition.QUEUED: "queued",
    Disposition.OFFERED: "offered",
    Disposition.REFUSED: "refused",
    Disposition.UNCHANGED: "not queued",
    Disposition.OTHER: "unknown",
}


def disposition_text(disposition: Disposition, reason: str) -> str:
    """Return what became of a build, in a sentence; `reason` says why, "" where there is nothing to say."""
    return f"{_WORDS[disposition]}: {reason}" if reason else _WORDS[disposition]
