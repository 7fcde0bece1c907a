"""The units in all slots: which one is there, from the first sight of it until it is gone, and a record of each.

A slot is a board whose thing changes. Its lane sees a device only once it is known which unit that is, and a unit that
comes gets a lane of its own: whatever was known of the one before (contents, proofs of reading, jobs, facts of its
bootloader) is forgotten durably before. `unit_identity` decides; this carries it out.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import (
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    Running,
    Written,
    is_settled,
    result_of,
)
from flashdeck.model import JobState, LogLevel, Presence
from flashdeck.slot_condition import SlotCondition, SlotWaiting
from flashdeck.slot_state import LotState, SlotState, UnitRecord, UnitResult
from flashdeck.value import Value
from flashdeck.words.slots import failure_text, slot_word
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.comings import restart_of
from flashdeckd.host import clock
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.slotting.lot_book import LotBook
from flashdeckd.slotting.slot_view import SlotFacts, condition_of
from flashdeckd.slotting.unit_identity import Absence, Coming, Face, judge_coming, judge_restart, patience
from flashdeckd.slotting.unit_outcome import Outcome, images_with, is_another, outcome_of
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal, Ledger, UnitThere
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Roster, Sighting

AGAIN_SECONDS: Final = 5.0
"""Pause before it is tried again to record a unit, or to queue its work, where the disk failed."""
EnumerationOf = Callable[[UsbDevice], Awaitable[str]]
"""Returns the kernel's own mark of one enumeration of a device; "" where there is none."""
_log = logging.getLogger(__name__)


class _Notes(Value, frozen=True, kw_only=True):
    """The looks of a unit that is there, as they are kept for the next daemon."""

    mark: str = ""
    """The kernel's mark of its enumeration."""
    faces: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict[str, tuple[str, int]])
    """By its mode: its serial and its bcdDevice."""
    earlier: UnitRecord | None = None
    """As `SlotPlace` has it."""


