"""Consoles in words: whether what a board says is recorded, and why not. Pure."""

from typing import TYPE_CHECKING, Final

from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.text import counted
from flashdeck.words.tone import Phrase, Tone

if TYPE_CHECKING:  # it is made with these words
    from flashdeck.model import ConsoleEntry

_CONDITIONS: Final = {
    ConsoleCondition.OPEN: Phrase("recorded"),
    ConsoleCondition.ABSENT: Phrase("no port", Tone.FAINT),
    ConsoleCondition.HELD: Phrase("held", Tone.WAIT),
    ConsoleCondition.RELEASED: Phrase("released", Tone.WAIT),
    ConsoleCondition.UNAVAILABLE: Phrase("unavailable", Tone.BAD),
    ConsoleCondition.OTHER: Phrase("unknown"),
}

NOT_RECORDED: Final = frozenset({ConsoleCondition.HELD, ConsoleCondition.RELEASED, ConsoleCondition.UNAVAILABLE})
"""The conditions in which nothing is recorded, and a person can change that."""


def console_word(condition: ConsoleCondition) -> Phrase:
    """Return the condition of a console in a word or two."""
    return _CONDITIONS[condition]


def console_text(condition: ConsoleCondition, node: str, reason: str, dropped: int) -> str:
    """Return the condition of a console in a sentence; `reason` says why, "" where there is nothing to say."""
    head = f"{console_word(condition).text} ({node})" if node else console_word(condition).text
    lost = f"; {dropped_text(dropped)}" if dropped else ""
    return (f"{head}: {reason}" if reason else head) + lost


def dropped_text(count: int) -> str:
    """Return that bytes were not recorded, and why."""
    return f"{counted(count, 'byte')} not recorded: the board said too much at once"


def entry_text(entry: "ConsoleEntry") -> str:
    """Return an entry as it stands in a log: what the board said looks otherwise than what happened to it."""
    match entry.kind:
        case ConsoleKind.MARK:
            return f"--- {entry.text}"
        case ConsoleKind.NOISE:
            return f"... {entry.text}"
        case ConsoleKind.CRASH:
            return f"!!! {entry.text}"
        case _:
            return entry.text


def noise_text(count: int) -> str:
    """Return that a board said what is no text."""
    return f"{counted(count, 'byte')} that {'is' if count == 1 else 'are'} no text"
