"""A text and what it means, whoever colours it."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """The meaning of a text; tables and screen give each a colour. Never the only bearer of a meaning."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"  # verified, up to date, done
    WAIT = "wait"  # waiting, on hold, offered, not verified
    BAD = "bad"  # failed, incomplete
    BUSY = "busy"  # running


@dataclass(frozen=True, slots=True)
class Phrase:
    """A state in words."""

    text: str
    tone: Tone = Tone.PLAIN
