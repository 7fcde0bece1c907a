"""What runs: each attempt of a job, with what it has done to its flash so far. Rules share it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from flashdeck.job_state import JobKind, Running
from flashdeck.model import Event, JobState
from simulation.invariants.memory import Memory, defined, inside, overlap, touched
from simulation.seen import (
    BLANK,
    LEAST_BOOT_UNIT,
    Build,
    Device,
    Did,
    FlashChange,
    Lie,
    Named,
    Place,
    Seen,
    Span,
)


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt of one job, from when it is shown as running."""

    job: JobState
    """As it was shown when it began."""
    step: int
    named: Named
    """Its board, by the configuration that was in force then."""
    place: Place
    build: Build | None
    """Its image; None where the world has made none of that name, or it has none."""
    before: Memory | None
    """What the daemon knew of the partition when it began; None: nothing, or it was uncertain."""
    device: Device | None = None
    """The device that it has changed; None: none yet."""
    touched: tuple[Span, ...] = ()
    """The sectors that it may erase, by addresses."""
    changes: int = 0
    has_begun: bool = False
    """True once anything was changed but for a canary."""
    is_canary: bool = False
    """True if its last change was a canary that came or went."""
    lies: list[Lie] = field(default_factory=list[Lie])
    """What its device did wrong and said OK to."""

    @property
    def is_whole(self) -> bool:
        """True if every sector of the partition is its business."""
        return self.job.kind is JobKind.ERASE or self.named.product.erase_all

    @property
    def boot_unit(self) -> Span:
        """The addresses of the boot unit."""
        word = self.device.word if self.device is not None else 0
        return self.place.address, self.place.address + max(LEAST_BOOT_UNIT, word)

    def text(self) -> str:
        """Return it in words."""
        return f"job {self.job.id} ({self.job.kind.value} of {self.place.name} on {self.named.name})"


