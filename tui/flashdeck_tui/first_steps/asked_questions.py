"""Questions as values, and reading what a person types for an answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flashdeck.text import clean

MAX_ANSWER: Final = 200
"""Characters of an answer that are looked at."""


class Topic(StrEnum):
    """The subjects of the questions, in their order. Each value is what stands before an answer that is shown."""

    BOARD = "Board"
    CHIP = "Chip"
    IMAGES = "Images"
    SETTINGS = "Settings"
    MAP = "Map"
    ENTER = "DFU mode"


@dataclass(frozen=True, slots=True)
class PossibleAnswer:
    """One answer that a question may have."""

    key: str
    """The key that is typed for it."""
    value: str
    words: str
    """The line beside the key: not longer than a terminal is wide, or wrapped there."""
    takes: str = ""
    """The name of what may be typed behind it; "" for nothing."""
    is_for_hands: bool = False
    """True if only a person who has hands at the board can give it."""


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    """One answer as it was typed."""

    values: tuple[str, ...]
    """Values of options, in the order in which they were typed; or one text that is none."""
    more: str = ""
    """The words behind the key of an option that takes some."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with more than one possible answer."""

    topic: Topic
    text: str
    """The question itself, in one line."""
    options: tuple[PossibleAnswer, ...]
    prompt: str
    """The words in front of the place where is typed."""
    flag: str
    """The option of the command line that answers it, as "--chip NAME"."""
    default: tuple[str, ...] = ()
    """Values that an empty answer means; empty where there has to be an answer."""
    is_guess: bool = False
    """True if the default is only the likeliest answer: a person takes it with Enter, a script has to say it."""
    several: bool = False
    """True if more than one option may be chosen."""
    free: bool = False
    """True if another text may be typed, too."""
    intro: tuple[str, ...] = ()
    """Sentences above the question, each a paragraph."""

    @property
    def default_keys(self) -> str:
        """The default as it would be typed."""
        keys = {option.value: option.key for option in self.options}
        return " ".join(keys.get(value, value) for value in self.default)


class WrongAnswerError(Exception):
    """An answer that cannot be taken, with the sentence that says why."""


def read_answer(question: Question, typed: str) -> TypedAnswer:
    """Return the answer that was typed. Raises WrongAnswerError."""
    text = " ".join(typed[:MAX_ANSWER].split())
    if not text:
        if question.default:
            return TypedAnswer(question.default)
        raise WrongAnswerError(f"Type {_listed(question)}.")
    if question.several:
        words = text.replace(",", " ").split()
        return TypedAnswer(tuple(dict.fromkeys(_one(question, word).value for word in words)))
    word, _, more = text.partition(" ")
    option = _found(question.options, word)
    if option is not None and (not more or option.takes):
        return TypedAnswer((option.value,), more)
    if question.free:
        return TypedAnswer((text,))
    if option is not None:
        raise WrongAnswerError(f"Nothing goes behind {option.key}.")
    raise WrongAnswerError(f'"{clean(word, 40)}" is not an answer. Type {_listed(question)}.')


def _one(question: Question, word: str) -> PossibleAnswer:
    option = _found(question.options, word)
    if option is None:
        raise WrongAnswerError(f'"{clean(word, 40)}" is not an answer. Type {_listed(question)}.')
    return option


def _found(options: Sequence[PossibleAnswer], word: str) -> PossibleAnswer | None:
    """Return the option whose key was typed, or its value; a letter counts in both cases."""
    folded = word.casefold()
    by_key = [option for option in options if option.key.casefold() == folded]
    by_value = [option for option in options if option.value.casefold() == folded]
    return next(iter((*by_key, *by_value)), None)


def _listed(question: Question) -> str:
    keys = [option.key for option in question.options]
    if not keys:
        return "the answer"
    *others, last = keys
    listed = f"{', '.join(others)} or {last}" if others else last
    if all(key.isdecimal() for key in keys) and len(keys) > 2:  # noqa: PLR2004 - two numbers are no range
        listed = f"a number from {keys[0]} to {last}"
    return f"{listed}, several with spaces" if question.several else listed
