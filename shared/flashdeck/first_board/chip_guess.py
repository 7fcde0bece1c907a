"""Which chip a board has, told from its memory map, its descriptors and the builds for it. Pure.

Where nothing narrows the chip table to a few names, there is no guess, and a person types the name.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChipGuess:
    """Chips of one product line that are alike in everything that flashing needs."""

    name: str
    """As the configuration takes it, with an x for the package: "STM32H563xG"."""
    alike: tuple[str, ...] = ()
    """Other lines with the same flash and RAM: "STM32H562xG"."""
    reason: str = ""
    """The reason for it, in a sentence."""


@dataclass(frozen=True, slots=True)
class ChipGuesses:
    """The likeliest chips, best first: at most three, or none."""

    guesses: tuple[ChipGuess, ...] = ()
    note: str = ""
    """The reason why there are none, or what was found odd; "" for neither."""
