"""How a plan is made. Pure: image, target and what is known of the device in, a plan out.

The order is that of safety rule 6: the sector of the boot unit is erased first, everything but the boot unit is written
and read back, and the boot unit is written last and alone. Until then no boot check accepts the partition.
"""

from collections.abc import Iterator
from itertools import islice

from flashdeck.config import ErasePolicy, MapPolicy, PollPolicy, VerifyPolicy
from flashdeck.errors import VerifyError
from flashdeck.geometry import Range
from flashdeckd.dfu.memory_map import Access
from flashdeckd.dfu.polling import Pace
from flashdeckd.flash import checks
from flashdeckd.flash.banks import Site, foreign_banks, sites, unproved_bank, unproved_banks, witnesses
from flashdeckd.flash.cost import cost
from flashdeckd.flash.experience import UNKNOWN, Experience
from flashdeckd.flash.plan import Action, DeviceFacts, Plan, Step
from flashdeckd.flash.survey import BLANK, NOTHING, Questions, Seen, is_blank, is_telling
from flashdeckd.flash.target import Target

_MAX_CANDIDATES = 8
"""Sectors that are looked at for a canary in one bank: most partitions are blank at their end, or nowhere."""
MIN_BOOT_UNIT = 16
"""Bytes: initial stack pointer, reset vector and a little more, whatever the flash programs at once."""


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
        checks.check_partition(target, self._boot_unit)
        checks.check_image(image, target)
        checks.check_banks(target, experience)
        self._block = checks.block_size(facts, self._boot_unit)
        if self._block != facts.transfer_size:
            stated = facts.transfer_size or "not stated"
            self._notes.append(f"wTransferSize is {stated}: blocks of {self._block} bytes, each with its own address")
        self._contents = self._whole_units(image)
        self._written = Range.sized(self._span.start, len(self._contents))
        self._sectors = self._needed_sectors()
        if self._map is None:
            reason = 'map = "ignore"' if facts.memory_map else facts.map_error or "the device has no map"
            self._notes.append(f"the sectors are those of the profile alone: {reason}")
        else:
            checks.check_map(target, self._map, self._sectors)
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
            ruler=None if proved or never else self._ruler,
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
            requests=cost(steps, self._block, self._facts.transfer_size, counts=self._counts_blocks(seen)),
            protection=self._protection(),
            seen=seen,
            unchanged=unchanged,
            trusts_cache=is_cached and bool(unchanged),
            notes=(*self._notes, *self._remarks(seen, changed, unchanged, is_cached=is_cached, asked=asked)),
        )

    def _counts_blocks(self, seen: Seen) -> bool:
        """Whether the session will reach blocks by their numbers, see `Session.write`."""
        if self._experience.reading_proved or seen.multiplies is not None:
            return seen.multiplies is not False
        hopeful = self._target.poll is PollPolicy.AUTO and self._experience.pace is Pace.UNPROVEN
        return hopeful or self._experience.pace is Pace.SYNCHRONOUS

    def _whole_units(self, image: bytes) -> bytes:
        size = max(self._boot_unit, -(-len(image) // self._unit) * self._unit)
        return image.ljust(size, bytes([BLANK]))

    def _needed_sectors(self) -> list[Range]:
        """The sectors that the image has a say in, the boot unit's first."""
        sectors = self._target.sectors
        if self._target.erase is ErasePolicy.PARTITION:
            return list(sectors)
        return [sector for sector in sectors if sector.overlaps(self._written)]

    def _check_banks(self, seen: Seen) -> None:
        """In another bank than the bootloader's own, an erase in the wrong one would hit the bootloader."""
        found = {site.bank for site in seen.sites}
        for bank in unproved_banks(self._target, self._experience):
            if bank in found or bank not in foreign_banks(self._target):
                continue
            why = self._obstacle or seen.obstacle or "no sector there is blank in both banks"
            raise unproved_bank(self._target, bank, why)

    @property
    def _ruler(self) -> Range | None:
        """The partition's second block, whose number is the first that is multiplied with anything."""
        second = Range.sized(self._span.start + self._block, self._block)
        return second if self._span.covers(second) else None

    def _candidates(self, bank: int) -> tuple[Site, ...]:
        every = Access.READ | Access.ERASE | Access.WRITE
        fit = (s for s in sites(self._target, bank) if self._permits(s.sector, every) and self._may_read(s.twin))
        return tuple(islice(fit, _MAX_CANDIDATES))

    def _may_read(self, span: Range) -> bool:
        return self._permits(span, Access.READ)

    def _permits(self, span: Range, access: Access) -> bool:
        return self._map is None or self._map.permits(span, access)

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
        if self._experience.reading_proved and seen.compared and not seen.obstacle:
            return seen.present, False
        if self._cached is None or self._target.verify is VerifyPolicy.ALWAYS:
            return b"", False
        known = self._whole_units(self._cached)
        if self._target.erase is ErasePolicy.PARTITION:
            known = known.ljust(self._span.size, bytes([BLANK]))
        return known[: self._span.size], True

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
        yield from self._looks(seen)
        yield from (Step(Action.KEEP, run) for run in _runs([each for each in self._sectors if each not in changed]))
        boot = Range.sized(self._span.start, self._boot_unit)
        if changed:
            yield from self._canaries(seen)
            blocks = list(self._write_blocks(changed))
            blank = {each for each in blocks if is_blank(self._data(each))}
            writes = [each for each in blocks if each not in blank]
            yield from (Step(Action.LEAVE_BLANK, run) for run in _runs(list(blank)))
            proof = None
            if reading and not (self._experience.reading_proved or seen.sites):
                proof = next((s for s in changed if writes and s.overlaps(writes[0])), changed[0])
            for sector in changed:
                yield Step(Action.ERASE, sector)
                if sector == proof:
                    yield Step(Action.CHECK_BLANK, sector)
            for each in writes:
                yield Step(Action.WRITE, each)
            if reading:
                # The map's sectors are the profile's. Without one, an erase may be larger than anybody here knows.
                at_risk = changed if self._map is not None else self._sectors
                yield from self._read_backs(at_risk, proof if writes else None)
                yield from (Step(Action.CHECK_BLOCKS, ruler) for ruler in self._late_rulers(seen, at_risk))
            if not is_blank(self._data(boot)):
                yield Step(Action.WRITE_BOOT_UNIT, boot)
                if reading:
                    yield Step(Action.READ_BOOT_UNIT, boot)
        if self._target.leave:
            yield Step(Action.LEAVE, boot)

    def _looks(self, seen: Seen) -> Iterator[Step]:
        """What was read for this plan."""
        action = Action.COMPARE if self._experience.reading_proved else Action.SAMPLE
        yield from (Step(action, span) for span in seen.compared)
        in_search = [seen.measured] if seen.measured and seen.measured not in seen.compared else []
        if seen.measured and not in_search:
            yield Step(Action.CHECK_BLOCKS, seen.measured)
        yield from (Step(Action.FIND_BLANK, span) for span in seen.searched[:1])
        yield from (Step(Action.CHECK_BLOCKS, span) for span in in_search)
        yield from (Step(Action.FIND_BLANK, span) for span in seen.searched[1:])

    def _late_rulers(self, seen: Seen, read: list[Range]) -> Iterator[Range]:
        """Where the ruler told nothing before, it may once it was written and, in `read`, read back by its number."""
        ruler = self._ruler
        if self._experience.reading_proved or seen.multiplies is not None or ruler is None:
            return
        data, before = self._data(ruler), self._data(Range.sized(self._span.start, ruler.size))
        is_read = any(run.covers(ruler) for run in _runs(read))
        if is_read and len(data) == ruler.size and is_telling(data, before):
            yield ruler

    def _canaries(self, seen: Seen) -> Iterator[Step]:
        for site in seen.sites:
            unit = Range.sized(site.sector.start, self._unit)
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
        if seen.multiplies is False:
            yield (
                "each block is written to an address of its own: the bootloader multiplies block numbers with "
                f"something else than its wTransferSize of {self._facts.transfer_size}"
            )
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


def _runs(sectors: list[Range]) -> list[Range]:
    """The sectors, neighbours joined, in ascending order."""
    runs: list[Range] = []
    for sector in sorted(sectors):
        if runs and runs[-1].end == sector.start:
            runs[-1] = Range(runs[-1].start, sector.end)
        else:
            runs.append(sector)
    return runs
