"""The condition of a slot, as a function of what it is made of. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Failure, Phase, Running, Written, is_under_way, needs_person
from flashdeck.model import BoardHold, JobState
from flashdeck.slot_condition import (
    SlotCondition,
    SlotEmpty,
    SlotFailed,
    SlotFlashing,
    SlotOccupied,
    SlotPassed,
    SlotWaiting,
)
from flashdeck.slot_state import UnitRecord, UnitResult


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """All that the condition of a slot is made of."""

    record: UnitRecord | None
    """The unit that is there."""
    jobs: Sequence[JobState] = ()
    """Its jobs that have not ended, in their order."""
    occupied: str = ""
    """The board that is in the port instead; "" for none."""
    trouble: str = ""
    """The reason why nobody can say what is there; "" for none."""
    is_changing: bool = False
    """True while what is known of the unit before is put away."""
    hold: BoardHold | None = None
    pending: SlotWaiting | None = None
    """The reason why the unit has got no job; None where none is known."""


def condition_of(facts: SlotFacts, slot: str) -> SlotCondition:
    """Return the condition of a slot."""
    if facts.occupied:
        return SlotOccupied(board=facts.occupied)
    if facts.is_changing:
        return SlotWaiting(reason="the records of the unit before are closed")
    if facts.record is None:
        return SlotWaiting(reason=facts.trouble, needs_person=True) if facts.trouble else SlotEmpty()
    under_way = next((job for job in facts.jobs if is_under_way(job.status)), None)
    return _flashing(under_way) if under_way is not None else _resting(facts, facts.record, slot)


def _resting(facts: SlotFacts, record: UnitRecord, slot: str) -> SlotCondition:
    """Return the condition of a slot with a unit to which nothing is done now."""
    if record.result is UnitResult.PASSED:
        return SlotPassed(verified=record.verified, verdict=record.verdict)
    if record.result is UnitResult.FAILED:
        return SlotFailed(failure=record.failure or Failure(kind=ErrorKind.OTHER, message="it failed"))
    if facts.hold is not None:
        reason = f"on hold: {facts.hold.reason}"
        return SlotWaiting(reason=reason, hint=f"`flashdeck release {slot}` lets it go on", needs_person=True)
    if facts.jobs:
        job = facts.jobs[0]
        return SlotWaiting(reason=f"job {job.id}: {job.text}", needs_person=needs_person(job.status))
    return facts.pending or SlotWaiting(reason="its job is being queued")


def _flashing(job: JobState) -> SlotFlashing:
    match job.status:
        case Running(phase=phase, done=done, total=total):
            return SlotFlashing(job=job.id, partition=job.partition, phase=phase, done=done, total=total)
        case Written(phase=Phase() as phase):
            return SlotFlashing(job=job.id, partition=job.partition, phase=phase)
        case _:
            return SlotFlashing(job=job.id, partition=job.partition)
