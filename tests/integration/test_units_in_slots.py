"""Slots: a port takes one unit after the other, each is done once, and nothing of one counts for the next."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Verified
from flashdeck.slot_condition import SlotEmpty, SlotFailed, SlotFlashing, SlotOccupied, SlotPassed, SlotWaiting
from flashdeck.slot_state import UnitResult
from rig import SLOW, Rig, board, sha256
from slot_bench import GOOD, NEXT, SERIAL, slot, slots_running, swap, units, until_slot, until_unit

pytestmark = pytest.mark.long


@pytest_asyncio.fixture
async def rig() -> AsyncGenerator[Rig]:
    async with slots_running() as running:
        yield running


async def test_a_unit_gets_the_newest_build_and_passes(rig: Rig) -> None:
    await until_slot(rig, SlotEmpty)
    rig.build(GOOD)
    await rig.until_logged("for the next units in 1 slot")
    await rig.plug("u1")
    state = await until_slot(rig, SlotPassed)
    assert state.unit is not None
    assert (state.unit.serial, state.unit.result, state.unit.verified) == (SERIAL, UnitResult.PASSED, Verified.YES)
    assert [image.sha256 for image in state.unit.images] == [sha256(GOOD)]
    assert await rig.partition_of("u1", len(GOOD)) == GOOD


async def test_a_build_that_comes_while_a_unit_waits_is_flashed(rig: Rig) -> None:
    await rig.plug("u1")
    waiting = await until_slot(rig, SlotWaiting)
    assert "no build for app1" in waiting.text or "closed" in waiting.text or "queued" in waiting.text
    rig.build(GOOD)
    await until_unit(rig, UnitResult.PASSED, 1)


async def test_units_with_one_serial_are_two_units_and_each_is_flashed(rig: Rig) -> None:
    rig.build(GOOD)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    await swap(rig)
    await until_unit(rig, UnitResult.PASSED, 2)
    assert await rig.partition_of("u1", len(GOOD)) == GOOD
    assert [(each.id, each.serial, each.result) for each in await units(rig)] == [
        (1, SERIAL, UnitResult.PASSED),
        (2, SERIAL, UnitResult.PASSED),
    ]
    written = [job.result.bytes_written for job in await rig.jobs() if job.result is not None]
    assert written == [len(GOOD), len(GOOD)], "nothing that was known of the first unit spared the second one"


async def test_a_unit_that_is_done_stays_so_though_another_build_comes(rig: Rig) -> None:
    rig.build(GOOD)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    rig.build(NEXT)
    await rig.until(lambda now: any(each.sha256 == sha256(NEXT) for each in now.artifacts))
    await swap(rig, serial="OTHER")
    unit = await until_unit(rig, UnitResult.PASSED, 2)
    assert (unit.serial, unit.images[0].sha256) == ("OTHER", sha256(NEXT))
    assert len(await rig.jobs()) == 2


async def test_a_unit_that_is_pulled_in_the_middle_has_failed_and_the_next_begins_anew() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        rig.build(GOOD)
        await rig.plug("u1")
        await until_slot(rig, SlotFlashing)
        await rig.until(lambda now: any(job.attempts for job in now.jobs))
        await rig.unplug("u1")
        await until_slot(rig, SlotEmpty)
        (first,) = await units(rig)
        assert first.result is UnitResult.FAILED
        assert first.failure is not None
        assert first.failure.kind is ErrorKind.PULLED
        assert first.left_at is not None
        await swap(rig)
        await until_unit(rig, UnitResult.PASSED, 2)
        assert await rig.partition_of("u1", len(GOOD)) == GOOD


async def test_a_broken_unit_fails_and_holds_up_no_other(rig: Rig) -> None:
    rig.build(GOOD)
    await swap(rig, fault="silent-write")
    failed = await until_slot(rig, SlotFailed)
    assert failed.unit is not None
    assert failed.unit.failure is not None
    await swap(rig)
    unit = await until_unit(rig, UnitResult.PASSED, failed.unit.id + 1)
    assert unit.verified is Verified.YES


async def test_a_configured_board_in_the_port_of_a_slot_is_no_unit() -> None:
    known = '[boards.mine]\nprofile = "product"\nserial = "MINE"\n'
    async with slots_running(boards=known) as rig:
        rig.build(GOOD)
        await swap(rig, serial="MINE")
        state = await until_slot(rig, SlotOccupied)
        assert state.condition == SlotOccupied(board="mine")
        await swap(rig, serial="ANOTHER")
        await until_unit(rig, UnitResult.PASSED, 1)
        assert [each.serial for each in await units(rig)] == ["ANOTHER"]


async def test_nothing_waits_for_whatever_unit_comes_next(rig: Rig) -> None:
    rig.build(GOOD)
    await rig.until(lambda now: bool(now.artifacts))
    with pytest.raises(RemoteError) as caught:
        await rig.client.call(api.Flash(partition="app1", boards=("s1",)))
    assert caught.value.kind is ErrorKind.ABSENT
    assert not await rig.jobs()


async def test_what_a_person_flashes_onto_a_unit_stands_in_its_record(rig: Rig) -> None:
    rig.build(GOOD)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    rig.build(NEXT)
    await rig.until(lambda now: any(each.sha256 == sha256(NEXT) for each in now.artifacts))
    await rig.client.call(api.Flash(partition="app1", boards=("s1",)))

    def has_next(now: object) -> bool:
        unit = slot(now).unit  # type: ignore[arg-type]
        return unit is not None and unit.images[0].sha256 == sha256(NEXT) and unit.result is UnitResult.PASSED

    await rig.until(has_next)


async def test_a_slot_named_like_a_board_or_at_its_port_is_refused(rig: Rig) -> None:
    config = rig.root / "config.toml"
    config.write_text(config.read_text() + '[boards.mine]\nprofile = "product"\nport = "virtual-bench-usb-0:1"\n')
    with pytest.raises(RemoteError) as caught:
        await rig.client.call(api.ReloadConfig())
    assert "same port" in caught.value.message


async def test_another_board_beside_the_slots_is_flashed_as_ever() -> None:
    other = '[boards.mine]\nprofile = "product"\nport = "virtual-bench-usb-0:9"\n'
    async with slots_running(boards=other, extra=board("mine", 9, serial="MINE")) as rig:
        rig.build(GOOD)
        await rig.wait(data=GOOD)
        assert [job.board for job in await rig.jobs()] == ["mine"]
