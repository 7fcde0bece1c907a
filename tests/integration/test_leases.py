"""`take`: boards of which only the holder's jobs start, for as long as its connection lives."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck.job_state import Done, WaitFor, Waiting
from flashdeck.model import BoardState, JobState, Snapshot
from flashdeck.value import Value
from job_states import is_writing
from leftovers import processes_with
from rig import WAIT_SECONDS, Rig, begun, firmware

FLASHDECK = str(Path(sys.executable).with_name("flashdeck"))
NOBODYS = "0" * 32
ONE, TWO, THREE = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1", "1.0.2"))


@asynccontextmanager
async def somebody(rig: Rig) -> AsyncGenerator[Client]:
    """Another client, which leaves at the end of the block."""
    async with await Client.connect(rig.socket, client="somebody") as client:
        yield client


async def refused(client: Client, params: api.Params[Value]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await client.call(params)
    return caught.value


def is_taken(snapshot: Snapshot) -> bool:
    return snapshot.boards[0].lease is not None


def waits_for_lease(job: JobState) -> bool:
    return isinstance(job.status, Waiting) and job.status.for_ is WaitFor.LEASE


async def left(rig: Rig) -> BoardState:
    return (await rig.client.call(api.GetStatus())).boards[0]


async def done(client: Client, job: JobState) -> JobState:
    (ended,) = (await client.call(api.WaitJobs(ids=(job.id,), timeout=WAIT_SECONDS))).jobs
    assert isinstance(ended.status, Done), ended
    return ended


async def test_only_the_holders_jobs_start_and_builds_wait_until_the_connection_ends(rig: Rig) -> None:
    async with somebody(rig) as holder:
        upload = await holder.upload("app.bin", TWO, partition="app1")
        lease = await holder.call(api.Take(boards=("left",), by="alice, process 7", reason="a test"))
        assert lease.boards == ("left",)
        board = await left(rig)
        assert board.lease is not None
        assert (board.lease.by, board.lease.reason) == ("alice, process 7", "a test")
        assert "taken by alice, process 7 for a test" in board.text
        rig.build(ONE, name="APP1.bin")
        snapshot = await rig.until(lambda s: any(map(waits_for_lease, s.jobs)))
        assert "taken by alice, process 7 for a test" in snapshot.jobs[0].text
        error = await refused(rig.client, api.Flash(partition="app1", sha256=upload.sha256, no_wait=True))
        assert error.kind is ErrorKind.BLOCKED
        assert "is taken by alice" in error.message
        (job,) = (await holder.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
        await done(holder, job)
        assert await rig.partition_of("left", len(TWO)) == TWO
    rig.build(ONE + b"later")
    await rig.wait(data=ONE + b"later")
    assert (await left(rig)).lease is None


async def test_nobody_takes_the_place_of_a_job_of_the_holder(rig: Rig) -> None:
    async with somebody(rig) as holder:
        wanted = await holder.upload("app.bin", TWO, partition="app1")
        other = await rig.client.upload("other.bin", THREE, partition="app1")
        await holder.call(api.Take(boards=("left",)))
        await rig.unplug("left")
        (mine,) = (await holder.call(api.Flash(partition="app1", sha256=wanted.sha256))).jobs
        rig.build(ONE)
        await rig.until(lambda s: len(s.jobs) == 2)
        (strangers,) = (await rig.client.call(api.Flash(partition="app1", sha256=other.sha256))).jobs
        await rig.client.call(api.Erase(partition="partition2"))
        await rig.plug("left")
        await done(holder, mine)
        assert await rig.partition_of("left", len(TWO)) == TWO
    await done(rig.client, strangers)
    assert await rig.partition_of("left", len(THREE)) == THREE


async def test_what_waited_goes_on_by_itself_once_the_holder_is_gone(rig: Rig) -> None:
    async with somebody(rig) as holder:
        await holder.call(api.Take(boards=("left",)))
        rig.build(ONE)
        await rig.until(lambda s: any(map(waits_for_lease, s.jobs)))
        assert await rig.partition_of("left", 16) == b"\xff" * 16
    await rig.wait(data=ONE)


async def test_another_connection_acts_for_the_holder_with_its_token_and_with_no_other(rig: Rig) -> None:
    async with somebody(rig) as holder, somebody(rig) as command:
        lease = await holder.call(api.Take(boards=("left",)))
        error = await refused(command, api.UseLease(token=NOBODYS))
        assert error.kind is ErrorKind.BLOCKED
        await command.call(api.UseLease(token=lease.token))
        upload = await command.upload("app.bin", ONE, partition="app1")
        await done(
            command, (await command.call(api.Flash(partition="app1", sha256=upload.sha256, no_wait=True))).jobs[0]
        )
        assert (await refused(command, api.Take(boards=("left",)))).kind is ErrorKind.BAD_REQUEST
        await holder.close()
        await rig.until(lambda s: not is_taken(s))
        assert (await refused(rig.client, api.UseLease(token=lease.token))).kind is ErrorKind.BLOCKED


async def test_boards_are_given_back_without_hanging_up_and_can_be_taken_again(rig: Rig) -> None:
    async with somebody(rig) as holder, somebody(rig) as command:
        assert (await refused(holder, api.EndLease())).kind is ErrorKind.BLOCKED
        lease = await holder.call(api.Take(boards=("left",)))
        await command.call(api.UseLease(token=lease.token))
        assert (await refused(command, api.EndLease())).kind is ErrorKind.BLOCKED, "it only acts for the holder"
        await holder.call(api.EndLease())
        await rig.until(lambda s: not is_taken(s))
        await holder.call(api.Take(boards=("left",)))
        await holder.close()
        await rig.until(lambda s: not is_taken(s))


async def test_a_second_taker_waits_in_line_or_is_told_who_has_it(rig: Rig) -> None:
    async with somebody(rig) as first, somebody(rig) as second, somebody(rig) as third:
        await first.call(api.Take(boards=("left",), by="first"))
        error = await refused(second, api.Take(boards=("l*",), no_wait=True))
        assert (error.kind, error.message) == (ErrorKind.BLOCKED, "board left is taken by first")
        error = await refused(second, api.Take(boards=("left",), timeout=0))
        assert error.kind is ErrorKind.TIMEOUT
        assert "taken by first" in error.message
        waiting = await begun(second, api.Take(boards=("left",), by="second"))
        last = await begun(third, api.Take(boards=("left",), by="third"))
        await first.close()
        await waiting
        held = await left(rig)
        assert held.lease is not None
        assert held.lease.by == "second"
        assert not last.done()
        await second.close()
        await last


async def test_one_that_waits_in_line_takes_no_other_boards_meanwhile(rig: Rig) -> None:
    """Found by seed 458 of the simulation: it had two leases then, and could give back one of them."""
    async with somebody(rig) as holder, somebody(rig) as second:
        await holder.call(api.Take(boards=("left",)))
        waits = asyncio.create_task(second.call(api.Take(boards=("left",))))
        behind = asyncio.create_task(refused(second, api.Take(boards=("left",), timeout=1.0)))
        assert "waits for boards already" in (await behind).message
        await holder.call(api.EndLease())
        await waits
        await second.call(api.EndLease())
        assert (await left(rig)).lease is None


async def test_one_that_waits_in_line_and_leaves_holds_up_nobody(rig: Rig) -> None:
    async with somebody(rig) as first, somebody(rig) as third:
        await first.call(api.Take(boards=("left",)))
        async with somebody(rig) as second:
            waiting = await begun(second, api.Take(boards=("left",)))
            await refused(third, api.Take(boards=("left",), timeout=0))
        with suppress(FlashdeckError):
            await waiting
        await first.close()
        await third.call(api.Take(boards=("left",)))


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_a_job_that_runs_is_waited_for_and_no_other_begins_before_the_holders(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(lambda s: any(is_writing(job) for job in s.jobs))
    async with somebody(rig) as holder:
        error = await refused(holder, api.Take(boards=("left",), no_wait=True))
        assert error.kind is ErrorKind.BLOCKED
        assert "a job runs on board left" in error.message
        await holder.call(api.Take(boards=("left",)))
        (job,) = (await rig.client.call(api.GetStatus())).jobs
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert job.result.started  # the visit was ended, too


async def test_a_hold_outranks_it(rig: Rig) -> None:
    async with somebody(rig) as holder:
        await rig.client.call(api.Hold(boards=("left",), reason="soldering"))
        error = await refused(holder, api.Take(boards=("left",)))
        assert error.kind is ErrorKind.BLOCKED
        assert "soldering" in error.message
        await rig.client.call(api.Release(boards=("left",)))
        await holder.call(api.Take(boards=("left",)))
        await rig.client.call(api.Hold(boards=("left",), reason="soldering"))
        upload = await holder.upload("app.bin", ONE, partition="app1")
        (job,) = (await holder.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
        (job,) = (await holder.call(api.WaitJobs(ids=(job.id,)))).jobs
        assert isinstance(job.status, Waiting)
        assert job.status.for_ is WaitFor.HOLD
        await rig.client.call(api.Release(boards=("left",)))
        await done(holder, job)


async def test_it_ends_with_the_daemon(rig: Rig) -> None:
    async with somebody(rig) as holder:
        await holder.call(api.Take(boards=("left",)))
        await rig.stop()
        await rig.restart()
        assert not is_taken(await rig.client.call(api.GetStatus()))
        assert (await refused(rig.client, api.UseLease(token=NOBODYS))).kind is ErrorKind.BLOCKED


async def flashdeck(rig: Rig, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(FLASHDECK, "--socket", str(rig.socket), *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_acts_for_the_lease_and_its_exit_code_is_that_of_take(rig: Rig) -> None:
    (rig.root / "app.bin").write_bytes(ONE)
    script = (
        f"{FLASHDECK} --socket {rig.socket} flash app1 {rig.root}/app.bin --no-wait >&2 && "
        f"{FLASHDECK} --socket {rig.socket} status && exit 7"
    )
    process = await flashdeck(rig, "take", "left", "--for", "a script", "--", "sh", "-c", script)
    out, err = await process.communicate()
    assert process.returncode == 7, err
    assert b"for a script" in out
    assert b"taken" in out
    assert await rig.partition_of("left", len(ONE)) == ONE
    assert (await left(rig)).lease is None


async def test_a_take_that_is_killed_gives_the_board_back(rig: Rig) -> None:
    process = await flashdeck(rig, "take", "left", "--", "sleep", "60")
    await rig.until(is_taken)
    other = await flashdeck(rig, "take", "left", "--no-wait", "--", "true")
    _, err = await other.communicate()
    assert other.returncode == 13
    assert f"process {process.pid} for sleep 60".encode() in err
    process.send_signal(signal.SIGTERM)  # passed on to the command
    _, err = await process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    await rig.until(lambda s: not is_taken(s))


async def test_a_take_that_is_killed_at_once_ends_its_command_and_what_that_has_started(rig: Rig) -> None:
    script = "sleep 600 & (trap '' TERM; echo $FLASHDECK_LEASE; while true; do sleep 600; done)"
    process = await flashdeck(rig, "take", "left", "--", "sh", "-c", script)
    assert process.stdout is not None
    token = (await process.stdout.readline()).decode().strip()
    assert "sh" in processes_with(LEASE_VARIABLE, token)
    process.kill()
    async with asyncio.timeout(WAIT_SECONDS):
        await rig.until(lambda s: not is_taken(s))
        await process.communicate()  # the end of its output is the end of all that had it
    assert processes_with(LEASE_VARIABLE, token) == []


async def test_what_a_command_leaves_running_goes_on_after_it(rig: Rig) -> None:
    process = await flashdeck(rig, "take", "left", "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!")
    out, err = await process.communicate()
    assert process.returncode == 0, err
    os.kill(int(out), signal.SIGKILL)  # it is there


async def test_the_command_goes_on_where_the_daemon_ends(rig: Rig) -> None:
    os.mkfifo(rig.root / "pipe")
    process = await flashdeck(rig, "take", "left", "--", "sh", "-c", f"cat {rig.root}/pipe; exit 3")
    await rig.until(is_taken)
    await rig.stop()
    assert process.stderr is not None
    line = await process.stderr.readline()
    assert b"the lease has ended, the command goes on" in line
    (rig.root / "pipe").write_text("go on")
    out, _ = await process.communicate()
    assert (process.returncode, out) == (3, b"go on")
    await rig.restart()


async def test_a_look_of_somebody_else_opens_no_board_that_is_taken(rig: Rig) -> None:
    upload = await rig.client.upload("app.bin", ONE, partition="app1")
    await rig.client.call(api.Examine(boards=("left",)))
    async with somebody(rig) as holder:
        lease = await holder.call(api.Take(boards=("left",), by="alice", reason="a test"))
        before = await requests_of(rig)
        (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
        assert plan.steps == ()
        assert "board left is taken by alice for a test" in plan.blocked
        (plan,) = (await rig.client.call(api.PlanErase(partition="app1"))).plans
        assert "board left is taken by alice for a test" in plan.blocked
        (report,) = (await rig.client.call(api.Examine())).boards
        assert report.failure is not None
        assert (report.failure.kind, report.requests) == (ErrorKind.BLOCKED, 0)
        assert "board left is taken by alice for a test" in report.failure.message
        assert await requests_of(rig) == before, "the board noticed nothing"
        async with somebody(rig) as helper:  # one that acts for the holder, and the holder itself
            await helper.call(api.UseLease(token=lease.token))
            for client in (helper, holder):
                (plan,) = (await client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
                assert plan.steps
                assert not plan.blocked
                (report,) = (await client.call(api.Examine(boards=("left",)))).boards
                assert report.failure is None
    await rig.until(lambda s: not is_taken(s))
    (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
    assert plan.steps


async def requests_of(rig: Rig) -> int:
    """The number of transfers that the emulated board has seen."""
    return (await rig.emulated("left")).transfers
