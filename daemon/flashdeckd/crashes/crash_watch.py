"""The crashes of one board: read from its lines, and told once no more comes, with functions and lines.

A crash is known with its first line, and `read` returns it then. The rest takes a moment, and keeps no line waiting.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.crash import Crash
from flashdeckd.crashes.crash_report import report
from flashdeckd.crashes.crash_resolving import resolve

if TYPE_CHECKING:  # see below
    from flashdeckd.crashes.crash_reader import CrashReader

QUIET_SECONDS: Final = 0.5
"""Seconds without a line after which no more is expected of a crash."""
LONGEST_SECONDS: Final = 3.0
"""Seconds after its first line in which what belongs to it comes, whatever else the board says."""
REST_SECONDS: Final = 1.0
"""Seconds after a report in which further crashes are only counted: a board may crash in a loop."""


class CrashWatch:
    """The crashes of one board. Runs in the event loop's thread only."""

    def __init__(
        self,
        programs: Callable[[], Sequence[BoardProgram]],
        tell: Callable[[Sequence[str]], object],
        ended: Callable[[asyncio.Task[None]], object],
    ) -> None:
        """`programs` returns what the board may be running; `tell` is given the lines that report a crash.

        `ended` is told of each report that has come to its end, also by a fault of ours.
        """
        self._programs = programs
        self._tell = tell
        self._ended = ended
        self._reader = new_crash_reader()
        self._running: Sequence[BoardProgram] = ()
        """The programs of the board as the crash that is open began: it may be flashed anew at once."""
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0
        """By the loop's time: then the crash that is open is told at the latest."""
        self._reporting: asyncio.Task[None] | None = None
        self._more = 0
        """Crashes that came while an earlier one was reported."""

    def read(self, line: str) -> Crash | None:
        """Take a line that the board has said; return the crash that begins with it."""
        crash = self._reader.read(line)
        self._report_whole()
        if crash is not None:
            self._latest = asyncio.get_running_loop().time() + LONGEST_SECONDS
            self._running = self._programs()
        self._wait()
        return crash

    def end(self) -> None:
        """No more comes: the port is closed, or the board has gone."""
        self._reader.end()
        self._report_whole()
        self._wait()

    async def close(self) -> None:
        """Let go of all; a report that is under way is not told any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.wait((self._reporting,))

    def _wait(self) -> None:
        """Let a moment pass in which more may come of the crash that is open."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reader.is_open:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(min(loop.time() + QUIET_SECONDS, self._latest), self.end)

    def _report_whole(self) -> None:
        while (crash := self._reader.take_whole()) is not None:
            if self._reporting is not None and not self._reporting.done():
                self._more += 1
            else:
                self._reporting = asyncio.create_task(self._report(crash, self._running))
                self._reporting.add_done_callback(self._ended)

    async def _report(self, crash: Crash, programs: Sequence[BoardProgram]) -> None:
        self._tell(report(crash, await resolve(crash, programs)))
        await asyncio.sleep(REST_SECONDS)
        if self._more:
            count, self._more = self._more, 0
            self._tell((f"{count} more {'crash' if count == 1 else 'crashes'} since then",))


def new_crash_reader() -> "CrashReader":
    """Return the reader of one board's lines."""
    # Imported here: its patterns take longer to be made than the daemon's modules, and most daemons have no console.
    from flashdeckd.crashes.crash_reader import CrashReader  # noqa: PLC0415

    return CrashReader()
