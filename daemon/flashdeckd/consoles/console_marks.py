"""The marks between the lines of a console: jobs that begin, the leave, comings and goings of the board.

Pure: from states, one after the other, to marks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flashdeck.job_state import Running
from flashdeck.model import JobState, Presence
from flashdeck.words.work import work_text
from flashdeckd.usb.recognition import ABSENT, Sighting

_SEEN: Final = {
    Presence.ABSENT: "off the bus",
    Presence.DFU: "in DFU mode",
    Presence.APP: "running",
    Presence.AMBIGUOUS: "cannot be told from another board",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark in a console."""

    text: str
    is_leave: bool = False
    """True where the board leaves DFU mode."""
    job: int = 0
    """The job that it is about; 0 for none."""


class BoardMarks:
    """The last that is known of one board, to tell what is new."""

    def __init__(self, sighting: Sighting = ABSENT) -> None:
        self._sighting = sighting
        self._running = 0
        """The number of the job that runs; 0 for none."""
        self._last = 0
        """The number of the last one that ran while the board was in DFU mode; 0 for none."""
        self._has_left = False
        """True from a leave until the board is in DFU mode again."""

    def of_job(self, job: JobState) -> Iterator[Mark]:
        """Yield the mark for a job that begins."""
        if not isinstance(job.status, Running):
            self._running = 0 if self._running == job.id else self._running
        elif self._running != job.id:
            self._running = self._last = job.id
            yield Mark(f"job {job.id}: {work_text(job)}", job=job.id)

    def of_restart(self, into: Presence) -> Iterator[Mark]:
        """Yield the mark for a board that is asked to restart."""
        if into is Presence.DFU:
            yield Mark("asked to restart into DFU mode")
        elif not self._has_left:
            self._has_left = True
            yield Mark(f"job {self._last}: leave" if self._last else "leave", is_leave=True, job=self._last)

    def of_sighting(self, sighting: Sighting) -> Iterator[Mark]:
        """Yield the mark for a board that comes, goes, or shows itself in another way."""
        before, self._sighting = self._sighting, sighting
        if (sighting.presence, sighting.device) == (before.presence, before.device):
            return
        left = before.presence is Presence.DFU and sighting.presence is not Presence.DFU and not self._has_left
        if sighting.presence is Presence.DFU:
            back = "back " if self._has_left else ""
            self._has_left = False
        else:
            back = ""
            self._has_left = self._has_left or left
            self._last = self._running
        at = f" at {sighting.device.name}" if sighting.device is not None else ""
        again = " again" if sighting.presence is before.presence else ""
        yield Mark(f"{back}{_SEEN.get(sighting.presence, 'unknown')}{at}{again}", is_leave=left)