class Attempts:
    """All that runs now. The checker tells it of everything before it tells the rules."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._now: dict[str, Attempt] = {}
        self._all: dict[tuple[int, str, int], Attempt] = {}
        """The last attempt of each job, by life and board: a device may work on when the daemon has given it up."""
        self.lies: dict[str, list[Lie]] = {}
        """By device: what is wrong in its flash though it said OK, until that place is really erased."""
        self.canaries: dict[tuple[str, int], bytes] = {}
        """By device and sector's start: a sector that was blank but for a canary that was written there."""
        self.flashed: dict[tuple[str, str], str] = {}
        """By board and partition: the device that its lane has changed there last."""
        self.last: dict[tuple[str, str], str] = {}
        """The same, also where another board's lane has changed that device since."""
        self.impostors: set[str] = set()
        """Devices that were flashed while they showed another one's serial."""
        self.shared: set[tuple[str, str]] = set()
        """Devices and partitions that lanes of two boards have changed: neither knows what the other one left there."""

    def running(self, lane: str) -> Attempt | None:
        """Return what runs on a board now."""
        return self._now.get(lane)

    def of(self, change: FlashChange) -> Attempt | None:
        """Return the attempt that a change is due to; None where none was shown as running."""
        return self._all.get((change.life, change.lane, change.job))

    def began(self) -> None:
        """A life of the daemon begins: nothing runs."""
        self._now.clear()

    def published(self, event: Event, before: JobState | None) -> None:
        """Note that an attempt begins, or ends."""
        job = event.job
        if job is None:
            return
        if not isinstance(job.status, Running):
            running = self._now.get(job.board)
            if running is not None and running.job.id == job.id:
                del self._now[job.board]
            return
        is_new = before is None or not isinstance(before.status, Running) or before.attempts != job.attempts
        named = self._seen.setup.boards.get(job.board)
        if named is None or not (is_new or job.board not in self._now):
            return
        place = named.product.places.get(job.partition)
        if place is not None:
            build = self._seen.builds.get(job.sha256)
            attempt = Attempt(job, self._seen.step, named, place, build, self._known(named, place))
            self._now[job.board] = self._all[self._seen.life, job.board, job.id] = attempt

    def _known(self, named: Named, place: Place) -> Memory | None:
        board = self._seen.shown.boards.get(named.name)
        found = [each for each in board.partitions if each.name == place.name] if board is not None else []
        contents = found[0].contents if found else None
        if contents is None or contents.uncertain or not contents.layers:
            return None
        return Memory.of_layers(contents.layers, place.size, self._seen.builds.get)

    def lied(self, device: str, lie: Lie) -> None:
        """A flash has done something wrong, and said OK."""
        self.lies.setdefault(device, []).append(lie)
        for attempt in self._now.values():
            if attempt.device is None or attempt.device.name == device:
                attempt.lies.append(lie)

    def changed(self, change: FlashChange) -> None:
        """Note what an attempt has done."""
        attempt, device = self.of(change), self._seen.devices[change.device]
        if change.did is Did.ERASED and device.name in self.lies:
            self.lies[device.name] = [
                left
                for lie in self.lies[device.name]
                for left in ((lie,) if lie.step > change.step else _outside(lie, change.span))
            ]
        if attempt is None:
            return
        if attempt.device is not device:
            attempt.device = device
            in_place = tuple(sector for sector in device.sectors if inside(sector, attempt.place.span))
            pieces = attempt.build.pieces if attempt.build is not None else ()
            attempt.touched = in_place if attempt.is_whole else touched(pieces, in_place, attempt.place.address)
            attempt.touched += in_place[-1:] if device.erases_trailer else ()
        self._note_owner(attempt, device)
        attempt.is_canary = self._take_canary(attempt, device, change)
        attempt.has_begun |= not attempt.is_canary
        attempt.changes += 1

    def _note_owner(self, attempt: Attempt, device: Device) -> None:
        """From now on no other board's daemon knows what is there: it was another one's serial or port meanwhile."""
        here = (attempt.named.name, attempt.place.name)
        before, self.last[here] = self.last.get(here, ""), device.name
        if device.own_serial not in ("", device.serial):
            self.impostors.add(device.name)
        if device.name in self.impostors or before in self.impostors:
            self.shared.add((device.name, here[1]))
        if self.flashed.get(here) != device.name:
            if any((each, key[1]) == (device.name, here[1]) for key, each in self.flashed.items()):
                self.shared.add((device.name, here[1]))
            self.flashed = {key: each for key, each in self.flashed.items() if (each, key[1]) != (device.name, here[1])}
            self.flashed[here] = device.name

    def _take_canary(self, attempt: Attempt, device: Device, change: FlashChange) -> bool:
        """Return whether a change puts a canary down or takes one away, and remember where one lies."""
        sector = device.sector_of(change.address)
        at, there = (device.name, sector[0]), device.bytes_of(sector)
        if change.did in (Did.PROGRAMMED, Did.TORN_WRITE):
            start = sector[0] - attempt.place.address
            pieces = attempt.build.pieces if attempt.build is not None else ()
            is_canary = (
                change.address == sector[0] != attempt.place.address
                and change.size <= max(LEAST_BOOT_UNIT, device.word)
                and not attempt.has_begun
                and is_blank(change.before)
                and is_blank(there[change.size :])
                and not (attempt.build and change.after == defined(pieces, start, start + change.size))
            )
            if is_canary:
                self.canaries[at] = there
            return is_canary
        is_left = at in self.canaries and self.canaries[at] == change.before
        if change.did is Did.TORN_ERASE and is_left:
            self.canaries[at] = there
        else:
            self.canaries.pop(at, None)
        is_harmless = is_blank(change.before) and not attempt.has_begun and sector[0] != attempt.place.address
        return is_left or is_harmless

    def is_wrong(self, device: str, address: int) -> bool:
        """Tell whether a byte is wrong because the flash has lied about it."""
        return any(lie.address <= address < lie.address + lie.size for lie in self.lies.get(device, ()))


def _outside(lie: Lie, span: Span) -> Iterator[Lie]:
    """Yield what is left of a lie where a sector was really erased: others that it was about are still wrong."""
    start, end = lie.address, lie.address + lie.size
    if not overlap((start, end), span):
        yield lie
        return
    for first, last in ((start, span[0]), (span[1], end)):
        if first < last:
            yield replace(lie, address=first, size=last - first)


def is_blank(data: bytes) -> bool:
    """Tell whether there is nothing but 0xFF."""
    return data.count(BLANK) == len(data)
