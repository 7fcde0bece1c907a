"""The terminal interface: puts store, link, registry and screens together.

Threads: there are none. Link, actions and screens all run in Textual's own event loop, so nothing here is locked. The
one thing that blocks, reading an image file, goes through `asyncio.to_thread` and touches no widget.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import on
from textual.app import App, SystemCommand
from textual.screen import Screen

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeck.whereabouts import Address, Whereabouts
from flashdeck_tui import terminal, views
from flashdeck_tui.actions import Action, Choice, registry
from flashdeck_tui.bench_actions import BenchActions
from flashdeck_tui.link import CLIENT, Link, LinkState, acting
from flashdeck_tui.pauses import LONGEST_PAUSE_FAR
from flashdeck_tui.screens.details import DetailsScreen
from flashdeck_tui.screens.help import HelpScreen
from flashdeck_tui.screens.main import MainScreen, Panels
from flashdeck_tui.screens.questions import AskScreen, ChooseScreen, ConfirmScreen
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views import LONG_TEXT
from flashdeck_tui.widgets.key_bar import KeyBar, KeyHint
from flashdeck_tui.widgets.rows import Rows

FRAME = 0.25
"""Seconds between two looks at the store: however much happens, the screen changes four times a second."""
AGES = 5.0
"""Seconds after which the screen is looked at though nothing happened, because things grew older ..."""
SILENCES = 1.0
"""... and while a job runs, because its board may have stopped answering."""
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
"""They end it in order."""
END_WITHIN = 5.0
"""Seconds for that, where the terminal takes nothing."""

R = TypeVar("R", bound=Value)


class FlashdeckApp(App[int]):
    """The application. Quitting it leaves the daemon as it is."""

    TITLE = "flashdeck"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar = []

    def __init__(
        self,
        socket: Path,
        hands: BenchActions | None = None,
        *,
        host: str = "",
        link: Link | None = None,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the daemon's socket, and the hands on its bench where there are any.

        `link` and `host` are another way to it, and the machine that it leads to; the rest is for tests.
        """
        super().__init__()
        self.animation_level = "none"
        self.store = store or Store()
        self.link = link or Link(socket, self.store)
        self.clock = clock
        self.actions = {action.id: action for action in registry(hands.actions() if hands is not None else ())}
        self.main = MainScreen(hands.headline if hands is not None else "", host)
        self._shown = -1
        self._shown_at = 0.0
        for action in self.actions.values():
            if action.key:
                self.bind(action.key, f"act({action.id!r})", description=action.title)

    def get_default_screen(self) -> Screen[None]:
        """The main screen is always at the bottom."""
        return self.main

    def on_mount(self) -> None:
        """Starts what runs for as long as the application does."""
        self.run_worker(self.link.run(), name="link", group="link")
        self.set_interval(FRAME, self.look)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette has what the registry has."""
        del screen
        context = self.context()
        for action in self.actions.values():
            if action.id != "palette":
                why_not = action.why_not(context)
                text = f"Not now: {why_not}" if why_not else action.description
                key = f" ({action.key_label})" if action.key else ""
                yield SystemCommand(f"{action.title}{key}", clean(text), partial(self.action_act, action.id))

    def context(self) -> "AppContext":
        """Return all that an action gets to see and use if it is started now."""
        return AppContext(app=self, selection=self.main.selection)

    def action_act(self, name: str) -> None:
        """Does what the registry has under this name, or says why not."""
        action, context = self.actions[name], self.context()
        why_not = action.why_not(context)
        if why_not:
            self.notify(clean(why_not, LONG_TEXT), title=action.title, severity="warning", markup=False)
        else:
            self.run_worker(self._do(action, context), name=name, group="actions")

    @property
    def exit_code(self) -> int:
        """The exit code of the process, once the screen was closed.

        Textual knows no code where it closed by itself because its terminal cannot be read any more, and may be
        quicker than the thread that ends the process with it.
        """
        return terminal.GONE if self.return_code is None else self.return_code

    def refresh_views(self) -> None:
        """Shows the store as it is now."""
        self._shown, self._shown_at = self.store.revision, self.clock()
        self.main.show(self.store, self.link.state, self._shown_at, socket=str(self.link.socket))
        self._show_keys()

    def look(self) -> None:
        """Show the store if it has changed, or if time alone has changed what there is to say."""
        patience = SILENCES if self.store.is_busy else AGES
        if self.store.revision != self._shown or self.clock() - self._shown_at >= patience:
            self.refresh_views()

    @on(Rows.Moved)
    def selection_changed(self) -> None:
        """Another thing is pointed at: other details, and other keys that do something."""
        self.main.show_details(self.store, self.clock())
        self._show_keys()

    @on(Panels.Resized)
    @on(MainScreen.Filtered)
    def rows_changed(self) -> None:
        """There is room for other rows, or other boards are wanted."""
        self.refresh_views()

    @on(KeyBar.Pressed)
    def key_clicked(self, pressed: KeyBar.Pressed) -> None:
        """A click on the key bar."""
        self.action_act(pressed.action)

    async def _do(self, action: Action, context: "AppContext") -> None:
        try:
            await action.run(context)
        except FlashdeckError as error:
            text = f"{error.message}\n{error.hint}" if error.hint else error.message
            shown = "\n".join(clean(line, LONG_TEXT) for line in text.splitlines())
            self.notify(shown, title=f"{action.title} failed", severity="error", timeout=15, markup=False)

    def _show_keys(self) -> None:
        context = self.context()
        self.main.show_keys(
            [
                KeyHint(action.id, action.key_label, action.title, action.why_not(context) is None)
                for action in self.actions.values()
                if action.in_bar and action.key
            ]
        )


@dataclass(frozen=True, slots=True)
class AppContext:
    """`actions.Context` on the real screen."""

    app: FlashdeckApp
    selection: Selection

    @property
    def store(self) -> Store:
        """The state."""
        return self.app.store

    @property
    def link(self) -> LinkState:
        """The connection."""
        return self.app.link.state

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.app.clock()

    async def call(self, params: api.Params[R]) -> R:
        """Calls a method of the daemon."""
        return await self.app.link.call(params)

    async def upload(self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...]) -> api.UploadDone:
        """Sends the bytes of an image file, and where it is for."""
        return await self.app.link.upload(name, data, partition=partition, boards=boards)

    async def choose(self, title: str, choices: Sequence[Choice]) -> str | None:
        """One of several."""
        return await self.app.push_screen_wait(ChooseScreen(title, choices))

    async def ask(self, title: str, example: str) -> str | None:
        """A line of text."""
        return await self.app.push_screen_wait(AskScreen(title, example))

    async def confirm(self, question: str, consequence: str) -> bool:
        """A yes before something is lost."""
        return await self.app.push_screen_wait(ConfirmScreen(question, consequence))

    def tell(self, text: str) -> None:
        """Says something in passing."""
        self.app.notify(clean(text, LONG_TEXT), markup=False)

    @property
    def filter(self) -> str:
        """The filter of the list of boards."""
        return self.app.main.wanted

    def open_filter(self) -> None:
        """Lets the person type the filter."""
        self.app.main.open_filter()

    def clear_filter(self) -> None:
        """Shows all boards again."""
        self.app.main.close_filter("")

    def select(self, place: Selection) -> None:
        """Points at a board, or at one of its partitions."""
        self.app.main.select(place)

    def show_details(self) -> None:
        """Opens the details of what is selected."""
        lines = views.details(self.store, self.selection, self.now)
        self.app.push_screen(DetailsScreen(views.title_of(self.store, self.selection), lines))

    def show_help(self) -> None:
        """Opens the help."""
        reasons = [(action, action.why_not(self)) for action in self.app.actions.values()]
        self.app.push_screen(HelpScreen(reasons))

    def show_palette(self) -> None:
        """Opens the command palette."""
        self.app.action_command_palette()

    def show_themes(self) -> None:
        """Opens the choice of colours."""
        self.app.search_themes()

    @property
    def log_has_room(self) -> bool:
        """True if a line of the log is visible."""
        return self.app.main.log_panel.size.height > 0

    @property
    def log_board(self) -> str:
        """The only board whose lines the log shows."""
        return self.app.main.log_panel.board

    def toggle_follow(self) -> None:
        """The log follows, or stays."""
        log = self.app.main.log_panel
        log.follow(follow=not log.auto_scroll)

    def toggle_log_board(self) -> None:
        """The log of one board, or of all."""
        log = self.app.main.log_panel
        log.show_board(self.store, "" if log.board else self.selection.board)

    def quit(self) -> None:
        """Leaves."""
        self.app.exit(0)


def run(where: Callable[[], Whereabouts]) -> int:
    """Open the interface on a daemon, which need not be there, and return the exit code.

    `where` is asked at each try to connect. 0 after quitting, 128 and its number after a signal.
    """
    store, socket = Store(), where().places[0]
    link = Link(socket, store, connect=partial(_connect, where))
    return asyncio.run(_run(FlashdeckApp(socket, link=link, store=store)))


def run_far(host: str, where: Callable[[], Address]) -> int:
    """Do the same on a daemon of another machine, which is called `host`."""
    store, no_socket = Store(), Path()
    link = Link(no_socket, store, connect=partial(_connect, where), longest_pause=LONGEST_PAUSE_FAR)
    return asyncio.run(_run(FlashdeckApp(no_socket, link=link, store=store, host=host)))


async def _connect(where: Callable[[], Address]) -> Client:
    return await acting(await where().connect(client=CLIENT))


async def _run(app: FlashdeckApp) -> int:
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        loop.call_soon_threadsafe(partial(app.exit, return_code=128 + number))

    with terminal.ended_by(SIGNALS, end, within=END_WITHIN):
        await app.run_async()
    return app.exit_code
