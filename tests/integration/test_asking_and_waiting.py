"""The promises of `flash`, `wait` and `cancel` to a script, on real jobs: nobody waits for what cannot happen."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Cancelled, Canceller, Waiting
from flashdeck.model import Snapshot
from job_states import is_writing
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running

NAMES = ("left", "right")
ONE = firmware("1.0.0", size=9_000)
PROGRAM = ("-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())")


@pytest.fixture
async def pair(root: Path) -> AsyncIterator[Rig]:
    """Two boards, of which the right one is not plugged in."""
    boards = "".join(f'[boards.{name}]\nprofile = "product"\nserial = "{name}"\n' for name in NAMES)
    bench = "".join(board(name, number, serial=name) for number, name in enumerate(NAMES, 1))
    prepare(root, boards=boards, bench=bench)
    async with running(root) as rig:
        await rig.unplug("right")
        await rig.client.call(api.Disarm())
        rig.build(ONE)
        await rig.until(lambda now: any(part.offered for part in now.boards[0].partitions))
        yield rig


async def refused(rig: Rig, params: api.Params[api.JobList]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await rig.client.call(params)
    return caught.value


def are_waiting(snapshot: Snapshot) -> bool:
    return sum(isinstance(job.status, Waiting) for job in snapshot.jobs) == 2


async def test_a_caller_that_is_killed_takes_back_what_it_asked_for(pair: Rig) -> None:
    await pair.client.call(api.Hold(boards=("left",)))
    words = ("--socket", str(pair.socket), "flash", "app1", "--board", "right", "--cancel-on-exit")
    caller = await asyncio.create_subprocess_exec(
        sys.executable, *PROGRAM, *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    other = await Client.connect(pair.socket, client="test")
    await other.call(api.Flash(partition="app1", boards=("left",)))
    await pair.until(are_waiting)
    caller.kill()
    await caller.wait()
    await other.close()
    await pair.until(lambda now: any(isinstance(job.status, Cancelled) for job in now.jobs))
    ended = {job.board: job.status for job in await pair.jobs()}
    assert ended["right"] == Cancelled(by=Canceller.CLIENT)
    assert isinstance(ended["left"], Waiting), "nobody had asked for that to be taken back"


async def test_a_wait_is_over_where_one_board_can_not_get_there_and_no_other_works(pair: Rig) -> None:
    await pair.client.call(api.Hold(boards=("left",), reason="on the table"))
    await pair.client.call(api.Flash(partition="app1"))
    outcomes = (await pair.client.call(api.Wait(partition="app1", timeout=10 * WAIT_SECONDS))).boards
    assert [outcome.board for outcome in outcomes] == ["left", "right"]
    assert [outcome.failure.kind if outcome.failure else None for outcome in outcomes] == [ErrorKind.BLOCKED, None]


async def test_without_waiting_every_board_that_is_not_ready_is_named(pair: Rig) -> None:
    error = await refused(pair, api.Flash(partition="app1", no_wait=True))
    assert (error.kind, error.message) == (ErrorKind.ABSENT, "board right is not connected")
    await pair.client.call(api.Hold(boards=("left",), reason="on the table"))
    error = await refused(pair, api.Flash(partition="app1", no_wait=True))
    assert error.kind is ErrorKind.BLOCKED
    assert "board left is on hold: on the table; board right is not connected" in error.message
    assert await pair.jobs() == []


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_a_cancel_on_a_board_that_hangs_says_what_it_waits_for(rig: Rig) -> None:
    rig.build(firmware("1.0.0", size=60_000))
    await rig.until(lambda now: any(map(is_writing, now.jobs)))
    await rig.client.call(api.VirtualFault(board="left", fault="hang"))
    cancelling = asyncio.ensure_future(rig.client.call(api.Cancel(job=1)))
    await rig.until_logged("waits for the running transfer, at most")
    assert not cancelling.done()
    await rig.unplug("left")  # else it hangs for all of the seconds that were said
    assert isinstance((await cancelling).status, Cancelled)
