"""The lots: which slots are for which, and how many of their units have passed."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from flashdeck.errors import BlockedError, ErrorKind, RequestError
from flashdeck.model import LogLevel
from flashdeck.names import which
from flashdeck.slot_state import LotState, UnitRecord, UnitResult
from flashdeck.words.slots import share_text
from flashdeckd.host import clock
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import KEPT_LOTS, Journal

_COUNTED = {UnitResult.PASSED: "passed", UnitResult.FAILED: "failed"}


class LotBook:
    """All lots that the journal knows. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, journal: Journal, lots: Iterable[LotState]) -> None:
        self._hub = hub
        self._journal = journal
        self._lots = {lot.name: lot for lot in lots}
        for lot in self.going:
            hub.publish_lot(lot)

    @property
    def going(self) -> Iterator[LotState]:
        """Return the lots that go on."""
        return (lot for lot in self._lots.values() if lot.ended_at is None)

    @property
    def images(self) -> frozenset[str]:
        """Return the images of the lots that go on: they stay in the spool."""
        return frozenset(lot.sha256 for lot in self.going)

    def of_slot(self, slot: str) -> LotState | None:
        """Return the lot that the units of a slot are for; None where they get the newest build."""
        return next((lot for lot in self.going if slot in lot.slots), None)

    def newest_first(self) -> list[LotState]:
        """Return all lots: those that go on, and those that have ended, each the newest first."""
        return sorted(self._lots.values(), key=lambda lot: (lot.ended_at is None, lot.begun_at), reverse=True)

    def named(self, name: str) -> LotState:
        """Return a lot that goes on; "" for the only one. Raises RequestError (`no-such-board`, `ambiguous`)."""
        names = {lot.name: lot for lot in self.going}
        if name in names:
            return names[name]
        if not name and len(names) == 1:
            return next(iter(names.values()))
        if not names:
            raise RequestError("no lot goes on", kind=ErrorKind.NO_SUCH_LOT, hint="`flashdeck lot begin` begins one")
        if not name:
            hint = f"name one of them: {', '.join(names)}"
            raise RequestError(f"{len(names)} lots go on", kind=ErrorKind.AMBIGUOUS, hint=hint)
        raise RequestError(f"no lot {name!r} goes on", kind=ErrorKind.NO_SUCH_LOT, hint=which(name, names))

    def require_free(self, name: str, slots: Collection[str]) -> None:
        """Raise RequestError where there is such a lot, or was, and BlockedError where a slot has one already."""
        if name in self._lots:
            raise RequestError(f"there is a lot {name} already", hint="give this one another name")
        for slot in slots:
            if (lot := self.of_slot(slot)) is not None:
                raise BlockedError(
                    f"slot {slot} is for lot {lot.name}",
                    hint=f"end that first (`flashdeck lot end {lot.name}`), or name other slots",
                )

    async def begin(self, lot: LotState) -> None:
        """Record a lot that begins."""
        await self._journal.save_lot(lot)
        self._lots[lot.name] = lot
        for old in [each.name for each in self._lots.values() if each.ended_at is not None][: -KEPT_LOTS or None]:
            del self._lots[old]
        self._hub.publish_lot(lot)
        slots = f"slots {', '.join(lot.slots)}"
        self._hub.log(f"lot {lot.name} begins: {lot.count} units with {lot.image or lot.sha256[:12]}; {slots}")

    async def end(self, name: str) -> LotState:
        """Record that a lot has ended, and return it."""
        ended = replace(self.named(name), ended_at=clock.now())
        await self._journal.save_lot(ended)
        ended = replace(self._lots[ended.name], ended_at=ended.ended_at)  # a unit may have passed meanwhile
        self._lots[ended.name] = ended
        self._hub.publish_lot(ended)
        done = f"{ended.passed} of {ended.count} units passed, {ended.failed} failed"
        self._hub.log(f"lot {ended.name} ends: {done}, yield {share_text(ended.good_share)}")
        return ended

    def counting(self, before: UnitRecord | None, after: UnitRecord) -> LotState | None:
        """Return a unit's lot as its change makes it; None where it has none, or nothing is counted."""
        lot = self._lots.get(after.lot)
        was, now = (_COUNTED.get(each.result) if each is not None else None for each in (before, after))
        if lot is None or was == now:
            return None
        changed = {name: getattr(lot, name) for name in ("passed", "failed")}
        for name, more in ((was, -1), (now, 1)):
            if name is not None:
                changed[name] = max(0, changed[name] + more)
        return replace(lot, **changed)

    def rename_slots(self, names: Mapping[str, str]) -> None:
        """Take over other names of slots, as the journal has done already."""
        for lot in self._lots.values():
            self._lots[lot.name] = renamed = replace(lot, slots=tuple(names.get(slot, slot) for slot in lot.slots))
            if renamed != lot and renamed.ended_at is None:
                self._hub.publish_lot(renamed)

    def put(self, lot: LotState | None) -> None:
        """Take over a lot as it was recorded with one of its units."""
        if lot is None:
            return
        was = self._lots[lot.name]
        now = replace(lot, ended_at=was.ended_at)
        self._lots[lot.name] = now
        if now.ended_at is None:
            self._hub.publish_lot(now)
        if now.is_complete and not was.is_complete:
            text = (
                f"lot {now.name} is complete: {now.passed} units passed, {now.failed} failed; no unit beyond is flashed"
            )
            self._hub.log(text, level=LogLevel.WARNING)
