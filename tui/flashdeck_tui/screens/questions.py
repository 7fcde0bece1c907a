"""Small questions on top of the main screen. Escape always answers with nothing."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from flashdeck.text import clean
from flashdeck_tui.actions import Choice

_CSS = """
    {name} {{
        align: center middle;
        .box {{ width: 90%; max-width: 76; height: auto; max-height: 90%; padding: 0 1; border: round $primary;
                background: $surface; border-title-style: bold; }}
        .note {{ color: $text-muted; }}
        OptionList {{ height: auto; max-height: 12; border: none; padding: 0; background: $surface; }}
    }}
    {name}:ansi .box {{ background: ansi_default; }}
    {name}:ansi .note {{ color: ansi_default; text-style: dim; }}
"""


class ChooseScreen(ModalScreen[str | None]):
    """One of several; answers with the key of the choice."""

    DEFAULT_CSS = _CSS.format(name="ChooseScreen")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        """The choices, each with its detail below it."""
        with Vertical(classes="box") as box:
            box.border_title = Content(clean(self._title))
            yield OptionList(*(Option(_prompt(choice)) for choice in self._choices), markup=False, compact=True)
            yield Static("Enter: select, Esc: cancel", classes="note", markup=False)

    @on(OptionList.OptionSelected)
    def chosen(self, selected: OptionList.OptionSelected) -> None:
        """Answers."""
        self.dismiss(self._choices[selected.option_index].key)


class AskScreen(ModalScreen[str | None]):
    """A line of text."""

    DEFAULT_CSS = _CSS.format(name="AskScreen")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, example: str) -> None:
        super().__init__()
        self._title = title
        self._example = example

    def compose(self) -> ComposeResult:
        """The line to type on."""
        with Vertical(classes="box") as box:
            box.border_title = Content(clean(self._title))
            yield Input(placeholder=self._example, compact=True)
            yield Static("Enter: OK, Esc: cancel", classes="note", markup=False)

    @on(Input.Submitted)
    def typed(self, submitted: Input.Submitted) -> None:
        """Answers."""
        self.dismiss(submitted.value.strip() or None)


class ConfirmScreen(ModalScreen[bool]):
    """Asked before something is lost. Only y means yes; Enter does not, since it is pressed so easily."""

    DEFAULT_CSS = _CSS.format(name="ConfirmScreen")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence

    def compose(self) -> ComposeResult:
        """The question and what a yes costs."""
        with Vertical(classes="box"):
            yield Static(Content.styled(clean(self._question), "bold"))
            yield Static(clean(self._consequence), markup=False)
            yield Static("y: yes, n: no", classes="note", markup=False)


def _prompt(choice: Choice) -> Content:
    label = Content.styled(clean(choice.label), "bold")
    return Content("\n").join((label, Content.styled(f"  {clean(choice.detail)}", "dim"))) if choice.detail else label
