"""Slots that a reload renames, removes, or turns into boards, and boards that it turns into slots: in every state.

Nothing that was recorded is lost, no unit is done twice, and what a [boards] table knows is never a unit.
"""

from collections.abc import AsyncGenerator, Sequence

import pytest
import pytest_asyncio

from flashdeck import api
from flashdeck.job_state import Cancelled, Canceller, Done, Running
from flashdeck.model import BoardState, HoldBy, Presence, Snapshot
from flashdeck.slot_condition import SlotEmpty, SlotFlashing, SlotOccupied, SlotPassed
from flashdeck.slot_state import UnitRecord, UnitResult
from rig import SLOW, Rig, sha256
from slot_bench import GOOD, NEXT, SERIAL, begin_lot, slot, slots_of, slots_running, swap, units, until_slot, until_unit

pytestmark = pytest.mark.long

BOARD = f'[boards.mine]\nprofile = "product"\nserial = "{SERIAL}"\n'
"""The board that the unit is, which has this serial."""
BOARD_AT_PORT = '[boards.s1]\nprofile = "product"\nport = "virtual-bench-usb-0:1"\n'
"""A board by the name and at the port of the slot."""


@pytest_asyncio.fixture
async def rig() -> AsyncGenerator[Rig]:
    async with slots_running() as running:
        yield running


async def reloaded(rig: Rig, before: str, after: str) -> api.ConfigReloaded:
    """Write other text into the configuration, and let it be read."""
    config = rig.root / "config.toml"
    assert before in config.read_text()
    config.write_text(config.read_text().replace(before, after))
    return await rig.client.call(api.ReloadConfig())


def board_of(now: Snapshot, name: str) -> BoardState:
    return next(each for each in now.boards if each.name == name)


async def with_unit_done(rig: Rig) -> None:
    """A unit is in the slot, and done."""
    rig.build(GOOD)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)


async def with_unit_under_way(rig: Rig) -> None:
    """A unit is being flashed."""
    rig.build(GOOD)
    await rig.plug("u1")
    await until_slot(rig, SlotFlashing)
    await rig.until(lambda now: any(isinstance(job.status, Running) and job.attempts for job in now.jobs))


async def erasures(rig: Rig) -> int:
    return (await rig.emulated("u1")).words


async def until_closed(rig: Rig) -> Sequence[UnitRecord]:
    """All records, once the unit is in no slot any more."""
    await rig.until_logged("is gone")
    return await units(rig)


# Renamed.


async def test_an_empty_slot_takes_units_under_its_new_name(rig: Rig) -> None:
    await until_slot(rig, SlotEmpty)
    await reloaded(rig, "slots.s1", "slots.left")
    await rig.until(lambda now: [each.name for each in now.slots] == ["left"])
    rig.build(GOOD)
    await rig.plug("u1")
    unit = await until_unit(rig, UnitResult.PASSED, 1, "left")
    assert unit.slot == "left"


async def test_a_unit_that_is_done_stays_done_in_a_slot_of_another_name(rig: Rig) -> None:
    await with_unit_done(rig)
    words = await erasures(rig)
    await reloaded(rig, "slots.s1", "slots.left")
    unit = await until_unit(rig, UnitResult.PASSED, 1, "left")
    assert unit.slot == "left"
    rig.build(NEXT)
    await rig.until(lambda now: any(each.sha256 == sha256(NEXT) for each in now.artifacts))
    assert await erasures(rig) == words
    assert [(each.id, each.slot, each.result) for each in await units(rig)] == [(1, "left", UnitResult.PASSED)]
    await swap(rig)
    await until_unit(rig, UnitResult.PASSED, 2, "left")


async def test_a_unit_that_is_being_flashed_is_finished_and_counts_under_the_new_name() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        await with_unit_under_way(rig)
        await reloaded(rig, "slots.s1", "slots.left")
        unit = await until_unit(rig, UnitResult.PASSED, 1, "left")
        assert unit.slot == "left"
        assert await rig.partition_of("u1", len(GOOD)) == GOOD
        assert len(await rig.jobs()) == 1


async def test_a_lot_goes_on_in_a_slot_of_another_name() -> None:
    async with slots_running(2) as rig:
        await begin_lot(rig, GOOD, count=3)
        await rig.plug("u1")
        await until_slot(rig, SlotPassed)
        rig.build(NEXT)
        await rig.until(lambda now: bool(now.artifacts))
        await reloaded(rig, "slots.s1", "slots.left")
        snapshot = await rig.until(lambda now: any(each.name == "left" for each in now.slots))
        assert snapshot.lots[0].slots == ("left", "s2")
        await swap(rig, serial="ANOTHER")
        unit = await until_unit(rig, UnitResult.PASSED, 2, "left")
        assert (unit.lot, unit.images[0].sha256) == ("lot1", sha256(GOOD)), "no unit of the lot gets another image"
        await rig.until(lambda now: now.lots[0].passed == 2)
        await rig.stop()
        await rig.restart()
        lots = (await rig.client.call(api.GetLots())).lots
        assert lots[0].slots == ("left", "s2")


