"""Makes the pictures of the manual, of the demo: the screen as it draws itself, and a recording of a terminal.

    make pictures

Everything on them really happened, so times, speeds and a random name differ from run to run.
"""

import asyncio
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace
from textual.pilot import Pilot

from flashdeck.job_state import Done, JobStatus, Phase, Running, Waiting
from flashdeck.model import JobState
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.demo.demo_actions import DemoActions
from flashdeck_tui.demo.demo_bench import demo_bench
from flashdeck_tui.fleet import fleet_at
from flashdeck_tui.store import Store
from manual_site.film import Frame, film
from tmux_terminal import PROMPT, Terminal, terminal

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = (100, 30)
FILM_SIZE = (90, 24)
BOARDS = 3
PATIENCE = 60.0
"""Seconds for each thing that has to happen."""
LOOK_SECONDS = 0.2
"""The time between two looks at a terminal that is recorded."""
FASTER = 2
"""The recording is so many times faster than what happened: the boards of the demo are slow on purpose."""
READ_SECONDS = 3.0
"""The time for which the recording stands still where there is something to read."""


async def tui() -> str:
    """A first build is on all boards; of the second, one board is half written and another waits for a person."""
    async with demo_bench(slow=True) as own:
        app = FlashdeckApp(fleet_at(own.socket), DemoActions(own))
        store = app.fleet.hosts[0].store
        async with app.run_test(size=SIZE) as pilot:
            await _until(pilot, lambda: len(store.boards) == BOARDS)
            await pilot.press("B")
            await _until(pilot, lambda: _count(store, Done) == BOARDS)
            await pilot.press("B")
            await _until(
                pilot,
                lambda: _count(store, Waiting) == 1 and _half_written(store),
            )
            assert store.daemon is not None
            store.daemon = replace(store.daemon, host="bench")  # ours is nobody's business
            app.refresh_views()
            await pilot.pause()
            return without_fonts(app.export_screenshot(title="flashdeck"))


def without_fonts(picture: str) -> str:
    """Return a picture that fetches nothing: any font of even width will do."""
    return re.sub(r"(?s)@font-face \{.*?\}\s*", "", picture)


def _count(store: Store, status: type[JobStatus]) -> int:
    return sum(isinstance(job.status, status) for job in store.jobs.values())


def _half_written(store: Store) -> bool:
    return any(_at_half(job) for job in store.jobs.values() if job.board == "classic")


def _at_half(job: JobState) -> bool:
    status = job.status
    return isinstance(status, Running) and status.phase is Phase.WRITE and 2 * status.done >= status.total


class Step(NamedTuple):
    """A step of the recording: the keys, the text that is seen then, and the words on it."""

    key: str
    seen: str
    caption: str
    stay: float = READ_SECONDS
    stands: bool = False
    """The end of this step is the picture for those who want no motion."""


_LANDED = r"\d\.\d\.\d(…| ok)?  [^\n>]*(running|in DFU mode)"
"""A board with a version, and none on its way."""
BEGINNING = "The demo: three emulated boards. All else is real."
STORY = (
    Step("Enter", r"usbx +LL.*(in DFU|running)", "It starts a daemon, and shows its boards."),
    Step("B", r"write [2-4]\d%", "B: a build. It is flashed onto all boards at once.", stay=0),
    Step("U", "waiting", "U: a cable is pulled in the middle. The other boards go on.", stands=True),
    Step("P", rf"(?s)({_LANDED}.*){{3}}", "P: it is plugged in again, and its flash goes on by itself."),
    Step("B", rf"(?s)! noread.*({_LANDED}.*){{2}}", "B: the next build. Only sectors that differ are written."),
    Step("n", "─(app1 of )?noread", "n: the next problem. The application of this board cannot be asked to leave."),
    Step("S", rf"(?s)({_LANDED}.*){{3}}", "S: somebody presses its button, and it is flashed."),
    Step("q", rf"{PROMPT}\s*\Z", "q: the demo ends, and leaves nothing behind."),
)


class Recorder:
    """Looks at a terminal again and again, and keeps what it sees."""

    def __init__(self, shown: Terminal) -> None:
        self.frames: list[Frame] = []
        self._shown = shown
        self._host = socket.gethostname()

    def until(self, pattern: str, caption: str, *, stay: float = 0.0) -> None:
        """Records until the screen has `pattern`, and for `stay` seconds of the recording after that."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self._shown.screen()):
            if time.monotonic() > end:
                raise TimeoutError(f"{pattern}\n{self._shown.screen()}")
            self._look(caption, LOOK_SECONDS / FASTER)
            time.sleep(LOOK_SECONDS)
        self._look(caption, max(stay, LOOK_SECONDS / FASTER))

    def _look(self, caption: str, seconds: float) -> None:
        screen = self._shown.tmux("capture-pane", "-p", "-e", "-N")
        screen = screen.replace(f" on {self._host} ", " on bench ")  # ours is nobody's business
        screen = screen.replace(PROMPT, "$")
        if self.frames and (self.frames[-1].screen, self.frames[-1].caption) == (screen, caption):
            seconds += self.frames.pop().seconds
        self.frames.append(Frame(screen, seconds, caption))


def demo() -> str:
    """Somebody starts the demo, builds, pulls a cable in the middle, plugs it in, builds again and presses a button."""
    still = 0
    with tempfile.TemporaryDirectory(prefix="fd-") as home:
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": home,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        with terminal(Path(home), variables, columns=FILM_SIZE[0], lines=FILM_SIZE[1]) as shell:
            recorder = Recorder(shell)
            shell.tmux("send-keys", "-l", "flashdeck demo")
            recorder.until("flashdeck demo", BEGINNING, stay=READ_SECONDS)
            for step in STORY:
                shell.press(step.key)
                recorder.until(step.seen, step.caption, stay=step.stay)
                if step.stands:
                    still = len(recorder.frames) - 1
    columns, lines = FILM_SIZE
    return film(recorder.frames, columns=columns, lines=lines, still=still, title="A recording of flashdeck demo")


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
    (DOCS / "demo.svg").write_text(demo())


if __name__ == "__main__":
    main()
