"""The fate of the jobs that an earlier daemon has left, or an earlier configuration."""

from collections.abc import Collection, Mapping

from flashdeck.config import Board, Config
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Cancelled, Canceller, Failed, Failure, JobKind, Queued, Written
from flashdeck.model import JobState
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.queue import outrun


async def queue_again(book: JobBook, config: Config, elsewhere: Mapping[str, Collection[str]]) -> None:
    """Put the jobs of an earlier daemon back into their lanes.

    Those that have no target in the configuration any more end, and those that had ended without a record of it.
    `elsewhere` are the partitions of each board that are at another place than they were for that daemon.
    """
    for job in [job for job in book.jobs.values() if not job.is_settled]:
        if job.kind is JobKind.READ and not isinstance(job.status, Written):
            await book.move(job, Cancelled(by=Canceller.CLIENT))  # nobody waits for its bytes any more
            continue
        if job.kind is JobKind.OTHER:
            message = "this release does not know what the job was to do"
            await book.move(job, Failed(failure=Failure(kind=ErrorKind.OTHER, message=message)))
            continue
        contents = book.contents(job.board, job.partition)
        is_complete = contents is not None and contents.complete and contents.job == job.id
        if is_complete or isinstance(job.status, Written):
            lost = Written(result=job.result, reason="the daemon was restarted before the board was started")
            await book.move(job, lost)
        else:
            await book.move(job, Queued(note="the daemon was restarted" if job.attempts else ""))
    for job, newer in outrun(book.jobs.values()):
        await book.supersede(job, newer.id)
    for job in [job for job in book.jobs.values() if not job.is_settled]:
        if why := why_without_target(job, config.boards.get(job.board), elsewhere.get(job.board, ())):
            await book.move(job, Cancelled(by=Canceller.CONFIGURATION, reason=why))


def why_without_target(job: JobState, board: Board | None, elsewhere: Collection[str]) -> str:
    """Return why a configuration has no use for a job that does not run; "" where it has.

    `board` is what it has of the job's board, which may have another name there, and `elsewhere` are the partitions
    of it that were moved.
    """
    if board is None:
        return f"board {job.board} is no longer in the configuration"
    if job.kind is JobKind.RESET:
        return ""
    partition = board.profile.partitions.get(job.partition)
    if partition is None:
        return f"partition {job.partition} of board {job.board} is no longer in the configuration"
    if partition.protected:
        return f"partition {job.partition} of board {job.board} is protected now"
    if job.partition in elsewhere:
        return f"partition {job.partition} of board {job.board} is at another place now"
    return ""
