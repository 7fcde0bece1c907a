"""Compares boards and queues with an image that somebody wants, by its bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from flashdeck.config import Board, Partition
from flashdeck.job_state import JobKind
from flashdeck.model import ArtifactState, Contents, Disposition, JobState
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.contents import demanded, known_bytes
from flashdeckd.jobs.flash_target import target_of

REMEMBERED = 1024
"""Answers that are kept, those that were asked for last: what is asked again and again is the newest build on each
board."""


class Satisfaction:
    """Answers from the book of jobs and the spool. Runs in the event loop's thread only."""

    def __init__(self, book: JobBook, shelf: Shelf) -> None:
        self._book = book
        self._shelf = shelf
        self._answers: OrderedDict[Hashable, bool] = OrderedDict()

    def has(self, board: Board, partition: Partition, sha256: str) -> bool:
        """Tell whether a partition has every byte of an image, as far as this daemon knows."""
        contents = self._book.contents(board.name, partition.name)
        if contents is None:
            return False
        if _is_on_top(contents, sha256):
            return True

        def look() -> bool | None:
            wanted, target = self._shelf.image(sha256), target_of(board, partition)
            if wanted is None:
                return None
            return known_bytes(contents, target, self._shelf.image).satisfies(demanded(wanted, target))

        known = (contents.layers, contents.sha256, contents.complete)
        return self._remembered((known, _policy(board, partition), sha256), look)

    def job_for(self, board: Board, partition: Partition, sha256: str) -> JobState | None:
        """Return the newest job that was to bring every byte of an image there.

        Of the jobs that have ended, only the last one is looked at by its bytes; the others are known by their images'
        names.
        """
        of_partition = (
            job
            for job in self._book.jobs.values()
            if (job.board, job.partition) == (board.name, partition.name)
            and job.kind is JobKind.FLASH
            and not self._book.is_forgotten(job)
        )
        was_last = False
        for job in sorted(of_partition, key=lambda job: job.id, reverse=True):
            if job.sha256 == sha256:
                return job
            if was_last and job.is_settled:
                continue
            was_last = was_last or job.is_settled
            if self.is_brought_by(job.sha256, board, partition, sha256):
                return job
        return None

    def job_of(self, board: Board, partition: Partition, newest: ArtifactState) -> JobState | None:
        """Return the newest job that was to bring the newest build there.

        One that had ended before that build came has brought, or failed, the same bytes another time (A, B, A). Where
        a build came and was not queued, because a job that waited brings it, that job is the one.
        """
        job = self.job_for(board, partition, newest.sha256)
        is_of_before = job is not None and job.is_settled and job.created_at < newest.seen_at
        return None if is_of_before and newest.disposition is not Disposition.UNCHANGED else job

    def is_brought_by(self, other: str, board: Board, partition: Partition, sha256: str) -> bool:
        """Tell whether a flash of the image `other` brings every byte of the image `sha256`."""
        if other == sha256:
            return True

        def look() -> bool | None:
            image, wanted, target = self._shelf.image(other), self._shelf.image(sha256), target_of(board, partition)
            if image is None or wanted is None:
                return None
            return demanded(image, target).satisfies(demanded(wanted, target))

        return self._remembered((other, _policy(board, partition), sha256), look)

    def went_back(self, board: Board, partition: Partition, sha256: str) -> bool:
        """Tell whether a board went back from an image, or from one with the same bytes where both have any."""
        contents = self._book.contents(board.name, partition.name)
        return contents is not None and bool(self.alike(board, partition, contents.went_back, sha256))

    def alike(self, board: Board, partition: Partition, others: Iterable[str], sha256: str) -> tuple[str, ...]:
        """Return those of `others` that satisfy an image, or that it satisfies."""
        return tuple(
            other
            for other in others
            if self.is_brought_by(other, board, partition, sha256)
            or self.is_brought_by(sha256, board, partition, other)
        )

    def _remembered(self, question: Hashable, look: Callable[[], bool | None]) -> bool:
        """Return an answer; one that could not be given, because the spool lacks an image, is asked for again."""
        if question in self._answers:
            self._answers.move_to_end(question)
            return self._answers[question]
        answer = look()
        if answer is None:
            return False
        self._answers[question] = answer
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer


def _is_on_top(contents: Contents, sha256: str) -> bool:
    """Tell whether it is the very image that was written last: then no byte needs to be looked at."""
    if contents.layers:
        return contents.layers[0].sha256 == sha256
    return contents.complete and contents.sha256 == sha256


def _policy(board: Board, partition: Partition) -> Hashable:
    """Return what an answer depends on beside the bytes: how much of the partition a flash makes new."""
    return (board.profile.erase, partition.alternate is None, partition.span.size)
