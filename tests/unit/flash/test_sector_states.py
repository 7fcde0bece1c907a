"""The states of sectors while a flash runs: what the engine tells is what it does, and a sector goes forward."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_rig import APP1, ROOM, ROOM_TWIN, SECTOR, TARGET, Rig, Watcher, blank, image, pieces, small
from flashdeck.config import ErasePolicy, VerifyPolicy
from flashdeck.errors import FlashdeckError
from flashdeck.flash_map import SectorCount, SectorState
from flashdeck.geometry import Range
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash import engine
from flashdeckd.flash.sector_events import SectorAct, SectorEvent
from flashdeckd.flash.sector_states import SectorStates, SectorWork
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS
from flashdeckd.virtual.faults import Fault

STAYS = replace(TARGET, leave=False)
WAY: Final = (
    SectorState.TO_ERASE,
    SectorState.ERASING,
    SectorState.ERASED,
    SectorState.WRITING,
    SectorState.WRITTEN,
    SectorState.VERIFIED,
)


class Told(Watcher):
    """A listener that keeps the states, and every step that a sector takes."""

    def __init__(self, target: AddressTarget = TARGET) -> None:
        super().__init__()
        self.states = SectorStates(target.sectors)
        self.history_of: dict[Range, list[SectorState]] = {}

    def planned(self, plan: object) -> None:
        super().planned(plan)  # pyright: ignore[reportArgumentType] -- the engine gives a plan
        assert self.plan is not None
        self.states.plan(self.plan)
        self._note()

    def happened(self, event: SectorEvent) -> None:
        super().happened(event)
        self.states.take(event)
        self._note()

    def _note(self) -> None:
        for sector, state in self.work.states:
            seen = self.history_of.setdefault(sector, [])
            if not seen or seen[-1] is not state:
                seen.append(state)

    @property
    def work(self) -> SectorWork:
        return self.states.work(7, "app1")

    def ended(self) -> dict[Range, SectorState]:
        self.states.end()
        return dict(self.work.states)


def sector(number: int) -> Range:
    return Range.sized(APP1.start + number * SECTOR, SECTOR)


def only(states: Iterable[SectorState]) -> SectorState:
    (one,) = set(states)
    return one


def test_every_sector_of_a_first_flash_goes_all_of_its_way() -> None:
    rig, told = Rig(old=blank(ROOM, ROOM_TWIN)), Told()
    rig.flash(image(5 * SECTOR), STAYS, told)
    ends = told.ended()
    assert set(ends) == {*map(sector, range(5)), ROOM}  # the canary comes and goes in another blank sector
    assert only(ends[sector(number)] for number in range(5)) is SectorState.VERIFIED
    assert ends[ROOM] is SectorState.ERASED
    assert all(told.history_of[sector(number)] == list(WAY) for number in range(5))
    five = SectorCount(sectors=5, bytes=5 * SECTOR)
    sums = told.work.sums
    assert (sums.to_erase, sums.erased, sums.written, sums.verified) == (five, five, five, five)
    assert (sums.equal, sums.failed, sums.bytes_saved) == (SectorCount(), SectorCount(), 0)


def test_sectors_that_are_equal_are_left_alone_and_counted() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    old = image(5 * SECTOR)
    rig.flash(old, STAYS)
    changed = old[: 3 * SECTOR] + bytes([old[3 * SECTOR] ^ 1]) + old[3 * SECTOR + 1 :]
    told = Told()
    rig.flash(changed, STAYS, told)
    ends = told.ended()
    equal = [number for number in range(5) if ends[sector(number)] is SectorState.EQUAL]
    assert equal == [1, 2, 4]
    assert all(told.history_of[sector(number)] == [SectorState.EQUAL] for number in equal)
    assert told.work.sums.equal == SectorCount(sectors=3, bytes=3 * SECTOR)
    assert told.work.sums.bytes_saved == 3 * SECTOR
    assert told.work.sums.verified.sectors == 2


def test_only_bytes_of_the_image_count_as_saved() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    head = image(SECTOR)
    rig.flash(pieces((0, head), (SECTOR + 100, b"one"), (2 * SECTOR, b"two")), STAYS)
    told = Told()
    rig.flash(pieces((0, head), (SECTOR + 100, b"one"), (2 * SECTOR, b"TWO")), STAYS, told)
    assert told.work.sums.equal.sectors == 1
    assert told.work.sums.bytes_saved == 3


def test_what_is_not_read_back_is_written_and_not_verified() -> None:
    rig, told = Rig(), Told()
    rig.flash(image(2 * SECTOR), replace(STAYS, verify=VerifyPolicy.NEVER), told)
    assert only(told.ended().values()) is SectorState.WRITTEN
    assert told.work.sums.verified == SectorCount()


def test_what_is_only_erased_stays_erased() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    target = replace(small(), erase=ErasePolicy.PARTITION, leave=False)
    told = Told(target)
    rig.flash(image(SECTOR), target, told)
    ends = told.ended()
    assert [ends[sector(number)] for number in range(5)] == [SectorState.VERIFIED] + 4 * [SectorState.ERASED]


def test_an_erase_that_fails_for_good_is_seen_where_it_failed() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    rig.flash(image(5 * SECTOR), STAYS)
    rig.board.fault(Fault.ERROR_ERASE, 1, times=9, address=sector(2).start)
    told = Told()
    assert isinstance(rig.attempt(image(5 * SECTOR, seed=2), STAYS, told), FlashdeckError)
    ends = told.ended()
    assert ends[sector(2)] is SectorState.FAILED
    assert ends[sector(0)] is SectorState.ERASED
    assert sector(3) not in ends  # it was only planned, and is what it was
    assert told.work.sums.failed.sectors == 1


def test_a_sector_that_is_mended_goes_back_to_its_erase_and_no_other_does() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    rig.flash(image(5 * SECTOR), STAYS)
    rig.board.fault(Fault.CORRUPT, 1, address=sector(3).start + 100)
    told = Told()
    rig.flash(image(5 * SECTOR, seed=2), STAYS, told)
    assert only(told.ended().values()) is SectorState.VERIFIED
    mended = told.history_of.pop(sector(3))
    assert mended.count(SectorState.ERASING) == 2
    assert SectorState.FAILED in mended
    assert all(steps == list(WAY) for steps in told.history_of.values())


def test_a_board_that_is_lost_leaves_what_was_under_way_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    rig.flash(image(5 * SECTOR), STAYS)
    told = Told()
    write = DfuseSession.write

    def lose(session: DfuseSession, address: int, data: bytes) -> None:
        if address >= sector(1).start:
            rig.bench.unplug("board")
        write(session, address, data)

    monkeypatch.setattr(DfuseSession, "write", lose)
    assert isinstance(rig.attempt(image(5 * SECTOR, seed=2), STAYS, told), FlashdeckError)
    ends = told.ended()
    assert ends[sector(0)] is SectorState.FAILED  # its boot unit was not written
    assert ends[sector(1)] is SectorState.FAILED
    assert ends[sector(2)] is SectorState.ERASED


SECTORS = tuple(sector(number) for number in range(4))
PLAN = engine.preview(Image.raw(image(3 * SECTOR)), STAYS, ASSUMED_FACTS)
EVENTS = st.lists(
    st.builds(
        SectorEvent,
        st.sampled_from(SectorAct),
        st.tuples(st.integers(-2 * SECTOR, 5 * SECTOR), st.integers(1, 3 * SECTOR)).map(
            lambda place: Range.sized(APP1.start + place[0], place[1])
        ),
    ),
    max_size=30,
)


@given(EVENTS)
def test_no_event_sends_a_sector_back_but_one_that_does_it_again(events: list[SectorEvent]) -> None:
    states = SectorStates(SECTORS)
    states.plan(PLAN)
    for event in events:
        before = dict(states.work(1, "app1").states)
        states.take(event)
        for span, state in states.work(1, "app1").states:
            was = before.get(span)
            if state is was:
                continue
            assert span.overlaps(event.span)
            is_forward = was in WAY and state in WAY and WAY.index(was) < WAY.index(state)
            assert is_forward or state in (SectorState.ERASING, SectorState.FAILED)
    states.end()
    left = {state for _, state in states.work(1, "app1").states}
    assert not left & {SectorState.TO_ERASE, SectorState.ERASING, SectorState.WRITING}


def test_what_lies_outside_the_partition_is_not_told() -> None:
    states = SectorStates(SECTORS)
    states.take(SectorEvent(SectorAct.ERASING, Range.sized(SECTORS[-1].end, SECTOR)))
    assert states.work(1, "app1").states == ()


def test_telling_costs_no_request() -> None:
    """The listener is told after and before what is done anyway: an image, flashed by two boards, costs both alike."""
    deaf, told = Rig(old=blank(ROOM, ROOM_TWIN)), Rig(old=blank(ROOM, ROOM_TWIN))
    one = deaf.flash(Image.raw(image(5 * SECTOR)), STAYS)
    other = told.flash(Image.raw(image(5 * SECTOR)), STAYS, Told())
    assert one.transfers == other.transfers
    assert deaf.board.state().requests == told.board.state().requests
