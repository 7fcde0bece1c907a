"""The screen under the hands of a test: keys in, and the calls that arrive and what is said out."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from textual.pilot import Pilot
from textual.widgets import Input, Static

from flashdeck import api
from flashdeck.model import Snapshot
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.link import LinkState
from flashdeck_tui.middle import Middle
from flashdeck_tui.store import Selection
from flashdeck_tui.widgets.key_bar import KeyBar
from flashdeck_tui.widgets.rows import Rows
from flashdeck_tui.widgets.status_line import StatusLine
from tui_scene import BENCH, NOW, FakeLink, make_app


class Screen:
    """The application under the hands of a test."""

    def __init__(self, app: FlashdeckApp, link: FakeLink, pilot: Pilot[int]) -> None:
        self.app = app
        self.link = link
        self.pilot = pilot

    @property
    def calls(self) -> list[api.Params[Any]]:
        """The calls that were made, but for looks at the history."""
        return [call for call in self.link.calls if not isinstance(call, api.GetHistory)]

    @property
    def said(self) -> list[str]:
        """The messages of the status line, each with what to do about it."""
        return [message.line for message in self.app.messages.all]

    @property
    def status(self) -> str:
        """The text of the status line now."""
        return self.app.main.query_one(StatusLine).phrase.text

    @property
    def text(self) -> str:
        """All that the screen on top says, as one line."""
        told = [str(widget.render()) for widget in self.app.screen.query(Static)]
        return " ".join(" ".join(told).split())

    @property
    def shown(self) -> str:
        """The screen as it is drawn, line by line."""
        lines = self.app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage] - nobody else knows
        return "\n".join("".join(segment.text for segment in line) for line in lines)

    def type(self, text: str) -> None:
        """Types a line into the question that is open."""
        self.app.screen.query_one(Input).value = text

    async def select(self, selection: Selection) -> None:
        """Point at a board, a partition, a device, or a job of the queue."""
        if selection.job:
            self.app.main.open_middle(Middle.QUEUE)
            self.app.refresh_views()
            await self.settle()
            self.app.main.query_one(f"#{Middle.QUEUE}", Rows).select(selection)
        else:
            self.app.main.select(selection)
        await self.settle()
        assert self.app.main.selection == selection

    def mark(self, *names: str) -> None:
        """Mark boards."""
        self.app.main.toggle_marks([Selection(board=name) for name in names])

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Until what was begun has got as far as it can without a person."""
        await self.pilot.pause()
        await self.pilot.pause()

    async def done(self) -> None:
        """Until every action has come to its end."""
        workers = cast("Any", self.app.workers)
        await workers.wait_for_complete([worker for worker in workers if worker.group == "actions"])
        await self.settle()

    def enabled(self) -> set[str]:
        return {key.action for key in self.app.main.query_one(KeyBar).keys if key.enabled}


@asynccontextmanager
async def opened(
    snapshot: Snapshot | None = BENCH,
    *,
    state: LinkState | None = None,
    hands: Any = None,
    clock: Callable[[], float] = lambda: NOW,
    size: tuple[int, int] = (80, 24),
    keys: Mapping[str, str] | None = None,
) -> AsyncGenerator[Screen]:
    app, link = make_app(snapshot, state=state, hands=hands, clock=clock, keys=keys)
    async with app.run_test(size=size) as pilot:
        app.refresh_views()
        await pilot.pause()
        yield Screen(app, link, pilot)
