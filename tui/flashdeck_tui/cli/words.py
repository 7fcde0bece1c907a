"""States in the words and colours of the tables."""

import time
from collections.abc import Iterable, Iterator

from flashdeck.model import BoardState, Contents, JobResult, JobState, JobStatus, LogLevel, Presence, Verified
from flashdeck.text import clean, counted, format_age, format_duration, format_size
from flashdeck_tui.cli.output import Colour
from flashdeck_tui.cli.table import Cell

NOTHING = "-"
"""What a cell shows that has nothing to show."""

"""Characters of a version in a table; `--json` has all of it."""

_PRESENCE = {
    Presence.DFU: Colour.GOOD,
    Presence.APP: Colour.GOOD,
    Presence.ABSENT: Colour.FAINT,
    Presence.AMBIGUOUS: Colour.BAD,
}
_STATUS = {
    JobStatus.RUNNING: Colour.BUSY,
    JobStatus.WAITING: Colour.WARNING,
    JobStatus.HELD: Colour.WARNING,
    JobStatus.DONE: Colour.GOOD,
    JobStatus.FAILED: Colour.BAD,
    JobStatus.SUPERSEDED: Colour.FAINT,
    JobStatus.CANCELLED: Colour.FAINT,
}
LEVELS = {LogLevel.WARNING: Colour.WARNING, LogLevel.ERROR: Colour.BAD}


def presence(board: BoardState) -> Cell:
    """Where a board is, and whether its lane is held or it is disarmed."""
    but = [word for word, holds in (("held", bool(board.held)), ("disarmed", not board.armed)) if holds]
    text = f"{board.presence} ({', '.join(but)})" if but else board.presence.value
    return Cell(text, Colour.WARNING if but else _PRESENCE[board.presence])


def status(job: JobState) -> Cell:
    """The status of a job."""
    return Cell(job.status.value, _STATUS.get(job.status))


def verified(contents: Contents) -> Cell:
    """What is known of a partition's contents."""
    if not contents.complete:
        return Cell("incomplete", Colour.BAD)
    if contents.disturbed:
        return Cell("in doubt", Colour.WARNING)
    return Cell(contents.verified.value, Colour.GOOD if contents.verified is Verified.YES else Colour.WARNING)


def age(then: float) -> str:
    """How long ago an instant was, for a column of that name."""
    return format_age(time.time() - then)


def ago(then: float) -> str:
    """How long ago an instant was, in a sentence."""
    return f"{age(then)} ago"


def address(value: int) -> str:
    """An address as data sheets write it."""
    return f"0x{value:08x}"


def remarks(boards: Iterable[BoardState]) -> Iterator[str]:
    """A line for each thing that keeps a board from being flashed by itself."""
    for board in boards:
        if not board.armed:
            yield armed(board)
        if board.held:
            yield f"{board.name}: held: {board.held}"
        if board.trouble:
            yield f"{board.name}: {board.trouble}"
        yield from (f"{board.name}: {doubt}: until `flashdeck release {board.name}`" for doubt in board.doubts)


def detail(job: JobState) -> str:
    """What there is to say of a job beside its status."""
    if job.failure is not None:
        hint = f" ({job.failure.hint})" if job.failure.hint else ""
        return f"{job.failure.message}{hint}"
    if job.status is JobStatus.RUNNING and job.phase is not None:
        return f"{job.phase}{f' {percent(job)} %' if job.total else ''}"
    if job.status is JobStatus.DONE and job.result is not None:
        return _result(job.result)
    return job.reason


def percent(job: JobState) -> int:
    """How far the phase of a running job is."""
    return min(100, 100 * job.done // job.total) if job.total > 0 else 0


def _result(result: JobResult) -> str:
    started = {True: ", started", False: ", did not start", None: ""}[result.started]
    written = f"{format_size(result.bytes_written)} in {format_duration(result.seconds)}"
    same = f", {format_size(result.unchanged)} left alone" if result.unchanged else ""
    return f"{written}{same}, {counted(result.erases, 'erase')}, {result.verified}{started}"


def held(board: BoardState) -> str:
    """Whether a board's lane starts jobs."""
    return clean(f"{board.name}: held: {board.held}" if board.held else f"{board.name}: not held")


def armed(board: BoardState) -> str:
    """Whether new images flash by themselves."""
    return clean(f"{board.name}: {'armed' if board.armed else 'disarmed: new images are only offered'}")
