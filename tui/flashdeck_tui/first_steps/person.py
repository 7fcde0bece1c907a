"""Somebody who answers: a person at a terminal, or `--yes` for somebody who is not there."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol

from flashdeck.errors import ConfigError, ErrorKind, RequestError
from flashdeck_tui.cli.output import say
from flashdeck_tui.first_steps.asked_questions import PossibleAnswer, Question
from flashdeck_tui.first_steps.dialogue import Ask, Outlook


class Agreement(Enum):
    """The answers to the last question."""

    YES = auto()
    NO = auto()
    OTHER_WAY = auto()
    """Yes perhaps, once another way into DFU mode is chosen."""


class Person(Protocol):
    """Somebody who reads what is decided, and answers questions."""

    def say(self, text: str) -> None:
        """Be told a sentence."""
        ...

    def tell(self, outlook: Outlook) -> None:
        """Be shown what is decided."""
        ...

    def awaits(self, text: str) -> None:
        """Be told what has to be done to a device. Raises RequestError where nobody can do it."""
        ...

    def answers(self, step: Ask) -> str:
        """Return the answer to a question as typed. Raises RequestError where nobody can answer."""
        ...

    def refuse(self, step: Ask, reason: str) -> None:
        """Be told that an answer cannot be taken."""
        ...

    def edits(self, text: str) -> str | None:
        """Return the file as it was edited; None where nothing was changed."""
        ...

    def complain(self, error: ConfigError) -> None:
        """Be told what is wrong with the edited file."""
        ...

    def agrees(self, lines: Iterable[str], other_ways: Question | None) -> Agreement:
        """Return the last answer to what will be done."""
        ...


class Absent:
    """Nobody, who has said yes before: each question has its default, or it is an error which option answers it."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def say(self, text: str) -> None:
        """Tell the log of a script."""
        say(text)

    def tell(self, outlook: Outlook) -> None:
        """Tell what is decided, each thing once."""
        lines = [f"{shown.topic}: {shown.text}" for shown in outlook.shown]
        for line in (*lines, *outlook.notes):
            if line not in self._told:
                self._told.add(line)
                say(line)

    def awaits(self, text: str) -> None:
        """Raise RequestError: a script waits for no hand."""
        raise RequestError("no board is in DFU mode here", hint=text.partition(" Waiting")[0], kind=ErrorKind.ABSENT)

    def answers(self, step: Ask) -> str:
        """Return the default. Raises RequestError where there is none."""
        question = step.question
        if question.default and not question.is_guess:
            return " ".join(question.default_keys.split())
        raise RequestError(
            f"{question.text} {_choice(question.options)}".rstrip(),
            hint=f"say it with {question.flag}",
            kind=ErrorKind.AMBIGUOUS if question.options else ErrorKind.BAD_REQUEST,
        )

    def refuse(self, step: Ask, reason: str) -> None:
        """Raise RequestError: nobody answers otherwise."""
        raise RequestError(reason, hint=f"say it with {step.question.flag}")

    def edits(self, text: str) -> str | None:
        """Return None: nobody edits."""
        del text
        return None

    def complain(self, error: ConfigError) -> None:
        """Raise the error."""
        raise error

    def agrees(self, lines: Iterable[str], other_ways: Question | None) -> Agreement:
        """Return the yes that was said before."""
        del other_ways
        for line in lines:
            say(line)
        return Agreement.YES


def _choice(options: tuple[PossibleAnswer, ...]) -> str:
    """Return the answers that an option can give: what a key stands for, beside those with a number."""
    said = (f"{each.words} ({each.value})" if not each.key.isdecimal() else each.words for each in options)
    return "; ".join(words for words, each in zip(said, options, strict=True) if not each.is_for_hands)
