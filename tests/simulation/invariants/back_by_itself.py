"""A board that goes back by itself after a crash: only where it may, and only to what has run there."""

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Failed, JobKind, Origin
from flashdeck.model import BoardState, Event, JobState
from flashdeck.verdict import Verdict
from simulation.invariants.attempts import Attempts
from simulation.invariants.changed_files import renamed
from simulation.invariants.rule import Rule
from simulation.seen import Seen, Setup


class BackByItself(Rule):
    """Nobody's work is undone by a machine, and nothing comes back that never ran."""

    name = "back by itself"
    sentence = (
        "Where a build has crashed and the configuration says so, the board goes back to the images with which it last "
        "ran; never behind a person's flash, and not while it is on hold, taken or disarmed."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._ran: dict[str, set[tuple[str, str]]] = {}
        """By board: partitions and the images that they had while it was shown to run."""

    def took(self, before: Setup, after: Setup) -> None:
        """A board that is called otherwise ran all the same."""
        names = renamed(before, after)
        self._ran = {names.get(name, name): ran for name, ran in self._ran.items()}

    def published(self, event: Event, before: JobState | None) -> None:
        """Note what runs, and judge a job that nobody asked for."""
        if event.board is not None:
            self._note(event.board)
        job = event.job
        if job is not None and before is None and job.origin is Origin.FLASHDECK and not job.is_settled:
            self._judge(job)

    def _note(self, board: BoardState) -> None:
        has = {each.name: each.contents for each in board.partitions if each.contents is not None}
        if any(each.verdict is not None and each.verdict.verdict is Verdict.RUNS for each in has.values()):
            images = {(name, each.sha256) for name, each in has.items()}
            images |= {(name, patch.sha256) for name, each in has.items() for patch in each.patches}
            self._ran.setdefault(board.name, set()).update(images)

    def _judge(self, job: JobState) -> None:
        what = f"job {job.id} brings {job.sha256[:12]} to {job.board}/{job.partition} by itself, and"
        named, board = self.seen.setup.boards.get(job.board), self.seen.shown.boards.get(job.board)
        if named is None or board is None or named.product.signs is None or not named.product.signs.goes_back:
            raise self.broken(f"{what} the configuration does not say so")
        if board.hold is not None or board.lease is not None or not board.armed:
            raise self.broken(f"{what} the board is {board.text}")
        if not any(_has_crashed(each) for each in self.seen.shown.jobs.values() if each.board == job.board):
            raise self.broken(f"{what} no build has crashed there")
        if (job.partition, job.sha256) not in self._ran.get(job.board, ()):
            raise self.broken(f"{what} nobody saw that run there")
        contents = next((each.contents for each in board.partitions if each.name == job.partition), None)
        if contents is not None and self._asked_last(job, contents.sha256) is Origin.HAND:
            raise self.broken(f"{what} a person has flashed what is there")

    def _asked_last(self, job: JobState, sha256: str) -> Origin | None:
        """Return who asked last for what its partition has."""
        place = (job.board, job.partition)
        asked = [
            each
            for each in self.seen.shown.jobs.values()
            if (each.board, each.partition) == place and each.sha256 == sha256 and each.kind is JobKind.FLASH
        ]
        last = max((each for each in asked if each.started_at is not None), key=lambda each: each.id, default=None)
        return last.origin if last is not None else None

    def rested(self) -> None:
        """Judge that nothing is left to be decided."""
        for job in self.seen.shown.jobs.values():
            if job.undecided and job.is_settled:
                raise self.broken(f"job {job.id} of {job.board} has crashed, and nobody decides what follows")


def _has_crashed(job: JobState) -> bool:
    is_crashed = isinstance(job.status, Failed) and job.status.failure.kind is ErrorKind.CRASHED
    return is_crashed and job.origin in (Origin.BUILD, Origin.FLASHDECK)
