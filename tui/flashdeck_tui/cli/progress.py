"""Running jobs as talk on stderr: bars on a terminal, a line a change everywhere else."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from flashdeck.job_state import Running, Written, stands_still
from flashdeck.model import JobState
from flashdeck.text import clean, format_size
from flashdeck.words.jobs import (
    claim_text,
    is_measured,
    percent,
    standstill_text,
    status_hint,
    status_text,
    status_word,
)
from flashdeck_tui.cell_width import cell_width, cut_at_end
from flashdeck_tui.cli import words
from flashdeck_tui.cli.output import Colour, is_terminal, one_line, paint, say, write_talk
from flashdeck_tui.cli.remote import for_host, prefixed, speaking_as, speaking_for
from flashdeck_tui.terminal import size_of, takes_control_sequences

LOOK_SECONDS: Final = 1.0
"""Seconds between looks whether the boards still answer: no event tells that."""
_BAR: Final = 20
REDRAW: Final = 0.1
"""Seconds between two drawings of the bars: smooth to the eye, little to send over SSH."""
_UP: Final = "\x1b[{}A"
_CLEAR_LINE: Final = "\x1b[2K"
_CLEAR_BELOW: Final = "\x1b[J"

Clock = Callable[[], float]
"""The time, in epoch seconds."""


class Progress(Protocol):
    """Shows jobs while they go on."""

    def show(self, job: JobState) -> None:
        """Show the new state of one of the jobs."""
        ...

    def note(self, line: str) -> None:
        """Say something that is no job's, and stays."""
        ...

    def look(self) -> None:
        """Show which boards claim time, or have not answered for a while."""
        ...

    def close(self) -> None:
        """Leave the last state of all jobs on the screen."""
        ...


@asynccontextmanager
async def progress(
    jobs: Sequence[JobState], boards: int | None = None, *, beside_data: bool = False
) -> AsyncGenerator[Progress]:
    """Show `jobs`, and those that come up, on so many `boards` (by default one each) for the length of a block.

    With `beside_data` lines of data come to stdout meanwhile, which bars would be drawn over.
    """
    shown = Lines(jobs) if beside_data else _suited(jobs, len(jobs) if boards is None else boards)

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            shown.look()

    looking = asyncio.create_task(look())
    try:
        yield shown
    finally:
        looking.cancel()
        shown.close()


def _suited(jobs: Sequence[JobState], boards: int) -> Progress:
    """Return what suits stderr: bars need a terminal that can go up, and has a line for each of the `boards`."""
    if speaking_for.get():  # several machines talk at once
        return Lines(jobs)
    if is_terminal(sys.stderr) and takes_control_sequences() and boards < size_of(sys.stderr).lines:
        return Bars(jobs)
    return Lines(jobs)


def _place(job: JobState) -> tuple[str, str]:
    """Return what a line is for: a newer job takes the place of an older one there."""
    return (job.board, job.partition)


class Lines:
    """A line whenever a job changes its status or its phase, and one when its board claims time or answers no more."""

    def __init__(self, jobs: Sequence[JobState], clock: Clock = time.time) -> None:
        self._clock = clock
        self._jobs: dict[tuple[str, str], JobState] = {}
        self._told: dict[tuple[str, str], str] = {}
        self._silent: set[tuple[str, str]] = set()
        self._claims: dict[tuple[str, str], set[str]] = {}
        """The claims that were told since the last line that is none."""
        for job in jobs:
            self.show(job)

    def show(self, job: JobState) -> None:
        """Say what is new of `job`, once."""
        place, headline = _place(job), _headline(job)
        self._jobs[place] = job
        if self._told.get(place) != headline:
            self._told[place] = headline
            self._silent.discard(place)
            self._claims[place] = set()
            _say_of(job, headline)
        claim = claim_text(job.status)
        if claim and claim not in self._claims[place]:
            self._claims[place].add(claim)
            _say_of(job, f"{headline}, {claim}")

    def note(self, line: str) -> None:
        """Say it."""
        say(line)

    def look(self) -> None:
        """Say of each board that has not answered for a while, though it claims no time, once until it has."""
        for place, job in self._jobs.items():
            standstill = standstill_text(job.status, self._clock())
            if not standstill or standstill == claim_text(job.status):
                self._silent.discard(place)
            elif place not in self._silent:
                self._silent.add(place)
                _say_of(job, f"{_headline(job)}, {standstill}")

    def close(self) -> None:
        """Nothing is left to say."""


