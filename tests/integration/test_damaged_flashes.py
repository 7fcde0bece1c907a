"""Flash that does not become what was written: what a job ends as, and what is left on the board."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.job_state import Done, Failed, Verified
from flashdeck.model import HoldBy, JobState
from rig import APP1, Rig, board, firmware, prepare, running

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
ONE = firmware("1.0.0")
BOOT_UNIT = 16


async def flashed(rig: Rig, data: bytes = ONE) -> JobState:
    upload = await rig.client.upload("one.bin", data, partition="app1")
    (job,) = (await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    return job


def made(root: Path, *, profile: str = "", **keys: object) -> None:
    """One board in DFU mode that stays there."""
    prepare(root, boards=LEFT, bench=board("left", 1, **keys), profile=f"leave = false\n{profile}")


async def test_a_locked_rom_that_stores_nothing_is_not_verified_and_said_so_once(root: Path) -> None:
    made(root, model="rom-rdp1-silent", profile='banks = "trusted"\n')
    async with running(root) as rig:
        job = await flashed(rig)
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert job.result.verified is Verified.NO
        assert sum("RDP level 1" in remark for remark in job.result.remarks) == 1


async def test_a_locked_rom_fails_where_all_is_to_be_read_back(root: Path) -> None:
    made(root, model="rom-rdp1-silent", profile='banks = "trusted"\nverify = "always"\n')
    async with running(root) as rig:
        assert isinstance((await flashed(rig)).status, Failed)


@pytest.mark.parametrize("times", [1, 2, 4])
async def test_a_boot_unit_that_goes_wrong_is_done_again_and_then_erased(root: Path, times: int) -> None:
    """Each of two attempts does it again once."""
    made(root)
    async with running(root) as rig:
        await rig.client.call(api.VirtualFault(board="left", fault="corrupt", address=APP1 + 8, times=times))
        job = await flashed(rig)
        begins = await rig.partition_of("left", BOOT_UNIT)
        if times < 4:
            assert (type(job.status), job.attempts) == (Done, times)
            assert begins == ONE[:BOOT_UNIT]
        else:
            assert isinstance(job.status, Failed)
            assert "nothing that boots" in job.text
            assert begins == b"\xff" * BOOT_UNIT
        (state,) = (await rig.client.call(api.GetStatus())).boards
        assert state.hold is None


async def test_a_board_that_may_boot_something_incomplete_is_put_on_hold(root: Path) -> None:
    made(root)
    async with running(root) as rig:
        await rig.client.call(api.VirtualFault(board="left", fault="corrupt", address=APP1 + 8, times=2))
        await rig.client.call(api.VirtualFault(board="left", fault="silent-erase", address=APP1, times=50))
        job = await flashed(rig)
        assert isinstance(job.status, Failed)
        assert "may boot something incomplete" in job.text
        (state,) = (await rig.client.call(api.GetStatus())).boards
        assert state.hold is not None
        assert state.hold.by is HoldBy.FLASHDECK
        assert "may boot something incomplete" in state.hold.reason


async def test_a_block_that_goes_wrong_in_silence_is_done_again(root: Path) -> None:
    made(root)
    async with running(root) as rig:
        await rig.client.call(api.VirtualFault(board="left", fault="corrupt", address=APP1 + 9000))
        job = await flashed(rig)
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert job.result.verified is Verified.YES
        assert any("done again" in remark for remark in job.result.remarks)
        assert await rig.partition_of("left", len(ONE)) == ONE
