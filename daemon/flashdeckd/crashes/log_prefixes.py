"""The pieces before the words of a line: times, levels, names of modules, as loggers and terminals put them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MOST_PREFIXES: Final = 6
"""Pieces that are taken off a line, one after the other."""
LONGEST_BRACKET: Final = 60
"""Characters of a piece in brackets."""


class PrefixKind(Enum):
    """The kind of a piece before the words."""

    NEUTRAL = auto()
    """A time, a number, a place in the source."""
    SEVERE = auto()
    """The level of an error."""
    HARMLESS = auto()
    """The level of a message that is none."""
    NAME = auto()
    """The name of a module, a function or a task."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a line without some of what stands before them."""

    text: str
    kinds: frozenset[PrefixKind] = frozenset()
    """The kinds of what was taken off."""
    pieces: int = 0
    """The number of pieces that were."""


NO_WORDS: Final = Words("")
"""The words of no line."""
_SEVERE: Final = r"(?:err|error|fatal|critical|crit|panic|emerg|alert|E|F|ERR|ERROR|FATAL|CRITICAL|CRIT|PANIC|EMERG|ALERT|Error|Fatal|Panic)"  # noqa: E501 -- one list
_HARMLESS: Final = r"(?:dbg|inf|info|debug|trace|wrn|warn|warning|note|notice|D|I|T|V|W|N|DBG|INF|INFO|DEBUG|TRACE|WRN|WARN|WARNING|NOTE|NOTICE|Info|Debug|Note|Warning)"  # noqa: E501 -- one list
_PIECE: Final = re.compile(
    rf"""[ ]{{0,20}}(?:
      (?P<severe>[<\[(]{_SEVERE}[>\])]:?|{_SEVERE}(?=[ :/])[:/]?)
    | (?P<harmless>[<\[(]{_HARMLESS}[>\])]:?|{_HARMLESS}(?=[ :/])[:/]?)
    | (?P<neutral>
        \[[^\]\[]{{0,{LONGEST_BRACKET}}}[0-9][^\]\[]{{0,{LONGEST_BRACKET}}}\][:]?
      | \([ ]{{0,12}}[0-9.]{{1,20}}\)[:]?
      | [0-9]{{1,4}}(?:[-:./T][0-9]{{1,9}}){{1,8}}Z?(?:[ ]->|[:|])?
      | [0-9]{{1,12}}(?:[ ]?(?:ms|us|s))?[:|]?(?=[ ])
      | ->|\|)
    | (?P<name>\[[A-Za-z_][\w.\- ]{{0,40}}\](?=[ :])[:]?|[A-Za-z_][\w.\-]{{0,40}}:(?=[ ]))
    )[ ]{{0,20}}""",
    re.VERBOSE,
)


def stripped(line: str) -> Iterator[Words]:
    """Yield the words of a line: as they are, and without one piece more of what stands before them each time."""
    kinds: frozenset[PrefixKind] = frozenset()
    at = 0
    yield Words(line.strip(), kinds)
    for pieces in range(1, MOST_PREFIXES + 1):
        piece = _PIECE.match(line, at)
        if piece is None:
            return
        at = piece.end()
        kinds |= {PrefixKind[(piece.lastgroup or "neutral").upper()]}
        yield Words(line[at:].rstrip(), kinds, pieces)
