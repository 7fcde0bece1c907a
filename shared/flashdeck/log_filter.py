"""The lines of a log that somebody wants: the same for daemon, command line and screen. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Protocol

from flashdeck.model import LogLevel
from flashdeck.names import is_meant

LEVELS: Final = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)
"""The levels by their weight, the lightest first."""
RANK: Final = {level: rank for rank, level in enumerate(LEVELS)} | {LogLevel.OTHER: LEVELS.index(LogLevel.INFO)}
"""The weight of each level; one that only a newer daemon knows is told as the usual ones are."""


class AnyLine(Protocol):
    """A line of any log."""

    @property
    def board(self) -> str:
        """The board that it is about; "" for none."""
        ...

    @property
    def level(self) -> LogLevel:
        """Its weight."""
        ...

    @property
    def text(self) -> str:
        """Its text."""
        ...

    @property
    def job(self) -> int:
        """The job that it is about; 0 for none."""
        ...


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Decides about each line by itself, so that a new line costs the same however many there are."""

    boards: Collection[str] = ()
    """Names and globs of the boards that it is about; empty: also lines that are about none."""
    level: LogLevel = LogLevel.INFO
    """Only lines that matter as much, or more."""
    text: str = ""
    """Only lines that have this in their text or in the name of their board, in capitals or not; "" for any."""
    job: int = 0
    """Only lines that are about this job; 0 for any."""
    _meant: dict[str, bool] = field(default_factory=dict[str, bool], repr=False, compare=False)
    """Boards that were asked about, and whether they are meant: comparing with globs costs more than all else here."""

    def takes(self, line: AnyLine) -> bool:
        """Tell whether a line is wanted."""
        return (
            RANK[line.level] >= RANK[self.level]
            and self.job in (0, line.job)
            and (not self.boards or self._is_meant(line.board))
            and (not self.text or has_text(line, self.text))
        )

    def _is_meant(self, board: str) -> bool:
        if board not in self._meant:
            self._meant[board] = is_meant(board, self.boards)
        return self._meant[board]


def has_text(line: AnyLine, text: str) -> bool:
    """Tell whether a line has a text in it, or in the name of its board, in capitals or not."""
    sought = text.casefold()
    return sought in line.text.casefold() or sought in line.board.casefold()
