"""`arm --once`: armed for one job, and then disarmed."""

import tomllib

import pytest

from flashdeck import api
from flashdeck.job_state import Done, Superseded, WaitFor, Waiting
from flashdeck.model import BoardState, Snapshot
from rig import PARTITION2, Rig, firmware, sha256

ONE, TWO, THREE = (firmware(version) for version in ("1.0.0", "1.0.1", "1.0.2"))
OTHER = firmware("2.0.0", base=PARTITION2)


def is_offered(snapshot: Snapshot, data: bytes) -> bool:
    return any(part.offered == sha256(data) for part in snapshot.boards[0].partitions)


async def left(rig: Rig) -> BoardState:
    return (await rig.client.call(api.GetStatus())).boards[0]


async def test_the_next_build_is_flashed_and_those_after_it_are_offered_also_after_a_restart(rig: Rig) -> None:
    (board,) = (await rig.client.call(api.Arm(boards=("left",), once=True))).boards
    assert (board.armed, board.once) == (True, True)
    assert "armed once" in board.text
    await rig.stop()
    assert tomllib.loads((rig.root / "boards.toml").read_text()) == {"once": ["left"]}
    await rig.restart()
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.until(lambda s: not s.boards[0].armed)
    rig.build(TWO)
    await rig.until(lambda s: is_offered(s, TWO))
    assert await rig.partition_of("left", len(ONE)) == ONE
    await rig.stop()
    assert tomllib.loads((rig.root / "boards.toml").read_text()) == {"disarmed": ["left"]}
    await rig.restart()
    board = await left(rig)
    assert (board.armed, board.once) == (False, False)
    assert len(await rig.jobs()) == 1


async def test_while_its_job_waits_a_newer_build_takes_its_place_and_one_for_another_partition_is_offered(
    rig: Rig,
) -> None:
    await rig.unplug("left")
    await rig.client.call(api.Arm(once=True))
    rig.build(ONE)
    await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    rig.build(OTHER, name="APP2.bin")
    await rig.until(lambda s: is_offered(s, OTHER))
    rig.build(TWO)
    await rig.until(lambda s: any(isinstance(job.status, Superseded) for job in s.jobs))
    assert (await left(rig)).once
    await rig.plug("left")
    await rig.wait(data=TWO)
    first, second = await rig.jobs()
    assert isinstance(first.status, Superseded)
    assert isinstance(second.status, Done)
    assert is_offered(await rig.client.call(api.GetStatus()), OTHER)
    assert not (await left(rig)).armed


async def test_a_job_that_is_cancelled_before_it_changes_anything_leaves_the_board_armed_once(rig: Rig) -> None:
    await rig.unplug("left")
    await rig.client.call(api.Arm(once=True))
    rig.build(ONE)
    await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    await rig.client.call(api.Cancel(job=1))
    assert (await left(rig)).once
    await rig.plug("left")
    rig.build(TWO)
    await rig.wait(data=TWO)
    await rig.until(lambda s: not s.boards[0].armed)


async def test_what_a_person_asks_for_does_not_use_it_up(rig: Rig) -> None:
    await rig.client.call(api.Disarm())
    rig.build(ONE)
    await rig.until(lambda s: is_offered(s, ONE))
    await rig.client.call(api.Arm(once=True))
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))
    assert (await left(rig)).once
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert not (await left(rig)).armed
    await rig.client.call(api.Arm())
    board = await left(rig)
    assert (board.armed, board.once) == (True, False)
    rig.build(THREE)
    await rig.wait(data=THREE)
    assert (await left(rig)).armed


@pytest.mark.parametrize("rig", ["trusted"], indirect=True)
async def test_where_boards_toml_cannot_be_written_nothing_is_erased_until_it_can(rig: Rig) -> None:
    await rig.client.call(api.Arm(once=True))
    before = await rig.flash_of("left")
    (rig.root / "boards.toml").unlink()
    (rig.root / "boards.toml").mkdir()
    rig.build(ONE)

    def waits(snapshot: Snapshot) -> bool:
        return any(isinstance(job.status, Waiting) and job.status.for_ is WaitFor.DISK for job in snapshot.jobs)

    await rig.until(waits)
    assert await rig.flash_of("left") == before
    (rig.root / "boards.toml").rmdir()
    await rig.wait(data=ONE)
    assert tomllib.loads((rig.root / "boards.toml").read_text()) == {"disarmed": ["left"]}
