"""An action of the screen, and all that it may use.

An action that cannot run now stays visible and says why: `why_not` is asked before every run and for every picture.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from flashdeck import api
from flashdeck.config_screen import ThemeName
from flashdeck.value import Value
from flashdeck.words.tone import Phrase
from flashdeck_tui.board_list import Arrangement, ListedBoard
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.key_names import KeyNames, label_of
from flashdeck_tui.link import READ_ONLY, LinkState, LinkStatus
from flashdeck_tui.messages import Messages
from flashdeck_tui.middle import Middle
from flashdeck_tui.own_command import OwnCommand
from flashdeck_tui.pages import Page
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.undo import Undo, UndoList

R = TypeVar("R", bound=Value)


class Needs(StrEnum):
    """The selection that an action needs."""

    NOTHING = "nothing"
    DAEMON = "daemon"  # nothing selected, but a connection
    BOARD = "board"
    PARTITION = "partition"  # or a board: then the partition is asked for
    JOB = "job"
    DEVICE = "device"  # one that is no board


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers."""

    key: str
    label: str
    detail: str = ""


class Context(Protocol):
    """All that an action may use: the state, the selection when its key was pressed, the daemon and the screen."""

    @property
    def fleet(self) -> Fleet:
        """All hosts; not to be changed."""
        ...

    @property
    def host(self) -> FleetHost:
        """The host of the selection."""
        ...

    @property
    def store(self) -> Store:
        """The state of that host; not to be changed."""
        ...

    @property
    def link(self) -> LinkState:
        """The connection to it."""
        ...

    @property
    def selection(self) -> Selection:
        """The thing that the person points at."""
        ...

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def targets(self) -> tuple[Selection, ...]:
        """The boards that a bulk action is for: the marked ones, else the selected one; none without either."""
        ...

    async def call(self, params: api.Params[R], *, host: FleetHost | None = None) -> R:
        """Calls a method of a daemon, that of the selection without `host`.

        FlashdeckErrors need not be caught: the screen shows message and hint.
        """
        ...

    async def upload(
        self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...], host: FleetHost | None = None
    ) -> api.UploadDone:
        """Sends the bytes of an image file, and where it is for."""
        ...

    async def choose(
        self,
        title: str,
        choices: Sequence[Choice],
        more: Callable[[], Awaitable[Sequence[Choice]]] | None = None,
    ) -> str | None:
        """Lets the person choose; the key of the choice, or None. `more` brings choices that come below the others."""
        ...

    async def ask(self, title: str, example: str, default: str | None = None) -> str | None:
        """Lets the person type a line; `default` where nothing was typed, None where it was cancelled."""
        ...

    async def ask_path(self, title: str, example: str, default: str | None = None) -> str | None:
        """Lets the person type the path of a file, with what there is to go on with."""
        ...

    async def confirm(self, question: str, consequence: str, details: Sequence[Phrase] = ()) -> bool:
        """Asks before something is lost."""
        ...

    def tell(self, text: str, details: Sequence[str] = (), *, is_error: bool = False) -> None:
        """Says on the status line what was done; `details` are in the list of messages."""
        ...

    @property
    def messages(self) -> Messages:
        """All that was said."""
        ...

    @property
    def undos(self) -> UndoList:
        """The deeds that can be taken back."""
        ...

    def remember(self, undo: Undo, *, host: FleetHost | None = None) -> None:
        """Lets a deed be taken back, on the host of the selection without `host`."""
        ...

    async def run_command(self, command: OwnCommand) -> int | None:
        """Runs a command that has the terminal for itself; its exit code, or None where there is no way to do that."""
        ...

    def show_lines(self, title: str, lines: Sequence[Phrase]) -> None:
        """Opens a screen of text."""
        ...

    @property
    def keys(self) -> KeyNames:
        """The names of the keys that actions have, for what is said."""
        ...

    @property
    def filter(self) -> str:
        """The filter of the list of boards; "" where it shows all."""
        ...

    def open_filter(self) -> None:
        """Lets the person type the filter."""
        ...

    def go_back(self) -> None:
        """Leaves what was opened last: the filter, another list, the marks."""
        ...

    @property
    def shown_boards(self) -> Sequence[ListedBoard]:
        """The boards in the order of the list, as far as the filter shows them."""
        ...

    @property
    def listing(self) -> Arrangement:
        """The boards that are shown, and in which order."""
        ...

    def arrange(self, listing: Arrangement) -> None:
        """Shows the boards in another way."""
        ...

    @property
    def marks(self) -> frozenset[Selection]:
        """The boards that are marked."""
        ...

    def toggle_marks(self, places: Sequence[Selection]) -> None:
        """Marks these boards; where all of them are marked, none of them any more."""
        ...

    def move_on(self) -> None:
        """Selects the next row."""
        ...

    @property
    def middle(self) -> Middle:
        """The list that is shown."""
        ...

    def open_middle(self, middle: Middle) -> None:
        """Shows the boards, the queue or the wall."""
        ...

    def select(self, place: Selection) -> None:
        """Points at a board, or at one of its partitions."""
        ...

    def open(self, page: Page) -> None:
        """Opens a page above the screen that is there."""
        ...

    def show_details(self) -> None:
        """Opens the details of what is selected."""
        ...

    def show_help(self) -> None:
        """Opens the help."""
        ...

    def show_palette(self) -> None:
        """Opens the command palette."""
        ...

    async def use_theme(self, theme: ThemeName) -> None:
        """Draws in these colours from now on, and keeps them for the next time."""
        ...

    @property
    def why_no_theme(self) -> str | None:
        """The reason why colours cannot be chosen, in a sentence; None where they can."""
        ...

    def redraw(self) -> None:
        """Draws the whole screen again."""
        ...

    def suspend(self) -> None:
        """Goes back to the shell, and returns once that continues this process."""
        ...

    @property
    def why_no_file(self) -> str | None:
        """The reason why no file of this machine may be written, in a sentence; None where one may."""
        ...

    @property
    def why_no_suspend(self) -> str | None:
        """The reason why there is no shell to go back to, in a sentence; None where there is one."""
        ...

    def quit(self) -> None:
        """Leaves; the daemon goes on."""
        ...


