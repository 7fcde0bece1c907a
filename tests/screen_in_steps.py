"""The screen on a terminal, at a clock that a script moves: run on a pseudo-terminal, whose bytes a test counts.

`python screen_in_steps.py idle` draws a bench of 24 boards on which nothing happens for a minute, `flashing` one on
which one board is flashed for ten seconds. Marks in what it sends say where that begins and ends.
`keys` is one of 100 boards and 5,000 lines of log a second, at the time of the clock on the wall, until q is pressed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from flashdeck.job_state import Done, JobStatus
from flashdeck.model import JobState, LogLevel, LogLine, Snapshot
from flashdeck_tui.app import AGES, FRAME, FlashdeckApp
from flashdeck_tui.settings import load_settings
from flashdeck_tui.widgets.rows import MARK as ROW_MARK
from tui_scene import BENCH, NEWEST, NOW, RESULT, RUNNING, board, contents, event, job, make_app, partitions, running

BEGIN = b"\x1b]7777;begin\x07"
END = b"\x1b]7777;end\x07"
MARK = ROW_MARK
"""Drawn before the line that the cursor is on, and so again whenever it moves."""
MINUTE = 60.0
FLASH_SECONDS = 10.0
BOARDS = 24
MANY_BOARDS = 100
LINES_A_SECOND = 5000
_SIZE = 100_352


def bench(status: JobStatus | None, count: int = BOARDS) -> Snapshot:
    """Boards with the newest build, flashed within the last hours; with a status, the first one is at work."""
    boards = tuple(
        board(
            f"rack-{number:03}", partitions=partitions(contents(NEWEST, flashed_at=NOW - 61 * number, job=number + 1))
        )
        for number in range(count)
    )
    jobs: list[JobState] = [
        job(number + 1, f"rack-{number:03}", Done(result=RESULT), finished_at=NOW - 61 * number)
        for number in range(BOARDS)
    ]
    if status is not None:
        jobs.append(replace(RUNNING, id=100, board="rack-000", status=status))
    return replace(BENCH, boards=boards, jobs=tuple(jobs), devices=())


class Steps:
    """The screen, its time, and what happens in it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.now = NOW
        made, _ = make_app(snapshot)
        self.app = FlashdeckApp(made.fleet, settings=load_settings(), clock=lambda: self.now)
        self.store = made.fleet.hosts[0].store

    async def drawn(self) -> None:
        """Until what is to be drawn was sent."""
        reached = asyncio.Event()
        self.app.call_after_refresh(reached.set)
        await reached.wait()

    async def run(self, happening: Callable[["Steps"], AsyncIterator[None]]) -> None:
        """Shows the bench, and what happens between the two marks."""
        async with asyncio.TaskGroup() as group:
            screen = group.create_task(self.app.run_async())
            while not (self.app.is_running and self.app.main.is_mounted):  # noqa: ASYNC110 - Textual tells nobody
                await asyncio.sleep(0.01)
            self.app.refresh_views()
            for _ in range(3):
                await self.drawn()
            self.app.send(BEGIN.decode())
            async for _ in happening(self):
                if happening is not logging:
                    self.app.look()
                    await self.drawn()
            self.app.send(END.decode())
            self.app.exit(0)
            await screen


async def idle(steps: Steps) -> AsyncIterator[None]:
    """A minute without an event."""
    for _ in range(round(MINUTE / AGES)):
        steps.now += AGES
        yield


async def flashing(steps: Steps) -> AsyncIterator[None]:
    """A flash that comes further in every frame, and is told of in the log now and then."""
    frames = round(FLASH_SECONDS / FRAME)
    for frame in range(frames):
        steps.now += FRAME
        done = _SIZE * frame // frames
        steps.store.take(event(job=replace(RUNNING, id=100, board="rack-000", status=running(done=done, total=_SIZE))))
        if frame % 8 == 0:
            line = LogLine(id=100 + frame, time=steps.now, level=LogLevel.INFO, text=f"at {done}", board="rack-000")
            steps.store.take(event(log=line))
        yield


async def logging(steps: Steps) -> AsyncIterator[None]:
    """Line after line, in handfuls as they come from a socket."""
    handful = LINES_A_SECOND // 50
    number = 1000
    while steps.app.is_running:
        steps.now = NOW + number / LINES_A_SECOND
        lines = (
            LogLine(
                id=number + each, time=steps.now, level=LogLevel.INFO, text=f"line {number + each}", board="rack-000"
            )
            for each in range(handful)
        )
        for line in lines:
            steps.store.take(event(log=line))
        number += handful
        await asyncio.sleep(handful / LINES_A_SECOND)
        yield


def main() -> None:
    """Does what the command line says."""
    happening: dict[str, tuple[Snapshot, Callable[[Any], AsyncIterator[None]]]] = {
        "idle": (bench(None), idle),
        "flashing": (bench(running(done=0, total=_SIZE)), flashing),
        "keys": (bench(running(done=0, total=_SIZE), MANY_BOARDS), logging),
    }
    snapshot, what = happening[sys.argv[1]]
    asyncio.run(Steps(snapshot).run(what))


if __name__ == "__main__":
    main()