async def test_a_slot_on_hold_stays_so_under_its_new_name(rig: Rig) -> None:
    await rig.client.call(api.Hold(boards=("s1",), reason="lunch"))
    rig.build(GOOD)
    await reloaded(rig, "slots.s1", "slots.left")
    await rig.plug("u1")
    await rig.until(lambda now: slot(now, "left").unit is not None and "lunch" in slot(now, "left").text)
    await rig.client.call(api.Release(boards=("left",)))
    await until_unit(rig, UnitResult.PASSED, 1, "left")


async def test_two_slots_that_exchange_their_names_keep_their_units() -> None:
    async with slots_running(2) as rig:
        rig.build(GOOD)
        await swap(rig, "u1", serial="FIRST")
        await until_slot(rig, SlotPassed, "s1")
        await begin_lot(rig, NEXT, slots=("s2",))
        await rig.stop()
        config = rig.root / "config.toml"
        text = config.read_text()
        config.write_text(text.replace("slots.s1", "slots.x").replace("slots.s2", "slots.s1").replace(".x]", ".s2]"))
        await rig.restart()  # it finds the names exchanged, and no unit there
        await rig.until(lambda now: all(slot(now, name).unit is None for name in ("s1", "s2")))
        assert [(each.slot, each.serial) for each in await units(rig)] == [("s2", "FIRST")]
        assert (await rig.client.call(api.GetLots())).lots[0].slots == ("s1",)
        await swap(rig, "u2", serial="SECOND")
        second = await until_unit(rig, UnitResult.PASSED, 2, "s1")
        assert (second.lot, second.images[0].sha256) == ("lot1", sha256(NEXT))
        config.write_text(text)
        await rig.client.call(api.ReloadConfig())
        second = await until_unit(rig, UnitResult.PASSED, 2, "s2")
        assert (second.slot, second.serial) == ("s2", "SECOND")
        assert [(each.id, each.slot) for each in await units(rig)] == [(1, "s1"), (2, "s2")]


async def test_a_slot_that_gets_the_name_of_one_that_goes_has_its_own_unit() -> None:
    async with slots_running(2) as rig:
        rig.build(GOOD)
        for name, serial in (("u1", "FIRST"), ("u2", "SECOND")):
            await swap(rig, name, serial=serial)
            await until_slot(rig, SlotPassed, name.replace("u", "s"))
        words = (await rig.emulated("u2")).words
        await reloaded(rig, slots_of(2), slots_of(2).partition("[slots.s2]")[2].join(("[slots.s1]", "")))
        unit = await until_unit(rig, UnitResult.PASSED, 2, "s1")
        assert unit.serial == "SECOND"
        assert (await rig.emulated("u2")).words == words, "it is not done again"
        first, second = await units(rig)
        assert (first.id, first.result, first.left_at is None) == (1, UnitResult.PASSED, False)
        assert (second.id, second.slot, second.left_at) == (2, "s1", None)


# Removed.


async def test_the_record_of_a_unit_stays_where_its_slot_is_removed(rig: Rig) -> None:
    await with_unit_done(rig)
    await reloaded(rig, slots_of(1), "")
    await rig.until(lambda now: not now.slots and not now.boards)
    (unit,) = await until_closed(rig)
    assert (unit.slot, unit.result) == ("s1", UnitResult.PASSED)


async def test_a_unit_whose_slot_is_removed_in_the_middle_has_failed() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        await with_unit_under_way(rig)
        await reloaded(rig, slots_of(1), "")
        await rig.until(lambda now: not now.slots and not now.boards)
        (unit,) = await until_closed(rig)
        assert unit.result is UnitResult.FAILED
        assert unit.failure is not None
        (job,) = await rig.jobs()
        assert job.is_settled


async def test_a_slot_that_comes_back_does_its_unit_anew_or_knows_it(rig: Rig) -> None:
    await with_unit_done(rig)
    await reloaded(rig, slots_of(1), "")
    await rig.until(lambda now: not now.slots)
    await until_closed(rig)
    config = rig.root / "config.toml"
    config.write_text(config.read_text() + slots_of(1))
    await rig.client.call(api.ReloadConfig())
    unit = await until_unit(rig, UnitResult.PASSED, 2)
    assert unit.id == 2
    assert await rig.partition_of("u1", len(GOOD)) == GOOD


async def test_a_lot_whose_partition_is_protected_now_waits_and_says_why(rig: Rig) -> None:
    await begin_lot(rig, GOOD)
    await reloaded(rig, 'image = "build/APP1.bin"\n', "protected = true\n")
    await rig.plug("u1")
    await rig.until(lambda now: "lot1 is for app1, which is protected now" in slot(now).text)
    assert await rig.partition_of("u1", len(GOOD)) != GOOD
    await reloaded(rig, "partitions.app1]", "partitions.other]")
    await rig.client.call(api.Release(boards=("s1",)))
    await rig.until(lambda now: "lot1 is for app1, which profile product has no more" in slot(now).text)


# Slots become boards.