Run = Callable[[Context], Awaitable[None]]
WhyNot = Callable[[Context], str | None]


def _nothing_against(_context: Context) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a person can do.

    `key` is Textual's name of a key ("f", "question_mark"; several with commas between), "" for the palette alone.
    `title` is one or two words, `description` a sentence. Which actions the key bar shows is in `key_choice`.
    `check` says why it cannot run now, in a sentence, or None; connection and selection are checked beforehand.
    """

    id: str
    key: str
    title: str
    description: str
    run: Run
    needs: Needs = Needs.NOTHING
    check: WhyNot = _nothing_against
    short: str = ""
    """A word for the key bar, where `title` is too long there."""
    word: Callable[[Context], str] | None = None
    """Returns the word for a key that does this or its contrary, as things are."""
    while_asked: bool = False
    """True if its key works also while a question is open."""
    changes: bool = False
    """True if it changes something on a host, or touches a board: a read-only connection refuses it."""
    command: str = ""
    """The command of the command line that does the same; "" where it is something of the screen alone."""

    def why_not(self, context: Context) -> str | None:
        """Return the reason why it cannot run now, in a sentence; None when it can."""
        if self.changes and any(host.link.state.read_only for host in self._hosts(context)):
            return READ_ONLY
        if self.needs is not Needs.NOTHING and not any(map(_is_connected, self._hosts(context))):
            return f"Not connected: {context.link.hint or context.link.reason or 'wait a moment'}"
        selection = context.selection
        if self.needs in (Needs.BOARD, Needs.PARTITION) and not context.targets:
            return "Select a board first."
        if self.needs is Needs.JOB and not (context.targets or selection.job):
            return "Select a job or a board first."
        if self.needs is Needs.DEVICE and selection.device not in (device.port for device in context.store.devices):
            return "Select a device that is no board first."
        return self.check(context)

    def _hosts(self, context: Context) -> tuple[FleetHost, ...]:
        """Return the hosts of what is selected."""
        marked = tuple(context.fleet.host_of(place) for place in context.targets)
        return (context.host,) if self.needs in (Needs.DAEMON, Needs.DEVICE) or not marked else marked

    def word_now(self, context: Context) -> str:
        """Return what the key does now, in a word or two."""
        return self.word(context) if self.word is not None else self.short or self.title

    @property
    def key_label(self) -> str:
        """The key as people read it."""
        return label_of(self.key.split(",")[0])


def _is_connected(host: FleetHost) -> bool:
    return host.link.state.status is LinkStatus.CONNECTED
