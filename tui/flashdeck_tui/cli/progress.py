"""Running jobs as talk on stderr: bars on a terminal, a line a change everywhere else."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from flashdeck.job_state import Running, Written
from flashdeck.model import JobState
from flashdeck.text import clean, format_size
from flashdeck.words.jobs import is_measured, no_answer_text, percent, status_detail, status_hint, status_word
from flashdeck_tui.cli import words
from flashdeck_tui.cli.output import Colour, is_terminal, paint, say, write_talk
from flashdeck_tui.cli.table import columns
from flashdeck_tui.terminal import takes_control_sequences

_BAR = 20
REDRAW = 0.1
"""Seconds between two drawings of the bars: smooth to the eye, little to send over SSH."""
_UP = "\x1b[{}A"
_CLEAR_LINE = "\x1b[2K"


class Progress(Protocol):
    """Shows jobs while they go on."""

    def show(self, job: JobState) -> None:
        """The new state of one of the jobs."""
        ...

    def look_again(self) -> None:
        """Shows what time alone has changed: a board may have stopped answering."""
        ...

    def close(self) -> None:
        """Leaves the last state of all jobs on the screen."""
        ...


def progress(jobs: Sequence[JobState], boards: int | None = None) -> Progress:
    """Return what suits stderr: bars need a terminal that can go up, and has a line for each of the `boards`."""
    needed = len(jobs) if boards is None else boards
    if is_terminal(sys.stderr) and takes_control_sequences() and needed < shutil.get_terminal_size().lines:
        return Bars(jobs)
    return Lines(jobs)


def _place(job: JobState) -> tuple[str, str]:
    """Return what a line is for: a newer job takes the place of an older one there."""
    return (job.board, job.partition)


class Lines:
    """A line whenever a job changes its status or its phase, and when its board stops answering."""

    def __init__(self, jobs: Sequence[JobState], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._jobs: dict[tuple[str, str], JobState] = {}
        self._silent: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], str] = {}
        for job in jobs:
            self.show(job)

    def show(self, job: JobState) -> None:
        """Says what is new of `job`, once."""
        self._jobs[_place(job)] = job
        line = f"{job.board} {job.partition}: {_headline(job)}"
        if self._told.get(_place(job)) != line:
            self._told[_place(job)] = line
            say(line)

    def look_again(self) -> None:
        """Says once of each board that has stopped answering that it has."""
        now = self._clock()
        for place, job in self._jobs.items():
            silent = no_answer_text(job.status, now)
            if not silent:
                self._silent.discard(place)
            elif place not in self._silent:
                self._silent.add(place)
                say(f"{job.board} {job.partition}: {_headline(job)}, {silent}")

    def close(self) -> None:
        """Nothing is left to say."""


class Bars:
    """A line a board, drawn over and over in place."""

    def __init__(self, jobs: Sequence[JobState], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._jobs = {_place(job): job for job in jobs}
        self._drawn_at = 0.0
        self._drawn_lines = 0
        self._draw()

    def show(self, job: JobState) -> None:
        """Draws the job, unless the last drawing was only just."""
        before = self._jobs.get(_place(job))
        self._jobs[_place(job)] = job
        changed = before is None or _headline(before) != _headline(job)
        if changed or time.monotonic() - self._drawn_at >= REDRAW:
            self._draw()

    def look_again(self) -> None:
        """Draws all jobs again where a board does not answer."""
        if any(no_answer_text(job.status, self._clock()) for job in self._jobs.values()):
            self._draw()

    def close(self) -> None:
        """Draws all jobs once more."""
        self._draw()

    def _draw(self) -> None:
        if not self._jobs:
            return
        self._drawn_at = time.monotonic()
        up = _UP.format(self._drawn_lines) if self._drawn_lines else ""
        width = shutil.get_terminal_size().columns - 1
        label = max(columns(_label(job)) for job in self._jobs.values())
        lines = [_CLEAR_LINE + _bar_line(job, label, width, self._clock()) for job in self._jobs.values()]
        self._drawn_lines = len(lines)
        write_talk(up + "\n".join(lines) + "\n")


def _label(job: JobState) -> str:
    return clean(f"{job.board} {job.partition}")


def _headline(job: JobState) -> str:
    """Return what a job does, without figures that change all the time."""
    word, hint = status_word(job.status).text, status_hint(job.status)
    if isinstance(job.status, Running | Written):
        return word
    detail = status_detail(job.status)
    return f"{word}{f': {detail}' if detail else ''}{f' ({hint})' if hint else ''}"


def _bar_line(job: JobState, label: int, width: int, now: float) -> str:
    """One line that fits into `width` columns, so that going up by lines finds it again."""
    head = _label(job) + " " * (label - columns(_label(job)))
    text = clean(_headline(job), 2 * width)
    bar = ""
    status = job.status
    if isinstance(status, Running) and is_measured(status):
        full = _BAR * percent(status) // 100
        bar = f"{'#' * full}{'.' * (_BAR - full)}"
        text = f"{text:<9} {percent(status):3} % of {format_size(status.total)}"
    parts = (head, bar, text, no_answer_text(status, now))
    line = _cut("  ".join(part for part in parts if part), width)
    colour = words.status(job).colour
    return paint(line, colour if colour is not Colour.FAINT else None, sys.stderr)


def _cut(text: str, width: int) -> str:
    while columns(text) > width:
        text = text[:-2] + "…"
    return text
