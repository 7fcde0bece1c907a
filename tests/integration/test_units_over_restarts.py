"""A unit stays in its slot, or is swapped, while the daemon is away: what was done is not done again, the rest is.

The flash of an emulated unit is in a file, so that it outlives the daemon; the kernel's mark of an enumeration, which
tells that nobody has touched a real one, is missing for it.
"""

import signal
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from flashdeck import api
from flashdeck.slot_condition import SlotFlashing, SlotPassed, SlotWaiting
from flashdeck.slot_state import UnitResult
from rig import SLOW, Rig
from slot_bench import GOOD, begin_lot, slot, slots_running, units, until_slot, until_unit

pytestmark = pytest.mark.long

KEPT = {"flash_file": "u1.flash"}


@pytest_asyncio.fixture
async def rig() -> AsyncGenerator[Rig]:
    async with slots_running(keys=dict(KEPT)) as running:
        yield running


async def restarted(rig: Rig, number: int = signal.SIGTERM, *, serial: str = "", is_new: bool = False) -> None:
    """End the daemon and start it again with a unit in the slot: the one that was there, or another one."""
    await rig.stop(number)
    bench = rig.root / "bench.toml"
    text = bench.read_text().replace("plugged = false", "plugged = true")
    bench.write_text(text.replace("TEST00000001", serial) if serial else text)
    if is_new:
        (rig.root / "u1.flash").unlink()
    await rig.restart()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_unit_that_is_done_and_stays_is_read_and_not_written_again(rig: Rig, number: int) -> None:
    await begin_lot(rig, GOOD, count=2)
    await rig.plug("u1")
    await until_slot(rig, SlotPassed)
    await rig.until(lambda now: now.lots[0].passed == 1)
    for _ in range(2):
        await restarted(rig, number)
        await until_unit(rig, UnitResult.PASSED, 1)
        assert (await rig.emulated("u1")).words == 0, "nothing is written to it"
    (unit,) = await units(rig)
    assert (unit.lot, unit.left_at) == ("lot1", None)
    assert (await rig.until(lambda _: True)).lots[0].passed == 1, "it counts once"


async def test_a_unit_whose_flash_was_cut_by_a_restart_is_begun_anew() -> None:
    async with slots_running(keys={**SLOW, **KEPT}) as rig:
        rig.build(GOOD)
        await rig.plug("u1")
        await until_slot(rig, SlotFlashing)
        await rig.until(lambda now: any(job.attempts for job in now.jobs))
        await restarted(rig, signal.SIGKILL)
        await until_slot(rig, SlotPassed)
        assert await rig.partition_of("u1", len(GOOD)) == GOOD
        passed = [each for each in await units(rig) if each.result is UnitResult.PASSED]
        assert [each.left_at for each in passed] == [None]


async def test_a_unit_with_another_serial_that_came_meanwhile_is_another_unit(rig: Rig) -> None:
    rig.build(GOOD)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    await restarted(rig, serial="ANOTHER", is_new=True)
    await until_unit(rig, UnitResult.PASSED, 2)
    assert await rig.partition_of("u1", len(GOOD)) == GOOD
    assert [(each.serial, each.result) for each in await units(rig)] == [
        ("TEST00000001", UnitResult.PASSED),
        ("ANOTHER", UnitResult.PASSED),
    ]


async def test_a_unit_with_the_same_serial_that_came_meanwhile_is_flashed_and_has_a_record_of_its_own(
    rig: Rig,
) -> None:
    await begin_lot(rig, GOOD, count=3)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    (first,) = await units(rig)
    await restarted(rig, is_new=True)
    await until_unit(rig, UnitResult.PASSED, 2)
    assert await rig.partition_of("u1", len(GOOD)) == GOOD
    gone, there = await units(rig)
    assert (gone.id, gone.result, gone.began_at, gone.images) == (1, UnitResult.PASSED, first.began_at, first.images)
    assert gone.left_at is not None
    assert (there.id, there.serial, there.left_at) == (2, first.serial, None)
    assert (await rig.until(lambda now: now.lots[0].passed == 2)).lots[0].failed == 0


async def test_a_unit_that_is_pulled_while_it_is_read_again_keeps_its_pass(rig: Rig) -> None:
    await begin_lot(rig, GOOD, count=2)
    await rig.plug("u1")
    await until_unit(rig, UnitResult.PASSED, 1)
    await rig.client.call(api.Disarm(boards=("s1",)))
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        await restarted(rig, number)
        await until_unit(rig, UnitResult.NONE, 1)
        await until_slot(rig, SlotWaiting)  # the slot is disarmed, so that it is not read yet
    await rig.unplug("u1")
    await rig.until(lambda now: slot(now).unit is None)
    (unit,) = await units(rig)
    assert (unit.id, unit.result) == (1, UnitResult.PASSED)
    assert unit.left_at is not None
    assert (await rig.until(lambda _: True)).lots[0].passed == 1
