"""The conditions of a slot, each a value with just what it means. Pure.

In a module of its own, so that the model can ask for their words.
"""

from typing import Final, get_args

from flashdeck.job_state import Failure, Phase, Verified
from flashdeck.value import Value
from flashdeck.verdict import Judgement


class SlotEmpty(Value, frozen=True, kw_only=True, tag_field="state", tag="empty"):
    """No unit is there."""


class SlotWaiting(Value, frozen=True, kw_only=True, tag_field="state", tag="waiting"):
    """A unit is there, and nothing is done to it now."""

    reason: str
    hint: str = ""
    """The next step for a person; "" for none."""
    needs_person: bool = False
    """True if it goes on only once a person has acted."""


class SlotFlashing(Value, frozen=True, kw_only=True, tag_field="state", tag="flashing"):
    """One of its jobs is under way."""

    job: int
    partition: str
    phase: Phase | None = None
    """None between two phases."""
    done: int = 0
    total: int = 0
    """Progress of the phase in bytes; 0 where it cannot be measured."""


class SlotPassed(Value, frozen=True, kw_only=True, tag_field="state", tag="passed"):
    """The unit is done, and stays so until it goes: take it out."""

    verified: Verified
    verdict: Judgement | None = None


class SlotFailed(Value, frozen=True, kw_only=True, tag_field="state", tag="failed"):
    """The unit has failed, and nothing more is done to it by itself."""

    failure: Failure


class SlotOccupied(Value, frozen=True, kw_only=True, tag_field="state", tag="occupied"):
    """A configured board is in this port: it is itself, and never a unit."""

    board: str


class SlotUnknown(Value, frozen=True, kw_only=True, tag_field="state", tag="unknown"):
    """Stands in for a condition that only a newer daemon knows."""

    name: str = ""
    text: str = ""
    """`SlotState.text`: that daemon's own sentence."""


SlotCondition = SlotEmpty | SlotWaiting | SlotFlashing | SlotPassed | SlotFailed | SlotOccupied | SlotUnknown
"""The condition of a slot."""

CONDITIONS: Final[tuple[type[SlotCondition], ...]] = get_args(SlotCondition)


def condition_name(condition: SlotCondition | type[SlotCondition]) -> str:
    """Return the name of a condition, as the wire and the command line have it."""
    return str(condition.__struct_config__.tag)
