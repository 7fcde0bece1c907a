"""Lots: so many good units with one image, counted, and none beyond; over restarts and kills of the daemon."""

import csv
import io
import json
import signal
import sys
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Verified
from flashdeck.slot_condition import SlotFailed, SlotFlashing, SlotPassed, SlotWaiting
from flashdeck.slot_state import UnitResult
from rig import SLOW, Rig, firmware, sha256
from slot_bench import GOOD, NEXT, begin_lot, slot, slots_running, swap, units, until_slot, until_unit

pytestmark = pytest.mark.long

FLASHDECK = str(Path(sys.executable).with_name("flashdeck"))


async def said(rig: Rig, *words: str) -> str:
    """Return the stdout of a command of flashdeck."""
    from asyncio import create_subprocess_exec, subprocess  # noqa: PLC0415 - for this alone

    command = (FLASHDECK, "--socket", str(rig.socket), *words)
    process = await create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    return out.decode()


async def test_units_of_a_lot_get_its_image_and_none_beyond_its_count() -> None:
    async with slots_running(2) as rig:
        rig.build(NEXT)
        await rig.until(lambda now: bool(now.artifacts))
        lot = await begin_lot(rig, GOOD, count=2)
        assert (lot.count, lot.done, lot.good_share, lot.slots) == (2, 0, None, ("s1", "s2"))
        await rig.plug("u1")
        await rig.plug("u2")
        await until_slot(rig, SlotPassed, "s1")
        await until_slot(rig, SlotPassed, "s2")
        snapshot = await rig.until(lambda now: now.lots[0].is_complete)
        assert (snapshot.lots[0].passed, snapshot.lots[0].good_share) == (2, 1.0)
        await swap(rig, serial="THIRD")
        snapshot = await rig.until(
            lambda now: isinstance(slot(now).condition, SlotWaiting) and "is complete" in slot(now).text
        )
        assert not any(job.board == "s1" and not job.is_settled for job in snapshot.jobs)
        assert len(await rig.jobs()) == 2
        for name in ("u1", "u2"):
            has = await rig.partition_of(name, len(GOOD))
            assert (has == GOOD) is (name == "u2"), "the third unit is as it came"
        ended = await rig.client.call(api.EndLot())
        assert ended.ended_at is not None
        await until_slot(rig, SlotPassed)  # the unit that waited gets the newest build
        assert await rig.partition_of("u1", len(NEXT)) == NEXT
        assert [each.lot for each in await units(rig)] == ["lot1", "lot1", ""]


async def test_a_unit_that_fails_is_counted_and_another_takes_its_turn() -> None:
    async with slots_running() as rig:
        await begin_lot(rig, GOOD, count=1)
        await swap(rig, fault="silent-write")
        await until_slot(rig, SlotFailed)
        await swap(rig)
        await until_slot(rig, SlotPassed)
        snapshot = await rig.until(lambda now: now.lots[0].done == 2)
        assert (snapshot.lots[0].passed, snapshot.lots[0].failed, snapshot.lots[0].good_share) == (1, 1, 0.5)


async def test_an_image_that_does_not_belong_begins_no_lot() -> None:
    async with slots_running() as rig:
        with pytest.raises(RemoteError) as caught:
            await begin_lot(rig, firmware("9.9.9", base=0x08080000))
        assert caught.value.kind is ErrorKind.GUARD
        assert not (await rig.client.call(api.GetStatus())).lots


async def test_a_slot_has_one_lot() -> None:
    async with slots_running() as rig:
        await begin_lot(rig, GOOD)
        with pytest.raises(RemoteError) as caught:
            await begin_lot(rig, NEXT, name="lot2", slots=("s1",))
        assert caught.value.kind is ErrorKind.BLOCKED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_lot_goes_on_with_its_image_over_a_restart(number: int) -> None:
    async with slots_running() as rig:
        await begin_lot(rig, GOOD, count=3)
        await rig.plug("u1")
        await until_slot(rig, SlotPassed)
        await rig.stop(number)
        await rig.restart()  # a new bench: its unit was never plugged in
        await rig.until(lambda now: now.lots[0].passed == 1 and slot(now).unit is None)
        await swap(rig)
        await until_unit(rig, UnitResult.PASSED, 2)
        assert await rig.partition_of("u1", len(GOOD)) == GOOD
        assert [(each.id, each.result, each.left_at is None) for each in await units(rig)] == [
            (1, UnitResult.PASSED, False),
            (2, UnitResult.PASSED, True),
        ]
        assert (await rig.client.call(api.GetStatus())).lots[0].passed == 2


async def test_a_daemon_that_is_killed_in_the_middle_calls_no_unit_done() -> None:
    async with slots_running(keys=dict(SLOW)) as rig:
        rig.build(GOOD)
        await rig.plug("u1")
        await until_slot(rig, SlotFlashing)
        await rig.until(lambda now: any(job.attempts for job in now.jobs))
        await rig.stop(signal.SIGKILL)
        await rig.restart()
        await rig.until(lambda now: slot(now).unit is None)
        await rig.plug("u1")
        await until_unit(rig, UnitResult.PASSED, 2)
        assert await rig.partition_of("u1", len(GOOD)) == GOOD
        first, _ = await units(rig)
        assert first.result is UnitResult.FAILED
        assert first.failure is not None
        assert first.failure.kind is ErrorKind.PULLED


async def test_the_command_line_begins_shows_and_ends_a_lot_and_lists_its_units() -> None:
    async with slots_running() as rig:
        (rig.root / "APP1.bin").write_bytes(GOOD)
        begun = ("lot", "begin", "night", "--image", str(rig.root / "APP1.bin"), "--count", "2", "--partition", "app1")
        assert "night" in await said(rig, *begun)
        await rig.plug("u1")
        await until_slot(rig, SlotPassed)
        await rig.until(lambda now: now.lots[0].passed == 1)
        status = await said(rig, "status")
        assert "PASS" in status
        assert "night" in status
        lots = json.loads(await said(rig, "lot", "status", "night", "--json"))["lots"]
        assert (lots[0]["passed"], lots[0]["yield"], lots[0]["is_complete"]) == (1, 1.0, False)
        (row,) = csv.DictReader(io.StringIO(await said(rig, "units", "--lot", "night", "--csv")))
        assert (row["slot"], row["result"], row["verified"]) == ("s1", "passed", "verified")
        assert row["sha256"] == sha256(GOOD)
        found = json.loads(await said(rig, "units", "s*", "--json"))
        assert [unit["serial"] for unit in found["units"]] == [row["serial"]]
        assert "ended" in await said(rig, "lot", "end")
        assert "PASS" in await said(rig, "units")


async def test_a_pass_of_a_unit_that_could_not_be_read_back_is_called_so() -> None:
    async with slots_running(keys={"model": "classic-noread"}) as rig:
        rig.build(GOOD)
        await rig.plug("u1")
        unit = await until_unit(rig, UnitResult.PASSED, 1)
        assert unit.verified is Verified.NO
        assert "PASS, not verified" in await said(rig, "status")
        assert "PASS, not verified" in await said(rig, "units")
        (row,) = csv.DictReader(io.StringIO(await said(rig, "units", "--csv")))
        assert (row["result"], row["verified"]) == ("passed", "not verified")
        (found,) = json.loads(await said(rig, "units", "--json"))["units"]
        assert (found["result"], found["verified"]) == ("passed", "not verified")
