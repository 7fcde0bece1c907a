"""`rollback`: back to what was good before, and what becomes of builds then."""

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done, Waiting
from flashdeck.model import JobState, Origin, PartitionState, Snapshot
from flashdeck.value import Value
from rig import Rig, firmware, sha256

ONE, TWO, THREE, FOUR = (firmware(f"1.0.{number}") for number in range(4))


async def refused(rig: Rig, params: api.Params[Value]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await (rig.waited(params) if isinstance(params, api.Wait) else rig.client.call(params))
    return caught.value


async def built(rig: Rig, *images: bytes) -> None:
    for data in images:
        rig.build(data)
        await rig.wait(data=data)


async def back(rig: Rig) -> tuple[JobState, tuple[str, ...]]:
    """Roll app1 back, and return the job once it has ended, with what was said."""
    reply = await rig.client.call(api.Rollback(partition="app1"))
    (job,) = (await rig.client.call(api.WaitJobs(ids=tuple(job.id for job in reply.jobs), timeout=60))).jobs
    return job, reply.notes


def app1(snapshot: Snapshot) -> PartitionState:
    return next(part for part in snapshot.boards[0].partitions if part.name == "app1")


async def test_it_flashes_what_was_there_before_and_the_newest_build_is_offered(rig: Rig) -> None:
    await built(rig, ONE, TWO)
    job, notes = await back(rig)
    assert isinstance(job.status, Done)
    assert (job.sha256, job.origin) == (sha256(ONE), Origin.HAND)
    assert await rig.partition_of("left", len(ONE)) == ONE
    (note,) = notes
    assert note.startswith("left: goes back from flashdeck-test 1.0.1 to flashdeck-test 1.0.0, which job 1 brought")
    state = app1(await rig.until(lambda s: app1(s).offered != ""))
    assert (state.offered, state.current) == (sha256(TWO), False)
    error = await refused(rig, api.Wait(partition="app1"))
    assert error.kind is ErrorKind.OFFERED
    assert "went back" in error.message


async def test_only_another_build_is_flashed_by_itself_also_after_a_restart(rig: Rig) -> None:
    await built(rig, ONE, TWO)
    await back(rig)
    await rig.stop()
    await rig.restart()
    assert app1(await rig.client.call(api.GetStatus())).offered == sha256(TWO)
    await built(rig, THREE)
    rig.build(TWO)  # A, B, A: it would be new
    await rig.until(lambda s: app1(s).offered == sha256(TWO))
    assert [job.sha256 for job in await rig.jobs()] == [sha256(each) for each in (ONE, TWO, ONE, THREE)]
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))
    await built(rig, FOUR, TWO)  # a person has asked for it meanwhile
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_several_rollbacks_go_further_and_further_back(rig: Rig) -> None:
    await built(rig, ONE, TWO, THREE)
    assert (await back(rig))[0].sha256 == sha256(TWO)
    assert (await back(rig))[0].sha256 == sha256(ONE)
    error = await refused(rig, api.Rollback(partition="app1"))
    assert error.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert "nothing to go back to in app1" in error.message
    assert "flashdeck history left" in error.hint
    await built(rig, FOUR)
    assert (await back(rig))[0].sha256 == sha256(ONE)


async def test_a_plan_says_the_same_and_flashes_nothing(rig: Rig) -> None:
    await built(rig, ONE, TWO)
    await rig.press("left")
    await rig.until(lambda s: s.boards[0].presence.value == "dfu")
    (plan,) = (await rig.client.call(api.PlanRollback(partition="app1"))).plans
    assert plan.sha256 == sha256(ONE)
    assert plan.erases > 0
    assert "goes back from flashdeck-test 1.0.1" in plan.notes[0]
    assert len(await rig.jobs()) == 2
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_bytes_that_are_gone_are_said_and_nothing_older_is_taken_instead(rig: Rig) -> None:
    await built(rig, ONE, TWO, THREE)
    (rig.root / "state" / "spool" / sha256(TWO)).unlink()
    await rig.stop()
    await rig.restart()
    error = await refused(rig, api.Rollback(partition="app1"))
    assert error.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert "would go back to flashdeck-test 1.0.1 in app1 (job 2), and its bytes are gone" in error.message
    assert "flashdeck flash app1 FILE --board left" in error.hint
    assert len(await rig.jobs()) == 3


async def test_what_cannot_be_flashed_cannot_be_rolled_back(rig: Rig) -> None:
    assert (await refused(rig, api.Rollback(partition="bootloader"))).kind is ErrorKind.PROTECTED
    assert (await refused(rig, api.Rollback(partition="nope"))).kind is ErrorKind.NO_SUCH_PARTITION
    assert (await refused(rig, api.PlanRollback(partition="app1"))).kind is ErrorKind.NO_SUCH_ARTIFACT
    await built(rig, ONE, TWO)
    await rig.client.call(api.Hold(boards=("left",)))
    error = await refused(rig, api.Rollback(partition="app1", no_wait=True))
    assert error.kind is ErrorKind.BLOCKED


async def test_a_guard_is_asked_again(rig: Rig) -> None:
    await built(rig, ONE, TWO)
    await rig.stop()
    config = (rig.root / "config.toml").read_text()
    stricter = 'image = "build/APP1.bin"\nguards = ["fits", "mcuboot"]'
    (rig.root / "config.toml").write_text(config.replace('image = "build/APP1.bin"', stricter))
    await rig.restart()
    assert (await refused(rig, api.Rollback(partition="app1"))).kind is ErrorKind.GUARD
    assert len(await rig.jobs()) == 2


async def test_a_newer_build_takes_the_place_of_a_rollback_that_waits(rig: Rig) -> None:
    await built(rig, ONE, TWO)
    await rig.unplug("left")
    (job,) = (await rig.client.call(api.Rollback(partition="app1"))).jobs
    await rig.until(lambda s: any(isinstance(each.status, Waiting) and each.id == job.id for each in s.jobs))
    rig.build(THREE)
    await rig.until(lambda s: any(each.sha256 == sha256(THREE) for each in s.jobs))
    await rig.plug("left")
    await rig.wait(data=THREE)
    assert await rig.partition_of("left", len(THREE)) == THREE