async def test_a_unit_that_a_reload_makes_a_board_is_no_unit_any_more(rig: Rig) -> None:
    await with_unit_done(rig)
    words = await erasures(rig)
    config = rig.root / "config.toml"
    config.write_text(config.read_text() + BOARD)
    await rig.client.call(api.ReloadConfig())
    state = await until_slot(rig, SlotOccupied)
    assert state.condition == SlotOccupied(board="mine")
    rig.build(NEXT)
    snapshot = await rig.until(lambda now: any(each.sha256 == sha256(NEXT) for each in now.artifacts))
    assert board_of(snapshot, "s1").presence is Presence.ABSENT
    await rig.wait(data=NEXT, boards=("mine",))
    assert await erasures(rig) > words, "it is a board now, and gets what boards get"
    assert [job.board for job in await rig.jobs()] == ["s1", "mine"]


async def test_a_unit_that_a_reload_makes_a_board_in_the_middle_gets_nothing_more_as_a_unit() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        await with_unit_under_way(rig)
        config = rig.root / "config.toml"
        config.write_text(config.read_text() + BOARD)
        await rig.client.call(api.ReloadConfig())
        await until_slot(rig, SlotOccupied)
        await rig.until(lambda now: any(job.board == "s1" and job.is_settled for job in now.jobs))
        jobs = [job for job in await rig.jobs() if job.board == "s1"]
        assert len(jobs) == 1
        (unit,) = await until_closed(rig)
        assert unit.result is UnitResult.FAILED
        assert unit.failure is not None
        assert "board mine is in the port" in unit.failure.message
        assert not isinstance(jobs[0].status, Done), "it was stopped, and not carried to its end on a board"


async def test_a_slot_that_becomes_a_board_is_on_hold_until_a_person_has_looked(rig: Rig) -> None:
    await with_unit_done(rig)
    await reloaded(rig, slots_of(1), BOARD_AT_PORT)
    snapshot = await rig.until(lambda now: not now.slots and board_of(now, "s1").hold is not None)
    hold = board_of(snapshot, "s1").hold
    assert hold is not None
    assert "it is a board now, and was a slot" in hold.reason
    assert hold.by is HoldBy.FLASHDECK
    (unit,) = await until_closed(rig)
    assert unit.result is UnitResult.PASSED
    rig.build(NEXT)
    await rig.until(lambda now: any(job.sha256 == sha256(NEXT) for job in now.jobs))
    assert await rig.partition_of("u1", len(GOOD)) == GOOD, "nothing is done before the release"
    await rig.client.call(api.Release(boards=("s1",)))
    await rig.wait(data=NEXT, boards=("s1",))


async def test_a_slot_that_becomes_a_board_in_the_middle_ends_its_unit_and_leaves_no_job_behind() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        await with_unit_under_way(rig)
        await reloaded(rig, slots_of(1), BOARD_AT_PORT)
        await rig.until(lambda now: not now.slots and board_of(now, "s1").hold is not None)
        (unit,) = await until_closed(rig)
        assert unit.result is not UnitResult.PASSED
        snapshot = await rig.until(lambda now: not any(isinstance(job.status, Running) for job in now.jobs))
        assert all(job.board in {board.name for board in snapshot.boards} or job.is_settled for job in snapshot.jobs)


# Boards become slots.


async def test_a_board_that_becomes_a_slot_is_on_hold_and_then_its_board_is_a_new_unit() -> None:
    async with slots_running() as rig:
        await reloaded(rig, slots_of(1), BOARD_AT_PORT)
        await rig.until(lambda now: not now.slots)
        await rig.client.call(api.Release(boards=("s1",)))
        rig.build(GOOD)
        await rig.plug("u1")
        await rig.wait(data=GOOD, boards=("s1",))
        await reloaded(rig, BOARD_AT_PORT, slots_of(1))
        await rig.until(lambda now: bool(now.slots) and "it is a slot now, and was a board" in slot(now).text)
        await rig.client.call(api.Release(boards=("s1",)))
        unit = await until_unit(rig, UnitResult.PASSED, 1)
        assert unit.serial == SERIAL
        assert unit.verified


async def test_a_job_of_a_board_that_becomes_a_slot_is_no_job_of_its_unit() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        await reloaded(rig, slots_of(1), BOARD_AT_PORT)
        await rig.client.call(api.Release(boards=("s1",)))
        rig.build(GOOD)
        await rig.plug("u1")
        await rig.until(lambda now: any(isinstance(job.status, Running) and job.attempts for job in now.jobs))
        await reloaded(rig, BOARD_AT_PORT, slots_of(1))
        await rig.until(lambda now: bool(now.slots) and slot(now).unit is not None)
        await rig.client.call(api.Release(boards=("s1",)))
        unit = await until_unit(rig, UnitResult.PASSED, 1)
        first, *others = await rig.jobs()
        assert first.is_settled
        assert unit.images[0].job in {job.id for job in others}
        assert isinstance(first.status, Cancelled)
        assert first.status.by is Canceller.CONFIGURATION
