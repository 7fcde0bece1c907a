"""Which chip: what the memory map, the descriptors and the builds say, or a name that a person types. Pure."""

from flashdeck.chips import Chip, find_chip
from flashdeck.errors import ConfigError
from flashdeck.first_board.chip_guess import ChipGuess, guess_chips
from flashdeck.model import DeviceState
from flashdeck_tui.first_steps.facts import Facts
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.questions import Answer, Option, Question, Topic, WrongAnswerError


def choose(facts: Facts, given: Given, device: DeviceState) -> tuple[Chip, str] | Question:
    """Return the chip and the words for it, or the question which."""
    if given.chip is not None:
        return given.chip, given.chip.name
    found = guess_chips(device, facts.builds)
    if len(found.guesses) == 1:
        guess = found.guesses[0]
        return find_chip(guess.name), _words(guess)
    reasons = tuple(dict.fromkeys(each.reason for each in found.guesses if each.reason))
    shared = reasons[0] if len(reasons) == 1 else ""
    options = tuple(
        Option(str(number), each.name, _words(each, said=shared)) for number, each in enumerate(found.guesses, 1)
    )
    notes = [each for each in (shared, found.note) if each]
    return Question(
        Topic.CHIP,
        "Which chip?" if options else "Which chip? Its name is printed on it, as STM32H563RGT6.",
        options,
        "Number or name" if options else "Name",
        "--chip NAME",
        default=(options[0].value,) if options else (),
        free=True,
        intro=tuple(f"{note[:1].upper()}{note[1:]}." for note in notes),
    )


def taken(answer: Answer) -> Chip:
    """Return the chip that was named. Raises WrongAnswerError with the nearest names."""
    try:
        return find_chip(answer.values[0])
    except ConfigError as error:
        nearest, _, more = error.hint.partition("; for any other chip")
        advice = nearest if more else "type the name that is printed on it"
        raise WrongAnswerError(f"{error.message[:1].upper()}{error.message[1:]}; {advice}.") from error


def _words(guess: ChipGuess, said: str = "") -> str:
    """Return a guess with its reason, unless that was `said` for all."""
    alike = f" (or {', '.join(guess.alike)}: flashed in the same way)" if guess.alike else ""
    return f"{guess.name}{alike}" + (f": {guess.reason}" if guess.reason != said else "")
