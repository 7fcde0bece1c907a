"""Makes the plan of a flash over DfuSe. Pure: image, target and what is known of the device in, a plan out.

The order is that of safety rule 6: the sector of the boot unit is erased first, everything but the boot unit is written
and read back, and the boot unit is written last and alone. Until then no boot check accepts the partition. Data, and an
image that does not define the partition's first word, have no boot unit: their sectors are done in ascending order.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice, pairwise

from flashdeck.config import ErasePolicy, MapPolicy, PartitionKind, PollPolicy, VerifyPolicy
from flashdeck.errors import VerifyError
from flashdeck.geometry import Range, joined
from flashdeck.memory_map import Access
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash import checks, comparing, remarks
from flashdeckd.flash.banks import Site, foreign_banks, sites, unproved_bank, unproved_banks, witnesses
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.cost import cost
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan, Step, StepKind
from flashdeckd.flash.layout import Layout, is_blank, placed
from flashdeckd.flash.survey import UNASKED, Questions, Seen, is_telling
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import NOTHING, Image

MAX_CANDIDATES = 8
"""Sectors of the image, and as many others, that are looked at for a canary in one bank: most partitions are blank at
their end, or nowhere."""
MIN_BOOT_UNIT = 16
"""Bytes: initial stack pointer, reset vector and a little more, whatever the flash programs at once."""


def make_plan(
    image: Image,
    target: AddressTarget,
    facts: DeviceFacts,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
    seen: Seen | None = None,
) -> FlashPlan:
    """Work out the steps that bring `image` into the target's partition, or why that must not be.

    `history` is what is known of the board from earlier jobs, `cached` what the partition holds where that may be
    trusted, as far as it is known; `seen` is what the board answered to `DfusePlanner.questions`, None where it was not
    asked. Raises RefusedError where it would touch what it must not, BlockedError where somebody has to look first,
    VerifyError where it must be read back and cannot be, DescriptorError where the device cannot be written.
    """
    return DfusePlanner(image, target, facts, history=history, cached=cached).plan(seen)


class DfusePlanner:
    """A plan in the making: what can be said without reading, what to read, and then the plan.

    Raises what `make_plan` raises as soon as it is known.
    """

    def __init__(
        self,
        image: Image,
        target: AddressTarget,
        facts: DeviceFacts,
        *,
        history: BootloaderHistory = UNKNOWN,
        cached: Image | None = None,
    ) -> None:
        self._image = image
        self._target = target
        self._facts = facts
        self._history = history
        self._cached = cached
        self._span = target.span
        self._unit = target.geometry.program_unit
        self._least = max(MIN_BOOT_UNIT, self._unit)
        self._map = facts.memory_map if target.map is MapPolicy.CHECK else None
        self._notes: list[str] = []
        checks.check_partition(target, self._least)
        checks.check_image(image, target)
        checks.check_banks(target, history)
        self._block = checks.block_size(facts, self._least)
        if self._block != facts.transfer_size:
            stated = facts.transfer_size or "not stated"
            self._notes.append(f"wTransferSize is {stated}: blocks of {self._block} bytes, each with its own address")
        boot_unit = self._least if image.is_program and target.holds is PartitionKind.PROGRAM else 0
        self._layout = Layout(target, placed(image, self._span.start), self._block, boot_unit)
        if self._map is None:
            reason = 'map = "ignore"' if facts.memory_map else facts.map_error or "the device has no map"
            self._notes.append(f"the sectors are those of the profile alone: {reason}")
        else:
            checks.check_map(target, self._map, self._layout.sectors)
        self._obstacle = self._obstacle_to_reading()

    @property
    def questions(self) -> Questions:
        """Everything to read before `plan`. Nothing where this board is not to be read."""
        if self._obstacle:
            return Questions(self._block)
        proved = self._history.reading_proved
        samples = not proved and self._target.verify is not VerifyPolicy.NEVER
        banks = unproved_banks(self._target, self._history)
        return Questions(
            block=self._block,
            unit=self._unit,
            sample=self._sample if samples else None,
            ruler=self._ruler if samples else None,
            compare=self._layout.compared if proved else (),
            comparing=lambda: comparing.reads(self._layout),
            rest=lambda present: self._layout.rest(self._changed(present), present),
            leftovers=self._leftovers,
            candidates=tuple(self._candidates(bank) for bank in banks),
            witnesses=tuple(each for each in witnesses(self._target) if self._may_read(each)),
        )

    def plan(self, seen: Seen | None) -> FlashPlan:
        """Return the plan, by what the board answered; without an answer, everything is taken to be different."""
        asked, seen = seen is not None, seen or UNASKED
        reading = self._reading(seen)
        known, is_cached = self._known(seen)
        changed = self._changed(known)
        if asked and changed:
            self._check_banks(seen)
        trials = self._trials(changed, seen)
        steps = tuple(self._steps(changed, seen, trials, reading=reading))
        if self._target.verify is VerifyPolicy.ALWAYS and changed and not self._proves(steps):
            behind = f" behind its first {self._least} bytes" if self._layout.boot_unit else ""
            raise _unprovable(f"the image has nothing{behind} to prove reading with")
        unchanged = sum(sector.size for sector in self._layout.sectors if sector not in changed)
        return FlashPlan(
            image=self._layout.image,
            boot_unit=self._layout.boot_unit,
            block=self._block,
            steps=steps,
            requests=cost(
                steps,
                self._block,
                self._facts.transfer_size,
                counts=self._counts_blocks(seen),
                counts_reads=seen.multiplies is not False,
            ),
            protection=remarks.protection(self._layout, self._image),
            erased=joined(changed),
            erased_beside=sum(self._layout.beside(sector, self._read_before(seen)) for sector in changed),
            trials=trials,
            is_mapped=self._map is not None,
            seen=seen,
            unchanged=unchanged,
            trusts_cache=is_cached and bool(unchanged),
            notes=(*self._notes, *self._remarks(seen, changed, unchanged, is_cached=is_cached, asked=asked)),
        )

    def _counts_blocks(self, seen: Seen) -> bool:
        """Tell whether the session will reach blocks by their numbers, see `Session.write`."""
        if self._history.reading_proved or seen.multiplies is not None:
            return seen.multiplies is not False
        hopeful = self._target.poll is PollPolicy.AUTO and self._history.pace is Pace.UNPROVEN
        return hopeful or self._history.pace is Pace.SYNCHRONOUS

    def _check_banks(self, seen: Seen) -> None:
        """Refuses banks without proof: an erase in the wrong bank could hit the bootloader."""
        found = {site.bank for site in seen.sites}
        for bank in unproved_banks(self._target, self._history):
            if bank in found or bank not in foreign_banks(self._target):
                continue
            why = self._obstacle or seen.obstacle or self._no_room("there")
            raise unproved_bank(self._target, bank, why)

    @property
    def _sample(self) -> Range:
        """The first block that the image touches."""
        start = self._layout.compared[0].start
        return Range(start, min(start + self._block, self._span.end))

    @property
    def _ruler(self) -> Range | None:
        """The block behind it, whose number is the first that is multiplied with anything."""
        second = Range.sized(self._sample.end, self._block)
        return second if self._span.covers(second) else None

    # Canaries.

    @property
    def _may_go_anywhere(self) -> bool:
        """Tell whether a canary may go into a sector that the image does not touch.

        Not beside an image in pieces, a patch or data: what lies there is somebody's. What erases all of the partition
        spares nothing there.
        """
        is_program = self._image.is_raw and self._target.holds is PartitionKind.PROGRAM
        return is_program or self._target.erase is ErasePolicy.PARTITION

    def _candidates(self, bank: int) -> tuple[Site, ...]:
        """The places for a canary: where one lies already, then sectors of the image, then others."""
        every = Access.READ | Access.ERASE | Access.WRITE
        free = (site for site in sites(self._target, bank) if site.sector not in self._target.written)
        fit = [site for site in free if self._permits(site.sector, every) and self._may_read(site.twin)]
        mine = [site for site in fit if site.sector in self._layout.touched]
        others = [replace(site, takes_new=self._may_go_anywhere) for site in fit if site not in mine]
        left = [site for site in (*mine, *others) if site.sector in self._leftovers]
        others = [site for site in others if site.takes_new]
        order = chain(left, islice(mine, MAX_CANDIDATES), islice(others, MAX_CANDIDATES))
        return tuple(dict.fromkeys(order))

    @property
    def _leftovers(self) -> tuple[Range, ...]:
        """The sectors in which an earlier job may have left a canary."""
        every = Access.READ | Access.ERASE
        known = (sector for sector in self._target.sectors if sector.start in self._history.canaries)
        return tuple(sector for sector in known if self._permits(sector, every))

    def _trials(self, changed: list[Range], seen: Seen) -> tuple[Site, ...]:
        """The banks that are tried: where something is to change there, or a canary waits to be taken back."""
        left = {each.sector for each in seen.leftovers}
        return seen.sites if changed or any(site.sector in left for site in seen.sites) else ()

    def _swept(self, seen: Seen, trials: tuple[Site, ...]) -> list[Range]:
        """The sectors of canaries that are only taken back, because their bank needs no trial, or has had it then."""
        untried = {*unproved_banks(self._target, self._history)} - {site.bank for site in trials}
        here = {site.sector for site in trials}
        found = (each.sector for each in seen.leftovers if each.sector not in here)
        return [sector for sector in found if not untried & self._target.geometry.banks_of(sector)]

    def _no_room(self, where: str) -> str:
        within = where if self._may_go_anywhere else f"{where} that the image touches"
        return f"no sector {within} is blank in both banks"

    # Reading.

    def _may_read(self, span: Range) -> bool:
        return self._permits(span, Access.READ)

    def _permits(self, span: Range, access: Access) -> bool:
        return self._map is None or self._map.permits(span, access)

    def _obstacle_to_reading(self) -> str:
        if not self._facts.can_upload:
            return "the device says that it cannot be read (bitCanUpload is 0)"
        if not self._target.may_read:
            return "an earlier attempt lost the board while reading"
        if not all(self._may_read(span) for span in self._layout.compared):
            return "the device's memory map does not let the partition be read"
        return ""

    def _reading(self, seen: Seen) -> bool:
        """Tell whether what is written is read back."""
        if self._target.verify is VerifyPolicy.NEVER:
            return False
        obstacle = self._obstacle or seen.obstacle
        if obstacle and self._target.verify is VerifyPolicy.ALWAYS:
            raise _unprovable(obstacle)
        return not obstacle

    def _read_before(self, seen: Seen) -> Image:
        """Return what the board holds, as far as it was read and reading is believed."""
        believed = self._history.reading_proved and seen.compared and not seen.obstacle
        return seen.present if believed else NOTHING

    def _known(self, seen: Seen) -> tuple[Image, bool]:
        """Return what the partition holds as far as that is to be believed, and whether only the cache says so."""
        if (present := self._read_before(seen)).pieces:
            return present, False
        if self._cached is None or self._target.verify is VerifyPolicy.ALWAYS:
            return NOTHING, False
        return placed(self._cached, self._span.start), True

    def _changed(self, known: Image) -> list[Range]:
        """The sectors to erase: those that differ, and if there are any, the boot unit's before all others."""
        differing = [sector for sector in self._layout.sectors if not self._layout.holds(known, sector)]
        if not differing or not self._layout.boot_unit:
            return differing
        first = self._layout.sectors[0]
        return [first, *(sector for sector in differing if sector != first)]

    # Steps.

    def _steps(self, changed: list[Range], seen: Seen, trials: tuple[Site, ...], *, reading: bool) -> Iterator[Step]:
        yield from self._looks(seen)
        kept = joined(sector for sector in self._layout.sectors if sector not in changed)
        yield from (Step(StepKind.KEEP, run) for run in kept)
        swept = self._swept(seen, trials)
        yield from self._canaries(seen, trials, swept)
        if changed:
            believes = self._history.reading_proved or bool(trials)
            blank = {*swept, *(site.sector for site in trials)} if believes else set[Range]()
            yield from self._changes(changed, blank, seen, reading=reading, proves=reading and not believes)
        if self._target.leave:
            yield Step(StepKind.LEAVE, Range.sized(self._target.starts, self._least))

    def _changes(
        self, changed: list[Range], blank: set[Range], seen: Seen, *, reading: bool, proves: bool
    ) -> Iterator[Step]:
        """Everything that is done for the image; `blank` are sectors that a canary has left so."""
        blocks = list(self._layout.writes(changed))
        left_blank = {each for each in blocks if is_blank(self._data(each))}
        writes = [each for each in blocks if each not in left_blank]
        yield from (Step(StepKind.LEAVE_BLANK, run) for run in joined(left_blank))
        erases = [sector for sector in changed if sector not in blank]
        proof = next(self._proofs(erases, writes), None) if proves else None
        yield from (Step(StepKind.ERASE, sector) for sector in erases)
        if proves:
            # Behind the last erase: some caches are emptied by an erase, and not by a write. Where nothing is written
            # but the boot unit, only that can be the other half of the proof, and all else is read here.
            yield from (Step(StepKind.CHECK_BLANK, sector) for sector in ([proof[0]] if proof else erases))
        is_read_back = reading and (proof or not proves)
        ruler = self._written_ruler(seen, changed) if is_read_back else None
        yield from self._writes(writes, ruler)
        if is_read_back:
            # The map's sectors are the profile's. Without one, an erase may be larger than anybody here knows.
            cells = self._layout.read_backs(changed if self._map is not None else self._layout.sectors)
            yield from self._read_backs(joined(cells), proof)
            if ruler is not None:
                yield Step(StepKind.CHECK_BLOCKS, Range(ruler.end - self._block, ruler.end))
        boot = self._layout.boot
        if not is_blank(self._data(boot)):
            yield Step(StepKind.WRITE_BOOT_UNIT, boot)
            if reading:
                yield Step(StepKind.READ_BOOT_UNIT, boot)

    def _proofs(self, erases: list[Range], writes: list[Range]) -> Iterator[tuple[Range, Range]]:
        """Yield the places where reading can be proved: sectors that are erased, and what is written in them."""
        for sector in erases:
            for each in writes:
                part = Range(max(each.start, sector.start), min(each.end, sector.end))
                if part.size > 0 and not is_blank(self._data(part)):
                    yield sector, part

    def _data(self, span: Range) -> bytes:
        return self._layout.image.read(span)

    def _looks(self, seen: Seen) -> Iterator[Step]:
        """Yield the reads that were done for this plan."""
        action = StepKind.COMPARE if self._history.reading_proved else StepKind.SAMPLE
        yield from (Step(action, span) for span in seen.compared)
        in_search = [seen.measured] if seen.measured and seen.measured not in seen.compared else []
        if seen.measured and not in_search:
            yield Step(StepKind.CHECK_BLOCKS, seen.measured)
        yield from (Step(StepKind.FIND_BLANK, span) for span in seen.searched[:1])
        yield from (Step(StepKind.CHECK_BLOCKS, span) for span in in_search)
        yield from (Step(StepKind.FIND_BLANK, span) for span in seen.searched[1:])

    def _written_ruler(self, seen: Seen, changed: list[Range]) -> Range | None:
        """Return the first two blocks of the image that show what block numbers are multiplied with, once written.

        None where that is known already, where blocks are not counted, and where no two show it.
        """
        if self._history.reading_proved or seen.multiplies is not None or self._block != self._facts.transfer_size:
            return None
        for before, ruler in pairwise(self._layout.read_backs(changed)):
            both = Range(before.start, ruler.end)
            is_whole = both.size == 2 * self._block and before.end == ruler.start
            if is_whole and self._layout.written.covers(both) and is_telling(self._data(ruler), self._data(before)):
                return both
        return None

    def _writes(self, writes: list[Range], ruler: Range | None) -> Iterator[Step]:
        """Yield the writes, and the look at the ruler as soon as it is written: what follows may be counted then."""
        last = max((at for at, each in enumerate(writes) if ruler is not None and each.overlaps(ruler)), default=None)
        for at, each in enumerate(writes):
            yield Step(StepKind.WRITE, each)
            if ruler is not None and at == last:
                yield Step(StepKind.MEASURE_BLOCKS, ruler)

    def _canaries(self, seen: Seen, trials: tuple[Site, ...], swept: list[Range]) -> Iterator[Step]:
        left = {each.sector: each for each in seen.leftovers}
        for site in trials:
            old = left.get(site.sector)
            if old is not None and not old.is_whole:
                yield from _sweep(site.sector)
                old = None
            if old is None:
                yield Step(StepKind.WRITE_CANARY, Range.sized(site.sector.start, self._unit))
            whole = Range(site.sector.start, min(site.sector.start + self._block, site.sector.end))
            yield Step(StepKind.READ_CANARY, whole)
            yield Step(StepKind.ERASE_CANARY, site.sector)
        if trials:
            yield from (Step(StepKind.CHECK_BANKS, span) for span, _ in seen.remembered)
        yield from (Step(StepKind.CHECK_BANKS, site.sector) for site in trials)
        for sector in swept:
            yield from _sweep(sector)

    def _read_backs(self, runs: tuple[Range, ...], proof: tuple[Range, Range] | None) -> Iterator[Step]:
        """Whatever is read back; first of all that which proves reading, up to the end of its sector."""
        if proof is not None:
            sector, written = proof
            run = next(run for run in runs if run.overlaps(written))
            middle = min(run.start + -(-(sector.end - run.start) // self._block) * self._block, run.end)
            yield Step(StepKind.PROVE_READING, Range(run.start, middle))
            runs = tuple(each if each != run else Range(middle, run.end) for each in runs)
        yield from (Step(StepKind.READ_BACK, run) for run in runs if run.size > 0)

    def _proves(self, steps: tuple[Step, ...]) -> bool:
        """Tell whether reading is proved by the time that the boot unit is written, if all goes well."""
        proving = (StepKind.PROVE_READING, StepKind.READ_CANARY)
        return self._history.reading_proved or any(step.action in proving for step in steps)

    # Words.

    def _remarks(
        self, seen: Seen, changed: list[Range], unchanged: int, *, is_cached: bool, asked: bool
    ) -> Iterator[str]:
        obstacle = self._obstacle or seen.obstacle
        is_erase = remarks.is_blank_image(self._image) and self._target.erases_all
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
            is_blank = "is blank already: nothing is erased"
            yield f"the partition {is_blank if is_erase else 'has this image already: nothing is erased or written'}"
        else:
            yield from self._remarks_on_comparison(seen, changed, unchanged)
        if is_cached and unchanged:
            yield "sectors left alone were not read: flashdeck trusts its record of the last flash (trust_cache)"
        yield from remarks.beside(self._layout, changed, self._read_before(seen))
        banks = unproved_banks(self._target, self._history)
        if not asked and banks:
            yield f"a canary in bank {banks[0] + 1} comes first, where one can be placed"
        elif banks and not seen.sites:
            done = "erased" if is_erase else "written"
            yield f"{done} without a canary: " + (obstacle or self._no_room("of the partition"))

    def _remarks_on_comparison(self, seen: Seen, changed: list[Range], unchanged: int) -> Iterator[str]:
        """Say how many sectors differ, and how many are only taken to."""
        present, count = self._read_before(seen), len(self._layout.sectors)
        unread = sum(not present.touches(sector) for sector in changed) if present.pieces else 0
        without = f"{unread} of them without a comparison, because so many others differ"
        if unchanged and unread:
            yield f"{len(changed)} of {count} sectors are written, {without}; the others are left alone"
        elif unchanged:
            yield f"{len(changed)} of {count} sectors differ; the others are left alone"
        elif unread:
            yield f"all {count} sectors are written, {without}"


def _sweep(sector: Range) -> Iterator[Step]:
    """Yield the steps that take back a canary of an earlier job."""
    yield Step(StepKind.ERASE_CANARY, sector)
    yield Step(StepKind.CHECK_BANKS, sector)


def _unprovable(obstacle: str) -> VerifyError:
    return VerifyError(
        f'verify = "always", but {obstacle}; nothing was erased',
        hint='say verify = "auto" in the profile to flash without reading back',
    )
