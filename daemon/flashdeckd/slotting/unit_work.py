"""The work on units: each gets the newest build or the image of its lot, once, and its result is recorded."""

import asyncio
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck.config import Board
from flashdeck.errors import FlashdeckError, RefusedError
from flashdeck.job_state import Failure
from flashdeck.model import ArtifactState, Disposition, Event, JobState, LogLevel
from flashdeck.slot_condition import SlotWaiting
from flashdeck.slot_state import LotState, UnitImage, UnitRecord, UnitResult
from flashdeckd.boards.bench import Bench
from flashdeckd.host import clock
from flashdeckd.images.spool import Artifact
from flashdeckd.requests.queueing import queue_build, queue_for_lot
from flashdeckd.slotting.lot_book import LotBook
from flashdeckd.slotting.unit_keeper import AGAIN_SECONDS, Units
from flashdeckd.state.hub import Hub


@dataclass(frozen=True, slots=True)
class _WantedImage:
    """An image that a unit is to get."""

    partition: str
    artifact: Artifact


class UnitWork:
    """Queues what units are to get, and records what became of it. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench, hub: Hub, units: Units, lots: LotBook) -> None:
        self._bench = bench
        self._hub = hub
        self._units = units
        self._lots = lots
        self._dirty: dict[str, None] = {}
        self._changed = asyncio.Event()
        units.changed = self._note
        hub.listen(self._hear)

    async def run(self) -> None:
        """Look after every slot of which something has changed, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            slots, self._dirty = self._dirty, {}
            for slot in slots:
                try:
                    await self._look_after(slot)
                except FlashdeckError as error:
                    text = f"its unit could not be looked after: {error.message}; it is tried again"
                    self._hub.log(text, level=LogLevel.WARNING, board=slot)
                    asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._note, slot)

    def _note(self, slot: str) -> None:
        self._dirty[slot] = None
        self._changed.set()

    def _hear(self, event: Event) -> None:
        slots = self._units.places
        if event.job is not None and event.job.board in slots:
            self._units.note(event.job.board)
        elif event.board is not None and event.board.name in slots:
            self._units.note(event.board.name)
        elif event.artifact is not None or event.lot is not None:
            for slot in slots:
                self._units.note(slot)

    async def _look_after(self, slot: str) -> None:
        record = self._units.record(slot)
        board = self._bench.config.slots.get(slot)
        if record is None or board is None:
            return
        if record.images:
            judged = self._units.judged(record)
            if not await self._units.tell_apart(slot, judged) and judged != record:
                await self._units.put(slot, judged)
                self._tell_others(judged)
        elif record.result is UnitResult.NONE:
            await self._begin(slot, board, record)

    def _tell_others(self, record: UnitRecord) -> None:
        """A unit of a lot has ended: another one may have its turn."""
        if record.lot:
            for slot in self._units.places:
                self._note(slot)

    async def _begin(self, slot: str, board: Board, record: UnitRecord) -> None:
        """Queue what a unit is to get, or note why it gets nothing yet."""
        async with self._bench.reshaping:
            lot = self._lots.of_slot(slot)
            wanted = self._wanted(board, lot)
            if self._bench.config.slots.get(slot) is not board or self._units.record(slot) != record:
                self._note(slot)
                return
            if isinstance(wanted, SlotWaiting):
                self._wait(slot, wanted)
                return
            try:
                jobs = [await self._queue(board, each, lot) for each in wanted]
            except RefusedError as error:
                refused = Failure(kind=error.kind, message=error.message, hint=error.hint)
                failed = replace(record, result=UnitResult.FAILED, failure=refused, decided_at=clock.now())
                await self._units.put(slot, replace(failed, lot=lot.name if lot is not None else ""))
                return
        images = tuple(
            UnitImage(
                partition=each.partition,
                sha256=each.artifact.sha256,
                version=each.artifact.version,
                job=job.id if job is not None else 0,
            )
            for each, job in zip(wanted, jobs, strict=True)
        )
        await self._units.put(slot, replace(record, images=images, lot=lot.name if lot is not None else ""))

    async def _queue(self, board: Board, wanted: _WantedImage, lot: LotState | None) -> JobState | None:
        """Return the job that brings an image; None where the unit has it."""
        queue = queue_build if lot is None else queue_for_lot
        job = await queue(self._bench, board, wanted.partition, wanted.artifact)
        if job is not None:
            return job
        # It was queued before a daemon was killed, or is on the unit by a flash of before the daemon's restart.
        place = board.profile.partitions[wanted.partition]
        return self._bench.satisfaction.job_for(board, place, wanted.artifact.sha256)

    def _wait(self, slot: str, why: SlotWaiting) -> None:
        place = self._units.places[slot]
        if place.pending != why:
            place.pending = why
            self._hub.log(f"its unit waits: {why.reason}" + (f"; {why.hint}" if why.hint else ""), board=slot)
            self._units.note(slot)

    def _wanted(self, board: Board, lot: LotState | None) -> list[_WantedImage] | SlotWaiting:
        if not self._bench.is_armed(board.name):
            hint = f"`flashdeck arm {board.name}` lets units begin"
            return SlotWaiting(reason="the slot is disarmed", hint=hint, needs_person=True)
        if lot is None:
            return self._newest(board)
        place = board.profile.partitions.get(lot.partition)
        if place is None or place.protected:
            reason = f"lot {lot.name} is for {lot.partition}, which " + (
                "is protected now" if place is not None else f"profile {board.profile.name} has no more"
            )
            return SlotWaiting(reason=reason, hint=f"`flashdeck lot end {lot.name}` ends the lot", needs_person=True)
        if lot.is_complete:
            hint = f"`flashdeck lot end {lot.name}` ends it"
            return SlotWaiting(reason=f"lot {lot.name} is complete", hint=hint, needs_person=True)
        if lot.passed + self._units.begun_for(lot) >= lot.count:
            return SlotWaiting(reason=f"the last units of lot {lot.name} are under way")
        return [_WantedImage(lot.partition, Artifact(lot.sha256, lot.size, lot.version, is_program=True))]

    def _newest(self, board: Board) -> list[_WantedImage] | SlotWaiting:
        wanted: list[_WantedImage] = []
        builds = [
            (partition, self._hub.artifacts.get((board.profile.name, partition.name)))
            for partition in board.profile.partitions.values()
            if not partition.protected and partition.image
        ]
        for partition, build in builds:
            if build is None:
                reason, hint = f"there is no build for {partition.name} yet", "build it, or begin a lot"
                return SlotWaiting(reason=reason, hint=hint)
            if (why := _why_not(build)) is not None:
                hint = f"build it anew, or begin a lot: `flashdeck lot begin`; {partition.name} alone: flash it by hand"
                return SlotWaiting(reason=f"the newest build for {partition.name} {why}", hint=hint, needs_person=True)
            wanted.append(_WantedImage(partition.name, _artifact(build)))
        if wanted:
            return wanted
        reason = f"profile {board.profile.name} names no image"
        return SlotWaiting(reason=reason, hint="begin a lot: `flashdeck lot begin`", needs_person=True)


def _why_not(build: ArtifactState) -> str | None:
    if build.disposition is Disposition.OFFERED:
        return f"is offered: {build.reason}"
    return f"was refused: {build.reason}" if build.disposition is Disposition.REFUSED else None


def _artifact(build: ArtifactState) -> Artifact:
    return Artifact(build.sha256, build.size, build.version, is_program=not build.patch)
