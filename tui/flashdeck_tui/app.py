"""The terminal interface: puts store, link, registry and screens together.

Threads: there are none. Link, actions and screens all run in Textual's own event loop, so nothing here is locked. The
one thing that blocks, reading an image file, goes through `asyncio.to_thread` and touches no widget.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from flashdeck import api
from flashdeck.client import Client
from flashdeck.config_screen import Notify, ThemeName
from flashdeck.errors import FlashdeckError
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeck.whereabouts import Address, Whereabouts
from flashdeck.words.tone import Phrase
from flashdeck_tui import failure_notices, terminal, window_title
from flashdeck_tui.actions.action import Action, Choice
from flashdeck_tui.actions.registry import registry
from flashdeck_tui.bench_actions import BenchActions
from flashdeck_tui.board_list import Arrangement, ListedBoard, boards_of
from flashdeck_tui.failure_notices import FailureNotices
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.key_choice import KeyHint
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.keymap import key_names, with_keys, works_anywhere
from flashdeck_tui.link import CLIENT, Link, LinkState, acting
from flashdeck_tui.messages import Message, Messages, Weight
from flashdeck_tui.middle import Middle
from flashdeck_tui.own_command import OwnCommand, run_in_terminal
from flashdeck_tui.pages import Page
from flashdeck_tui.pauses import LONGEST_PAUSE_FAR
from flashdeck_tui.screens.details_screen import DetailsScreen
from flashdeck_tui.screens.help import HelpScreen
from flashdeck_tui.screens.history_screen import HistoryScreen
from flashdeck_tui.screens.job_screen import JobScreen
from flashdeck_tui.screens.log_screen import LogScreen
from flashdeck_tui.screens.main import MainScreen, Panels
from flashdeck_tui.screens.map_screen import FlashMapScreen
from flashdeck_tui.screens.palette import Palette
from flashdeck_tui.screens.questions import AskScreen, ChooseScreen, ConfirmScreen, PathScreen
from flashdeck_tui.screens.slots_screen import SlotsScreen
from flashdeck_tui.screens.whole import WholeScreen
from flashdeck_tui.settings import Settings, load_settings
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.terminal_app import USUAL, TerminalApp
from flashdeck_tui.undo import Undo, UndoList
from flashdeck_tui.views.details import details, title_of
from flashdeck_tui.widgets.board_rows import BoardRows
from flashdeck_tui.widgets.key_bar import KeyBar
from flashdeck_tui.widgets.rows import Rows

FRAME = 0.25
"""Seconds between two looks at the store: however much happens, the screen changes four times a second."""
AGES = 5.0
"""Seconds after which the screen is looked at though nothing happened, because things grew older ..."""
SILENCES = 1.0
"""... and while a job runs, because its board may have stopped answering."""
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
"""They end it in order."""
QUIT_AGAIN = 2.0
"""Seconds within which a second Ctrl-C quits."""
END_WITHIN = 5.0
"""Seconds for that, where the terminal takes nothing."""

R = TypeVar("R", bound=Value)


class FlashdeckApp(TerminalApp):
    """The application. Quitting it leaves the daemon as it is."""

    TITLE = "flashdeck"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "Copy, close or quit", show=False, priority=True)
    ]

    def __init__(
        self,
        fleet: Fleet,
        hands: BenchActions | None = None,
        *,
        settings: Settings = USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the daemons, and the hands on a bench where there are any. `clock` is for tests."""
        super().__init__(settings)
        self.fleet = fleet
        self.clock = clock
        self.undos = UndoList()
        actions = with_keys(registry(hands.actions() if hands is not None else ()), settings.keys)
        self.actions = {action.id: action for action in actions}
        self.keys = key_names(actions, settings.keys)
        """The names of their keys, for all that is said."""
        self.messages = Messages(self.keys["messages"])
        self._interrupted_at = -QUIT_AGAIN
        self._ends_bench = hands is not None
        self._failures = FailureNotices()
        self.main = MainScreen(hands.headline(self.keys) if hands is not None else "", self.keys)
        self._shown = self._lines_shown = -1
        self._shown_at = 0.0
        for action in self.actions.values():
            if action.key:
                first = action.while_asked and works_anywhere(action.key)
                self._bindings.bind(action.key, f"act({action.id!r})", action.title, priority=first)

    def get_default_screen(self) -> Screen[None]:
        """The main screen is always at the bottom."""
        return self.main

    def on_mount(self) -> None:
        """Starts what runs for as long as the application does."""
        for host in self.fleet:
            self.run_worker(host.link.run(), name=f"link {host.name}", group="links")
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

    def action_command_palette(self) -> None:
        """Shows the palette."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def context(self) -> "AppContext":
        """Return all that an action gets to see and use if it is started now."""
        selection = self.main.selection
        return AppContext(app=self, selection=selection, targets=self._targets(selection))

    def _targets(self, selection: Selection) -> tuple[Selection, ...]:
        """Return the boards that a bulk action is for: the marked ones, else the selected one."""
        if self.main.marks:
            there = [each.place for each in boards_of(self.fleet)]
            return tuple(place for place in there if place in self.main.marks)
        is_known = selection.board in self.fleet.host_of(selection).store.boards
        return (selection.whole_board,) if is_known else ()

    def action_act(self, name: str) -> None:
        """Does what the registry has under this name, or says why not."""
        action, context = self.actions[name], self.context()
        why_not = action.why_not(context)
        if why_not:
            self.say(why_not, weight=Weight.REFUSAL)
        else:
            self.run_worker(self._do(action, replace(context, action=name)), name=name, group="actions")

    @property
    def exit_code(self) -> int:
        """The exit code of the process, once the screen was closed.

        Textual knows no code where it closed by itself because its terminal cannot be read any more, and may be
        quicker than the thread that ends the process with it.
        """
        return terminal.GONE if self.return_code is None else self.return_code

    def action_interrupt(self) -> None:
        """Ctrl-C: copies what is selected, else closes what is open, else quits when it is pressed again soon."""
        focused, screen = self.focused, self.screen
        selected = focused.selected_text if isinstance(focused, Input) else ""
        if text := selected or screen.get_selected_text():
            self.copy_to_clipboard(text)
            screen.clear_selection()
            self.context().tell("Copied.")
        elif len(self.screen_stack) > 1:
            screen.dismiss(None)
        elif self.main.is_filtering:
            self.main.go_back()
        elif 0 <= self.clock() - self._interrupted_at <= QUIT_AGAIN:
            self.exit(0)
        else:
            self._interrupted_at = self.clock()
            self.context().tell(f"{self._quit_words} (or Ctrl-C again).")

    @property
    def _quit_words(self) -> str:
        also = " and ends this bench" if self._ends_bench else ""
        return f"{self.actions['quit'].key_label or '^q'} quits{also}"

    def _tell_terminal(self) -> None:
        """Tells what it can show beside the screen: the title of its window, and that something failed."""
        self.show_title(window_title.title_of(self.fleet))
        if self.settings.notify is not Notify.OFF and (text := self._failures.look(self.fleet, self.clock())):
            self.send(failure_notices.sequence(text, self.settings.notify))

    def refresh_views(self) -> None:
        """Shows the store as it is now."""
        self._shown, self._lines_shown = self.fleet.revision, self.fleet.log_count
        self._shown_at = self.clock()
        self.main.show(self.fleet, self._shown_at)
        self._show_keys()
        self._tell_terminal()

    def look(self) -> None:
        """Show the store if it has changed, or if time alone has changed what there is to say."""
        self.show_message()
        if not self._is_main_visible:
            return
        patience = SILENCES if self.fleet.is_busy else AGES
        if self.fleet.revision != self._shown or self.clock() - self._shown_at >= patience:
            self.refresh_views()
        elif self.fleet.log_count != self._lines_shown:
            self._lines_shown = self.fleet.log_count
            self.main.log_panel.show(self.fleet)

    @property
    def _is_main_visible(self) -> bool:
        """False while another screen covers all of the main one, and while the screens are taken down.

        For each change below, Textual would draw the whole screen that covers it.
        """
        above = (screen for screen in self.screen_stack if screen is not self.main)
        covered = (isinstance(screen, WholeScreen) or not isinstance(screen, ModalScreen) for screen in above)
        return self.main.is_attached and not any(covered)

    @on(Rows.Moved)
    def selection_changed(self) -> None:
        """Another thing is pointed at: other details, and other keys that do something."""
        self.main.show_details(self.fleet, self.clock())
        self._show_keys()

    @on(Panels.Resized)
    @on(MainScreen.Filtered)
    def rows_changed(self) -> None:
        """There is room for other rows, or other boards are wanted."""
        if self.main.query("#header"):  # not while the screens are taken down
            self.refresh_views()

    @on(BoardRows.PartitionWanted)
    def partition_wanted(self, wanted: BoardRows.PartitionWanted) -> None:
        """Another partition of the selected board."""
        self.main.choose_partition(self.fleet, wanted.step)
        self.refresh_views()

    @on(KeyBar.Pressed)
    def key_clicked(self, pressed: KeyBar.Pressed) -> None:
        """A click on the key bar."""
        self.action_act(pressed.action)

    async def _do(self, action: Action, context: "AppContext") -> None:
        try:
            await action.run(context)
        except FlashdeckError as error:
            first, *rest = error.message.splitlines() or ["it failed"]
            hints = error.hint.splitlines()
            self.say(f"{action.title} failed: {first}", (*rest, *hints), weight=Weight.ERROR)

    def say(self, text: str, details: Sequence[str] = (), *, weight: Weight = Weight.ANSWER) -> None:
        """Say something on the status line, and keep it."""
        self.messages.say(Message(self.clock(), weight, text, tuple(details)))
        self.show_message()

    def show_message(self) -> None:
        """Show on the status line what is to be shown there now."""
        if self.main.is_attached:  # the last look may come while the screens are taken down
            self.main.show_message(self.messages.phrase(self.clock()))

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Say on the status line what Textual, too, would show in a box over keys and log."""
        del timeout, markup
        first, *rest = message.splitlines() or [""]
        weight = {"error": Weight.ERROR, "warning": Weight.REFUSAL}.get(severity, Weight.ANSWER)
        self.say(f"{title}: {first}" if title else first, rest, weight=weight)

    async def on_event(self, event: events.Event) -> None:
        """Note that a key was pressed: what went wrong was seen."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.messages.key_pressed()
            self.main.key_pressed()
            self.show_message()
        await super().on_event(event)

    def _show_keys(self) -> None:
        context = self.context()
        self.main.show_keys(
            KeyHint(action.id, action.key_label, action.word_now(context), action.why_not(context) is None)
            for action in self.actions.values()
            if action.key
        )


@dataclass(frozen=True, slots=True)
class AppContext:
    """`actions.Context` on the real screen."""

    app: FlashdeckApp
    selection: Selection
    targets: tuple[Selection, ...]
    """As they were when the key was pressed, also while a question is open."""
    action: str = "details"
    """The action that it is for."""

    @property
    def fleet(self) -> Fleet:
        """All hosts."""
        return self.app.fleet

    @property
    def host(self) -> FleetHost:
        """The host of the selection."""
        return self.app.fleet.host_of(self.selection)

    @property
    def store(self) -> Store:
        """The state of that host."""
        return self.host.store

    @property
    def link(self) -> LinkState:
        """The connection to it."""
        return self.host.link.state

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.app.clock()

    async def call(self, params: api.Params[R], *, host: FleetHost | None = None) -> R:
        """Calls a method of a daemon."""
        return await (host or self.host).link.call(params)

    async def upload(
        self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...], host: FleetHost | None = None
    ) -> api.UploadDone:
        """Sends the bytes of an image file, and where it is for."""
        return await (host or self.host).link.upload(name, data, partition=partition, boards=boards)

    async def choose(
        self,
        title: str,
        choices: Sequence[Choice],
        more: Callable[[], Awaitable[Sequence[Choice]]] | None = None,
    ) -> str | None:
        """One of several."""
        return await self.app.push_screen_wait(ChooseScreen(title, choices, more))

    async def ask(self, title: str, example: str, default: str | None = None) -> str | None:
        """A line of text."""
        return await self.app.push_screen_wait(AskScreen(title, example, default))

    async def ask_path(self, title: str, example: str, default: str | None = None) -> str | None:
        """The path of a file."""
        return await self.app.push_screen_wait(PathScreen(title, example, default))

    async def confirm(self, question: str, consequence: str, details: Sequence[Phrase] = ()) -> bool:
        """A yes before something is lost."""
        return await self.app.push_screen_wait(ConfirmScreen(question, consequence, details))

    def tell(self, text: str, details: Sequence[str] = (), *, is_error: bool = False) -> None:
        """Says on the status line what was done."""
        self.app.say(text, details, weight=Weight.ERROR if is_error else Weight.ANSWER)

    @property
    def messages(self) -> Messages:
        """All that was said."""
        return self.app.messages

    @property
    def undos(self) -> UndoList:
        """The deeds that can be taken back."""
        return self.app.undos

    def remember(self, undo: Undo, *, host: FleetHost | None = None) -> None:
        """Lets a deed be taken back."""
        self.app.undos.remember((host or self.host).name, undo)

    async def run_command(self, command: OwnCommand) -> int | None:
        """Runs a command in the terminal, which the screen leaves meanwhile."""
        try:
            # Nothing is drawn meanwhile, and what the daemons tell is heard all the same.
            with self.app.batch_update(), self.app.suspend():
                return await run_in_terminal(command)
        except SuspendNotSupported:
            return None

    def show_lines(self, title: str, lines: Sequence[Phrase]) -> None:
        """Opens a screen of text."""
        self.app.push_screen(DetailsScreen(title, lines, self.keys, opened_by=self.action))

    @property
    def keys(self) -> KeyNames:
        """The names of the keys that actions have."""
        return self.app.keys

    @property
    def filter(self) -> str:
        """The filter of the list of boards."""
        return self.app.main.wanted

    def open_filter(self) -> None:
        """Lets the person type the filter."""
        self.app.main.open_filter()

    def go_back(self) -> None:
        """Leaves what was opened last."""
        self.app.main.go_back()

    @property
    def shown_boards(self) -> Sequence[ListedBoard]:
        """The boards in the order of the list."""
        return self.app.main.shown_boards

    @property
    def listing(self) -> Arrangement:
        """The boards that are shown, and in which order."""
        return self.app.main.listing

    def arrange(self, listing: Arrangement) -> None:
        """Shows them in another way."""
        self.app.main.take_listing(listing)

    @property
    def marks(self) -> frozenset[Selection]:
        """The boards that are marked."""
        return self.app.main.marks

    def toggle_marks(self, places: Sequence[Selection]) -> None:
        """Marks boards, or no longer."""
        self.app.main.toggle_marks(places)

    def move_on(self) -> None:
        """Selects the next row."""
        self.app.main.move_on()

    @property
    def middle(self) -> Middle:
        """The list that is shown."""
        return self.app.main.middle

    def open_middle(self, middle: Middle) -> None:
        """Shows one of the lists."""
        self.app.main.open_middle(middle)

    def select(self, place: Selection) -> None:
        """Points at a board, or at one of its partitions."""
        self.app.main.select(place)

    def open(self, page: Page) -> None:
        """Opens a page above the screen that is there."""
        self.app.push_screen(self._screen_of(page))

    def _screen_of(self, page: Page) -> Screen[None]:
        match page:
            case Page.FLASH_MAP:
                return FlashMapScreen(self.store, self.selection.board, self.app.clock, self.keys)
            case Page.HISTORY:
                return HistoryScreen(self)
            case Page.LOG:
                return LogScreen(self.fleet, self.keys, why_no_file=self.why_no_file)
            case Page.SLOTS:
                return SlotsScreen(self.fleet, self.keys)
            case Page.BOARD_LOG:
                return LogScreen(self.fleet, self.keys, self.selection.board, why_no_file=self.why_no_file)

    def show_details(self) -> None:
        """Opens the page of the job that is selected, or the details of anything else."""
        job = self.store.jobs.get(self.selection.job)
        if job is not None:
            self.app.push_screen(JobScreen(self.host, job, self.app.clock, self.keys))
            return
        lines = details(self.store, self.selection, self.now, self.keys)
        title = title_of(self.store, self.selection, partial(self.fleet.shown_name, self.host))
        self.app.push_screen(DetailsScreen(title, lines, self.keys))

    def show_help(self) -> None:
        """Opens the help."""
        reasons = [(action, action.why_not(self)) for action in self.app.actions.values()]
        self.app.push_screen(HelpScreen(reasons, self.keys))

    def show_palette(self) -> None:
        """Opens the command palette."""
        self.app.action_command_palette()

    async def use_theme(self, theme: ThemeName) -> None:
        """Other colours."""
        await self.app.use_theme(theme)

    @property
    def why_no_theme(self) -> str | None:
        """The reason why they cannot be chosen."""
        return self.app.why_no_theme

    def redraw(self) -> None:
        """Draws everything."""
        self.app.action_redraw()

    def suspend(self) -> None:
        """Back to the shell for a while."""
        self.app.suspend_screen()

    @property
    def why_no_file(self) -> str | None:
        """The reason why no file may be written."""
        return self.app.why_no_file

    @property
    def why_no_suspend(self) -> str | None:
        """The reason why that cannot be."""
        return self.app.why_no_suspend

    def quit(self) -> None:
        """Leaves."""
        self.app.exit(0)


def run(where: Callable[[], Whereabouts]) -> int:
    """Open the interface on a daemon, which need not be there, and return the exit code.

    `where` is asked at each try to connect. 0 after quitting, 128 and its number after a signal.
    """
    store = Store()
    first = where()
    link = Link(first.places[0], store, connect=partial(_connect, where), read_only=first.read_only)
    return _run_on(FleetHost("", store, link))


def run_far(hosts: Mapping[str, Callable[[], Address]]) -> int:
    """Do the same on the daemons of other machines, by their names; each is reconnected by itself."""
    return _run_on(*(_far(name, where) for name, where in hosts.items()))


def _far(name: str, where: Callable[[], Address]) -> FleetHost:
    store, no_socket = Store(), Path()
    link = Link(
        no_socket,
        store,
        connect=partial(_connect, where),
        read_only=where().read_only,
        longest_pause=LONGEST_PAUSE_FAR,
    )
    return FleetHost(name, store, link)


def _run_on(*hosts: FleetHost) -> int:
    # Whoever sees it elsewhere and may only look there, may not write here either.
    may_write = not (terminal.has_driver() and any(host.link.state.read_only for host in hosts))
    return asyncio.run(_run(FlashdeckApp(Fleet(hosts), settings=replace(load_settings(), files=may_write))))


async def _connect(where: Callable[[], Address]) -> Client:
    return await acting(await where().connect(client=CLIENT))


async def _run(app: FlashdeckApp) -> int:
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        loop.call_soon_threadsafe(partial(app.exit, return_code=128 + number))

    with terminal.ended_by(SIGNALS, end, within=END_WITHIN):
        await app.run_async(mouse=app.settings.mouse)
    return app.exit_code
