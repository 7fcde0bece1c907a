"""What a flash will do, worked out before its first step. Pure: image, target and device facts in, a value out.

The order is that of safety rule 6: the sector of the boot unit is erased first, everything but the boot unit is written
and read back, and the boot unit is written last and alone. Until then no boot check accepts the partition.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from flashdeck.config import BankPolicy, ErasePolicy, MapPolicy, VerifyPolicy
from flashdeck.errors import DescriptorError, ErrorKind, HeldError, RefusedError, VerifyError
from flashdeck.geometry import Range
from flashdeckd.dfu.addressing import Addressing
from flashdeckd.dfu.memory_map import Access, MemoryMap
from flashdeckd.dfu.session import Facts
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.flash.target import Target

BLANK = 0xFF
MIN_BOOT_UNIT = 16
"""Bytes: initial stack pointer, reset vector and a little more, whatever the flash programs at once."""
UNSTATED_TRANSFER_SIZE = 64
"""Bytes per block for a device that does not say its wTransferSize: one packet of a full-speed endpoint 0."""


class Action(StrEnum):
    """What one step does."""

    COMPARE = "compare"
    """Reads what is there, where reading was proved before: what is equal is left alone."""
    FIND_BLANK = "find blank"
    """Looks for a blank sector whose twin in the other bank is blank too, and remembers what it must not change."""
    WRITE_CANARY = "write canary"
    READ_CANARY = "read canary"
    ERASE_CANARY = "erase canary"
    CHECK_BANKS = "check banks"
    """The canary must be gone, and nothing else may have changed: the bootloader erases the right bank."""
    ERASE = "erase"
    CHECK_BLANK = "check blank"
    """Reads a freshly erased sector: the first half of the proof that reading works."""
    WRITE = "write"
    PROVE_READING = "prove reading"
    """Reads back what was written first: the other half."""
    READ_BACK = "read back"
    WRITE_BOOT_UNIT = "write boot unit"
    READ_BOOT_UNIT = "read boot unit"
    LEAVE = "leave"
    DOWNLOAD = "download"
    """Plain DFU 1.1: the whole image, in blocks one after the other."""
    MANIFEST = "manifest"
    """Plain DFU 1.1: the end of the image; the device checks it, and starts it or goes back to dfuIDLE."""


READS = frozenset((Action.CHECK_BLANK, Action.PROVE_READING, Action.READ_BACK, Action.READ_BOOT_UNIT))
"""Steps that are left out once reading has turned out not to work."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a device says of itself, as far as a plan needs it."""

    transfer_size: int
    """wTransferSize; 0 where the device does not say."""
    memory_map: MemoryMap | None = None
    map_error: str = ""
    """Why there is no map."""
    can_upload: bool = True
    can_download: bool = True

    @classmethod
    def of(cls, facts: Facts) -> "DeviceFacts":
        """The same from an opened session."""
        return cls(
            transfer_size=facts.functional.transfer_size,
            memory_map=facts.memory_map,
            map_error=facts.map_error,
            can_upload=facts.functional.can_upload,
            can_download=facts.functional.can_download,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step; reads of more than one transfer are done in blocks."""

    action: Action
    span: Range


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one flash, in order. The program does nothing that is not in it."""

    target: Target
    contents: bytes = field(repr=False)
    """What the partition begins with afterwards: the image, filled up to whole program units."""
    boot_unit: int
    """Length in bytes of the part that is written last."""
    block: int
    """The most bytes in one transfer."""
    steps: tuple[Step, ...]
    requests: int
    """Control requests that it costs on a device that answers at once, from opening the session to the leave."""
    protection: str
    """How a half-written image is kept from booting."""
    notes: tuple[str, ...] = ()

    @property
    def erases(self) -> int:
        """Sectors that are erased."""
        return self._count(Action.ERASE)

    @property
    def blocks(self) -> int:
        """Blocks that are written, the boot unit's among them."""
        return self._count(Action.WRITE) + self._count(Action.WRITE_BOOT_UNIT)

    @property
    def reads(self) -> bool:
        """Whether anything is read, where reading turns out to work."""
        return any(step.action in READS for step in self.steps)

    def data(self, span: Range) -> bytes:
        """The bytes that `span` holds afterwards; b"" behind the contents."""
        start = self.target.span.start
        return self.contents[span.start - start : span.end - start]

    def read_blocks(self, span: Range) -> Iterator[Range]:
        """`span` in transfers."""
        return _blocks(span, self.block)

    def _count(self, action: Action) -> int:
        return sum(1 for step in self.steps if step.action is action)


def make_plan(image: bytes, target: Target, facts: DeviceFacts) -> Plan:
    """Works out the steps that bring `image` into the target's partition, or why that must not be.

    Raises RefusedError where it would touch what it must not, HeldError where somebody has to look first, VerifyError
    where it must be read back and can not be, DescriptorError where the device can not be written.
    """
    return _Planner(image, target, facts).plan()


class _Planner:
    def __init__(self, image: bytes, target: Target, facts: DeviceFacts) -> None:
        self._image = image
        self._target = target
        self._facts = facts
        self._span = target.span
        self._unit = target.geometry.program_unit
        self._boot_unit = max(MIN_BOOT_UNIT, self._unit)
        self._map = facts.memory_map if target.map is MapPolicy.CHECK else None
        self._notes: list[str] = []

    def plan(self) -> Plan:
        self._check_partition()
        self._check_image()
        block = self._block_size()
        contents = self._contents()
        written = Range.sized(self._span.start, len(contents))
        sectors = self._sectors(written)
        self._check_map(sectors)
        self._check_banks()
        reading = self._may_read(written)
        steps = tuple(self._steps(contents, sectors, block, reading=reading))
        if self._target.verify is VerifyPolicy.ALWAYS and all(s.action is not Action.PROVE_READING for s in steps):
            raise _unprovable(f"the image has nothing behind its first {self._boot_unit} bytes to prove reading with")
        return Plan(
            target=self._target,
            contents=contents,
            boot_unit=self._boot_unit,
            block=block,
            steps=steps,
            requests=_cost(steps, block, self._facts.transfer_size),
            protection=self._protection(contents),
            notes=tuple(self._notes),
        )

    def _check_partition(self) -> None:
        target = self._target
        for protected in target.protected:
            if protected.overlaps(self._span):
                raise RefusedError(
                    f"the partition {target.partition} ({self._span}) overlaps the protected {protected}",
                    hint="a protected partition can not be flashed; choose another partition",
                    kind=ErrorKind.PROTECTED,
                )
        if not target.geometry.is_whole_sectors(self._span):
            raise RefusedError(
                f"the partition {target.partition} ({self._span}) is not made of whole sectors of the flash",
                hint="erasing its edge would erase its neighbour; mend address and size in the profile",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )
        if any(s.start % self._boot_unit or s.size % self._boot_unit for s in self._geometry_sectors()):
            raise RefusedError(
                f"the sectors of {target.partition} are no multiples of {self._boot_unit} bytes, "
                "the least that is written at once",
                hint="mend the sectors in the profile",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )

    def _geometry_sectors(self) -> list[Range]:
        return [sector.span for sector in self._target.geometry.sectors_in(self._span)]

    def _check_image(self) -> None:
        if not self._image:
            raise RefusedError("the image is empty", hint="build it again", kind=ErrorKind.GUARD)
        if len(self._image) > self._span.size:
            raise RefusedError(
                f"the image has {len(self._image)} bytes and does not fit into {self._target.partition} "
                f"({self._span.size} bytes at 0x{self._span.start:08x})",
                hint="it was built for a larger partition, or has outgrown this one",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )

    def _block_size(self) -> int:
        if not self._facts.can_download:
            raise DescriptorError(
                "the device says that it can not be written (bitCanDnload is 0)",
                hint="this bootloader does not take images over DFU; look at bmAttributes in its descriptor",
            )
        stated = self._facts.transfer_size
        usable = min(stated or UNSTATED_TRANSFER_SIZE, MAX_TRANSFER)
        block = usable - usable % self._boot_unit
        if not block:
            raise DescriptorError(
                f"the device takes only {stated} bytes at a time (wTransferSize), "
                f"and its flash is programmed in units of {self._boot_unit}",
                hint="raise wTransferSize in the bootloader",
            )
        if block != stated:
            self._notes.append(
                f"wTransferSize is {stated or 'not stated'}: blocks of {block} bytes, each with its own address"
            )
        return block

    def _contents(self) -> bytes:
        size = max(self._boot_unit, -(-len(self._image) // self._unit) * self._unit)
        return self._image.ljust(size, bytes([BLANK]))

    def _sectors(self, written: Range) -> list[Range]:
        """The sectors to erase, the boot unit's first."""
        sectors = self._geometry_sectors()
        if self._target.erase is ErasePolicy.PARTITION:
            return sectors
        return [sector for sector in sectors if sector.overlaps(written)]

    def _check_map(self, sectors: list[Range]) -> None:
        if self._map is None:
            reason = 'map = "ignore"' if self._facts.memory_map else self._facts.map_error or "the device has no map"
            self._notes.append(f"the sectors are those of the profile alone: {reason}")
            return
        for sector in self._geometry_sectors():
            different = [each for each in self._map.sectors_at(sector.start) if each != sector]
            inner = [s for s in self._map.overlapping(sector) if sector.start < s.span.start]
            if different or inner:
                theirs = different[0] if different else inner[0].span
                raise HeldError(
                    f"the device's memory map has the sector {theirs} where the profile's flash has {sector}",
                    hint="mend flash or sectors in the profile; if the device's map is wrong, "
                    'say map = "ignore" in the profile',
                )
        for sector in sectors:
            if not self._map.permits(sector, Access.ERASE | Access.WRITE):
                raise RefusedError(
                    f"the device's memory map does not let the sector {sector} of {self._target.partition} be "
                    "erased and written",
                    hint="the bootloader protects it or does not know it; if its map is wrong, "
                    'say map = "ignore" in the profile',
                    kind=ErrorKind.OUTSIDE_PARTITION,
                )

    def _check_banks(self) -> None:
        target = self._target
        if target.banks is BankPolicy.TRUSTED:
            return
        own = target.geometry.banks_of(self._span)
        for protected in target.protected:
            others = own - target.geometry.banks_of(protected)
            if others:
                raise HeldError(
                    f"{target.partition} lies in bank {min(others) + 1} and the protected {protected} in another: "
                    "some bootloaders erase the same sector of the wrong bank",
                    hint='if this bootloader is known to erase the right bank, say banks = "trusted" in the profile',
                )

    def _may_read(self, written: Range) -> bool:
        if self._target.verify is VerifyPolicy.NEVER:
            self._notes.append('nothing is read back: verify = "never"')
            return False
        obstacle = self._obstacle_to_reading(written)
        if not obstacle:
            return True
        if self._target.verify is VerifyPolicy.ALWAYS:
            raise _unprovable(obstacle)
        self._notes.append(f"nothing is read back: {obstacle}")
        return False

    def _obstacle_to_reading(self, written: Range) -> str:
        if not self._facts.can_upload:
            return "the device says that it can not be read (bitCanUpload is 0)"
        if not self._target.may_read:
            return "an earlier attempt lost the board while reading"
        if self._map and not self._map.permits(written, Access.READ):
            return "the device's memory map does not let the partition be read"
        return ""

    def _steps(self, contents: bytes, sectors: list[Range], block: int, *, reading: bool) -> Iterator[Step]:
        start = self._span.start
        written = Range.sized(start, len(contents))
        boot = Range.sized(start, self._boot_unit)
        writes = [b for b in self._write_blocks(written, block) if not _is_blank(_part(contents, b, start))]
        proof = next((s for s in sectors if writes and s.overlaps(writes[0])), sectors[0])
        for sector in sectors:
            yield Step(Action.ERASE, sector)
            if reading and sector == proof:
                yield Step(Action.CHECK_BLANK, sector)
        for each in writes:
            yield Step(Action.WRITE, each)
        if reading and writes:
            # A whole block is read where the partition has it: some devices mistake the place of a short one.
            end = min(start + -(-written.size // block) * block, self._span.end)
            middle = min(start + -(-(proof.end - start) // block) * block, end)
            yield Step(Action.PROVE_READING, Range(start, middle))
            if middle < end:
                yield Step(Action.READ_BACK, Range(middle, end))
        if not _is_blank(_part(contents, boot, start)):
            yield Step(Action.WRITE_BOOT_UNIT, boot)
            if reading:
                yield Step(Action.READ_BOOT_UNIT, boot)
        if self._target.leave:
            yield Step(Action.LEAVE, boot)

    def _write_blocks(self, written: Range, block: int) -> Iterator[Range]:
        """All but the boot unit: a short block up to the first boundary, then whole ones."""
        at = written.start + self._boot_unit
        boundary = written.start + block
        while at < written.end:
            end = min(boundary, written.end)
            if end > at:
                yield Range(at, end)
            at, boundary = end, boundary + block

    def _protection(self, contents: bytes) -> str:
        if _is_blank(contents[: self._boot_unit]):
            return (
                f"not protectable: the first {self._boot_unit} bytes of the image are as those of an erased partition"
            )
        return (
            f"the sector at 0x{self._span.start:08x} is erased first and its first {self._boot_unit} bytes are written "
            "last: until then no boot check accepts the partition"
        )


def _unprovable(obstacle: str) -> VerifyError:
    return VerifyError(
        f'verify = "always", but {obstacle}; nothing was erased',
        hint='say verify = "auto" in the profile to flash without reading back',
    )


def _part(contents: bytes, span: Range, start: int) -> bytes:
    return contents[span.start - start : span.end - start]


def _is_blank(data: bytes) -> bool:
    return data.count(BLANK) == len(data)


def _blocks(span: Range, size: int) -> Iterator[Range]:
    for at in range(span.start, span.end, size):
        yield Range(at, min(at + size, span.end))


_OPENING = 3  # GETSTATE and the map's string with its language
_OPERATION = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_LEAVING = 2  # the DNLOAD of no bytes and one GETSTATUS


def _cost(steps: tuple[Step, ...], block: int, transfer_size: int) -> int:
    """The requests that a session needs for these steps, on a device that is done when it has answered."""
    addressing = Addressing(transfer_size)
    requests, mode = _OPENING, Action.LEAVE  # dfuIDLE takes both kinds
    for step in steps:
        if step.action in READS:
            for each in _blocks(step.span, block):
                if addressing.block_for(each.start, each.size) is None:
                    requests += _OPERATION + (mode is Action.READ_BACK)
                    addressing.pointer, mode = each.start, Action.WRITE
                requests += 1 + (mode is Action.WRITE)
                mode = Action.READ_BACK
            continue
        requests += mode is Action.READ_BACK
        mode = Action.WRITE
        if step.action is Action.ERASE:
            addressing.pointer = None
        elif step.action is Action.LEAVE or addressing.block_for(step.span.start, step.span.size) is None:
            requests += _OPERATION
            addressing.pointer = step.span.start
        requests += _LEAVING if step.action is Action.LEAVE else _OPERATION
    return requests
