"""The least that a Textual application can be with a list in it: what any screen of that library costs here.

`python minimal_screen.py keys` has a list whose mark moves with j and k, `flashing` counts a line up as often as a
flash of ten seconds is drawn, between the marks of `screen_in_steps`.
"""

import asyncio
import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from screen_in_steps import BEGIN, END, FLASH_SECONDS, MARK

LINES = 20
_STEP = 0.25


class Minimal(App[None]):
    """Lines of text, of which one has the mark."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)"), Binding("q", "quit")]

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Static(self._text(0), id="list", markup=False)
        yield Static("0 %", id="progress", markup=False)

    def action_move(self, lines: int) -> None:
        self._at = (self._at + lines) % LINES
        self.query_one("#list", Static).update(self._text(0))

    def _text(self, first: int) -> str:
        numbers = range(first, first + LINES)
        return "\n".join(f"{MARK if number == self._at else '  '}rack-{number:03} app1 1.0.2" for number in numbers)

    async def count(self) -> None:
        """Counts up, and ends."""
        steps = round(FLASH_SECONDS / _STEP)
        self._send(BEGIN)
        for step in range(steps):
            self.query_one("#progress", Static).update(f"{100 * step // steps} %")
            drawn = asyncio.Event()
            self.call_after_refresh(drawn.set)
            await drawn.wait()
        self._send(END)
        self.exit()

    def on_ready(self) -> None:
        if sys.argv[1] == "flashing":
            self.run_worker(self.count())

    def _send(self, mark: bytes) -> None:
        if self._driver is not None:
            self._driver.write(mark.decode())


if __name__ == "__main__":
    Minimal().run()
