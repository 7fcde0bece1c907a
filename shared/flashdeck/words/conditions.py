"""The conditions of boards in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from flashdeck.problems import ProblemKind
from flashdeck.slot_condition import SlotCondition
from flashdeck.text import counted
from flashdeck.words.slots import slots_text
from flashdeck.words.tone import Phrase, Tone

_BAD: Final = frozenset(
    (
        ProblemKind.FAILED,
        ProblemKind.INCOMPLETE,
        ProblemKind.AMBIGUOUS,
        ProblemKind.TROUBLE,
        ProblemKind.NOT_STARTED,
        ProblemKind.DOES_NOT_RUN,
        ProblemKind.REFUSED,
    )
)
_TONES: Final = {
    ProblemKind.FLASHING: Tone.BUSY,
    ProblemKind.BUSY: Tone.BUSY,
    ProblemKind.QUEUED: Tone.PLAIN,
    ProblemKind.ABSENT: Tone.FAINT,
    ProblemKind.CURRENT: Tone.GOOD,
    ProblemKind.NO_BUILD: Tone.FAINT,
}


def condition_word(kind: ProblemKind) -> Phrase:
    """Return the condition of a board, in a few words."""
    return Phrase(kind.value, Tone.BAD if kind in _BAD else _TONES.get(kind, Tone.WAIT))


def counts_text(counts: Mapping[ProblemKind, int], slots: Sequence[SlotCondition] = ()) -> str:
    """Return how many boards there are, and how many of them are in which condition, in one line; then the slots."""
    told = ", ".join(f"{number} {condition_word(kind).text}" for kind, number in counts.items())
    parts = [f"{counted(sum(counts.values()), 'board')}: {told}"] if counts else []
    return "; ".join([*parts, slots_text(slots)] if slots else parts) or "no boards configured"
