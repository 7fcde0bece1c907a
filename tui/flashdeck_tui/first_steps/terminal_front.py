"""A person at a terminal: plain lines, and a prompt for each answer. All of it is talk, on stderr."""

import os
import sys
from collections.abc import Iterable
from typing import Final

import click

from flashdeck.errors import ConfigError
from flashdeck.text import MAX_MESSAGE, clean
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.cli.output import Colour, paint, write_question
from flashdeck_tui.first_steps.asked_questions import Question, Topic
from flashdeck_tui.first_steps.dialogue import Ask, Outlook
from flashdeck_tui.first_steps.person import Agreement
from flashdeck_tui.first_steps.picture import ASCII, UNICODE, Style, picture
from flashdeck_tui.first_steps.way_choice import others_in_words
from flashdeck_tui.locale_text import shows_only_ascii
from flashdeck_tui.terminal import size_of

MAX_LINE: Final = 4096
"""Bytes of a line that are read of a terminal, which itself takes no longer ones."""
_LABEL: Final = 10
"""Columns of what stands before an answer that is shown."""
_NARROWEST: Final = 40
"""Columns below which nothing is wrapped any further."""


class AtTerminal:
    """A person at a terminal."""

    def __init__(self, *, root: str) -> None:
        """Paths below `root` are shown without it."""
        self._root = root
        self._told: set[str] = set()
        self._asked: set[Topic] = set()

    def tell(self, outlook: Outlook) -> None:
        """Show what has been decided since without being asked."""
        for shown in outlook.shown:
            if shown.topic not in self._asked:
                self._once(f"{shown.topic}:".ljust(_LABEL), shown.text)
        for note in outlook.notes:
            self._once("Note:".ljust(_LABEL), note)

    def answers(self, step: Ask) -> str:
        """Show a question, and return what is typed. Raises Abort at the end of the input."""
        question = step.question
        self._asked.add(question.topic)
        write_question("\n")
        if step.profile is not None:
            self._map(step)
        for line in question.intro:
            self.say(line)
        self._paragraph("", question.text, Colour.STRONG)
        width = max((len(option.key) for option in question.options), default=0)
        for option in question.options:
            self._paragraph(f"  {option.key.rjust(width)}  ", option.words)
        default = f" [{question.default_keys}]" if question.default else ""
        return self.prompt(f"{question.prompt}{default}: ")

    def awaits(self, text: str) -> None:
        """Show what has to be done to a device."""
        self._once("", text)

    def refuse(self, step: Ask, reason: str) -> None:
        """Show that an answer cannot be taken."""
        del step
        self.say(reason)

    def edits(self, text: str) -> str | None:
        """Open the editor of $VISUAL or $EDITOR on the file; None where nothing was saved."""
        try:
            return click.edit(text, extension=".toml")
        except click.ClickException as error:
            self.say(error.format_message())
            return None

    def complain(self, error: ConfigError) -> None:
        """Show all mistakes of the edited file, and wait until they have been read."""
        for line in (*error.message.splitlines(), error.hint):
            if line:
                self.say(line)
        self.prompt("Enter opens it again, Ctrl-C ends: ")

    def prompt(self, text: str) -> str:
        """Return a typed line. Raises Abort at the end of the input."""
        write_question(text)
        line = sys.stdin.buffer.readline(MAX_LINE)
        if not line:
            write_question("\n")
            raise click.Abort
        return line.decode(errors="replace")

    def agrees(self, lines: Iterable[str], other_ways: Question | None) -> Agreement:
        """Show what will be done, and return the last answer."""
        write_question("\n")
        self._paragraph("", "flashdeck will now", Colour.STRONG)
        for line in lines:
            self._paragraph("  ", line)
        answers = {"y": Agreement.YES, "n": Agreement.NO}
        if other_ways is not None:
            self.say(f"w changes how it gets into DFU mode: {others_in_words(other_ways)}.")
            answers["w"] = Agreement.OTHER_WAY
        *others, last = answers
        while True:
            typed = self.prompt(f"Go ahead? ({'/'.join(answers)}): ").strip().casefold()
            answer = {**answers, "yes": Agreement.YES, "no": Agreement.NO}.get(typed)
            if answer is not None:
                return answer
            self.say(f"Type {', '.join(others)} or {last}.")

    def say(self, text: str) -> None:
        """Show a paragraph."""
        self._paragraph("", text)

    def _once(self, head: str, text: str) -> None:
        if head + text not in self._told:
            self._told.add(head + text)
            self._paragraph(head, text)

    def _map(self, step: Ask) -> None:
        assert step.profile is not None  # noqa: S101 - the caller has looked
        for line in picture(step.profile, _columns(), _style(), below=self._root):
            write_question(line + "\n")
        write_question("\n")

    @staticmethod
    def _paragraph(head: str, text: str, colour: Colour | None = None) -> None:
        width = max(_NARROWEST, _columns() - 1)
        lines = wrapped(clean(text, MAX_MESSAGE), width, first=head, rest=" " * len(head))
        write_question("\n".join(paint(line, colour, sys.stderr) for line in lines or [head.rstrip()]) + "\n")


def _columns() -> int:
    return size_of(sys.stderr).columns


def _style() -> Style:
    """Return lines and shades where the terminal can be expected to show them."""
    try:
        UNICODE.characters.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return ASCII if shows_only_ascii(os.environ) else UNICODE
