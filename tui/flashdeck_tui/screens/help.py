"""The help: all keys, from the registry, and the words of the screen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from flashdeck_tui.actions.action import Action
from flashdeck_tui.glyphs import EVERYWHERE, BoardGlyph, FlashGlyph, MarkGlyph, VersionGlyph
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.widgets.scroller import Scroller

_MOVING = (
    ("Tab", "go to the next list: boards, jobs, log"),
    ("↑ ↓ j k", "move in a list; the middle of the screen has the details"),
    ("g G", "go to the first line of a list, or to its last"),
    ("^d ^u", "go half a page down, or up"),
    ("^c", "copy what you selected, or close a question; twice: quit"),
)
SIGNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "signs before a board": tuple(
        (each.value.symbol.strip(), each.value.meaning) for each in (*MarkGlyph, *BoardGlyph)
    ),
    "the map: the flash of a board from start to end": tuple(
        (each.value.symbol, each.value.meaning) for each in FlashGlyph
    ),
    "versions": (
        ("1.0.2 ok", "it was read back, and is equal; or it says that it runs"),
        (f"1.0.1{VersionGlyph.BUSY.value.symbol}1.0.2", VersionGlyph.BUSY.value.meaning),
        (f"1.0.1{VersionGlyph.WAITING.value.symbol}1.0.2", VersionGlyph.WAITING.value.meaning),
        (f"1.0.2 {VersionGlyph.UNCERTAIN.value.symbol}", VersionGlyph.UNCERTAIN.value.meaning),
        (f"1.0.2 {VersionGlyph.NOT_STARTED.value.symbol}", VersionGlyph.NOT_STARTED.value.meaning),
        (VersionGlyph.NONE.value.symbol, VersionGlyph.NONE.value.meaning),
    ),
    "the same everywhere: before a board, in the map, in versions": tuple(EVERYWHERE.items()),
}
"""All that stands for something in the lists, by what it belongs to."""
_WORDS = (
    (
        "need you",
        (
            "boards that only a person puts right, with the signs ! and ‖: failed, blocked, on hold and the like; "
            "{next-problem} goes to the next, {previous-problem} back"
        ),
    ),
    ("verified", "written, read back and equal"),
    ("not verified", "written, but not read back: this board cannot be read, or need not be"),
    ("uncertain", "the contents may have changed since: {flash} reflashes"),
    ("incomplete", "a flash was cut short; it cannot boot (plain DFU: it may)"),
    ("current", "the partition has the newest build"),
    ("offered", "the build waits for you: {flash} flashes it"),
    ("armed", "new builds are flashed"),
    ("armed once", "the next build is flashed, those after it are offered"),
    ("disarmed", "new builds are offered"),
    ("taken", "somebody has the board for a while: only that one's jobs start"),
    ("on hold", "the board starts no job until you release it: {hold}"),
    ("needs a hand", "something is to be done at the board itself, as pressing its button"),
    ("blocked", "the job starts once you have acted: {retry} or {release}"),
    ("waiting", "the job goes on by itself once the board is there, in DFU mode"),
    ("superseded", "a newer build took the job's place"),
)


class HelpScreen(ModalScreen[None]):
    """Can be scrolled where it does not fit."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #help { width: 90%; max-width: 90; height: auto; max-height: 95%; padding: 0 1; border: round $primary;
                background: $surface; border-title-color: $foreground; scrollbar-size-vertical: 1; }
    }
    HelpScreen:ansi #help { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, actions: Sequence[tuple[Action, str | None]], keys: KeyNames) -> None:
        """Takes the actions, each with why it cannot run now."""
        super().__init__()
        bind_page(self, keys, opened_by=("help",))
        self._actions = tuple(actions)
        self._palette = keys["palette"]

    def compose(self) -> ComposeResult:
        """Keys, then words."""
        with Scroller(id="help") as box:
            box.border_title = Content("help (Esc: close)")
            yield Static("In brackets: the names that \\[tui.keys] knows the keys by.\n")
            yield Static(_table(self.entries()))
            for title, signs in SIGNS.items():
                yield Static(f"\n{title}", markup=False)
                yield Static(_table((term, meaning, "") for term, meaning in signs))
            yield Static("\nwords", markup=False)
            keys = {action.id: action.key_label or f"^p {action.title}" for action, _ in self._actions}
            yield Static(_table((word, meaning.format_map(keys), "") for word, meaning in _WORDS))

    def entries(self) -> Iterable[tuple[str, str, str]]:
        """The keys: each with what it does, and why it cannot be done now."""
        for action, why_not in self._actions:
            now = f" Not now: {why_not}" if why_not else ""
            yield action.key_label or self._palette, action.description, f" [{action.id}]{now}"
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
