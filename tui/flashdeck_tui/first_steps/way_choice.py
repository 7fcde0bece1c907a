"""The way of the board from its application into DFU mode. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flashdeck.config import AnyEnter, Enter, EnterCommand, UsbId
from flashdeck.model import DeviceState, WayIntoDfu
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.spellings import MAX_WORDS, expanded
from flashdeck.toml.tables import WrongValueError
from flashdeck_tui.first_steps.asked_questions import PossibleAnswer, Question, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.given import Given

COMMAND = "command"
"""The answer for a program of one's own."""
MAX_HINT = 200
"""Characters of what a person has to do."""
PROGRAM = "a program of yours"
BY_HAND = "by hand: flashdeck waits until somebody brings it there"


@dataclass(frozen=True, slots=True)
class ChosenWay:
    """A way that is shown, and the question about others, which a person may ask for."""

    way: AnyEnter
    words: str
    others: Question | None = None
    """None where there is no other one: the application is not known."""


def choose(given: Given, app: UsbId | None, running: DeviceState | None) -> ChosenWay:
    """Return the way that was said, else the one that the application shows; `running` is that as it was seen."""
    ways = running.ways_into_dfu if running is not None else ()
    likely = Enter.DETACH if WayIntoDfu.DETACH in ways and app is not None else Enter.MANUAL
    way = likely if given.enter is None else given.enter
    return ChosenWay(way, words_of(way, given.enter_hint), None if app is None else _question(ways, likely))


def others_in_words(question: Question) -> str:
    """Return the answers that the question about other ways has, as "detach, manual or a program of yours"."""
    *ways, last = (PROGRAM if each.value == COMMAND else each.value for each in question.options)
    return f"{', '.join(ways)} or {last}"


def _question(ways: Sequence[WayIntoDfu], likely: Enter) -> Question:
    options: list[PossibleAnswer] = []
    if WayIntoDfu.DETACH in ways:
        options.append(
            PossibleAnswer("d", Enter.DETACH, "its application has a DFU interface, which is asked to detach")
        )
    if WayIntoDfu.TOUCH in ways:
        options.append(
            PossibleAnswer("t", Enter.TOUCH, "its serial port is opened at 1200 baud, where its application heeds it")
        )
    options += [
        PossibleAnswer("m", Enter.MANUAL, "by hand; behind m you can say how: m hold SW2, press RESET", takes="TEXT"),
        PossibleAnswer("c", COMMAND, f"{PROGRAM}: c ./enter-dfu --now", takes="COMMAND"),
    ]
    return Question(
        Topic.ENTER,
        "How does it get into DFU mode?",
        tuple(options),
        "Letter",
        "--enter WAY",
        default=(likely,),
    )


def taken(answer: TypedAnswer, here: Path) -> tuple[AnyEnter, str]:
    """Return the way and what a person has to do; relative paths are relative to `here`. Raises WrongAnswerError."""
    value = answer.values[0]
    if value == COMMAND:
        return command_of(answer.more, here), ""
    return Enter(value), clean(answer.more, MAX_HINT) if answer.more else ""


def command_of(text: str, here: Path) -> EnterCommand:
    """Return the command that was typed. Raises WrongAnswerError."""
    try:
        words = shlex.split(text)
        if not words:
            raise WrongAnswerError("Name the program, as ./enter-dfu --now.")
        program, *rest = words
        if program.startswith("-"):
            raise WrongAnswerError(f"{clean(program, 40)} is no program.")
        if "/" in program or program.startswith("~"):
            program = str(expanded(program, here))
        words = [
            program,
            *(str(expanded(each, here)) if each.startswith(("./", "../", "~/")) else each for each in rest),
        ]
    except ValueError as error:
        raise WrongAnswerError(f"This command cannot be read: {error}.") from error
    except WrongValueError as error:
        raise WrongAnswerError(f"This command cannot be taken: {error}.") from error
    if len(words) > MAX_WORDS or any(not word or clean(word, MAX_PATH) != word for word in words):
        raise WrongAnswerError("This command has an empty word, or one that cannot be printed.")
    return EnterCommand(command=tuple(words))


def words_of(way: AnyEnter, hint: str) -> str:
    """Return a way in words."""
    match way:
        case EnterCommand():
            return f"by your command {clean(shlex.join(way.command))}"
        case Enter.DETACH:
            return "its application is asked to detach"
        case Enter.TOUCH:
            return "its serial port is opened at 1200 baud"
        case Enter.MANUAL:
            return f"by hand: {clean(hint)}" if hint else BY_HAND
