"""Rule 7: a program that goes over a patch queues that patch again."""

from dataclasses import dataclass

from flashdeck.job_state import Done, JobKind, Origin
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.belongs import why_refused
from simulation.invariants.memory import Memory
from simulation.invariants.rule import Rule
from simulation.seen import FlashChange, Seen, Wish


@dataclass(frozen=True, slots=True)
class _Gone:
    """A patch that was on a board, and a program over it."""

    board: str
    partition: str
    patch: str
    job: int
    life: int


class PatchesAgain(Rule):
    """The rule that what a person flashes over the newest build, a patch, does not make an end of that."""

    name = "7, patches"
    sentence = (
        "A program that is flashed over a patch queues that patch again behind it, if the patch's file is still the "
        "newest build."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._gone: dict[int, _Gone] = {}
        """By the job of the program."""

    def changed(self, change: FlashChange) -> None:
        """Note a program that a person has asked for, and that begins to go over a patch."""
        attempt = self.attempts.of(change)
        if attempt is None or attempt.changes != 1 or attempt.before is None or attempt.job.origin is not Origin.HAND:
            return
        named, place, build = attempt.named, attempt.place, attempt.build
        newest = self.seen.newest.get((named.product.name, place.name))
        is_over = attempt.job.kind is JobKind.FLASH and build is not None and build.is_program
        if newest is None or newest.is_program or not is_over or not attempt.before.satisfies(newest.pieces):
            return
        if self._is_meant_to_go(named.name) or place.is_data or not place.auto:
            return
        if why_refused(newest.pieces, place, named.product):
            return  # by rule 5 it is no build for this place, though an older image had its bytes
        self._gone[attempt.job.id] = _Gone(named.name, place.name, newest.sha256, attempt.job.id, self.seen.life)

    def published(self, event: Event, before: JobState | None) -> None:
        """Note that the program is there; or that it is not, and nothing is to be judged."""
        job = event.job
        if job is None or job.id not in self._gone or not job.is_settled:
            return
        gone = self._gone.pop(job.id)
        if isinstance(job.status, Done) and gone.life == self.seen.life:
            self._judge(gone)

    def _judge(self, gone: _Gone) -> None:
        board = self.seen.shown.boards.get(gone.board)
        named = self.seen.setup.boards.get(gone.board)
        newest = self.seen.newest.get((named.product.name, gone.partition)) if named is not None else None
        if board is None or named is None or newest is None or newest.sha256 != gone.patch or not board.armed:
            return
        if self._is_meant_to_go(gone.board):
            return
        jobs = self.seen.shown.jobs.values()
        mine = [job for job in jobs if (job.board, job.partition) == (gone.board, gone.partition) and job.id > gone.job]
        if mine:
            return  # it is queued, or something newer is
        contents = next((each.contents for each in board.partitions if each.name == gone.partition), None)
        place = named.product.places[gone.partition]
        if contents is None or contents.uncertain:
            return
        memory = Memory.of_layers(contents.layers, place.size, self.seen.builds.get)
        if not memory.satisfies(newest.pieces):
            raise self.broken(
                f"job {gone.job} of {gone.board} has gone over the patch {gone.patch[:12]} in {gone.partition}, which "
                "is not queued again"
            )

    def _is_meant_to_go(self, board: str) -> bool:
        wishes = (Wish.ROLLBACK, Wish.ERASE, Wish.DISARM, Wish.ARM_ONCE, Wish.CANCEL)
        return any(ask.wish in wishes and board in ask.boards for ask in self.seen.asks)
