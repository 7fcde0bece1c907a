"""What a flash will do, worked out before its first step. Pure: image, target and device facts in, a value out.

The order is that of safety rule 6: the sector of the boot unit is erased first, everything but the boot unit is written
and read back, and the boot unit is written last and alone. Until then no boot check accepts the partition.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from flashdeck.config import BankPolicy, ErasePolicy, MapPolicy, VerifyPolicy
from flashdeck.errors import DescriptorError, ErrorKind, HeldError, RefusedError, VerifyError
from flashdeck.geometry import Range
from flashdeckd.dfu.addressing import Addressing
from flashdeckd.dfu.memory_map import Access, MemoryMap
from flashdeckd.dfu.session import Facts
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.flash.banks import Site, foreign_banks, sites, unproved_banks, witnesses
from flashdeckd.flash.experience import UNKNOWN, Experience
from flashdeckd.flash.survey import BLANK, NOTHING, Questions, Seen, blocks, is_blank
from flashdeckd.flash.target import Target

_MAX_CANDIDATES = 8
"""Sectors that are looked at for a canary in one bank: most partitions are blank at their end, or nowhere."""
MIN_BOOT_UNIT = 16
"""Bytes: initial stack pointer, reset vector and a little more, whatever the flash programs at once."""
UNSTATED_TRANSFER_SIZE = 64
"""Bytes per block for a device that does not say its wTransferSize: one packet of a full-speed endpoint 0."""


class Action(StrEnum):
    """What one step does."""

    SAMPLE = "sample"
    """Reads the first block, where reading is not yet believed: a stale read can be told by it later. Plain DFU 1.1:
    up to the first block that is not what is to be written."""
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


READS = frozenset(
    (
        Action.SAMPLE,
        Action.COMPARE,
        Action.FIND_BLANK,
        Action.READ_CANARY,
        Action.CHECK_BANKS,
        Action.CHECK_BLANK,
        Action.PROVE_READING,
        Action.READ_BACK,
        Action.READ_BOOT_UNIT,
    )
)
"""Steps that only read. They are left out once reading has turned out not to work."""
CANARY = frozenset((Action.WRITE_CANARY, Action.READ_CANARY, Action.ERASE_CANARY, Action.CHECK_BANKS))
"""Steps that come before everything else in a bank, in blank flash."""
_READ_BACK = frozenset((Action.CHECK_BLANK, Action.PROVE_READING, Action.READ_BACK, Action.READ_BOOT_UNIT))

RECOVERIES = {
    Action.SAMPLE: "go on without reading",
    Action.COMPARE: "read again once; after that everything is written",
    Action.FIND_BLANK: "go on without the canary",
    Action.WRITE_CANARY: "go on without the canary",
    Action.READ_CANARY: "go on without the canary",
    Action.ERASE_CANARY: "erase again once",
    Action.ERASE: "erase again once",
    Action.CHECK_BLANK: "go on without reading",
    Action.WRITE: "its sector again once, from the erase",
    Action.PROVE_READING: "go on without reading",
    Action.READ_BACK: "read again once",
    Action.WRITE_BOOT_UNIT: "its sector again once, from the erase",
    Action.READ_BOOT_UNIT: "go on without reading",
}
"""What may be done about an error, by step: nothing where it is not named here. A board that is lost is none of
these: the job begins anew when it is back."""


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
    seen: Seen = NOTHING
    """What the board held when the plan was made."""
    unchanged: int = 0
    """Bytes of the sectors that hold the image already, and are left alone."""
    trusts_cache: bool = False
    """Whether some of these were not read, but taken for what was last flashed there."""
    notes: tuple[str, ...] = ()

    @property
    def erases(self) -> int:
        """Sectors that are erased for the image; the canary's is not counted."""
        return self._count(Action.ERASE)

    @property
    def blocks(self) -> int:
        """Blocks that are written, the boot unit's among them."""
        return sum(map(self._count, (Action.WRITE, Action.WRITE_BOOT_UNIT, Action.DOWNLOAD)))

    @property
    def reads(self) -> bool:
        """Whether anything that is written is read back, where reading turns out to work."""
        return any(step.action in _READ_BACK for step in self.steps)

    @property
    def changes(self) -> bool:
        """Whether anything in the partition will not be as it was."""
        return bool(self.erases or self._count(Action.DOWNLOAD))

    def data(self, span: Range) -> bytes:
        """The bytes that `span` holds afterwards; b"" behind the contents."""
        start = self.target.span.start
        return self.contents[span.start - start : span.end - start]

    def read_blocks(self, span: Range) -> Iterator[Range]:
        """`span` in transfers."""
        return blocks(span, self.block)

    def _count(self, action: Action) -> int:
        return sum(1 for step in self.steps if step.action is action)


