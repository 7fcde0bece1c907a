"""Makes the picture of the README: the terminal interface as it draws itself, in the middle of the demo.

    python tests/pictures.py

Everything on them really happened, so times, speeds and a random name differ from run to run.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from textual.pilot import Pilot

from flashdeck.job_state import Done, JobStatus, Phase, Running, Waiting
from flashdeck.model import JobState
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.demo.demo_bench import demo_bench
from flashdeck_tui.demo.play import DemoApp
from flashdeck_tui.store import Store

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = (100, 30)
BOARDS = 3
PATIENCE = 60.0
"""Seconds for each thing that has to happen."""


async def tui() -> str:
    """A first build is on all boards; of the second, one board is half written and another waits for a person."""
    async with demo_bench(slow=True) as own:
        app = DemoApp(own.socket, DemoActions(own))
        async with app.run_test(size=SIZE) as pilot:
            await _until(pilot, lambda: len(app.store.boards) == BOARDS)
            await pilot.press("b")
            await _until(pilot, lambda: _count(app.store, Done) == BOARDS)
            await pilot.press("b")
            await _until(pilot, lambda: _count(app.store, Waiting) == 1 and _half_written(app.store))
            app.clear_notifications()
            assert app.store.daemon is not None
            app.store.daemon = replace(app.store.daemon, host="bench")  # ours is nobody's business
            app.refresh_views()
            await pilot.pause()
            return app.export_screenshot(title="flashdeck")


def _count(store: Store, status: type[JobStatus]) -> int:
    return sum(isinstance(job.status, status) for job in store.jobs.values())


def _half_written(store: Store) -> bool:
    return any(_at_half(job) for job in store.jobs.values() if job.board == "classic")


def _at_half(job: JobState) -> bool:
    status = job.status
    return isinstance(status, Running) and status.phase is Phase.WRITE and 2 * status.done >= status.total


async def _until(pilot: Pilot[Any], reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await pilot.pause(0.05)


def main() -> None:
    """Writes all pictures."""
    tempfile.tempdir = "/tmp"  # the path is on the picture
    os.environ["TZ"] = "UTC"
    time.tzset()
    DOCS.mkdir(exist_ok=True)
    (DOCS / "tui.svg").write_text(asyncio.run(tui()))


if __name__ == "__main__":
    main()
