"""Slots, units and lots in words. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import assert_never

from flashdeck.job_state import Failure, Verified
from flashdeck.slot_condition import (
    SlotCondition,
    SlotEmpty,
    SlotFailed,
    SlotFlashing,
    SlotOccupied,
    SlotPassed,
    SlotUnknown,
    SlotWaiting,
)
from flashdeck.text import clean, counted
from flashdeck.words.jobs import phase_word, verified_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.verdicts import judgement_text


def slot_word(condition: SlotCondition) -> Phrase:
    """Return a condition in one word: the big one on the screen."""
    match condition:
        case SlotEmpty():
            return Phrase("empty", Tone.FAINT)
        case SlotWaiting(needs_person=needs_person):
            return Phrase("waiting", Tone.WAIT if needs_person else Tone.PLAIN)
        case SlotFlashing():
            return Phrase("flashing", Tone.BUSY)
        case SlotPassed():
            return Phrase("PASS", Tone.GOOD)
        case SlotFailed():
            return Phrase("FAIL", Tone.BAD)
        case SlotOccupied():
            return Phrase("no unit", Tone.WAIT)
        case SlotUnknown(name=name):
            return Phrase(clean(name) or "unknown")
        case _:
            assert_never(condition)


def passed_word(verified: Verified) -> Phrase:
    """Return that a unit has passed, and if it could not be read back."""
    if verified is Verified.YES:
        return Phrase("PASS", Tone.GOOD)
    return Phrase(f"PASS, {verified_word(verified)}", Tone.WAIT)


def slot_counts(conditions: Iterable[SlotCondition]) -> list[tuple[Phrase, int]]:
    """Return how many slots are in which condition: those with a result first."""
    found = Counter(map(slot_word, conditions))
    return sorted(found.items(), key=lambda each: (not each[0].text.isupper(), each[0].text))


def slots_text(conditions: Iterable[SlotCondition]) -> str:
    """Return the same in one line, with how many slots there are."""
    found = slot_counts(conditions)
    told = ", ".join(f"{number} {word.text}" for word, number in found)
    return f"{counted(sum(number for _, number in found), 'slot')}: {told}"


def slot_text(condition: SlotCondition) -> str:
    """Return a condition in a sentence."""
    match condition:
        case SlotEmpty():
            return "empty"
        case SlotWaiting(reason=reason, hint=hint):
            return f"waiting: {reason}" + (f"; {hint}" if hint else "")
        case SlotFlashing(partition=partition, phase=phase, done=done, total=total):
            work = f"flashing {partition}" + (f": {phase_word(phase)}" if phase is not None else "")
            return work + (f" {100 * done // total} %" if total else "")
        case SlotPassed(verified=verified, verdict=verdict):
            judged = f", {judgement_text(verdict)}" if verdict is not None else ""
            return f"passed, {verified_word(verified)}{judged}"
        case SlotFailed(failure=failure):
            return f"failed: {failure_text(failure)}"
        case SlotOccupied(board=board):
            return f"board {board} is in this port: it is no unit"
        case SlotUnknown(text=text):
            return text
        case _:
            assert_never(condition)


def failure_text(failure: Failure) -> str:
    """Return why a unit failed, and what to do."""
    return failure.message + (f"; {failure.hint}" if failure.hint else "")


def share_text(share: float | None) -> str:
    """Return a yield in percent; "-" where there is none yet."""
    return "-" if share is None else f"{100 * share:.1f} %"
