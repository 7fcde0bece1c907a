"""The verdict on a flashed image: what became of it after its start, by the board's own word."""

from typing import Final

from flashdeck.open_enum import OpenEnum
from flashdeck.value import Value


class Verdict(OpenEnum):
    """The fate of an image after its start, as the console of its board tells it."""

    RUNS = "runs"
    """It said what it was to say, and went on for as long as it was to."""
    CRASHED = "crashed"
    SILENT = "silent"
    """The board was heard or seen, and did not say in time what it was to say."""
    ANOTHER_BUILD = "another-build"
    """It says another version than that of the image."""
    NOT_SEEN = "not-seen"
    """Neither the USB device of the application nor a byte of its console came."""
    UNKNOWN = "unknown"
    """Nobody could hear it: the reason says why."""
    OTHER = "other"


DOES_NOT_RUN: Final = frozenset({Verdict.CRASHED, Verdict.SILENT, Verdict.ANOTHER_BUILD})
"""The verdicts by which an image is on its board and does not do what it is to do."""


class Judgement(Value, frozen=True, kw_only=True):
    """A verdict, and what it was given for."""

    verdict: Verdict
    reason: str = ""
    """The reason, in a sentence; "" where the verdict says all."""
    lines: tuple[str, ...] = ()
    """The lines of the console that decided it."""
    version: str = ""
    """The version that the board said; "" for none."""
    after: float | None = None
    """Seconds from the leave of DFU mode until it was clear; None where nobody saw the leave."""


def runs(judgement: Judgement | None) -> bool:
    """Tell whether an image said that it runs."""
    return judgement is not None and judgement.verdict is Verdict.RUNS


def does_not_run(judgement: Judgement | None) -> bool:
    """Tell whether an image is known not to do what it is to do."""
    return judgement is not None and judgement.verdict in DOES_NOT_RUN