@dataclass(slots=True)
class SlotPlace:
    """A slot, and the unit in it."""

    record: UnitRecord | None = None
    device: UsbDevice | None = None
    """Its enumeration; None while it is off the bus."""
    mark: str = ""
    faces: dict[Presence, Face] = field(default_factory=dict[Presence, Face])
    former: UnitThere | None = None
    """The unit that an earlier daemon saw there, until something is known of it."""
    left_at: float = 0.0
    """The time when it left the bus, by the monotonic clock."""
    restart: RestartAsked | None = None
    """The restart for which it is off the bus; None where nobody has asked for any."""
    timer: asyncio.TimerHandle | None = None
    changing: "asyncio.Task[Any] | None" = None
    """Ends the unit that was there, or begins the next one, or gives the slot another name; the lane sees nothing
    meanwhile."""
    earlier: UnitRecord | None = None
    """The unit that it may be, which has passed: nobody saw the port for a while, so it is read again. None once it is
    known if it is that one, or another one with its serial."""
    doubt: Failure | None = None
    """The reason why nobody can say which unit it is; it has failed for that."""
    occupied: str = ""
    trouble: str = ""
    pending: SlotWaiting | None = None
    """The reason why the unit has got no job."""
    condition: SlotCondition | None = None
    since: float = 0.0

    def rest(self) -> None:
        """Nobody waits any more for the unit to come back."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer, self.restart = None, None


class Units:
    """Keeps the lanes of slots from seeing what is not known yet. Runs in the event loop's thread only."""

    def __init__(
        self,
        bench: Bench,
        hub: Hub,
        *,
        journal: Journal,
        ledger: Ledger,
        lots: LotBook,
        enumeration_of: EnumerationOf,
    ) -> None:
        self._bench = bench
        self._hub = hub
        self._journal = journal
        self._lots = lots
        self._enumeration_of = enumeration_of
        self._serials = dict(ledger.unit_serials)
        self._next = ledger.next_unit
        self._saving = asyncio.Lock()
        self._untold: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.places: dict[str, SlotPlace] = {}
        self.changed: Callable[[str], object] = lambda _: None
        """Told of a slot in which another unit is, or of which something else is known."""
        for there in ledger.units:
            self.places[there.record.slot] = SlotPlace(
                record=there.record,
                former=there,
                faces=_faces(there.enumeration),
                earlier=_read(there.enumeration).earlier,
            )
            bench.book.forget_before(there.record.slot, there.record.began_at)
        bench.gate = self

    def record(self, slot: str) -> UnitRecord | None:
        """Return the unit that is in a slot; None while nobody knows that there is one."""
        place = self.places.get(slot)
        return place.record if place is not None and place.former is None and place.changing is None else None

    @property
    def with_units(self) -> frozenset[str]:
        """Return the slots in which a unit is, also while it restarts."""
        return frozenset(name for name, place in self.places.items() if place.record is not None)

    async def close(self) -> None:
        """Begin nothing more; what is under way is left to the next daemon."""
        self._closed = True
        for place in self.places.values():
            place.rest()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What the bench asks while it looks at the bus.

    def look(self, roster: Roster) -> None:
        """Take note of which slots there are, and of boards that are in their ports."""
        slots = self._bench.config.slots
        for name in slots:
            if name not in self.places:
                self.note(name)
            place = self.places.setdefault(name, SlotPlace())
            occupied = roster.occupied.get(name, "")
            trouble = roster.boards[name].trouble if name in roster.boards and not occupied else ""
            if (occupied, trouble) != (place.occupied, place.trouble):
                place.occupied, place.trouble = occupied, trouble
                self.note(name)
            if occupied and place.record is not None and place.former is None and place.changing is None:
                # It is a board since the configuration was read again, or somebody was quick: what runs ends now.
                why = f"board {occupied} is in the port of slot {name}: it is no unit"
                self._start(name, place, self._end(name, place, why))
        for name in self.places.keys() - slots.keys():
            place = self.places[name]
            if place.changing is not None:
                continue
            if name in self._bench.config.boards:
                self._hub.forget_slot(name)
                self._hub.log("it is a board now, and was a slot", board=name)
                self._start(name, place, self._become_board(name, place))
            elif name not in self._bench.lanes:  # else the bench ends its lane first
                why = f"slot {name} is no longer in the configuration"
                self._start(name, place, self._close_for_good(name, place, why))

    def admit(self, name: str, sighting: Sighting) -> Sighting:
        """Return what the lane of a slot may see: nothing, while it is not known which unit is there."""
        place, device = self.places[name], sighting.device
        if place.changing is not None or self._closed:
            return ABSENT
        if place.former is not None:
            self._start(name, place, self._resume(name, place, sighting))
        elif place.record is None and device is not None:
            self._start(name, place, self._begin(name, place, sighting))
        elif place.record is not None and device is None:
            self._note_leaving(name, place)
        elif place.record is not None and device is not None and device != place.device:
            self._note_coming(name, place, place.record, sighting.presence, device)
        return ABSENT if place.changing is not None else sighting

    def _note_leaving(self, name: str, place: SlotPlace) -> None:
        """The unit is off the bus: it may come back, as after a restart."""
        if place.device is not None:
            place.left_at, place.device = clock.monotonic(), None
            place.restart = self._asked_restart(name)
            if (seconds := patience(place.restart)) is not None:
                place.timer = asyncio.get_running_loop().call_later(seconds, self._give_up, place)

    def _note_coming(
        self, name: str, place: SlotPlace, record: UnitRecord, presence: Presence, device: UsbDevice
    ) -> None:
        """Another enumeration is there: of the unit, or of the next one."""
        if place.device is not None:  # the look at the bus came too late to see that it was gone
            place.left_at, place.restart = clock.monotonic(), self._asked_restart(name)
        away = Absence(max(0.0, clock.monotonic() - place.left_at), place.restart)
        coming = judge_coming(place.faces, away, presence, device, is_own_serial=self._is_own(record, device))
        if coming is Coming.NEW:
            self._start(name, place, self._end(name, place))
            return
        place.rest()
        if coming is Coming.DOUBTFUL:
            place.doubt = Failure(
                kind=ErrorKind.NOT_ACCEPTED,
                message=f"it was off the bus for {away.seconds:.1f} s after it was flashed, and its serial does not "
                "tell if it is still the same unit",
                hint="take it out and put it in again: it is flashed anew",
            )
        self._sees(name, place, presence, device)

    def _asked_restart(self, name: str) -> RestartAsked | None:
        """Return the restart that somebody has asked for; any other one may be a pulled cable."""
        restart = restart_of(self._bench.lane(name), self._bench.book.active(name))
        return restart if restart is not None and restart.is_asked else None

    @asynccontextmanager
    async def still(self, names: Iterable[str]) -> AsyncGenerator[None]:
        """Let no unit of these slots begin or end for as long as the context is open, which waits for those that do."""
        places = [self.places[name] for name in names if name in self.places]
        for place in places:
            while place.changing is not None and not place.changing.done():
                await asyncio.wait({place.changing})
            place.changing = asyncio.current_task()
        try:
            yield
        finally:
            for place in places:
                place.changing = None

    async def retire(self, name: str, why: str) -> None:
        """Close the record of the unit in a slot that the configuration has no more, and whose lane has ended.

        Raises FlashdeckError where that cannot be recorded.
        """
        if name in self.places:
            await self._close(name, self.places[name], why)
            del self.places[name]

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Let units be those of the new names of their slots, of which none begins or ends a unit."""
        self._lots.rename_slots(names)
        renamed = {names.get(name, name): place for name, place in self.places.items()}
        self.places.clear()
        self.places.update(renamed)
        for name, place in self.places.items():
            if place.record is not None and place.record.slot != name:
                place.record = replace(place.record, slot=name)
                self.changed(name)

    # Records.

    async def put(self, slot: str, record: UnitRecord) -> None:
        """Record another state of the unit in a slot, unless another unit is there by now.

        Raises FlashdeckError where that cannot be recorded.
        """
        async with self._saving:
            place = self.places.get(slot)
            if place is None or place.record is None or place.record.id != record.id or place.changing is not None:
                return
            before, lot = place.record, self._lots.counting(place.record, record)
            await self._journal.save_unit(record, _notes(place), lot)
            self._lots.put(lot)
            place.record = record
        if record.result is not before.result:
            self._tell_result(slot, record)
        self.note(slot)

    async def tell_apart(self, slot: str, judged: UnitRecord) -> bool:
        """Record of a unit that is read again if it is the one that was done, or another; False where that is open.

        Raises FlashdeckError where that cannot be recorded.
        """
        async with self._saving:
            place = self.places.get(slot)
            if place is None or place.record is None or place.record.id != judged.id or place.changing is not None:
                return False
            if place.earlier is None or (another := is_another(judged, self._bench.book.jobs)) is None:
                return False
            if another:
                await self._part(place, place.record, place.earlier)
            else:
                same = replace(place.earlier, slot=slot)
                lot = self._lots.counting(place.record, same)
                await self._journal.save_unit(same, _notes(place, is_known=True), lot)
                self._lots.put(lot)
                place.record, place.earlier = same, None
                self._tell_result(slot, same)
        self.note(slot)
        return True

    async def _part(self, place: SlotPlace, record: UnitRecord, earlier: UnitRecord) -> None:
        """Record that the unit that is there is not the one that was done: that one has left while nobody saw it."""
        gone = replace(earlier, slot=record.slot, left_at=record.began_at)
        there = replace(record, id=self._next)
        self._next += 1
        lot = self._lots.counting(record, gone)
        await self._journal.part_units(gone, there, _notes(place, is_known=True), lot)
        self._lots.put(lot)
        place.record, place.earlier = there, None
        if there.serial:
            self._serials[there.serial] = self._serials.get(there.serial, 0) + 1
        self._hub.units_gone[gone.slot, gone.result] += 1
        text = f"unit {gone.id} is gone: this is another one with its serial, unit {there.id}"
        self._hub.log(text, board=there.slot)

    def note(self, slot: str) -> None:
        """Something changed of what the state of a slot is made of: tell it, once for all that changes with it."""
        if not self._untold:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self._untold[slot] = None
        self.changed(slot)

    def begun_for(self, lot: LotState) -> int:
        """Return how many units are under way for a lot."""
        records = (place.record for place in self.places.values() if place.record is not None)
        return sum(each.lot == lot.name and each.result is UnitResult.NONE and bool(each.images) for each in records)

    def _is_own(self, record: UnitRecord, device: UsbDevice) -> bool:
        mine = 1 if record.serial == device.serial else 0
        return self._serials.get(device.serial, 0) <= mine and not self._bench.is_shared(device)

    def _sees(self, name: str, place: SlotPlace, presence: Presence, device: UsbDevice) -> None:
        place.device = device
        place.faces[presence] = Face.of(device)
        self._spawn(self._note_enumeration(name, place, device))
        self.note(name)

    async def _note_enumeration(self, name: str, place: SlotPlace, device: UsbDevice) -> None:
        """Keep what tells the next daemon that nobody has touched the unit; without that it is done anew."""
        mark = await self._enumeration_of(device)
        if place.device == device and place.record is not None:
            place.mark = mark
            try:
                await self.put(place.record.slot, place.record)  # by its name as it is now
            except FlashdeckError as error:
                self._hub.log(f"could not be recorded: {error.message}", level=LogLevel.WARNING, board=name)

    # From one unit to the next.

    def _start(self, name: str, place: SlotPlace, change: Awaitable[None]) -> None:
        place.rest()
        place.changing = self._spawn(self._change(name, place, change))
        self.note(name)

    async def _change(self, name: str, place: SlotPlace, change: Awaitable[None]) -> None:
        try:
            await change
        except Exception:  # noqa: BLE001 -- a fault of ours in one slot must not end the others
            _log.exception("the unit in slot %s could not be changed", name)
            self._hub.log("a fault in flashdeckd: this slot takes no unit any more", level=LogLevel.ERROR, board=name)
            return
        place.changing = None
        self.note(name)
        await self._bench.look_again()

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _give_up(self, place: SlotPlace) -> None:
        """The unit did not come back in time: it is gone."""
        place.timer = None
        if place.changing is None and place.record is not None and place.device is None and not self._closed:
            name = place.record.slot  # it may have another name by now
            self._start(name, place, self._end(name, place))

    async def _resume(self, name: str, place: SlotPlace, sighting: Sighting) -> None:
        """See if the unit of an earlier daemon is still there, or one that is to be read again."""
        former, device = place.former, sighting.device
        assert former is not None  # noqa: S101 - that is why it is called
        record = former.record
        mark = "" if device is None else await self._enumeration_of(device)
        if device is not None and mark and mark == _mark(former.enumeration):
            place.former, place.device, place.mark = None, device, mark
            self._hub.log(f"unit {record.id} is still there", board=name)
            return
        is_same = device is not None and judge_restart(
            place.faces, sighting.presence, device, is_own_serial=self._is_own(record, device)
        )
        done = record if record.result is UnitResult.PASSED else place.earlier
        if not is_same or done is None:
            await self._end(name, place)
            return
        await self._until_recorded(name, lambda: self._bench.forget_contents(name))
        place.former, place.device, place.mark = None, device, mark
        text = f"unit {record.id} is here by its serial; it is read again, because nobody saw the port meanwhile"
        self._hub.log(text, board=name)
        place.earlier = done
        again = UnitRecord(
            id=record.id, slot=name, lot=record.lot, serial=record.serial, port=record.port, began_at=clock.now()
        )
        await self._until_recorded(name, lambda: self._record_anew(place, again))

    async def _record_anew(self, place: SlotPlace, record: UnitRecord) -> None:
        async with self._saving:
            lot = self._lots.counting(place.record, record)
            await self._journal.save_unit(record, _notes(place), lot)
            self._lots.put(lot)
            place.record = record

    async def _begin(self, name: str, place: SlotPlace, sighting: Sighting) -> None:
        device = sighting.device
        assert device is not None  # noqa: S101 - that is what comes
        if self._bench.knows(name):
            await self._until_recorded(name, lambda: self._bench.renew(name, lambda: self._close(name, place)))
        mark = await self._enumeration_of(device)
        record = UnitRecord(id=self._next, slot=name, serial=device.serial, port=device.port, began_at=clock.now())
        self._next += 1
        place.device, place.mark, place.faces = device, mark, {sighting.presence: Face.of(device)}
        place.doubt, place.pending, place.earlier = None, None, None
        await self._until_recorded(name, lambda: self._record_anew(place, record))
        if device.serial:
            self._serials[device.serial] = self._serials.get(device.serial, 0) + 1
        serial = f", serial {device.serial}" if device.serial else ""
        self._hub.log(f"unit {record.id} is in this slot{serial}", board=name)

    async def _end(self, name: str, place: SlotPlace, why: str = "") -> None:
        await self._until_recorded(name, lambda: self._bench.renew(name, lambda: self._close(name, place, why)))
        place.record = place.device = place.former = place.earlier = place.doubt = place.pending = None
        place.faces, place.mark = {}, ""

    async def _become_board(self, name: str, place: SlotPlace) -> None:
        """The configuration has a board of this name now: what is known of the unit is not known of that."""
        await self._end(name, place, f"slot {name} is a board now")
        del self.places[name]

    async def _close_for_good(self, name: str, place: SlotPlace, why: str) -> None:
        """The configuration has this slot no more: its unit is closed as it is."""
        await self._until_recorded(name, lambda: self._close(name, place, why))
        del self.places[name]

    async def _close(self, name: str, place: SlotPlace, why: str = "") -> None:
        """End the jobs and the record of the unit in a slot, and forget all of its board durably.

        `why` says why it is no unit any more, where it was not taken out. Raises FlashdeckError where that cannot be
        recorded: then nothing else may come into the slot.
        """
        record, book = place.record, self._bench.book
        if record is None:
            for job in book.at_their_turn(book.active(name)):
                if not is_settled(job.status):
                    why = f"there was no unit in slot {name}"
                    await book.move(job, Cancelled(by=Canceller.CONFIGURATION, reason=why))
            await self._journal.end_unit(None, name)
            return
        passed = await self._passed(place, record)
        record = place.record or record
        message, kind = why or f"unit {record.id} was taken out of slot {name}", ErrorKind.PULLED
        if why:
            kind = ErrorKind.CANCELLED
        record, has_begun = passed or self.judged(record), False
        for job in book.at_their_turn(book.active(name)):
            has_begun = has_begun or _has_begun(job)
            if is_settled(job.status):
                continue
            if _has_begun(job):
                failure = Failure(kind=kind, message=message, hint="the next unit is begun anew")
                await book.move(job, Failed(failure=failure, result=result_of(job.status)))
            else:
                await book.move(job, Cancelled(by=Canceller.CONFIGURATION, reason=message))
        done = [book.jobs[image.job] for image in record.images if image.job in book.jobs]
        has_begun = has_begun or any(map(_has_begun, done))
        if book.undecided_jobs(name):
            await book.go_back(name, {}, "")
        async with self._saving:
            now = clock.now()
            ended = replace(record, left_at=now)
            if ended.result is UnitResult.NONE:
                text = why or "taken out while it was being flashed"
                failure = Failure(kind=kind, message=text, hint="put it in again: it is begun anew")
                result = UnitResult.FAILED if has_begun else UnitResult.LEFT
                ended = replace(ended, result=result, failure=failure if has_begun else None, decided_at=now)
            lot = self._lots.counting(place.record, ended)
            await self._journal.end_unit(ended, name, lot)
            self._lots.put(lot)
            place.record = ended
        self._hub.units_gone[name, ended.result] += 1
        self._tell_result(name, ended)
        self._hub.log(f"unit {record.id} is gone", board=name)

    async def _passed(self, place: SlotPlace, record: UnitRecord) -> UnitRecord | None:
        """Return the unit that was done, where the one that leaves was still read again; None where it is another."""
        earlier = place.earlier
        if earlier is None:
            return None
        if not is_another(self.judged(record), self._bench.book.jobs):
            return replace(earlier, slot=record.slot)
        async with self._saving:
            await self._part(place, record, earlier)
        return None

    def judged(self, record: UnitRecord) -> UnitRecord:
        """Return a record with the result that the jobs of its unit have by now."""
        jobs, place = self._bench.book.jobs, self.places.get(record.slot)
        for job in sorted(jobs.values(), key=lambda job: job.id):
            if job.board == record.slot and job.created_at >= record.began_at:
                record = replace(record, images=images_with(record.images, job))
        contents = {
            image.partition: known
            for image in record.images
            if (known := self._bench.book.contents(record.slot, image.partition)) is not None
        }
        outcome = outcome_of(record.images, jobs, contents)
        if place is not None and place.doubt is not None:
            outcome = Outcome(UnitResult.FAILED, place.doubt, outcome.verified, outcome.verdict)
        if outcome.result is UnitResult.NONE and not any(_is_open(jobs.get(image.job)) for image in record.images):
            return record  # its jobs are older than what is kept of them
        decided = clock.now() if outcome.result is not UnitResult.NONE else None
        return replace(
            record,
            result=outcome.result,
            failure=outcome.failure,
            verified=outcome.verified,
            verdict=outcome.verdict,
            decided_at=record.decided_at if outcome.result is record.result else decided,
        )

    async def _until_recorded(self, name: str, record: Callable[[], Awaitable[None]]) -> None:
        """Try until the disk takes it: nothing may be done to a unit of which the next daemon would not know."""
        while True:
            try:
                await record()
            except FlashdeckError as error:
                text = f"a unit could not be recorded: {error.message}; it is tried again"
                self._hub.log(text, level=LogLevel.ERROR, board=name)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    # What is told.

    def _tell_result(self, slot: str, record: UnitRecord) -> None:
        serial = f" ({record.serial})" if record.serial else ""
        if record.result is UnitResult.PASSED:
            self._hub.log(f"unit {record.id}{serial}: PASS, {record.verified}", board=slot)
        elif record.result is UnitResult.FAILED and record.failure is not None:
            text = f"unit {record.id}{serial}: FAIL: {failure_text(record.failure)}"
            self._hub.log(text, level=LogLevel.ERROR, board=slot)

    def _tell_all(self) -> None:
        names, self._untold = self._untold, {}
        for name in names:
            if name in self.places and name in self._bench.config.slots and name in self._bench.lanes:
                self._hub.publish_slot(self._state(name, self.places[name]))

    def _state(self, name: str, place: SlotPlace) -> SlotState:
        board = self._bench.config.slots[name]
        assert board.slot is not None  # noqa: S101 - that is what makes it a slot
        record, lot = self.record(name), self._lots.of_slot(name)
        facts = SlotFacts(
            record=record,
            jobs=self._bench.book.active(name),
            occupied=place.occupied,
            trouble=place.trouble,
            is_changing=place.changing is not None,
            hold=self._bench.lane(name).hold,
            pending=place.pending,
        )
        condition = condition_of(facts, name)
        if place.condition is None or type(place.condition) is not type(condition):
            place.since = clock.now()
            self._hub.debug(f"the slot is {slot_word(condition).text}", board=name)
        place.condition = condition
        return SlotState(
            name=name,
            profile=board.profile.name,
            port=board.port,
            group=board.slot.group,
            lot=lot.name if lot is not None else "",
            unit=record,
            condition=condition,
            since=place.since,
        )


def _has_begun(job: JobState) -> bool:
    return job.attempts > 0 or isinstance(job.status, Running | Written | Done)


def _is_open(job: JobState | None) -> bool:
    return job is not None and not job.is_settled


def _notes(place: SlotPlace, *, is_known: bool = False) -> str:
    """Return what is kept of a unit that is there; `is_known` once it is known which one it is."""
    faces = {presence.value: (face.serial, face.bcd_device) for presence, face in place.faces.items()}
    notes = _Notes(mark=place.mark, faces=faces, earlier=None if is_known else place.earlier)
    return msgspec.json.encode(notes).decode()


def _read(text: str) -> _Notes:
    try:
        return msgspec.json.decode(text, type=_Notes)
    except msgspec.MsgspecError:
        return _Notes()  # then it is a new unit


def _mark(text: str) -> str:
    return _read(text).mark


def _faces(text: str) -> dict[Presence, Face]:
    return {Presence(mode): Face(*face) for mode, face in _read(text).faces.items()}
