"""The dialogue as a state machine: from facts and the answers so far to what comes next. Pure.

A question that has one possible answer is not asked: the answer is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flashdeck.config import Enter, EnterCommand, Profile
from flashdeck.errors import ConfigError
from flashdeck.model import BoardState, DeviceMode, DeviceState
from flashdeck.text import clean
from flashdeck_tui.first_steps import ways_in
from flashdeck_tui.first_steps.draft import Draft, in_other_bank, names_for, own_boards, text_of
from flashdeck_tui.first_steps.facts import Facts, device_line
from flashdeck_tui.first_steps.given import Given, MapAnswer
from flashdeck_tui.first_steps.known_board import again
from flashdeck_tui.first_steps.places import Places, places_of
from flashdeck_tui.first_steps.questions import Answer, Option, Question, Topic, WrongAnswerError
from flashdeck_tui.first_steps.setup import ImageFor, Setup


@dataclass(frozen=True, slots=True)
class Shown:
    """A line that is shown where there is nothing to ask, or once it has been answered."""

    topic: Topic
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to answer."""

    question: Question
    profile: Profile | None = None
    """The map to draw above it."""


@dataclass(frozen=True, slots=True)
class Await:
    """A device has to be plugged in, or brought into DFU mode."""

    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A person wants to edit the file."""

    text: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """The dialogue at one point."""

    shown: tuple[Shown, ...]
    """All that is decided so far, in order."""
    step: Ask | Await | Edit | Setup
    """The next step; a Setup where nothing is left to ask but the last yes."""
