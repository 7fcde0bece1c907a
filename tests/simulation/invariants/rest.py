"""The end: the world comes to rest as DESIGN, section 11, says."""

from flashdeck.disposition import Disposition
from flashdeck.job_state import (
    CHANGES,
    Blocked,
    Cancelled,
    Done,
    Failed,
    Origin,
    Queued,
    Running,
    Superseded,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import BoardState, Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.belongs import why_refused
from simulation.invariants.identity import candidates, claims
from simulation.invariants.memory import demanded, differing
from simulation.invariants.rule import Rule
from simulation.seen import Build, Device, Named, Place, Seen, Setup, Wish

_REASONS_TO_OFFER = {Wish.DISARM, Wish.ROLLBACK, Wish.ERASE, Wish.ARM_ONCE, Wish.CANCEL}


class Rest(Rule):
    """Everything that can come home has come home."""

    name = "rest"
    sentence = (
        "At the end all faults stop, simulated hands press when asked, and every newest build that is not only offered "
        "and that no guard or rule refuses must be on every present, armed, unambiguous board that is neither on hold "
        "nor broken for good, in bounded virtual time; every wait is answered whose boards are all present or whose "
        "timeout is over."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._first_seen: dict[tuple[str, str], float] = {}
        self._reshaped: set[tuple[str, str]] = set()
        self._excused: set[int] = set()
        """Jobs that have failed on a board on which faults have struck since they began."""

    def took(self, before: Setup, after: Setup) -> None:
        """Note which places are others now: their builds may be offered only."""
        for name, product in after.products.items():
            old = before.products.get(name)
            for place in product.places.values():
                was = old.places.get(place.name) if old is not None else None
                if was is None or (was.span, was.image, was.auto) != (place.span, place.image, place.auto):
                    self._reshaped.add((name, place.name))

    def published(self, event: Event, before: JobState | None) -> None:
        """Note when a build of a place was seen first."""
        if event.artifact is not None and self.seen.is_alive:
            self._first_seen.setdefault((event.artifact.profile, event.artifact.partition), self.seen.now)
        job = event.job
        if job is not None and isinstance(job.status, Failed):
            device = self.seen.devices.get(self.attempts.flashed.get((job.board, job.partition), ""))
            named = self.seen.setup.boards.get(job.board)
            found = [device] if device is not None else []
            found += candidates(named, self.seen.devices.values()) if named is not None else []
            if any(
                each.disturbed_at >= 0 or self.attempts.lies.get(each.name) or not each.reads_truly for each in found
            ):
                self._excused.add(job.id)

    def rested(self) -> None:
        """Judge the end."""
        seen = self.seen
        if not seen.is_alive:
            raise self.broken("no daemon runs")
        for named in seen.setup.boards.values():
            board = seen.shown.boards.get(named.name)
            found = candidates(named, seen.devices.values())
            if board is None:
                raise self.broken(f"{named.name} is not shown")
            if len(found) != 1 or not self._can_come_home(named, board, found[0]):
                continue
            if named.release is not None:
                continue  # adopted: what was built before that is nobody's wish
            self._be_idle(board)
            for place in named.product.places.values():
                build = seen.newest.get((named.product.name, place.name))
                if self._is_of_another(board, place, found[0]):
                    continue
                if self.attempts.last.get((named.name, place.name), found[0].name) != found[0].name:
                    continue  # another device was flashed in its place, which nobody could know
                if build is not None and not place.protected and not why_refused(build.pieces, place, named.product):
                    self._be_home(named, board, found[0], place, build)
        for ask in seen.asks:
            if ask.wish is Wish.WAIT and ask.life == seen.life and ask.answered_at is None and not ask.is_abandoned:
                is_over = ask.timeout is not None and ask.at + ask.timeout < seen.now
                if is_over or all(self._is_present(name) for name in ask.boards):
                    raise self.broken(f"{ask.client} waits for {ask.place} of {ask.boards} since {ask.at:.3f}")

    def _is_of_another(self, board: BoardState, place: Place, device: Device) -> bool:
        """Tell whether another device was flashed as this board, in its port or with its serial: nobody could know."""
        contents = next((each.contents for each in board.partitions if each.name == place.name), None)
        serial = contents.serial if contents is not None else ""
        last = self.attempts.flashed.get((board.name, place.name), device.name)
        return last != device.name or (bool(serial) and serial != device.serial)

    def _is_present(self, name: str) -> bool:
        named = self.seen.setup.boards.get(name)
        return named is not None and len(candidates(named, self.seen.devices.values())) == 1

    def _can_come_home(self, named: Named, board: BoardState, device: Device) -> bool:
        rivals = [other for other in self.seen.setup.boards.values() if claims(other, device)]
        is_ambiguous = len(rivals) > 1 or board.presence.value == "ambiguous"
        is_free = board.hold is None and board.lease is None and board.armed
        return is_free and not is_ambiguous and not device.is_broken and device.stores and not device.erases_astray

    def _be_idle(self, board: BoardState) -> None:
        for job in self.seen.shown.jobs.values():
            if job.board != board.name or job.is_settled or isinstance(job.status, Blocked):
                continue
            match job.status:
                case Queued() | Running():
                    stuck = True
                case Written() as status:
                    stuck = not status.reason
                case Waiting(for_=WaitFor.ABSENT | WaitFor.PAUSE | WaitFor.DISK | WaitFor.HAND):
                    stuck = True
                case _:
                    stuck = False
            if stuck:
                raise self.broken(f"job {job.id} of {board.name} is still: {job.text}")

    def _be_home(self, named: Named, board: BoardState, device: Device, place: Place, build: Build) -> None:
        wanted = demanded(build.pieces, place.size, erase_all=named.product.erase_all)
        start = place.address
        lacking = [
            start + offset + at
            for offset, data in wanted
            for at in differing(device.bytes_of((start + offset, start + offset + len(data))), data)
            if not self.attempts.is_wrong(device.name, start + offset + at)
        ]
        if not lacking or self._why_not(named, board, device, place, build):
            return
        artifact = self.seen.shown.artifacts.get((named.product.name, place.name))
        raise self.broken(
            f"{named.name} ({device.name}) does not have the newest build of {place.name}, {build.sha256[:12]}, at "
            f"0x{lacking[0]:08x}; the newest that is shown is {artifact.sha256[:12] if artifact else 'none'}"
            f" ({artifact.text if artifact else ''}); {board.text}"
        )

    def _why_not(self, named: Named, board: BoardState, device: Device, place: Place, build: Build) -> str:
        """Return why a build need not be on a board; "" where it must."""
        key = (named.product.name, place.name)
        artifact = self.seen.shown.artifacts.get(key)
        if artifact is None or artifact.sha256 != build.sha256:
            return ""
        mine = [
            job
            for job in self.seen.shown.jobs.values()
            if (job.board, job.partition) == (named.name, place.name) and job.kind in CHANGES
        ]
        newest = max(mine, key=lambda job: job.id, default=None)
        asked = any(ask.wish in _REASONS_TO_OFFER and named.name in ask.boards for ask in self.seen.asks)
        if newest is not None and device.had_another_release and _waits_for_another_device(newest):
            return "a person has to say that it is the same board"
        if newest is not None and newest.origin is Origin.HAND:
            return "a person has put something else there"
        if newest is not None and newest.origin is Origin.FLASHDECK:
            return "it went back by itself: what has crashed is only offered"
        if newest is not None and isinstance(newest.status, Blocked | Cancelled):
            return "it is blocked, or was cancelled"
        # One that gave way to a job that was there before it, as its build came back, decides nothing.
        last = max(
            (job for job in mine if not isinstance(job.status, Superseded)), key=lambda job: job.id, default=None
        )
        if last is not None and isinstance(last.status, Failed) and last.sha256 == build.sha256:
            return "its board failed it: a person has to say it again" if last.id in self._excused else ""
        if newest is not None and newest.sha256 == build.sha256 and newest.is_settled and not place.is_data:
            return "" if isinstance(newest.status, Done) else "superseded"
        is_offered = artifact.disposition is Disposition.OFFERED or any(
            each.offered == build.sha256 for each in board.partitions if each.name == place.name
        )
        if not is_offered:
            return ""
        is_first = build.settled_at <= self._first_seen.get(key, 0.0)
        return "offered" if asked or is_first or not place.auto or key in self._reshaped else ""


def _waits_for_another_device(job: JobState) -> bool:
    return isinstance(job.status, Waiting) and job.status.for_ is WaitFor.OTHER_DEVICE
