"""The fate of the jobs that an earlier daemon has left."""

from flashdeck.config import Config
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Cancelled, Canceller, Failed, Failure, JobKind, Queued, Written
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.queue import outrun


async def queue_again(book: JobBook, config: Config) -> None:
    """Put the jobs of an earlier daemon back into their lanes.

    Those whose board or partition is gone end, and those that had ended without a record of it.
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
        board = config.boards.get(job.board)
        partition = board.profile.partitions.get(job.partition) if board else None
        is_for_board = board is not None and job.kind is JobKind.RESET
        if not is_for_board and (partition is None or partition.protected):
            await book.move(job, Cancelled(by=Canceller.CONFIGURATION))
