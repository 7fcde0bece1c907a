"""The safety rules, each with a test that tries to break it, through the real daemon and socket."""

import asyncio
import sys
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Blocked, Done, Failed
from flashdeck.model import Presence
from flashdeck.value import Value
from flashdeck.words.jobs import status_hint
from leftovers import open_files
from rig import APP1, PARTITION2, Rig, firmware, prepare, running, sha256

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")
SECOND = firmware("2.0.0", base=PARTITION2)


async def refused(rig: Rig, params: api.Params[Value]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await (rig.waited(params) if isinstance(params, api.Wait) else rig.client.call(params))
    return caught.value


async def test_a_protected_partition_is_no_target_whatever_a_client_asks(rig: Rig) -> None:
    upload = await rig.client.upload("boot.bin", firmware("1.0.0", base=0x08000000))
    error = await refused(rig, api.Flash(partition="bootloader", sha256=upload.sha256))
    assert error.kind is ErrorKind.PROTECTED
    assert (await rig.emulated("left")).requests == 0


async def test_an_image_larger_than_its_partition_is_refused(rig: Rig) -> None:
    upload = await rig.client.upload("big.bin", firmware("1.0.0", size=384 * 1024 + 1))
    error = await refused(rig, api.Flash(partition="app1", sha256=upload.sha256))
    assert error.kind is ErrorKind.GUARD
    assert (await rig.emulated("left")).requests == 0


async def test_an_image_that_fills_its_partition_touches_nothing_beside_it(rig: Rig) -> None:
    image = firmware("full", size=384 * 1024)
    before = await rig.flash_of("left")
    upload = await rig.client.upload("full.bin", image)
    (job,) = (await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert isinstance(job.status, Done)
    after = await rig.flash_of("left")
    start, end = APP1 - 0x08000000, PARTITION2 - 0x08000000
    assert after[start:end] == image
    assert (after[:start], after[end:]) == (before[:start], before[end:])


@pytest.mark.parametrize("rig", ["noread"], indirect=True)
async def test_the_other_bank_is_held_where_it_can_not_be_proved(rig: Rig) -> None:
    rig.build(SECOND, name="APP2.bin")
    snapshot = await rig.until(lambda s: any(isinstance(job.status, Blocked) for job in s.jobs))
    (job,) = snapshot.jobs
    assert 'banks = "trusted"' in status_hint(job.status)
    error = await refused(rig, api.Wait(partition="partition2"))
    assert error.kind is ErrorKind.BLOCKED
    assert (await rig.emulated("left")).erases == 0


@pytest.mark.parametrize("rig", ["trusted"], indirect=True)
async def test_the_other_bank_is_flashed_where_it_is_trusted(rig: Rig) -> None:
    rig.build(ONE)  # the emulated bootloader starts what is in app1
    await rig.wait(data=ONE)
    rig.build(SECOND, name="APP2.bin")
    await rig.wait("partition2", SECOND)
    assert await rig.partition_of("left", len(SECOND), address=PARTITION2) == SECOND


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
async def test_a_foreign_board_with_the_same_ids_gets_no_request(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.unplug("stranger")
    await rig.plug("stranger")
    listed = await rig.client.call(api.GetBoards())
    assert [(d.usb_id, d.note) for d in listed.devices] == [("0483:df11", "not configured: never touched")]
    stranger = await rig.emulated("stranger")
    assert (stranger.requests, stranger.transfers) == (0, 0)


@pytest.mark.parametrize("rig", ["hostile"], indirect=True)
async def test_hostile_strings_are_harmless_in_cli_and_log(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    for command in (["boards"], ["status"], ["logs"], ["jobs"], ["boards", "--json"], ["status", "--json"]):
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("flashdeck")), "--socket", str(rig.socket), *command),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert not [c for c in output.decode() if not c.isprintable() and c != "\n"], command
    log = (rig.root / "log").read_text()
    assert "\x1b" not in log
    assert log.isprintable() or all(c.isprintable() or c == "\n" for c in log)


@pytest.mark.parametrize("rig", ["twins"], indirect=True)
async def test_two_devices_that_look_alike_are_both_left_alone(rig: Rig) -> None:
    rig.build(ONE)
    snapshot = await rig.until(lambda s: len(s.jobs) == 1)
    (board,) = snapshot.boards
    assert board.presence is Presence.AMBIGUOUS
    assert {(await rig.emulated(name)).requests for name in ("left", "twin")} == {0}
    error = await refused(rig, api.Flash(partition="app1", boards=("left",)))
    assert error.kind is ErrorKind.AMBIGUOUS
    await rig.unplug("twin")
    await rig.until(lambda now: len(now.devices) == 1)
    (board,) = (await rig.until(lambda _: True)).boards
    assert board.presence is Presence.AMBIGUOUS, "the one that is left may be the other"
    error = await refused(rig, api.Flash(partition="app1", boards=("left",)))
    assert error.kind is ErrorKind.AMBIGUOUS
    assert {(await rig.emulated(name)).requests for name in ("left", "twin")} == {0}
    (board,) = (await rig.client.call(api.Release(boards=("left",)))).boards
    assert board.presence is Presence.DFU
    await rig.wait(data=ONE)
    assert (await rig.emulated("twin")).requests == 0


async def test_a_second_daemon_is_refused_and_the_first_unharmed(rig: Rig) -> None:
    async def second(*options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flashdeckd", "--virtual", str(rig.root / "bench.toml")),
            *("--config", str(rig.root / "config.toml"), *options),
            stderr=asyncio.subprocess.PIPE,
        )

    for socket, state in (("s", "state"), ("s", "other"), ("t", "state")):
        process = await second("--socket", str(rig.root / socket), "--state-dir", str(rig.root / state))
        _, talk = await process.communicate()
        assert process.returncode == 1
        assert b"error: " in talk
        assert b"Traceback" not in talk
    rig.build(ONE)
    await rig.wait(data=ONE)
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.parametrize("rig", ["noread"], indirect=True)
async def test_a_board_that_can_not_be_read_is_flashed_and_never_called_verified(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(lambda s: len(s.jobs) == 1)
    (job,) = await rig.wait(data=ONE)
    assert job.result is not None
    assert job.result.verified == "not verified"
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.parametrize("rig", ["usbx"], indirect=True)
async def test_usbx_is_flashed_without_one_request_that_it_rejects(rig: Rig) -> None:
    rig.build(ONE)
    (job,) = await rig.wait(data=ONE)
    assert job.result is not None
    assert job.result.verified == "verified"
    assert (await rig.emulated("left")).violations == ()
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.parametrize("rig", ["strict"], indirect=True)
async def test_a_board_that_objects_to_early_questions_is_flashed_at_its_own_pace(rig: Rig) -> None:
    rig.build(ONE)
    (job,) = await rig.wait(data=ONE)
    assert job.attempts == 1
    assert await rig.partition_of("left", len(ONE)) == ONE
    objections = (await rig.emulated("left")).violations
    assert objections
    rig.build(TWO)
    (job,) = await rig.wait(data=TWO)
    assert job.attempts == 1
    assert (await rig.emulated("left")).violations == objections


@pytest.mark.parametrize("rig", ["lying-map"], indirect=True)
async def test_a_map_that_disagrees_about_sectors_holds_the_job(rig: Rig) -> None:
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(isinstance(job.status, Blocked) for job in s.jobs))
    assert 'map = "ignore"' in status_hint(snapshot.jobs[0].status)
    assert (await rig.emulated("left")).erases == 0


@pytest.mark.parametrize("rig", ["read-only-map"], indirect=True)
async def test_a_map_that_protects_the_partition_refuses_the_job(rig: Rig) -> None:
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(isinstance(job.status, Failed) for job in s.jobs))
    failure = snapshot.jobs[0].failure
    assert failure is not None
    assert failure.kind is ErrorKind.OUTSIDE_PARTITION
    assert (await rig.emulated("left")).erases == 0


async def test_by_hand_the_same_image_is_flashed_again(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert (type(job.status), job.sha256) == (Done, sha256(ONE))


async def test_a_plan_writes_nothing_and_tells_what_would_be_done(rig: Rig) -> None:
    upload = await rig.client.upload("one.bin", ONE)
    (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
    assert not plan.blocked
    # Of the three sectors one has been a canary's, and was erased with it.
    assert [step.action for step in plan.steps].count("erase") == 2
    assert plan.erases == 3
    changing = [step for step in plan.steps if step.action.startswith(("write", "erase"))]
    assert len(changing) > plan.erases
    assert min(step.address for step in changing) >= APP1
    assert max(step.address + step.size for step in changing) <= PARTITION2
    board = await rig.emulated("left")
    assert (board.erases, board.words) == (0, 0)
    assert board.requests > 0


async def test_a_virtual_daemon_has_neither_libusb_nor_udev_open(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    mapped = Path(f"/proc/{rig.process.pid}/maps").read_text()  # noqa: ASYNC240 -- no disk is behind it
    assert "libusb" not in mapped
    assert "libudev" not in mapped
    assert not [name for name in open_files(rig.process.pid) if name.startswith(("/dev/bus", "/sys", "/run/udev"))]


async def test_without_usb_a_daemon_starts_says_so_and_serves(root: Path) -> None:
    prepare(root, boards="", bench="")
    async with running(root, virtual=False) as rig:
        status = await rig.client.call(api.GetStatus())
        assert not status.daemon.virtual
        assert any("usb" in text for text in status.daemon.degraded)
