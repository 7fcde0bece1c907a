"""Cables pulled, buses reset, answers that never come, interfaces that are taken: on a real kernel."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Phase, Waiting
from flashdeck.model import JobState, Presence
from flashdeck.words.jobs import phase_word
from flashdeckd.virtual.control import Dfu
from flashdeckd.virtual.spec import Model
from job_states import phase_of
from rig import PARTITION2, firmware
from vm.desk import Desk, board, desk, ran, slow_board
from vm.vhci import Port

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")
_HOLDER = """
import sys, usb.core, usb.util
device = usb.core.find(idVendor=0x0483, idProduct=0xdf11)
usb.util.claim_interface(device, 0)
print("claimed", flush=True)
sys.stdin.read()
usb.util.dispose_resources(device)
"""
_DRIVER = Path("/sys/bus/usb/drivers/trancevibrator")


@pytest.mark.parametrize("phase", [Phase.ERASE, Phase.WRITE])
async def test_a_job_goes_on_when_a_board_pulled_out_in_the_middle_is_back(root: Path, phase: Phase) -> None:
    async with desk(root, slow_board("left", 1)) as it:
        await it.plug("left")
        with it.slowed("left", phase):
            it.rig.build(ONE)
            await it.until_job("left", lambda job: phase_of(job) is phase)
            it.bench.unplug("left")
        job = await it.until_job("left", lambda job: isinstance(job.status, Waiting))
        assert f"was lost while {phase_word(phase)}" in job.text
        await it.until_present(Presence.ABSENT, "left")
        assert it.app1_of("left", 16) == b"\xff" * 16, "no boot check may accept a half-written image"
        it.bench.plug("left")
        await it.waited(ONE, "left")
        (job,) = await it.rig.jobs()
        assert (type(job.status), job.attempts) == (Done, 2)


@pytest.mark.parametrize(("model", "phase"), [(Model.CLASSIC, Phase.ERASE), (Model.USBX, Phase.WRITE)])
async def test_a_daemon_killed_in_the_middle_leaves_the_board_to_the_next_one(
    root: Path, model: Model, phase: Phase
) -> None:
    """The board lives on in whatever state it was left in, with its last command perhaps not carried out yet.

    USBX refuses the ABORT that all others want in dfuDNLOAD-SYNC, and is brought back from dfuERROR.
    """
    async with desk(root, slow_board("left", 1, model), careful=model is not Model.USBX) as it:
        await it.plug("left")
        around = it.around("left")
        it.rig.build(ONE)
        await it.until_job("left", lambda job: phase_of(job) is phase)
        await it.rig.stop(signal.SIGKILL)
        assert it.app1_of("left", 16) == b"\xff" * 16, "no boot check may accept a half-written image"
        await it.rig.restart(virtual=False)
        await it.waited(ONE, "left")
        (job,) = await it.rig.jobs()
        assert (type(job.status), job.attempts) == (Done, 2)
        assert it.around("left") == around


async def test_a_transfer_without_an_answer_is_given_up_and_the_bus_reset(root: Path) -> None:
    async with desk(root, board("left", 1)) as it:
        await it.plug("left")
        it.bench.fault("left", "hang", 20)
        jobs = await it.flashed(ONE, "left")
        tally = it.cables.tallies["left"]
        assert isinstance(jobs["left"].status, Done)
        assert tally.unlinks
        assert all(setup.is_dfu for setup in tally.unlinks)
        assert tally.resets >= 1


async def test_one_lost_transfer_is_unlinked_and_the_flash_goes_on(root: Path) -> None:
    async with desk(root, board("left", 1)) as it:
        await it.plug("left")
        it.bench.fault("left", "timeout", 1)  # the first question: the recovery ladder resets the bus
        jobs = await it.flashed(ONE, "left")
        assert jobs["left"].attempts == 1
        assert [setup.request for setup in it.cables.tallies["left"].unlinks] == [Dfu.GETSTATE]


async def test_a_bus_reset_by_somebody_else_harms_nothing_and_the_job_goes_on(root: Path) -> None:
    """ST's class then points at app1 again, and the blocks of partition2 would land there."""
    image = firmware("2.0.0", base=PARTITION2, size=60_000)  # so that it is still written when the program has begun
    async with desk(root, slow_board("left", 1)) as it:
        await it.plug("left")
        around = it.around("left", PARTITION2)
        with it.slowed("left", Phase.WRITE):
            it.rig.build(image, name="APP2.bin")
            await it.until_job("left", lambda job: phase_of(job) is Phase.WRITE)
            reset = await ran("usbreset", "0483:df11")
            assert reset.code == 0, reset
        job = await it.until_job("left", lambda job: job.is_settled)
        assert it.cables.tallies["left"].resets >= 1
        assert it.around("left", PARTITION2) == around
        assert job.attempts == 2, "by itself, without anybody's retry"
        assert it.flash_of("left", PARTITION2, len(image)) == image
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.NOT_ACCEPTED, "all is there but app1, which the board starts"


async def test_an_interface_that_another_program_holds_is_said_and_flashed_once_it_is_free(root: Path) -> None:
    async with desk(root, board("left", 1)) as it:
        await it.plug("left")
        async with _held():
            job = await _waiting_for_access(it)
            assert it.bench.list()[0].requests == 0
        await _flashed_after_all(it, job)


async def test_an_interface_that_a_kernel_driver_holds_is_said_and_flashed_once_it_is_free(root: Path) -> None:
    async with desk(root, board("left", 1)) as it:
        (_DRIVER / "new_id").write_text("0483 df11")
        try:
            await it.plug("left")
            interface = Port(1).device / f"{Port(1).name}:1.0"
            assert (interface / "driver").readlink().name == _DRIVER.name
            job = await _waiting_for_access(it)
            (_DRIVER / "unbind").write_text(interface.name)
        finally:
            (_DRIVER / "remove_id").write_text("0483 df11")
        await _flashed_after_all(it, job)


async def _waiting_for_access(it: Desk) -> JobState:
    it.rig.build(ONE)
    job = await it.until_job("left", lambda job: job.is_settled or "claimed" in job.text)
    assert isinstance(job.status, Waiting), job
    assert "another program has claimed the device" in job.text
    return job


async def _flashed_after_all(it: Desk, job: JobState) -> None:
    await it.waited(ONE, "left")
    (done,) = await it.rig.jobs()
    assert (done.id, type(done.status), done.attempts) == (job.id, Done, 1)


@asynccontextmanager
async def _held() -> AsyncGenerator[None]:
    """Another program that has claimed the DFU interface."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _HOLDER, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            assert await process.stdout.readline() == b"claimed\n"
        yield
    finally:
        await process.communicate(b"")  # the end of its input is its sign to let go
