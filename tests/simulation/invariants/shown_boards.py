"""What `status` shows of boards is so: presence, partitions, contents, version, current, offered, hold, armed.

`FIELDS` lists every field of a board and of its partitions, with how it is held; a test compares it with the model.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flashdeck.disposition import Disposition
from flashdeck.model import BoardState, Contents, Event, HoldBy, JobState, PartitionState, Presence
from simulation.invariants.attempts import Attempt, Attempts
from simulation.invariants.changed_files import renamed
from simulation.invariants.identity import candidates, claims, may_run_as
from simulation.invariants.memory import Memory, demanded, inside
from simulation.invariants.right_board import NOTICED_SECONDS
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Device, FlashChange, Named, Place, Seen, Setup, Wish

FIELDS: Final[Mapping[str, str]] = {
    "board.name": "is configured",
    "board.profile": "as configured",
    "board.presence": "by the true devices, once nothing was plugged for a while",
    "board.serial": "that of the device, likewise",
    "board.port": "that of the device, likewise",
    "board.controller": "none: no seed limits one, and a bench has only its own",
    "board.product": "rule 8",
    "board.text": "rule 8",
    "board.away": "nowhere but on a board that is absent",
    "board.hold": "by what persons have asked for; flashdeck's own by rule 12",
    "board.lease": "by what clients have taken",
    "board.armed": "by what persons have asked for",
    "board.slot": "none: no seed has slots",
    "board.once": "not armed for one job while disarmed",
    "board.adopted": "by the configuration: the world adopts none",
    "board.trouble": "said where it is ambiguous",
    "board.doubts": "rule 8",
    "board.console": "where one is configured",
    "board.partitions": "those of the configuration, in its order",
    "partition.name": "as configured",
    "partition.address": "as configured",
    "partition.size": "as configured",
    "partition.alternate": "only a plain device's",
    "partition.protected": "as configured",
    "partition.auto": "as configured",
    "partition.image": "rule 8",
    "partition.being_written": "while a tool has its file open, and never at rest",
    "partition.contents": "every byte that is known is there; version and sizes are those of the image",
    "partition.offered": "the newest build, which it does not have",
    "partition.current": "the contents have every byte of the newest build",
    "partition.trouble": "rule 8",
    "partition.kept_open": "rule 8",
}
"""Each field that a client sees of a board, and how it is held."""


class ShownBoards(Rule):
    """Boards are as they are shown."""

    name = "shown"
    sentence = (
        "The contents of a partition are the sum of what was written: the newest image over what earlier ones left in "
        "the sectors that it did not touch; in a sector that was erased for it, what the image does not define is "
        "0xFF; unknown contents satisfy nothing."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._judged: dict[tuple[str, str], tuple[Contents | None, str, bool]] = {}
        self._known: dict[tuple[str, str], Memory | None] = {}
        self._begun: set[Attempt] = set()
        """Attempts that have changed something, canaries aside."""
        self._former: dict[str, set[str]] = {}
        """By board: names that it went by before."""
        self._twins: set[str] = set()
        """Serials that two devices have shown at once."""

    def began(self) -> None:
        """A new life says everything anew."""
        self._judged.clear()

    def took(self, before: Setup, after: Setup) -> None:
        """Note which boards were renamed: what was asked of them counts on."""
        for old, new in renamed(before, after).items():
            self._former[new] = {*self._former.get(new, ()), *self._former.get(old, ()), old}

    def changed(self, change: FlashChange) -> None:
        """Judge the first thing that an attempt changes: that the contents go is shown, and recorded, before."""
        attempt = self.attempts.of(change)
        if attempt is None or attempt.is_canary or attempt in self._begun or change.life != self.seen.life:
            return
        self._begun.add(attempt)
        key, place = (attempt.named.name, attempt.place.name), attempt.place
        contents, known = self._judged.get(key, (None, "", False))[0], self._known.get(key)
        if contents is None or known is None or change.is_astray or not inside(change.span, place.span):
            return
        device = self._device_of(key, place, contents)
        if device is None or len(known.data) != place.size:
            return
        there = device.bytes_of(change.span)
        for at in known.differs_at(change.address - place.address, there):
            if not self.attempts.is_wrong(device.name, place.address + at):
                raise self.broken(
                    f"{attempt.text()} changes 0x{place.address + at:08x} of {device.name}, and is not shown to: "
                    f"{attempt.named.name}/{place.name} is known to have 0x{known.data[at]:02x} there"
                )

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a board's new state."""
        board = event.board
        if board is None:
            return
        named = self.seen.setup.boards.get(board.name)
        if named is None or board.profile != named.product.name:
            return  # of the configuration before; the new one is said at once
        if len({each.name for each in board.partitions}) != len(board.partitions):
            raise self.broken(f"{board.name} shows a partition twice")
        for partition in board.partitions:
            place = named.product.places.get(partition.name)
            if place is not None and (partition.address, partition.size) == (place.address, place.size):
                self._judge(board, named, partition, place)
        if board.once and not board.armed:
            raise self.broken(f"{board.name} is armed for one job, and not armed")
        if board.away and board.presence is not Presence.ABSENT:
            raise self.broken(f"{board.name} is away, and {board.presence.value}")
        if board.presence is Presence.AMBIGUOUS and not board.trouble:
            raise self.broken(f"{board.name} is ambiguous, and nothing says why")

    def _judge(self, board: BoardState, named: Named, partition: PartitionState, place: Place) -> None:
        key, contents = (board.name, place.name), partition.contents
        artifact = self.seen.shown.artifacts.get((board.profile, place.name))
        newest = artifact.sha256 if artifact is not None and artifact.disposition is not Disposition.REFUSED else ""
        is_new = key not in self._judged or self._judged[key][0] is not contents
        state = (contents, newest, partition.current)
        if not is_new and self._judged[key] == state:
            return
        self._judged[key] = state
        if is_new:
            self._known[key] = self._memory(contents, place)
            self._be_true(board.name, place, contents, self._known[key])
            self._be_named(board.name, place, contents)
        if partition.current and partition.offered:
            raise self.broken(f"{board.name}/{place.name} is current, and a build is offered")
        if partition.current and not newest:
            raise self.broken(f"{board.name}/{place.name} is current, and there is no build")
        build, known = self.seen.builds.get(newest), self._known[key]
        if build is None or (contents is not None and not contents.layers):
            return
        wanted = demanded(build.pieces, place.size, erase_all=named.product.erase_all)
        if partition.current and not (known is not None and known.satisfies(wanted)):
            raise self.broken(
                f"{board.name}/{place.name} is current with {newest[:12]}, and its contents do not have it"
            )
        is_on_top = contents is not None and contents.layers[0].sha256 == newest
        if not partition.current and is_on_top:
            raise self.broken(f"{board.name}/{place.name} was flashed with {newest[:12]} last, and is not current")

    def _memory(self, contents: Contents | None, place: Place) -> Memory | None:
        return None if contents is None else Memory.of_layers(contents.layers, place.size, self.seen.builds.get)

    def _be_true(self, board: str, place: Place, contents: Contents | None, known: Memory | None) -> None:
        """Compare what is known with what is there, on the device that the lane has changed last."""
        device = None if contents is None else self._device_of((board, place.name), place, contents)
        if known is None or device is None:
            return
        for at in known.differs(device.bytes_of(place.span)):
            if not self.attempts.is_wrong(device.name, place.address + at):
                raise self.broken(
                    f"{board}/{place.name} is known to have 0x{known.data[at]:02x} at 0x{place.address + at:08x}, and "
                    f"{device.name} has 0x{device.bytes_of((place.address + at, place.address + at + 1)).hex()}"
                )

    def _device_of(self, key: tuple[str, str], place: Place, contents: Contents) -> Device | None:
        """Return the device of which contents are true, where they say anything."""
        device = self.seen.devices.get(self.attempts.flashed.get(key, ""))
        if device is None or contents.uncertain or not _holds(device) or contents.serial != device.serial:
            return None
        return None if (device.name, place.name) in self.attempts.shared else device

    def _be_named(self, board: str, place: Place, contents: Contents | None) -> None:
        build = self.seen.builds.get(contents.sha256) if contents is not None else None
        if contents is None or build is None:
            return
        if build.version and contents.version != build.version:
            raise self.broken(f"{board}/{place.name} has version {contents.version!r}, and it is {build.version!r}")
        if contents.size != sum(len(data) for _, data in build.pieces):
            raise self.broken(f"{board}/{place.name} has {contents.size} bytes of {contents.sha256[:12]}")

    def plugged(self) -> None:
        """Note serials that two devices show at once."""
        serials = [device.serial for device in self.seen.devices.values() if device.is_plugged]
        self._twins |= {serial for serial in serials if serials.count(serial) > 1}

    def seldom(self) -> None:
        """Judge presence, holds and what is armed, where nothing has changed for a while."""
        devices = tuple(self.seen.devices.values())
        since = self.seen.now - NOTICED_SECONDS
        if not self.seen.is_alive or self.seen.ready_at > since:
            return
        for named in self.seen.setup.boards.values():
            board = self.seen.shown.boards.get(named.name)
            if board is None:
                raise self.broken(f"{named.name} is configured, and not shown")
            self._be_configured(named, board)
            if all(device.changed_at < since for device in devices):
                self._be_present(named, board, devices)
            self._be_held(board, is_adopted=named.release is not None)
            self._be_armed(board)

    def _be_configured(self, named: Named, board: BoardState) -> None:
        shown = [(p.name, p.address, p.size, p.protected, p.auto or p.protected) for p in board.partitions]
        places = named.product.places.values()
        configured = [(p.name, p.address, p.size, p.protected, p.auto or p.protected) for p in places]
        if (board.console is None) is not (named.product.signs is None):
            raise self.broken(
                f"{board.name} shows the console {board.console}, and {named.product.signs} is configured"
            )
        if board.slot:
            raise self.broken(f"{board.name} is shown as a slot, and none is configured")
        if not named.product.is_plain and shown != configured:
            raise self.broken(f"{named.name} has the partitions {configured}, and {shown} are shown")

    def _be_present(self, named: Named, board: BoardState, devices: Sequence[Device]) -> None:
        found = candidates(named, devices)
        likely = [device for device in devices if may_run_as(named, device)]
        allowed: set[Presence] = set()
        if len(found) == 1 and not any(
            self._is_rival(named, other, found[0]) for other in self.seen.setup.boards.values()
        ):
            allowed.add(Presence.DFU if found[0].mode == "dfu" else Presence.APP)
        elif any(claims(named, device) for device in devices):
            allowed.add(Presence.AMBIGUOUS)
        elif likely:
            allowed |= {Presence.APP, Presence.ABSENT, Presence.AMBIGUOUS}
        else:
            allowed.add(Presence.ABSENT)
        others = [other for other in self.seen.setup.boards.values() if other is not named]
        if named.serial in self._twins or any(may_run_as(other, device) for other in others for device in found):
            allowed.add(Presence.AMBIGUOUS)
        if board.presence not in allowed:
            modes = ", ".join(f"{each.name} {each.mode} {each.serial} {each.port}" for each in devices)
            raise self.broken(f"{named.name} is shown as {board.presence.value}, and on the bus are: {modes}")
        if len(found) == 1 and board.presence in (Presence.DFU, Presence.APP) and board.port != found[0].port:
            raise self.broken(f"{named.name} is shown at {board.port}, and is at {found[0].port}")

    @staticmethod
    def _is_rival(named: Named, other: Named, device: Device) -> bool:
        return other is not named and claims(other, device)

    def _be_held(self, board: BoardState, *, is_adopted: bool) -> None:
        asks = self._asks(board.name, {Wish.HOLD, Wish.RELEASE})
        is_a_persons = board.hold is not None and board.hold.by is HoldBy.PERSON
        # An adopted board may be one that was taken out before, and have its hold.
        if is_a_persons and not is_adopted and not any(ask.wish is Wish.HOLD for ask in asks):
            raise self.broken(f"{board.name} is put on hold by a person, and nobody did")
        last = _last(asks)
        if last is not None and last.wish is Wish.HOLD and board.hold is None:
            raise self.broken(f"{board.name} was put on hold by {last.client}, and is not")

    def _be_armed(self, board: BoardState) -> None:
        asks = self._asks(board.name, {Wish.ARM, Wish.ARM_ONCE, Wish.DISARM})
        last = _last(asks)
        if not asks and not board.armed:
            raise self.broken(f"{board.name} is disarmed, and nobody did")
        if last is not None and last.wish is Wish.DISARM and board.armed:
            raise self.broken(f"{board.name} was disarmed by {last.client}, and is armed")
        if last is not None and last.wish is Wish.ARM and not board.armed:
            raise self.broken(f"{board.name} was armed by {last.client}, and is not")

    def _asks(self, board: str, wishes: set[Wish]) -> list[Ask]:
        names = {board, *self._former.get(board, ())}
        return [ask for ask in self.seen.asks if ask.wish in wishes and names & {*ask.boards} and not ask.is_read_only]


def _holds(device: Device) -> bool:
    """Tell whether a device keeps what it was told, by its model."""
    return device.stores and not device.erases_astray


def _last(asks: Sequence[Ask]) -> Ask | None:
    """Return the wish that counts; None where there is none, or two were under way at once or one had no answer."""
    if not asks or asks[-1].answered_at is None or asks[-1].refused:
        return None
    last = asks[-1]
    return last if all(_is_over(other, last) for other in asks[:-1]) else None


def _is_over(other: Ask, last: Ask) -> bool:
    """Tell whether a wish was done, or will never be, by the time of the last one."""
    if other.is_abandoned or other.answered_at is None:
        return other.life < last.life
    return other.answered_at < last.at
