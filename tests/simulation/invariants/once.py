"""Rule 7: once."""

from flashdeck.job_state import JobKind, Origin
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.memory import Memory, Pieces, demanded
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Build, FlashChange, Place, Product, Seen, Wish

SETTLED_SECONDS = 5.0
"""Seconds after which an answered wish counts for every build: one that was being judged meanwhile is through."""


class Once(Rule):
    """Nothing is flashed by itself that is there already, or that a person does not want there."""

    name = "7"
    sentence = (
        "What the contents of a partition satisfy is not flashed there again unless asked, however often the board "
        "returns to DFU. After a rollback the image it went back from, and every one that satisfies it or that it "
        "satisfies, is only offered until a person asks; only another build flashes by itself."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._gone: dict[tuple[str, str], dict[str, float]] = {}
        """By board and partition: images that a person, or the board itself, went back from, and since when."""
        self._erased: dict[tuple[str, str], float] = {}
        """Partitions that a person had erased, and since when."""

    def changed(self, change: FlashChange) -> None:
        """Judge a job that begins by itself."""
        attempt = self.attempts.of(change)
        if attempt is not None and attempt.job.kind is JobKind.ERASE:
            self._erased.setdefault((attempt.named.name, attempt.place.name), self.seen.now)
        elif attempt is not None and attempt.job.kind is JobKind.FLASH and attempt.job.origin is Origin.HAND:
            self._erased.pop((attempt.named.name, attempt.place.name), None)  # asked for before, it comes behind
        if attempt is None or attempt.changes != 1 or attempt.build is None or attempt.before is None:
            return
        if attempt.job.origin is not Origin.BUILD or attempt.job.kind is not JobKind.FLASH or attempt.job.attempts > 1:
            return
        wanted = demanded(attempt.build.pieces, attempt.place.size, erase_all=attempt.is_whole)
        if attempt.before.satisfies(wanted):
            raise self.broken(f"{attempt.text()} flashes {attempt.job.sha256[:12]}, which was there already")

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that is queued by itself."""
        job = event.job
        if job is None or before is not None or job.is_settled:
            return
        if job.origin is Origin.HAND:
            self._person_asks(job)
            return
        if job.origin is Origin.FLASHDECK:
            for sha256 in self._present(job.board, job.partition) - {job.sha256}:
                self._gone.setdefault((job.board, job.partition), {})[sha256] = self.seen.now
            return
        key, long_ago = (job.board, job.partition), self.seen.now - SETTLED_SECONDS
        if job.kind is not JobKind.FLASH or (found := self._found(job)) is None:
            return
        build, product, place = found
        for other, since in self._gone.get(key, {}).items():
            if since < long_ago and (gone := self.seen.builds.get(other)) and _are_alike(gone, build, product, place):
                raise self.broken(f"job {job.id} brings {job.sha256[:12]} to {key}, which the board went back from")
        if self._erased.get(key, self.seen.now) < long_ago:
            raise self.broken(f"job {job.id} brings a build to {key}, which a person has erased")

    def answered(self, ask: Ask) -> None:
        """Note what a person does not want."""
        if ask.refused or ask.wish is not Wish.ROLLBACK:
            return
        for board in ask.boards:
            key = (board, ask.place)
            for sha256 in self._present(board, ask.place) - {self.seen.shown.jobs[job].sha256 for job in ask.jobs}:
                self._gone.setdefault(key, {})[sha256] = self.seen.now

    def _person_asks(self, job: JobState) -> None:
        key = (job.board, job.partition)
        if job.kind is JobKind.FLASH:
            self._erased.pop(key, None)
            found = self._found(job)
            for sha256 in list(self._gone.get(key, ())):
                gone = self.seen.builds.get(sha256)
                if found is None or gone is None or _are_alike(gone, *found):
                    del self._gone[key][sha256]

    def _found(self, job: JobState) -> tuple[Build, Product, Place] | None:
        named, build = self.seen.setup.boards.get(job.board), self.seen.builds.get(job.sha256)
        place = named.product.places.get(job.partition) if named is not None else None
        return None if named is None or build is None or place is None else (build, named.product, place)

    def _present(self, board: str, place: str) -> set[str]:
        """Return the images that a partition has, which a person goes back from."""
        shown = self.seen.shown.boards.get(board)
        contents = next((each.contents for each in shown.partitions if each.name == place), None) if shown else None
        return {contents.sha256} - {""} if contents is not None and contents.complete else set()


def _are_alike(one: Build, other: Build, product: Product, place: Place) -> bool:
    def satisfies(has: Build, wanted: Build) -> bool:
        memory = Memory(place.size)
        memory.lay(_all(has))
        return memory.satisfies(_all(wanted))

    def _all(build: Build) -> Pieces:
        return demanded(build.pieces, place.size, erase_all=product.erase_all)

    return satisfies(one, other) or satisfies(other, one)
