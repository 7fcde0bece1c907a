"""The state of each sector of a partition while a job changes it: from a plan and its events. Pure.

A sector goes forward (to be erased, erasing, erased, writing, written, verified) and back only where it is done again
from its erase.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flashdeck.flash_map import FlashSums, SectorCount, SectorState
from flashdeck.geometry import Range
from flashdeckd.flash.flash_plan import FlashPlan, StepKind
from flashdeckd.flash.sector_events import SectorAct, SectorEvent

_WRITES: Final = frozenset((StepKind.WRITE, StepKind.WRITE_BOOT_UNIT))
_READS: Final = frozenset((StepKind.PROVE_READING, StepKind.READ_BACK, StepKind.READ_BOOT_UNIT))
_WAY: Final[Mapping[SectorState | None, int]] = {
    SectorState.TO_ERASE: 0,
    SectorState.ERASING: 1,
    SectorState.ERASED: 2,
    SectorState.WRITING: 3,
    SectorState.WRITTEN: 4,
    SectorState.VERIFIED: 5,
}
"""The way of a sector that is changed, step by step. All other states are off the way: -1."""
NOTHING_DONE: Final = FlashSums()
_BUSY: Final = frozenset((SectorState.ERASING, SectorState.WRITING))


@dataclass(slots=True)
class _SectorOnItsWay:
    span: Range
    state: SectorState | None = None
    """None: the job has nothing to do with it."""
    is_planned: bool = False
    """True if the plan erases it."""
    writes: int = 0
    """Bytes that the plan writes in it."""
    reads: int = 0
    """Bytes that the plan reads back in it."""
    unwritten: int = 0
    unread: int = 0

    def restart(self) -> None:
        """All of it is to be done, for the first time or once more."""
        self.unwritten, self.unread = self.writes, self.reads

    def advance(self, to: SectorState) -> None:
        """Go forward; a sector that is further, has failed or is not changed stays as it is."""
        if 0 <= _WAY.get(self.state, -1) < _WAY[to]:
            self.state = to


@dataclass(frozen=True, slots=True)
class SectorWork:
    """The work of one job on its partition at one instant."""

    job: int
    partition: str
    states: tuple[tuple[Range, SectorState], ...] = ()
    """The sectors that it has to do with, in ascending order."""
    sums: FlashSums = NOTHING_DONE


class SectorStates:
    """The sectors of one partition, for one attempt of a job. For one thread at a time."""

    def __init__(self, sectors: Sequence[Range]) -> None:
        """Take the sectors in ascending order; there is nothing to be done yet."""
        self._starts = [sector.start for sector in sectors]
        self._ends = [sector.end for sector in sectors]
        self._all = [_SectorOnItsWay(sector) for sector in sectors]
        self._saved = 0

    def plan(self, plan: FlashPlan) -> None:
        """Take the plan that is carried out from now on."""
        self._all = [_SectorOnItsWay(sector.span) for sector in self._all]
        for step in plan.steps:
            for sector in self._in(step.span):
                if step.action is StepKind.KEEP:
                    sector.state = SectorState.EQUAL
                elif step.action in _WRITES:
                    sector.writes += _common(sector.span, step.span)
                elif step.action in _READS:
                    sector.reads += _common(sector.span, step.span)
        for span in plan.erased:
            for sector in self._in(span):
                sector.is_planned, sector.state = True, SectorState.TO_ERASE
        for sector in self._all:
            sector.restart()
        kept = (step.span for step in plan.steps if step.action is StepKind.KEEP)
        self._saved = sum(plan.image.count(span) for span in kept)

    def take(self, event: SectorEvent) -> None:
        """Take what became of some addresses; what lies outside the partition is nobody's business here."""
        for sector in self._in(event.span):
            match event.act:
                case SectorAct.ERASING:
                    sector.restart()
                    sector.state = SectorState.ERASING
                case SectorAct.ERASED:
                    sector.advance(SectorState.ERASED)
                case SectorAct.WRITING:
                    sector.advance(SectorState.WRITING)
                case SectorAct.WRITTEN:
                    sector.unwritten -= _common(sector.span, event.span)
                    sector.advance(SectorState.WRITING if sector.unwritten > 0 else SectorState.WRITTEN)
                case SectorAct.CONFIRMED:
                    sector.unread -= _common(sector.span, event.span)
                    if sector.writes and sector.unread <= 0 and sector.unwritten <= 0:
                        sector.advance(SectorState.VERIFIED)  # one in which nothing is written stays erased
                case SectorAct.FAILED:
                    sector.state = SectorState.FAILED

    def end(self) -> None:
        """Take that the attempt is over: what was only planned did not come, and what was under way did not end."""
        for sector in self._all:
            if sector.state is SectorState.TO_ERASE:
                sector.state = None
            elif sector.state in _BUSY:
                sector.state = SectorState.FAILED

    def work(self, job: int, partition: str) -> SectorWork:
        """Return all of it as a value."""
        states = tuple((sector.span, sector.state) for sector in self._all if sector.state is not None)
        return SectorWork(job, partition, states, self._sums())

    def _sums(self) -> FlashSums:
        planned = [sector for sector in self._all if sector.is_planned]
        steps = [(_WAY.get(sector.state, -1), sector.span.size) for sector in planned]

        def from_(state: SectorState) -> SectorCount:
            least = _WAY[state]
            return _counted(size for step, size in steps if step >= least)

        def in_(state: SectorState) -> SectorCount:
            return _counted(sector.span.size for sector in self._all if sector.state is state)

        return FlashSums(
            to_erase=_counted(size for _, size in steps),
            erased=from_(SectorState.ERASED),
            written=from_(SectorState.WRITTEN),
            verified=from_(SectorState.VERIFIED),
            equal=in_(SectorState.EQUAL),
            failed=in_(SectorState.FAILED),
            bytes_saved=self._saved,
        )

    def _in(self, span: Range) -> list[_SectorOnItsWay]:
        first = bisect_right(self._ends, span.start)
        return self._all[first : bisect_left(self._starts, span.end, first)]


def _common(one: Range, other: Range) -> int:
    """Return how many bytes two spans share that overlap."""
    return min(one.end, other.end) - max(one.start, other.start)


def _counted(sizes: Iterable[int]) -> SectorCount:
    kept = list(sizes)
    return SectorCount(sectors=len(kept), bytes=sum(kept))
