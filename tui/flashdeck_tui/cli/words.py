"""States in the cells of tables: `flashdeck.words` has the words, here they get the colours of a terminal."""

import time
from collections.abc import Iterable, Iterator
from typing import Final

from flashdeck.job_state import Done, Queued, Running, Superseded, Written
from flashdeck.model import BoardState, Contents, JobState, LogLevel, Presence
from flashdeck.text import clean, format_age
from flashdeck.words.boards import armed_text, armed_word, hold_text, lease_text, where_word
from flashdeck.words.consoles import NOT_RECORDED
from flashdeck.words.contents import contents_state
from flashdeck.words.jobs import claim_text, status_detail, status_hint, status_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli.output import Colour
from flashdeck_tui.cli.remote import for_host
from flashdeck_tui.cli.table import Cell

NOTHING = "-"
"""The text of a cell that has nothing to show."""
LEVELS: Final = {LogLevel.WARNING: Colour.WARNING, LogLevel.ERROR: Colour.BAD, LogLevel.DEBUG: Colour.FAINT}
_COLOURS: Final = {
    Tone.PLAIN: None,
    Tone.STRONG: Colour.STRONG,
    Tone.FAINT: Colour.FAINT,
    Tone.GOOD: Colour.GOOD,
    Tone.WAIT: Colour.WARNING,
    Tone.BAD: Colour.BAD,
    Tone.BUSY: Colour.BUSY,
}


def cell(phrase: Phrase) -> Cell:
    """Return a state in words as a cell of a table."""
    return Cell(phrase.text, _COLOURS[phrase.tone])


def presence(board: BoardState) -> Cell:
    """Return where a board is, and if it is on hold or disarmed."""
    is_plain = board.armed and not board.once
    but = [word for word, is_so in (("on hold", board.hold is not None), ("taken", board.lease is not None)) if is_so]
    but += [] if is_plain else [armed_word(board).text]
    where = where_word(board)
    return Cell(f"{where.text} ({', '.join(but)})", Colour.WARNING) if but else cell(where)


def status(job: JobState) -> Cell:
    """Return the status of a job in one word; one that only a newer daemon knows in its own words."""
    return cell(status_word(job.status, job.kind))


def detail(job: JobState) -> str:
    """Return what there is to say of a job beside its status, and what to do about it."""
    told = ", ".join(part for part in (status_detail(job.status, job.kind), claim_text(job.status)) if part)
    if job.note and job.note not in told:
        told = "; ".join(part for part in (clean(job.note), told) if part)
    hint = for_host(status_hint(job.status))
    if job.user and job.user not in told:
        told = "; ".join(part for part in (f"for {clean(job.user)}", told) if part)
    if not told and not isinstance(job.status, Queued | Running | Written | Done | Superseded):
        told = job.text
    return f"{told} ({hint})" if hint else told


def verified(contents: Contents) -> Cell:
    """Return what is known of a partition's contents."""
    return cell(contents_state(contents))


def age(then: float) -> str:
    """Return how long ago an instant was, for a column of that name."""
    return format_age(time.time() - then)


def ago(then: float) -> str:
    """Return how long ago an instant was, in a sentence."""
    return f"{age(then)} ago"


def address(value: int) -> str:
    """Return an address as data sheets write it."""
    return f"0x{value:08x}"


def remarks(boards: Iterable[BoardState]) -> Iterator[str]:
    """Yield a line for each thing that keeps a board from being flashed by itself."""
    for board in boards:
        if board.presence is Presence.OTHER and board.text:
            yield f"{board.name}: {board.text}"
        if board.once or not board.armed:
            yield armed(board)
        if board.lease is not None:
            yield f"{board.name}: {lease_text(board.lease)}, for {age(board.lease.since)}; only its jobs start"
        if board.hold is not None:
            yield hold(board)
        if board.trouble:
            yield f"{board.name}: {board.trouble}"
        if board.console is not None and board.console.condition in NOT_RECORDED:
            yield f"{board.name}: console {board.console.text}"
        yield from (f"{board.name}: {doubt}: until `flashdeck release {board.name}`" for doubt in board.doubts)


def hold(board: BoardState) -> str:
    """Return whether a board is on hold, and why."""
    return clean(f"{board.name}: {hold_text(board)}")


def armed(board: BoardState) -> str:
    """Return whether new builds are flashed by themselves."""
    return clean(f"{board.name}: {armed_text(board)}")