def make_plan(
    image: bytes,
    target: Target,
    facts: DeviceFacts,
    *,
    experience: Experience = UNKNOWN,
    cached: bytes | None = None,
    seen: Seen | None = None,
) -> Plan:
    """Works out the steps that bring `image` into the target's partition, or why that must not be.

    `experience` is what is known of the board from earlier jobs, `cached` the image that was last flashed there where
    that may be trusted, `seen` what the board answered to `Planner.questions`, None where it was not asked.
    Raises RefusedError where it would touch what it must not, HeldError where somebody has to look first, VerifyError
    where it must be read back and can not be, DescriptorError where the device can not be written.
    """
    return Planner(image, target, facts, experience=experience, cached=cached).plan(seen)


class Planner:
    """A plan in the making: what can be said without reading, what to read, and then the plan.

    Raises what `make_plan` raises as soon as it is known.
    """

    def __init__(
        self,
        image: bytes,
        target: Target,
        facts: DeviceFacts,
        *,
        experience: Experience = UNKNOWN,
        cached: bytes | None = None,
    ) -> None:
        self._image = image
        self._target = target
        self._facts = facts
        self._experience = experience
        self._cached = cached
        self._span = target.span
        self._unit = target.geometry.program_unit
        self._boot_unit = max(MIN_BOOT_UNIT, self._unit)
        self._map = facts.memory_map if target.map is MapPolicy.CHECK else None
        self._notes: list[str] = []
        self._check_partition()
        self._check_image()
        self._check_condemned()
        self._block = self._block_size()
        self._contents = self._whole_units()
        self._written = Range.sized(self._span.start, len(self._contents))
        self._sectors = self._needed_sectors()
        self._check_map(self._sectors)
        self._obstacle = self._obstacle_to_reading()

    @property
    def questions(self) -> Questions:
        """What to read before `plan`. Nothing where this board is not to be read."""
        if self._obstacle:
            return Questions(self._block)
        sample = Range(self._span.start, min(self._span.start + self._block, self._span.end))
        proved, never = self._experience.reading_proved, self._target.verify is VerifyPolicy.NEVER
        banks = unproved_banks(self._target, self._experience)
        return Questions(
            block=self._block,
            sample=None if proved or never else sample,
            compare=self._compared() if proved else None,
            candidates=tuple(self._candidates(bank) for bank in banks),
            witnesses=tuple(each for each in witnesses(self._target) if self._may_read(each)),
        )

    def plan(self, seen: Seen | None) -> Plan:
        """The plan, by what the board answered; without an answer, everything is taken to be different."""
        asked, seen = seen is not None, seen or NOTHING
        reading = self._reading(seen)
        known, is_cached = self._known(seen)
        changed = self._changed(known)
        if asked and changed:
            self._check_banks(seen)
        steps = tuple(self._steps(changed, seen, reading=reading))
        if self._target.verify is VerifyPolicy.ALWAYS and changed and not self._proves(steps):
            raise _unprovable(f"the image has nothing behind its first {self._boot_unit} bytes to prove reading with")
        unchanged = sum(sector.size for sector in self._sectors if sector not in changed)
        return Plan(
            target=self._target,
            contents=self._contents,
            boot_unit=self._boot_unit,
            block=self._block,
            steps=steps,
            requests=_cost(steps, self._block, self._facts.transfer_size),
            protection=self._protection(),
            seen=seen,
            unchanged=unchanged,
            trusts_cache=is_cached and bool(unchanged),
            notes=(*self._notes, *self._remarks(seen, changed, unchanged, is_cached=is_cached, asked=asked)),
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

    def _whole_units(self) -> bytes:
        size = max(self._boot_unit, -(-len(self._image) // self._unit) * self._unit)
        return self._image.ljust(size, bytes([BLANK]))

    def _needed_sectors(self) -> list[Range]:
        """The sectors that the image has a say in, the boot unit's first."""
        sectors = self._geometry_sectors()
        if self._target.erase is ErasePolicy.PARTITION:
            return sectors
        return [sector for sector in sectors if sector.overlaps(self._written)]

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

    def _check_condemned(self) -> None:
        own = self._target.geometry.banks_of(self._span)
        bad = own & frozenset(self._experience.condemned_banks)
        if bad and self._target.banks is not BankPolicy.TRUSTED:
            raise RefusedError(
                f"{self._target.partition} lies in bank {min(bad) + 1}, where this bootloader was seen to erase "
                "something else than it was asked to, or to answer reads with what was there before",
                hint="mend the bootloader; `flashdeck release` has it tried once more",
                kind=ErrorKind.WRONG_BANK,
            )

    def _check_banks(self, seen: Seen) -> None:
        """In another bank than the bootloader's own, an erase in the wrong one would hit the bootloader."""
        found = {site.bank for site in seen.sites}
        for bank in unproved_banks(self._target, self._experience):
            if bank in found or bank not in foreign_banks(self._target):
                continue
            why = self._obstacle or seen.obstacle or "no sector there is blank in both banks"
            raise unproved_bank(self._target, bank, why)

    def _candidates(self, bank: int) -> tuple[Site, ...]:
        readable = (s for s in sites(self._target, bank) if self._may_read(s.sector) and self._may_read(s.twin))
        return tuple(islice(readable, _MAX_CANDIDATES))

    def _may_read(self, span: Range) -> bool:
        return self._map is None or self._map.permits(span, Access.READ)

    def _obstacle_to_reading(self) -> str:
        if not self._facts.can_upload:
            return "the device says that it can not be read (bitCanUpload is 0)"
        if not self._target.may_read:
            return "an earlier attempt lost the board while reading"
        if not self._may_read(self._compared()):
            return "the device's memory map does not let the partition be read"
        return ""

    def _compared(self) -> Range:
        """All of the partition that matters, in whole blocks where the partition has them."""
        whole = self._target.erase is ErasePolicy.PARTITION
        return self._span if whole else Range(self._span.start, self._end_of_blocks())

    def _end_of_blocks(self) -> int:
        size = -(-self._written.size // self._block) * self._block
        return min(self._span.start + size, self._span.end)

    def _reading(self, seen: Seen) -> bool:
        """Whether what is written is read back."""
        if self._target.verify is VerifyPolicy.NEVER:
            return False
        obstacle = self._obstacle or seen.obstacle
        if obstacle and self._target.verify is VerifyPolicy.ALWAYS:
            raise _unprovable(obstacle)
        return not obstacle

    def _known(self, seen: Seen) -> tuple[bytes, bool]:
        """What the partition begins with as far as that is to be believed, and whether only the cache says so."""
        if self._experience.reading_proved and seen.compared:
            return seen.present, False
        if self._cached is None or self._target.verify is VerifyPolicy.ALWAYS:
            return b"", False
        ends = (sector.end - self._span.start for sector in self._geometry_sectors())
        size = next((end for end in ends if end >= len(self._cached)), 0)
        return self._cached.ljust(size, bytes([BLANK]))[:size], True

    def _changed(self, known: bytes) -> list[Range]:
        """The sectors to erase: those that differ, and if there are any, the boot unit's before all others."""
        differing = [sector for sector in self._sectors if not self._holds(known, sector)]
        first = self._sectors[0]
        return [first, *(sector for sector in differing if sector != first)] if differing else []

    def _holds(self, known: bytes, sector: Range) -> bool:
        """Whether a sector holds its part of the image already."""
        part = self._data(sector)
        if self._target.erase is ErasePolicy.PARTITION:
            part = part.ljust(sector.size, bytes([BLANK]))
        at = sector.start - self._span.start
        return known[at : at + len(part)] == part

    def _data(self, span: Range) -> bytes:
        return self._contents[span.start - self._span.start : span.end - self._span.start]

    def _steps(self, changed: list[Range], seen: Seen, *, reading: bool) -> Iterator[Step]:
        action = Action.COMPARE if self._experience.reading_proved else Action.SAMPLE
        yield from (Step(action, span) for span in seen.compared)
        yield from (Step(Action.FIND_BLANK, span) for span in seen.searched)
        boot = Range.sized(self._span.start, self._boot_unit)
        if changed:
            yield from self._canaries(seen)
            writes = [each for each in self._write_blocks(changed) if not is_blank(self._data(each))]
            proof = None
            if reading and not (self._experience.reading_proved or seen.sites):
                proof = next((s for s in changed if writes and s.overlaps(writes[0])), changed[0])
            for sector in changed:
                yield Step(Action.ERASE, sector)
                if sector == proof:
                    yield Step(Action.CHECK_BLANK, sector)
            for each in writes:
                yield Step(Action.WRITE, each)
            if reading and writes:
                yield from self._read_backs(changed, proof)
            if not is_blank(self._data(boot)):
                yield Step(Action.WRITE_BOOT_UNIT, boot)
                if reading:
                    yield Step(Action.READ_BOOT_UNIT, boot)
        if self._target.leave:
            yield Step(Action.LEAVE, boot)

    def _canaries(self, seen: Seen) -> Iterator[Step]:
        for site in seen.sites:
            unit = Range.sized(site.sector.start, self._boot_unit)
            whole = Range(site.sector.start, min(site.sector.start + self._block, site.sector.end))
            yield Step(Action.WRITE_CANARY, unit)
            yield Step(Action.READ_CANARY, whole)
            yield Step(Action.ERASE_CANARY, site.sector)
        if seen.sites:
            for span, _ in seen.remembered:
                yield Step(Action.CHECK_BANKS, span)
        for site in seen.sites:
            yield Step(Action.CHECK_BANKS, site.sector)

    def _read_backs(self, changed: list[Range], proof: Range | None) -> Iterator[Step]:
        # A whole block is read where the partition has it: some devices mistake the place of a short one.
        end = self._end_of_blocks()
        runs = [Range(run.start, min(run.end, end)) for run in _runs(changed) if run.start < end]
        if proof is not None:
            run = next(run for run in runs if run.overlaps(proof))
            middle = min(run.start + -(-(proof.end - run.start) // self._block) * self._block, run.end)
            yield Step(Action.PROVE_READING, Range(run.start, middle))
            runs[runs.index(run)] = Range(middle, run.end)
        for run in runs:
            if run.size > 0:
                yield Step(Action.READ_BACK, run)

    def _write_blocks(self, changed: list[Range]) -> Iterator[Range]:
        """All but the boot unit, on a grid of whole blocks from the partition's start as far as the sectors let."""
        start = self._span.start
        for run in _runs(changed):
            at = max(run.start, start + self._boot_unit)
            last = min(run.end, self._written.end)
            while at < last:
                boundary = start + ((at - start) // self._block + 1) * self._block
                end = min(boundary, last)
                yield Range(at, end)
                at = end

    def _proves(self, steps: tuple[Step, ...]) -> bool:
        """Whether reading is proved by the time that the boot unit is written, if all goes well."""
        proving = (Action.PROVE_READING, Action.READ_CANARY)
        return self._experience.reading_proved or any(step.action in proving for step in steps)

    def _remarks(
        self, seen: Seen, changed: list[Range], unchanged: int, *, is_cached: bool, asked: bool
    ) -> Iterator[str]:
        obstacle = self._obstacle or seen.obstacle
        if self._target.verify is VerifyPolicy.NEVER:
            yield 'nothing is read back: verify = "never"'
        elif obstacle:
            yield f"nothing is read back: {obstacle}"
        if not changed:
            yield "the partition holds this image already: nothing is erased or written"
        elif unchanged:
            yield f"{len(changed)} of {len(self._sectors)} sectors differ; the others are left alone"
        if is_cached and unchanged:
            yield "what is left alone was not read: it is taken for what was last flashed there (trust_cache)"
        banks = unproved_banks(self._target, self._experience)
        if not asked and banks:
            yield f"a canary in bank {banks[0] + 1} comes first, where one can be placed"
        elif banks and not seen.sites:
            yield "no canary: " + (obstacle or "no sector of the partition is blank in both banks")

    def _protection(self) -> str:
        if is_blank(self._contents[: self._boot_unit]):
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


def unproved_bank(target: Target, bank: int, why: str) -> HeldError:
    """Why a job in a bank without the bootloader waits for a person."""
    return HeldError(
        f"{target.partition} lies in bank {bank + 1} and the bootloader in the other; whether it erases the bank that "
        f"it is asked to could not be seen ({why}), and some bootloaders erase the same sector of the wrong one",
        hint="if this bootloader is known to erase the right bank, `flashdeck release` lets this board go on, and "
        'banks = "trusted" in the profile all boards',
        bank=bank,
    )


def _runs(sectors: list[Range]) -> list[Range]:
    """The sectors, neighbours joined, in ascending order."""
    runs: list[Range] = []
    for sector in sorted(sectors):
        if runs and runs[-1].end == sector.start:
            runs[-1] = Range(runs[-1].start, sector.end)
        else:
            runs.append(sector)
    return runs


_OPENING = 3  # GETSTATE and the map's string with its language
_OPERATION = 3  # DNLOAD, GETSTATUS that starts it, GETSTATUS that ends it
_LEAVING = 2  # the DNLOAD of no bytes and one GETSTATUS


def _cost(steps: tuple[Step, ...], block: int, transfer_size: int) -> int:
    """The requests that a session needs for these steps, on a device that is done when it has answered."""
    addressing = Addressing(transfer_size)
    requests, mode = _OPENING, Action.LEAVE  # dfuIDLE takes both kinds
    for step in steps:
        if step.action in READS:
            for each in blocks(step.span, block):
                if addressing.block_for(each.start, each.size) is None:
                    requests += _OPERATION + (mode is Action.READ_BACK)
                    addressing.pointer, mode = each.start, Action.WRITE
                requests += 1 + (mode is Action.WRITE)
                mode = Action.READ_BACK
            continue
        requests += mode is Action.READ_BACK
        mode = Action.WRITE
        if step.action in (Action.ERASE, Action.ERASE_CANARY):
            addressing.pointer = None
        elif step.action is Action.LEAVE or addressing.block_for(step.span.start, step.span.size) is None:
            requests += _OPERATION
            addressing.pointer = step.span.start
        requests += _LEAVING if step.action is Action.LEAVE else _OPERATION
    is_left = not steps or steps[-1].action is Action.LEAVE
    return requests if is_left else requests + 1  # back to dfuIDLE
