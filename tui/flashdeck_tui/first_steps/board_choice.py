"""The board: a device that is no configured board, or else one that is configured already. Pure."""

from collections.abc import Sequence

from flashdeck.errors import ErrorKind, RequestError
from flashdeck.model import BoardState, DeviceMode, DeviceState
from flashdeck.names import few, which
from flashdeck.text import clean
from flashdeck_tui.first_steps.asked_questions import PossibleAnswer, Question, Topic
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts, device_line

LOOK_AGAIN = "again"
"""The answer of somebody who has plugged in another board meanwhile."""
PLUG_IN = "Plug the board in now, in DFU mode. Waiting for it, Ctrl-C ends."


def choose(facts: KnownFacts, given: Given) -> DeviceState | BoardState | Question | str:
    """Return the device, a configured board, the question which, or what a person has to do first."""
    if given.device is not None:
        return _chosen(facts, given.device)
    strangers = facts.strangers
    candidates: Sequence[DeviceState | BoardState] = strangers or facts.present
    if not candidates:
        names = few([each.name for each in facts.boards])
        return (f"Configured, and not plugged in: {names}. " if names else "") + PLUG_IN
    if len(candidates) == 1:
        return _ready(candidates[0])
    options = [PossibleAnswer(str(number), _value(each), _line(each)) for number, each in enumerate(candidates, 1)]
    again = PossibleAnswer("r", LOOK_AGAIN, "another one: plug it in, then type r", is_for_hands=True)
    return Question(
        Topic.BOARD,
        "Which board?",
        (*options, again),
        "Number",
        "--device PORT",
    )


def port_of(facts: KnownFacts, word: str) -> str:
    """Return what `Given.device` is for a port, a serial or the name of a board. Raises RequestError."""
    found = {each.port for each in facts.strangers if word in (each.port, each.serial)}
    found |= {each.name for each in facts.present if word in (each.name, each.port, each.serial)}
    if len(found) == 1:
        return found.pop()
    known = [each.port for each in facts.strangers] + [each.name for each in facts.present]
    if found:
        places = few(sorted(found))
        raise RequestError(
            f"several devices are '{clean(word, 60)}'", hint=f"name its port: {places}", kind=ErrorKind.AMBIGUOUS
        )
    raise RequestError(
        f"there is no device '{clean(word, 60)}'",
        hint=which(word, known, none="plug it in, in DFU mode"),
        kind=ErrorKind.NO_SUCH_BOARD,
    )


def _chosen(facts: KnownFacts, chosen: str) -> DeviceState | BoardState | str:
    for board in facts.present:
        if board.name == chosen:
            return board
    here = [each for each in facts.strangers if each.port == chosen]
    return _ready(here[0]) if here else PLUG_IN


def _ready(candidate: DeviceState | BoardState) -> DeviceState | BoardState | str:
    """Return a board that can be told by now; how it enumerates in DFU mode has to be seen once."""
    if isinstance(candidate, DeviceState) and candidate.mode is not DeviceMode.DFU:
        return f"{device_line(candidate)} is running. Bring it into DFU mode now. Waiting for it, Ctrl-C ends."
    return candidate


def _value(candidate: DeviceState | BoardState) -> str:
    return candidate.port if isinstance(candidate, DeviceState) else candidate.name


def _line(candidate: DeviceState | BoardState) -> str:
    if isinstance(candidate, BoardState):
        return f"{clean(candidate.name)} (configured already)"
    return device_line(candidate) + ("" if candidate.mode is DeviceMode.DFU else ", running")