class Bars:
    """A line a board, drawn over and over in place; above them, once, what is too long for its line."""

    def __init__(self, jobs: Sequence[JobState], clock: Clock = time.time) -> None:
        self._clock = clock
        self._jobs: dict[tuple[str, str], JobState] = {}
        self._drawn_at = 0.0
        self._drawn_lines = 0
        for job in jobs:
            self._jobs[_place(job)] = job
        self._draw(tuple(jobs))

    def show(self, job: JobState) -> None:
        """Draw the job, unless the last drawing was only just."""
        before = self._jobs.get(_place(job))
        self._jobs[_place(job)] = job
        if before is None or _headline(before) != _headline(job):
            self._draw((job,))
        elif time.monotonic() - self._drawn_at >= REDRAW:
            self._draw()

    def note(self, line: str) -> None:
        """Say it above the bars."""
        if self._drawn_lines:
            write_talk(_UP.format(self._drawn_lines) + _CLEAR_BELOW)
            self._drawn_lines = 0
        say(line)
        self._draw()

    def look(self) -> None:
        """Draw again where a board has not answered for a while: for how long is part of its line."""
        if any(standstill_text(job.status, self._clock()) for job in self._jobs.values()):
            self._draw()

    def close(self) -> None:
        """Draw all jobs once more."""
        self._draw()

    def _draw(self, changed: Sequence[JobState] = ()) -> None:
        if not self._jobs:
            return
        self._drawn_at = time.monotonic()
        up = _UP.format(self._drawn_lines) if self._drawn_lines else ""
        width = size_of(sys.stderr).columns - 1
        label = max(cell_width(_label(job)) for job in self._jobs.values())
        above = [one_line(f"{_label(job)}: {_headline(job)}") for job in changed if stands_still(job.status)]
        long = "".join(f"{line}\n" for line in above if cell_width(line) > width)
        lines = [_CLEAR_LINE + self._bar_line(job, label, width) for job in self._jobs.values()]
        self._drawn_lines = len(lines)
        write_talk(up + (_CLEAR_BELOW + long if long else "") + "\n".join(lines) + "\n")

    def _bar_line(self, job: JobState, label: int, width: int) -> str:
        """Return a line that fits into `width` columns, so that going up by lines finds it again."""
        head = _label(job) + " " * (label - cell_width(_label(job)))
        text = clean(_headline(job), 2 * width)
        bar = ""
        status = job.status
        standstill = standstill_text(status, self._clock())
        if standstill and standstill == claim_text(status):
            text, standstill = clean(status_text(status), 2 * width), ""  # no room for a bar beside it
        elif isinstance(status, Running) and is_measured(status):
            full = _BAR * percent(status) // 100
            bar = f"{'#' * full}{'.' * (_BAR - full)}"
            text = f"{text:<9} {percent(status):3} % of {format_size(status.total)}"
        if standstill:
            text += f", {standstill}"
        line = _cut("  ".join(part for part in (head, bar, text) if part), width)
        colour = words.status(job).colour
        return paint(line, colour if colour is not Colour.FAINT else None, sys.stderr)


def _say_of(job: JobState, text: str) -> None:
    """Say it with the name that the board has among those of several machines."""
    line = f"{prefixed(_label(job))}: {text}"
    with speaking_as(""):
        say(line)


def _label(job: JobState) -> str:
    return clean(f"{job.board} {job.partition}".strip())


def _headline(job: JobState) -> str:
    """Return what a job does, without figures that change all the time."""
    if isinstance(job.status, Running) or (isinstance(job.status, Written) and not job.status.reason):
        return status_word(job.status, job.kind).text
    hint = for_host(status_hint(job.status))
    return f"{job.text} ({hint})" if hint else job.text


def _cut(text: str, width: int) -> str:
    return cut_at_end(text, width, "…")
