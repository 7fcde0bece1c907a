"""The requests of a person about slots: lots that begin and end, and the records of units."""

from collections.abc import Sequence

from flashdeck.api import JOB_PAGE, BeginLot, GetLots, GetUnits, LotList, UnitPage
from flashdeck.config import Board
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.names import select, which
from flashdeck.slot_state import LotState
from flashdeck.text import MAX_PATH, clean, is_name
from flashdeckd.boards.bench import Bench
from flashdeckd.host import clock, threads
from flashdeckd.images.spool import Artifact
from flashdeckd.images.version import find_version
from flashdeckd.slotting.lot_book import LotBook
from flashdeckd.state.carried_through import carried_through
from flashdeckd.state.journal import Journal

MAX_COUNT = 1_000_000
"""Units of one lot."""


class SlotRequests:
    """Carries out what a person asks of slots. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench, journal: Journal, lots: LotBook) -> None:
        self._bench = bench
        self._journal = journal
        self._lots = lots

    async def begin(self, asked: BeginLot) -> LotState:
        """Begin a lot, once its image has passed the guards of every slot.

        Raises RequestError where it cannot be as it was asked for, BlockedError where a slot has a lot, RefusedError
        for what the guards refuse.
        """
        if not is_name(asked.name):
            raise RequestError(
                f"{clean(asked.name)!r} cannot be the name of a lot", hint="as a board's: letters, digits, - and _"
            )
        if not 1 <= asked.count <= MAX_COUNT:
            raise RequestError(f"a lot of {asked.count} units cannot be", hint=f"from 1 to {MAX_COUNT} units")
        slots = self._slots(asked.partition, asked.slots)
        self._lots.require_free(asked.name, [slot.name for slot in slots])
        with self._bench.shelf.held(asked.sha256):
            for slot in slots:
                each = await self._bench.image_for(slot, asked.partition, asked.sha256)
                await self._bench.verdicts.check(each, slot.profile, slot.profile.partitions[asked.partition])
            image = await self._bench.image_for(slots[0], asked.partition, asked.sha256)
            version = await threads.run(find_version, image, slots[0].profile.partitions[asked.partition])
            artifact = Artifact.of(image, version)
            if not artifact.is_program:
                raise RequestError(
                    "this image is a patch: it does not define the first word", hint="name a whole program"
                )
            lot = LotState(
                name=asked.name,
                image=clean(asked.image, MAX_PATH),
                partition=asked.partition,
                sha256=artifact.sha256,
                size=artifact.size,
                version=artifact.version,
                slots=tuple(slot.name for slot in slots),
                count=asked.count,
                begun_at=clock.now(),
            )
            await carried_through(self._begin(lot))
        return lot

    async def _begin(self, lot: LotState) -> None:
        async with self._bench.reshaping:
            self._lots.require_free(lot.name, lot.slots)  # somebody may have been quicker
            await self._lots.begin(lot)

    async def end(self, name: str) -> LotState:
        """End a lot; raises RequestError where there is none."""
        return await carried_through(self._lots.end(name))

    def lots(self, asked: GetLots) -> LotList:
        """Return the lots, those that go on first."""
        lots = [lot for lot in self._lots.newest_first() if not asked.name or lot.name == asked.name]
        if asked.name and not lots:
            known = [lot.name for lot in self._lots.newest_first()]
            raise RequestError(
                f"there is no lot {clean(asked.name)!r}", kind=ErrorKind.NO_SUCH_LOT, hint=which(asked.name, known)
            )
        return LotList(lots=tuple(lots[: max(0, min(asked.limit, JOB_PAGE))]))

    async def units(self, asked: GetUnits) -> UnitPage:
        """Return a piece of the records of units."""
        slots: Sequence[str] = ()
        if asked.slots:
            known = dict.fromkeys((*self._bench.config.slots, *sorted(await self._journal.slots_with_units())))
            slots = tuple(select(asked.slots, known, thing="slot"))
        page = await self._journal.units_below(max(0, asked.before), slots, asked.lot, max(1, asked.limit))
        return UnitPage(units=page.units, next=page.next, kept=page.kept)

    def _slots(self, partition: str, patterns: Sequence[str]) -> list[Board]:
        slots = self._bench.config.slots
        if not slots:
            raise RequestError(
                "there are no slots", kind=ErrorKind.NO_SUCH_BOARD, hint="[slots.NAME] in the configuration makes one"
            )
        chosen = [slots[name] for name in select(tuple(patterns) or ("*",), slots, thing="slot")]
        having = [slot for slot in chosen if partition in slot.profile.partitions]
        if not patterns:
            having = [slot for slot in having if self._lots.of_slot(slot.name) is None] or having
        if not having:
            known = {name for slot in chosen for name in slot.profile.partitions}
            raise RequestError(
                f"no slot has a partition {clean(partition)!r}",
                kind=ErrorKind.NO_SUCH_PARTITION,
                hint=which(partition, known),
            )
        self._bench.select(partition, [slot.name for slot in having])  # or it says that it is protected
        return having
