"""The way back to the image of a past job: what is possible from there, and why not where it is not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from flashdeck.api import Flash, JobList, Params, PlanRollback, ReadImage, Rollback
from flashdeck.errors import ErrorKind, RemoteError, RequestError
from flashdeck.job_state import JobKind
from flashdeck.model import JobState
from flashdeck.names import literal
from flashdeck.words.contents import image_name
from flashdeck.words.work import kind_word
from flashdeck_tui.store import Store

Call = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Restoring:
    """The one call that brings an image back, and what is asked before it."""

    question: str
    consequence: str
    call: Params[JobList]


def why_no_way_back(store: Store, job: JobState) -> str:
    """Return why the image of a job cannot be brought back, in a sentence; "" where it can be tried."""
    board = store.boards.get(job.board)
    if job.kind is not JobKind.FLASH or not job.sha256:
        return f"Job {job.id} brought no image: it was a job to {kind_word(job.kind)}."
    if board is None:
        return f"Board {job.board} is not in the configuration any more: nothing can be flashed onto it."
    place = next((place for place in board.partitions if place.name == job.partition), None)
    if place is None:
        return f"Board {job.board} has no partition {job.partition} any more."
    if place.protected:
        return f"{job.partition} of {job.board} is protected: it is never flashed."
    if place.contents is not None and place.contents.complete and place.contents.sha256 == job.sha256:
        return f"{job.partition} of {job.board} has {image_name(job.version, job.sha256)} already."
    return ""


async def way_back(job: JobState, call: Call) -> Restoring:
    """Return the way back to the image of a job; raises RequestError where its bytes are gone.

    Where it is the one that `rollback` goes back to, that is the way: then newer builds stay offered. Another one is
    flashed by hand, as far as the daemon still has its bytes.
    """
    boards, name = (literal(job.board),), image_name(job.version, job.sha256)
    try:
        await call(ReadImage(sha256=job.sha256, size=1))
    except RemoteError as error:
        if error.kind is not ErrorKind.NO_SUCH_ARTIFACT:
            raise
        raise RequestError(
            f"The bytes of {name} (job {job.id}) are gone: the daemon keeps only some builds of each partition",
            hint=f"flash its file: flashdeck flash {job.partition} FILE --board {job.board}",
        ) from error
    question = f"Bring {name} back to {job.partition} of {job.board}?"
    if await _is_rollback(job, boards, call):
        return Restoring(
            question,
            "It is the last good one before the present one. Builds that you go back from are offered until you flash "
            "one.",
            Rollback(partition=job.partition, boards=boards),
        )
    return Restoring(
        question,
        "It is flashed as by hand. The next build is flashed over it: disarm the board to keep it.",
        Flash(partition=job.partition, sha256=job.sha256, boards=boards),
    )


async def _is_rollback(job: JobState, boards: tuple[str, ...], call: Call) -> bool:
    try:
        found = await call(PlanRollback(partition=job.partition, boards=boards))
    except RemoteError:
        return False  # there is nothing that it would go back to, or its board cannot be planned now
    return any(plan.sha256 == job.sha256 for plan in found.plans)
