"""The chip: what the memory map, the descriptors and the builds say, or a name that a person types. Pure."""

from flashdeck.chips import Chip, find_chip
from flashdeck.errors import ConfigError
from flashdeck.first_board.chip_guess import ChipGuess, guess_chips, maps_of, sectors_shown, shows
from flashdeck.geometry import Geometry, format_sectors, parse_sectors
from flashdeck.model import DeviceState
from flashdeck_tui.first_steps.asked_questions import PossibleAnswer, Question, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts

Flash = Chip | Geometry
"""A chip of the table, or the sectors of one that is not in it."""


def choose(facts: KnownFacts, given: Given, device: DeviceState) -> tuple[Flash, str] | Question:
    """Return the flash and the words for it, or the question which."""
    if given.flash is not None:
        return given.flash, name_of(given.flash)
    found = guess_chips(device, facts.builds)
    if len(found.guesses) == 1:
        guess = found.guesses[0]
        return find_chip(guess.name), _words(guess)
    reasons = tuple(dict.fromkeys(each.reason for each in found.guesses if each.reason))
    shared = reasons[0] if len(reasons) == 1 else ""
    options = [
        PossibleAnswer(str(number), each.name, _words(each, said=shared))
        for number, each in enumerate(found.guesses, 1)
    ]
    if shown := sectors_shown(maps_of(device)):
        options.append(
            PossibleAnswer("m", shown, "another one: take the sectors of its memory map, without a check of stacks")
        )
    notes = [each for each in (shared, found.note) if each]
    likely = [each.name for each in found.guesses if shows(maps_of(device), find_chip(each.name).geometry)]
    return Question(
        Topic.CHIP,
        "Which chip? Its name is printed on it, as STM32H563RGT6." if not found.guesses else "Which chip?",
        tuple(options),
        "Number or name" if found.guesses else "Name",
        "--chip NAME",
        default=tuple(likely[:1]),
        is_guess=len(options) > 1,
        free=True,
        intro=tuple(f"{note[:1].upper()}{note[1:]}." for note in notes),
    )


def taken(answer: TypedAnswer) -> Flash:
    """Return the flash that was typed. Raises WrongAnswerError with the nearest names."""
    try:
        return flash_of(answer.values[0])
    except ConfigError as error:
        nearest, _, more = error.hint.partition("; for any other chip")
        is_name = "*" not in answer.values[0]
        advice = "type the name that is printed on it" if is_name and not more else nearest
        raise WrongAnswerError(f"{error.message[:1].upper()}{error.message[1:]}; {advice}.") from error


def flash_of(text: str) -> Flash:
    """Return the flash of a chip's name, or of sectors as the configuration has them. Raises ConfigError."""
    if "*" not in text:
        return find_chip(text)
    try:
        return parse_sectors(text)
    except ValueError as error:
        raise ConfigError(str(error), hint="write COUNT*SIZE@ADDRESS, as 128*8K@0x08000000") from error


def name_of(flash: Flash) -> str:
    """Return a flash in words."""
    return flash.name if isinstance(flash, Chip) else f"sectors {format_sectors(flash)}"


def _words(guess: ChipGuess, said: str = "") -> str:
    """Return a guess with its reason, unless that was `said` for all."""
    alike = f" (or {', '.join(guess.alike)}: flashed in the same way)" if guess.alike else ""
    return f"{guess.name}{alike}" + (f": {guess.reason}" if guess.reason != said else "")
