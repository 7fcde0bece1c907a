"""Rule 12: a file that changed does not widen what may be done."""

from flashdeck.disposition import Disposition
from flashdeck.job_state import Running
from flashdeck.model import BoardState, Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Named, Seen, Setup, Wish

CARRIED_SECONDS = 5.0
"""Seconds in which a board has its new name."""

_CHANGED = "the configuration has changed"


class ChangedFiles(Rule):
    """A configuration that changes what a board is, or where its partitions are, puts it on hold."""

    name = "12"
    sentence = (
        "A reload, or a start with another configuration than the daemon last ran with, that moves or resizes a "
        "partition, takes protected away or changes how a board is recognised puts its boards on hold with the "
        "difference. A renamed board keeps its hold and disarmed state. For partitions and paths that a reload brings, "
        "the rule of the start holds: a file never seen there is offered."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._differs: dict[str, str] = {}
        """By board: what has changed of it, and no person has released since."""
        self._unrecorded: dict[str, Named] = {}
        """Boards whose hold a full disk may have kept from being recorded, as they were then: the next daemon finds the
        difference again, but not where that is undone by then."""
        self._judged: set[tuple[str, str, str]] = set()
        """Products, partitions and paths at which a build was seen."""
        self._since: dict[tuple[str, str], float] = {}
        """By product and partition: when this life first went by its path."""
        self._began_at = self._took_at = 0.0
        self._told: Setup | None = None
        """The configuration that a daemon has said to go by last; None: none yet."""
        self._is_new = False
        """True where a life has begun, and has not said by which it goes."""
        self._reasons: dict[str, str] = {}
        """By board: the reason of its hold that is shown."""
        self._told_early: set[str] = set()
        """Boards that are shown on hold for a configuration that is not in force yet."""
        self._released_early: set[str] = set()
        """Those of them that a person has released since: after the difference was told."""
        self._stays_held: set[str] = set()
        """Boards that were on hold under another name, and that nobody has released since."""

    def began(self) -> None:
        """A new life looks at every path first."""
        self._since.clear()
        self._told_early.clear()
        self._released_early.clear()
        self._is_new = True
        self._began_at = self.seen.now

    def took(self, before: Setup, after: Setup) -> None:
        """Note what has changed. A daemon that has ended in the middle of a reload last ran with the one before."""
        if self._is_new and self._told is not None:
            before = self._told
        self._is_new = False
        # What the daemon last ran with is recorded; a disk that was full since, or as the holds for it were to be
        # recorded shortly before, may have kept that from being so.
        is_known = self.seen.is_alive or self.seen.disk_failed_at < self._took_at - CARRIED_SECONDS
        self._took_at = self.seen.now
        for product in after.products.values():
            old = before.products.get(product.name)
            for place in product.places.values():
                was = old.places.get(place.name) if old is not None else None
                if was is None or was.image != place.image:
                    self._since[product.name, place.name] = self.seen.now
        gone = (named for named in before.boards.values() if named.name not in after.boards)
        former = {_identity(named): named.name for named in gone}
        carried = dict(self._differs)
        self._differs = {}
        for named in after.boards.values():
            old_name = named.name if named.name in before.boards else former.get(_identity(named), "")
            was = self.seen.shown.boards.get(old_name)
            self._reasons[named.name] = self._reasons.get(old_name, "")
            if old_name != named.name and (old_name in self._stays_held or (was is not None and was.hold is not None)):
                self._stays_held.add(named.name)
            noted = self._unrecorded.pop(old_name, None)
            is_undone = noted is not None and not self.seen.is_alive and _difference(noted, named) != ""
            if old_name in carried and not is_undone:
                self._differs[named.name] = carried[old_name]
            old = before.boards.get(old_name)
            is_released = old_name in self._released_early
            if old is not None and is_known and not is_released and (difference := _difference(old, named)):
                self._differs[named.name] = difference
            if named.name in self._differs and self.seen.disk_failed_at > self.seen.now - CARRIED_SECONDS:
                self._unrecorded[named.name] = named
        self._told_early.clear()
        self._released_early.clear()

    def asked(self, ask: Ask) -> None:
        """A person may release boards, by whatever name or glob."""
        if ask.wish is Wish.RELEASE:
            self._stays_held.clear()

    def seldom(self) -> None:
        """Look whether a hold went with its board."""
        for name in self._stays_held if self.seen.now > self._took_at + CARRIED_SECONDS else ():
            board = self.seen.shown.boards.get(name)
            if board is not None and name in self.seen.setup.boards and board.hold is None and self.seen.is_alive:
                raise self.broken(f"{name} was on hold under its former name, and is not now")

    def answered(self, ask: Ask) -> None:
        """A person has released boards."""
        if ask.wish is Wish.RELEASE and not ask.refused:
            for board in ask.boards:
                self._differs.pop(board, None)
            self._released_early |= self._told_early.intersection(ask.boards)

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge what begins, and what becomes of a build."""
        job, artifact, board = event.job, event.artifact, event.board
        if board is not None:
            self._note_reason(board)
        if event.daemon is not None and event.daemon.configuration is not None:
            self._told = self.seen.setup
        begins = job is not None and isinstance(job.status, Running)
        if job is not None and begins and not (before is not None and isinstance(before.status, Running)):
            released = any(
                a.wish is Wish.RELEASE and job.board in a.boards and a.answered_at is None for a in self.seen.asks
            )
            if job.board in self._differs and not released:
                raise self.broken(
                    f"job {job.id} begins on {job.board}: {self._differs[job.board]}, and nobody released it"
                )
        if artifact is None:
            return
        key = (artifact.profile, artifact.partition, artifact.source)
        if not self.seen.is_alive and self.seen.life > 1:
            self._judged.add(key)  # before it listens, a later life tells what it finds recorded
            return
        build = self.seen.builds.get(artifact.sha256)
        was_seen = key in self._judged or not self.seen.is_alive
        self._judged.add(key)
        if build is None or was_seen or build.path != artifact.source or artifact.disposition is not Disposition.QUEUED:
            return
        if 0 < build.settled_at < self._since.get((artifact.profile, artifact.partition), self._began_at):
            raise self.broken(f"{artifact.source} was never seen there and lay there before, and is flashed by itself")

    def _note_reason(self, board: BoardState) -> None:
        """Note a hold that is new: a reload holds all boards before it goes by the other configuration.

        Between the two a person may read why, and release them.
        """
        reason = board.hold.reason if board.hold is not None else ""
        if self.seen.is_alive and reason.startswith(_CHANGED) and reason != self._reasons.get(board.name):
            self._told_early.add(board.name)
            self._released_early.discard(board.name)
        self._reasons[board.name] = reason


def renamed(before: Setup, after: Setup) -> dict[str, str]:
    """Return the later names of boards that have another one now, and are recognised by the same."""
    former = {_identity(named): name for name, named in before.boards.items() if name not in after.boards}
    later = {_identity(named): name for name, named in after.boards.items() if name not in before.boards}
    return {old: later[identity] for identity, old in former.items() if identity in later}


def _identity(named: Named) -> tuple[str, str]:
    """Return by what a board is the same under another name: its serial, or the port where it is known by that."""
    return named.serial or named.port, named.product.name


def _difference(old: Named, new: Named) -> str:
    """Return what has changed of a board that must put it on hold; "" for nothing."""
    if (old.serial, old.port) != (new.serial, new.port):
        return "it is recognised otherwise"
    if (old.product.dfu_id, old.product.app_id) != (new.product.dfu_id, new.product.app_id):
        return "its USB ids are others"
    for name, place in old.product.places.items():
        now = new.product.places.get(name)
        if now is not None and now.span != place.span:
            return f"{name} was moved or resized"
        if place.protected and (now is None or not now.protected):
            return f"{name} is not protected any more"
    return ""
