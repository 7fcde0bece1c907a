"""Requests of a person that change the order in the queue of a board."""

from flashdeck.errors import RequestError
from flashdeck.job_state import name_of
from flashdeck.model import JobState
from flashdeck.queue_order import QueueMove, in_queue_order, is_in_queue, moved, ranked
from flashdeckd.boards.bench import Bench
from flashdeckd.state.carried_through import carried_through


class MoveRequests:
    """Moves jobs that have not begun. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def move(self, job_id: int, to: QueueMove) -> list[JobState]:
        """Move a job, and return the queue of its board in the new order; it is kept over a restart.

        Raises RequestError where the job has begun or ended, or cannot be moved so.
        """
        book = self._bench.book
        job = book.job(job_id)
        if not is_in_queue(job):
            raise RequestError(
                f"job {job_id} is {name_of(job.status)}, and in no queue",
                hint="only a job that has not begun can be moved",
            )
        lane = self._bench.lane(job.board)
        partitions = tuple(lane.board.profile.partitions)
        queue = in_queue_order(filter(is_in_queue, book.active(job.board)), partitions)
        order = moved(job, to, queue)
        # A client that leaves now must not leave half an order behind.
        await carried_through(book.arrange(ranked(queue, order)))
        book.log(job, f"moved {to} in the queue by hand")
        lane.poke()
        return [now for now in (book.job(each.id) for each in order) if is_in_queue(now)]
