"""The help: all keys, from the registry, and the words of the screen."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from flashdeck_tui.actions import Action

_MOVING = (
    ("Tab", "go to the next list: boards, jobs, log"),
    ("↑ ↓", "move in a list; what is selected is told in full in the middle of the screen"),
    ("^c", "copy what was selected in the log with the mouse"),
)
_WORDS = (
    ("verified", "what was written was read back from the board, and is equal"),
    ("not verified", "written, but this board could not be read, or need not be"),
    ("armed", "new builds flash by themselves"),
    ("disarmed", "new builds are only offered"),
    ("offered", "waits for a person: f flashes it"),
    ("held", "starts nothing, for the reason given"),
    ("waiting", "goes on by itself once the board is there, in DFU mode"),
    ("superseded", "a newer build took its place"),
    ("incomplete", "a flash was interrupted; no boot check accepts what is there"),
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
        """Takes the actions, each with why it can not run now."""
        super().__init__()
        self._actions = tuple(actions)

    def compose(self) -> ComposeResult:
        """Keys, then words."""
        with VerticalScroll(id="help") as box:
            box.border_title = Content("help: Escape closes")
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> Iterable[Content]:
        for action, why_not in self._actions:
            now = f" Not now: {why_not}" if why_not else ""
            yield _entry(action.key_label or "^p", f"{action.title}: {action.description}{now}", faint=bool(why_not))
        for keys, meaning in _MOVING:
            yield _entry(keys, meaning)
        yield Content("")
        for word, meaning in _WORDS:
            yield _entry(word, meaning, width=13)


def _entry(term: str, text: str, *, width: int = 4, faint: bool = False) -> Content:
    return Content.assemble((f"{term:<{width}} ", "bold"), (text, "dim" if faint else ""))
