"""A board that is flashed and started, and what it says then: judged line by line, from its leave of DFU mode on. Pure.

The lines that count are those behind the leave that ends this very flash. A board may leave earlier, as where its cable
is pulled in the middle: then its job begins once more, and what was said in between counts no more.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.job_state import Done, Failed, Failure, JobStatus, Written, stands_still
from flashdeck.line_patterns import LinePattern
from flashdeck.model import BoardState, ConsoleEntry, JobState, Presence
from flashdeck.outcome import BoardResult, Outcome, failure_of, is_over
from flashdeck.words.consoles import NOT_RECORDED

MOST_KEPT: Final = 10_000
"""Newest entries that are kept of one run."""
MOST_PATTERNS: Final = 50
"""Patterns of one run."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """The line that decided a run."""

    line: str
    pattern: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class ExpectedLines:
    """The lines that end a run. Patterns that mean a failure are looked for first."""

    until: tuple[LinePattern, ...]
    """Any of these ends it well."""
    fail: tuple[LinePattern, ...] = ()

    @classmethod
    def of(cls, until: str | Iterable[str], fail: str | Iterable[str] = ()) -> Self:
        """Return them from patterns as they are typed. Raises RequestError and what `LinePattern` does."""
        good, bad = _several(until), _several(fail)
        if not good:
            raise RequestError("no line is named that ends the run", hint="say which with --until")
        if len(good) + len(bad) > MOST_PATTERNS:
            raise RequestError(f"{len(good) + len(bad)} patterns are too many", hint=f"{MOST_PATTERNS} are the most")
        return cls(tuple(map(LinePattern, good)), tuple(map(LinePattern, bad)))

    def found_in(self, line: str) -> FoundLine | None:
        """Return what a line decides; None where it is none of these."""
        for patterns, is_failure in ((self.fail, True), (self.until, False)):
            for pattern in patterns:
                if pattern.search(line) is not None:
                    return FoundLine(line, pattern.text, is_failure)
        return None

    @property
    def awaited(self) -> str:
        """The lines that end it well, in words."""
        return " or ".join(repr(pattern.text) for pattern in self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(BoardResult):
    """The result of a run on one board. It is done where a line was said that ends it well."""

    seconds: float = 0.0
    """The time from the request for the flash on."""
    found: FoundLine | None = None
    """The line that decided it; None where none did."""
    entries: tuple[ConsoleEntry, ...] = ()
    """The newest that the board said since its leave, with the marks in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome(Outcome):
    """The outcome of a run: a row a board."""

    rows: tuple[RunResult, ...]


