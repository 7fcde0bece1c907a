"""The help: all keys, from the registry, and the words of the screen."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from flashdeck_tui.actions import Action

_MOVING = (
    ("Tab", "go to the next list: boards, jobs, log"),
    ("↑ ↓", "move in a list; the middle of the screen has the details"),
    ("^c", "copy what you selected in the log with the mouse"),
)
_WORDS = (
    ("verified", "written, read back and equal"),
    ("not verified", "written, but not read back: this board cannot be read, or need not be"),
    ("uncertain", "the contents may have changed since: f reflashes"),
    ("incomplete", "a flash was cut short; it cannot boot (plain DFU: it may)"),
    ("current", "the partition has the newest build"),
    ("offered", "the build waits for you: f flashes it"),
    ("armed", "new builds are flashed"),
    ("armed once", "the next build is flashed, those after it are offered"),
    ("disarmed", "new builds are offered"),
    ("taken", "somebody has the board for a while: only that one's jobs start"),
    ("on hold", "the board starts no job until you release it: e"),
    ("blocked", "the job starts once you have acted: r or e"),
    ("waiting", "the job goes on by itself once the board is there, in DFU mode"),
    ("superseded", "a newer build took the job's place"),
)


class HelpScreen(ModalScreen[None]):
    """Can be scrolled where it does not fit."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #help { width: 90%; max-width: 90; height: auto; max-height: 95%; padding: 0 1; border: round $primary;
                background: $surface; scrollbar-size-vertical: 1; }
    }
    HelpScreen:ansi #help { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss(None)", "Close"),
    ]

    def __init__(self, actions: Sequence[tuple[Action, str | None]]) -> None:
        """Takes the actions, each with why it cannot run now."""
        super().__init__()
        self._actions = tuple(actions)

    def compose(self) -> ComposeResult:
        """Keys, then words."""
        with VerticalScroll(id="help") as box:
            box.border_title = Content("help (Esc: close)")
            yield Static(_table(self.entries()))
            yield Static("\nwords", markup=False)
            yield Static(_table((word, meaning, "") for word, meaning in _WORDS))

    def entries(self) -> Iterable[tuple[str, str, str]]:
        """The keys: each with what it does, and why it cannot be done now."""
        for action, why_not in self._actions:
            now = f" Not now: {why_not}" if why_not else ""
            yield action.key_label or "-", action.description, now
        for keys, meaning in _MOVING:
            yield keys, meaning, ""


def _table(entries: Iterable[tuple[str, str, str]]) -> Table:
    """Terms, what they mean, and what there is to add."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for term, text, more in entries:
        table.add_row(Text(term, style="bold"), Text.assemble(text, (more, "dim")))
    return table
