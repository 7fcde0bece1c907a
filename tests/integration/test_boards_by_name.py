"""Names and globs of boards, and what happens on those that they mean."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done, Waiting, name_of
from flashdeck.value import Value
from rig import Rig, board, firmware, prepare, running

NAMES = ("left", "rack-1", "rack-2")
IMAGE = firmware("1.0.0", size=9_000)


@pytest.fixture
async def rig(root: Path) -> AsyncIterator[Rig]:
    boards = "".join(f'[boards.{name}]\nprofile = "product"\nserial = "{name}"\n' for name in NAMES)
    bench = "".join(board(name, number, serial=name) for number, name in enumerate(NAMES, 1))
    prepare(root, boards=boards, bench=bench)
    async with running(root) as rig:
        yield rig


async def refused(rig: Rig, params: api.Params[Value]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await rig.client.call(params)
    return caught.value


async def on_hold(rig: Rig) -> list[str]:
    return [board.name for board in (await rig.client.call(api.GetBoards())).boards if board.hold]


async def test_a_glob_puts_its_boards_on_hold_and_no_other(rig: Rig) -> None:
    held = (await rig.client.call(api.Hold(boards=("rack-*", "rack-1"), reason="on the table"))).boards
    assert [(board.name, board.hold and board.hold.reason) for board in held] == [
        ("rack-1", "on the table"),
        ("rack-2", "on the table"),
    ]
    rig.build(IMAGE)
    await rig.until(lambda s: any(isinstance(job.status, Done) for job in s.jobs))
    snapshot = await rig.until(lambda s: sum(isinstance(job.status, Waiting) for job in s.jobs) == 2)
    assert {job.board for job in snapshot.jobs if isinstance(job.status, Waiting)} == {"rack-1", "rack-2"}
    released = (await rig.client.call(api.Release(boards=("rack-1",)))).boards
    assert [board.name for board in released] == ["rack-1"]
    await rig.wait(data=IMAGE, boards=("left", "rack-1"))
    assert await on_hold(rig) == ["rack-2"]


async def test_one_name_that_is_wrong_changes_no_board(rig: Rig) -> None:
    for params in (api.Hold(boards=("left", "rakc-1")), api.Disarm(boards=("left", "rakc-1"))):
        error = await refused(rig, params)
        assert (error.kind, error.hint) == (ErrorKind.NO_SUCH_BOARD, "did you mean rack-1?")
    assert await on_hold(rig) == []
    assert all(board.armed for board in (await rig.client.call(api.GetBoards())).boards)
    assert (await refused(rig, api.Release(boards=("x*",)))).hint == "there are: left, rack-1, rack-2"


@pytest.mark.parametrize(
    "params",
    [api.Hold(), api.Release(), api.VirtualPlug(), api.VirtualUnplug(), api.VirtualPress()],
    ids=lambda p: type(p).__name__,
)
async def test_none_is_never_all(rig: Rig, params: api.Params[Value]) -> None:
    error = await refused(rig, params)
    assert (error.kind, error.message) == (ErrorKind.BAD_REQUEST, "no board is named")
    assert all(board.plugged for board in (await rig.client.call(api.VirtualList())).boards)


async def test_every_board_is_on_hold_also_where_that_can_not_be_recorded_for_the_first(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.root / "state" / "journal.sqlite3", isolation_level=None)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON hold BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        assert "disk is full" in (await refused(rig, api.Hold(boards=("*",)))).message
        other.execute("DROP TRIGGER full")
    assert await on_hold(rig) == list(NAMES)


async def test_jobs_are_counted_after_they_were_filtered(rig: Rig) -> None:
    rig.build(IMAGE)
    await rig.wait(data=IMAGE)
    await rig.unplug("left")
    rig.build(firmware("1.0.1", size=9_000))
    await rig.until(lambda s: sum(isinstance(job.status, Done) for job in s.jobs) == 5)

    async def jobs(**wanted: object) -> list[tuple[str, str]]:
        found = (await rig.client.call(api.GetJobs(**wanted))).jobs  # type: ignore[arg-type] - each test names its own
        assert [job.id for job in found] == sorted((job.id for job in found), reverse=True), "the newest first"
        return [(job.board, name_of(job.status)) for job in found]

    assert await jobs(limit=1, boards=("left",), statuses=("done",)) == [("left", "done")]
    assert await jobs(boards=("l*",)) == [("left", "waiting"), ("left", "done")]
    assert len(await jobs(boards=("rack-*",))) == 4
    assert len(await jobs(limit=3, statuses=("done", "waiting"))) == 3
    assert await jobs(statuses=("failed",)) == []
    assert (await refused(rig, api.GetJobs(boards=("lfet",)))).hint == "did you mean left?"


async def test_a_job_that_does_not_exist_is_answered_with_those_that_do(rig: Rig) -> None:
    assert (await refused(rig, api.Cancel(job=99_999))).hint == "there are no jobs yet"
    rig.build(IMAGE)
    await rig.wait(data=IMAGE)
    for params in (api.Cancel(job=99_999), api.Retry(job=99_999), api.GetJobs(ids=(99_999,))):
        error = await refused(rig, params)
        assert (error.kind, error.hint) == (ErrorKind.NO_SUCH_JOB, "there are: 3, 2, 1; `flashdeck jobs` lists them")


async def test_boards_and_logs_of_a_glob(rig: Rig) -> None:
    listed = (await rig.client.call(api.GetBoards(boards=("rack-*",)))).boards
    assert [board.name for board in listed] == ["rack-1", "rack-2"]
    assert {line.board for line in (await rig.client.call(api.GetLogs(boards=("rack-*",)))).lines} == {
        "rack-1",
        "rack-2",
    }
    assert {line.board for line in (await rig.client.call(api.GetLogs())).lines} >= set(NAMES)


async def test_a_hand_on_several_emulated_boards(rig: Rig) -> None:
    unplugged = (await rig.client.call(api.VirtualUnplug(boards=("rack-*",)))).boards
    assert [(board.name, board.plugged) for board in unplugged] == [("rack-1", False), ("rack-2", False)]
    assert (await rig.emulated("left")).plugged
    # One that is not plugged in has no buttons to press; the others are pressed all the same.
    await rig.client.call(api.VirtualPlug(boards=("rack-2",)))
    await rig.client.call(api.Flash(partition="app1", sha256=await upload(rig), boards=("rack-2",)))
    await rig.wait(data=IMAGE, boards=("rack-2",))
    assert (await rig.emulated("rack-2")).mode == "app"
    assert "rack-1 is not plugged in" in (await refused(rig, api.VirtualPress(boards=("*",)))).message
    assert (await rig.emulated("rack-2")).mode == "dfu"
    plugged = (await rig.client.call(api.VirtualPlug(boards=("*",)))).boards
    assert [board.plugged for board in plugged] == [True, True, True]


async def upload(rig: Rig) -> str:
    return (await rig.client.upload("APP1.bin", IMAGE)).sha256


async def test_a_single_emulated_board_may_be_a_glob_that_means_one(rig: Rig) -> None:
    assert (await rig.client.call(api.VirtualFault(board="l*", fault="stall"))).name == "left"
    assert (await refused(rig, api.VirtualFault(board="rack-*", fault="stall"))).kind is ErrorKind.AMBIGUOUS
    assert (await refused(rig, api.VirtualFault(board="left", fault="stal"))).hint == "did you mean stall?"
    assert (await refused(rig, api.VirtualDump(board="lfet"))).hint == "did you mean left?"
    assert len((await rig.client.call(api.VirtualDump(board="lef?", size=1))).data) == 1