class BoardRun:
    """The run on one board: fed with its states, its job and its console; `result` is there once it is decided."""

    def __init__(self, board: BoardState, partition: str, expected: ExpectedLines) -> None:
        """`board` as it is before; where it cannot be run on, that is the result at once."""
        self.name = board.name
        self.partition = partition
        self.board = board
        self.job: JobState | None = None
        self.began_at = 0.0
        """The time of the request, by the clock of whoever asks for results."""
        self.result: RunResult | None = None
        self._expected = expected
        self._entries = deque[ConsoleEntry](maxlen=MOST_KEPT)
        self._has_begun = self._has_left = False
        self._found: FoundLine | None = None
        if (why := why_not(board)) is not None:
            self.refuse(why, 0.0)

    @property
    def stands_still(self) -> bool:
        """True while its job waits for a cable, a hand, or the like."""
        return self.job is not None and stands_still(self.job.status)

    @property
    def may_be_decided(self) -> bool:
        """True once the flash has come so far that what the console has by then may decide."""
        return self.job is not None and (_is_complete(self.job.status) or is_over(self.job))

    @property
    def is_unbegun(self) -> bool:
        """True while its job is queued and never began."""
        return self.job is not None and not self.job.is_settled and not self.job.attempts

    def hear(self, entries: Iterable[ConsoleEntry]) -> Iterator[ConsoleEntry]:
        """Take the next entries of the console, and yield those that belong to the run."""
        for entry in entries:
            if self.job is not None and entry.job == self.job.id and not entry.is_leave:
                self._has_begun, self._has_left, self._found = True, False, None
                self._entries.clear()
            elif entry.is_leave and self._has_begun:
                self._has_left = True
            if self._has_left:
                self._entries.append(entry)
                if entry.kind is ConsoleKind.LINE and self._found is None:
                    self._found = self._expected.found_in(entry.text)
                yield entry

    def decide(self, now: float) -> bool:
        """Decide it by what the console has said up to now, if that can be; return whether it is decided."""
        job = self.job
        if job is None or self.result is not None:
            return self.result is not None
        if self._found is not None and _is_complete(job.status):
            self._end(_failure_by(self._found) if self._found.is_failure else None, now)
        elif is_over(job) and (failure := failure_of(job)) is not None:
            self._end(failure, now)
        elif isinstance(job.status, Done) and not self._has_left:
            message, hint = "it was flashed, and not started", "a run needs `leave = true` in its profile"
            self._end(Failure(kind=ErrorKind.BLOCKED, message=message, hint=hint), now)
        return self.result is not None

    def give_up(self, now: float, seconds: float) -> None:
        """The time is up, after so many seconds, or nothing is waited for any more."""
        if self.result is None:
            job = self.job
            unfinished = None if job is None or _is_complete(job.status) else failure_of(job)
            self._end(unfinished or self._why_not_seen(seconds), now)

    def refuse(self, failure: Failure, now: float) -> None:
        """It is not to be: the daemon, or the board as it is, says no."""
        if self.result is None:
            self._end(failure, now)

    def _end(self, failure: Failure | None, now: float) -> None:
        self.result = RunResult(
            board=self.name,
            partition=self.partition,
            is_done=failure is None,
            job=self.job,
            failure=failure,
            seconds=round(max(0.0, now - self.began_at), 3) if self.began_at else 0.0,
            found=self._found,
            entries=tuple(self._entries),
        )

    def _why_not_seen(self, seconds: float) -> Failure:
        board, console = self.board, self.board.console
        lines = [entry.text for entry in self._entries if entry.kind is ConsoleKind.LINE and entry.text]
        said = f'its last line was "{lines[-1]}"' if lines else "it said nothing"
        is_of_app = console is not None and console.port == "app"
        if board.presence is Presence.DFU or (is_of_app and board.presence is Presence.ABSENT):
            where = "in DFU mode" if board.presence is Presence.DFU else "off the bus"
            return Failure(
                kind=ErrorKind.SILENT,
                message=f"it does not run: it is {where}; {said}",
                hint=f"see what it said: `flashdeck console {self.name} --since leave`",
            )
        if console is None or console.condition is not ConsoleCondition.OPEN:
            return _no_console(board)
        awaited = self._expected.awaited
        return Failure(kind=ErrorKind.TIMEOUT, message=f"{awaited} was not seen within {seconds:g} s; {said}")


def why_not(board: BoardState) -> Failure | None:
    """Return why there can be no run on a board as it is now; None where there can."""
    if board.hold is not None:
        return Failure(
            kind=ErrorKind.BLOCKED,
            message=f"it is on hold: {board.hold.reason}",
            hint=f"release it: `flashdeck release {board.name}`",
        )
    if board.console is None or board.console.condition in NOT_RECORDED:
        return _no_console(board)
    return None


def _no_console(board: BoardState) -> Failure:
    console = board.console
    if console is None:
        hint = f'say where it is: [profiles.{board.profile}.console] port = "app", or the path of a serial port'
        return Failure(kind=ErrorKind.BLOCKED, message="it has no console", hint=hint)
    return Failure(kind=ErrorKind.BLOCKED, message=f"its console cannot be read: {console.text}", hint=console.hint)


def _failure_by(found: FoundLine) -> Failure:
    message = f'it said "{found.line}", which is a failure ({found.pattern!r})'
    return Failure(kind=ErrorKind.CRASHED, message=message)


def _is_complete(status: JobStatus) -> bool:
    """Return whether the image is on the board, and whole."""
    return isinstance(status, Written | Done) or (isinstance(status, Failed) and status.result is not None)


def _several(patterns: str | Iterable[str]) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)
