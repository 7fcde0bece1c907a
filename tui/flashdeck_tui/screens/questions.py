"""Small questions on top of the main screen. Escape always answers with nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from flashdeck.text import clean
from flashdeck.words.tone import Phrase
from flashdeck_tui.actions.action import Choice
from flashdeck_tui.path_completion import common, entries_of
from flashdeck_tui.widgets.choices import Choices
from flashdeck_tui.widgets.line_input import LineInput
from flashdeck_tui.widgets.lines import StaticLines

LONGEST_QUESTION = 1000
"""Characters of a question, and of what a yes costs."""
LONGEST_ANSWER = 4096
"""Characters of an answer that is typed: a path may be as long."""

_CSS = """
    {name} {{
        align: center middle;
        .box {{ width: 90%; max-width: 76; height: auto; max-height: 90%; padding: 0 1; border: round $primary;
               background: $surface; border-title-color: $foreground; border-title-style: bold; }}
        .note {{ color: $text-muted; }}
        OptionList {{ height: auto; max-height: 12; border: none; padding: 0; background: $surface; }}
        #told {{ height: auto; max-height: 10; scrollbar-size-vertical: 1; }}
    }}
    {name}:ansi .box {{ background: ansi_default; }}
    {name}:ansi .note {{ color: ansi_default; text-style: dim; }}
"""


class ChooseScreen(ModalScreen[str | None]):
    """One of several; answers with the key of the choice.

    `more` brings choices that are not known yet; they come below the others, so that nothing moves under the cursor.
    """

    DEFAULT_CSS = _CSS.format(name="ChooseScreen")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        more: Callable[[], Awaitable[Sequence[Choice]]] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._choices = list(choices)
        self._more = more

    def compose(self) -> ComposeResult:
        """The choices, each with its detail below it."""
        with Vertical(classes="box") as box:
            box.border_title = Content(clean(self._title))
            yield Choices(*(Option(_prompt(choice)) for choice in self._choices), markup=False, compact=True)
            yield Static("Enter: select, Esc: cancel", classes="note", markup=False)

    def on_mount(self) -> None:
        """Begins to look for more."""
        if self._more is not None:
            self.run_worker(self._add(self._more), name="more choices")

    async def _add(self, more: Callable[[], Awaitable[Sequence[Choice]]]) -> None:
        found = await more()
        self._choices += found
        self.query_one(OptionList).add_options(Option(_prompt(choice)) for choice in found)

    @on(OptionList.OptionSelected)
    def chosen(self, selected: OptionList.OptionSelected) -> None:
        """Answers."""
        self.dismiss(self._choices[selected.option_index].key)


class AskScreen(ModalScreen[str | None]):
    """A line of text; an empty one is the default, and nothing where that is empty, too."""

    DEFAULT_CSS = _CSS.format(name="AskScreen")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, example: str, default: str | None = None) -> None:
        """`default` is the answer where nothing is typed; None: that is no answer."""
        super().__init__()
        self._title = title
        self._example = example
        self._default = default

    def compose(self) -> ComposeResult:
        """The line to type on."""
        with Vertical(classes="box") as box:
            box.border_title = Content(clean(self._title))
            yield LineInput(placeholder=self._example, compact=True, max_length=LONGEST_ANSWER)
            usual = f"Enter: {clean(self._default)}" if self._default else "Enter: OK"
            yield Static(f"{usual}, Esc: cancel", classes="note", markup=False)

    @on(Input.Submitted)
    def typed(self, submitted: Input.Submitted) -> None:
        """Answers."""
        self.dismiss(submitted.value.strip() or self._default)


class PathScreen(ModalScreen[str | None]):
    """The path of a file, with what there is in the directory that it is in so far."""

    DEFAULT_CSS = _CSS.format(name="PathScreen")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("tab", "complete", "Complete", priority=True),
        Binding("down", "into_list", "Choose"),
    ]

    def __init__(self, title: str, example: str, default: str | None = None) -> None:
        """`default` is the answer where nothing is typed; None: that is no answer."""
        super().__init__()
        self._title = title
        self._example = example
        self._default = default
        self._entries: list[str] = []

    def compose(self) -> ComposeResult:
        """The line to type on, and the entries below it."""
        with Vertical(classes="box") as box:
            box.border_title = Content(clean(self._title))
            yield LineInput(placeholder=self._example, compact=True, max_length=LONGEST_ANSWER)
            yield Choices(markup=False, compact=True)
            usual = f"Enter: {clean(self._default)}" if self._default else "Enter: OK"
            yield Static(f"{usual}, Tab: complete, ↓: list, Esc: cancel", classes="note", markup=False)

    def on_mount(self) -> None:
        """Lists where it begins."""
        self._list("")

    @on(Input.Changed)
    def changed(self, changed: Input.Changed) -> None:
        """Lists anew."""
        self._list(changed.value)

    @on(Input.Submitted)
    def typed(self, submitted: Input.Submitted) -> None:
        """Answers."""
        self.dismiss(submitted.value.strip() or self._default)

    @on(OptionList.OptionSelected)
    def chosen(self, selected: OptionList.OptionSelected) -> None:
        """Takes an entry: a directory is gone into, a file is the answer."""
        self._take(self._entries[selected.option_index])

    def action_complete(self) -> None:
        """Goes on as far as all entries do."""
        typed = self.query_one(Input)
        self._type(common(typed.value, self._entries))

    def action_into_list(self) -> None:
        """Goes to the entries."""
        if self._entries:
            self.query_one(OptionList).focus()

    def _take(self, entry: str) -> None:
        if entry.endswith("/"):
            self._type(entry)
        else:
            self.dismiss(entry)

    def _type(self, value: str) -> None:
        typed = self.query_one(Input)
        typed.value = value
        typed.cursor_position = len(value)
        typed.focus()

    def _list(self, typed: str) -> None:
        self.run_worker(self._show_entries(typed), name="entries", group="entries", exclusive=True)

    async def _show_entries(self, typed: str) -> None:
        self._entries = await asyncio.to_thread(entries_of, typed)  # a directory may be far away
        for entries in self.query(OptionList):  # none any more where the question was answered meanwhile
            entries.clear_options()
            entries.add_options(Option(Content(clean(entry))) for entry in self._entries)


class ConfirmScreen(ModalScreen[bool]):
    """Asked before something is lost. Only y means yes; Enter does not, since it is pressed so easily."""

    DEFAULT_CSS = _CSS.format(name="ConfirmScreen")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, consequence: str, details: Sequence[Phrase] = ()) -> None:
        """`details` are all that there is to know before; they can be scrolled."""
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._details = tuple(details)

    def compose(self) -> ComposeResult:
        """The question and what a yes costs."""
        with Vertical(classes="box"):
            yield Static(Content.styled(clean(self._question, LONGEST_QUESTION), "bold"))
            yield Static(clean(self._consequence, LONGEST_QUESTION), markup=False)
            with VerticalScroll(id="told"):
                yield StaticLines(id="lines")
            yield Static("y: yes, n: no", classes="note", markup=False)

    def on_mount(self) -> None:
        """Shows the details, where there are any."""
        self.query_one("#lines", StaticLines).show(self._details)
        self.query_one("#told").display = bool(self._details)


def _prompt(choice: Choice) -> Content:
    label = Content.styled(clean(choice.label), "bold")
    return Content("\n").join((label, Content.styled(f"  {clean(choice.detail)}", "dim"))) if choice.detail else label
