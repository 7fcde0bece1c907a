"""What the daemon remembers of a bootloader, for how long, and of whom."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Blocked, Done, Failed, JobResult, JobStatus, Verified, Waiting
from flashdeck.model import Contents, JobState, Presence, Snapshot
from flashdeck.words.jobs import status_hint
from rig import APP1, PARTITION2, Rig, board, firmware, prepare, running, sha256

AT_PORT_1 = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
STAYS = "leave = false\n"
"""The board stays in DFU mode after a flash."""
ONE, TWO, THREE = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1", "1.0.2"))
SECOND, SECOND_AGAIN = (firmware(version, base=PARTITION2) for version in ("2.0.0", "2.0.1"))
ALL = -(-60_000 // 8192)
"""Sectors of these images."""


@asynccontextmanager
async def bench(root: Path, *, profile: str = STAYS, **emulated: object) -> AsyncGenerator[Rig]:
    prepare(root, boards=AT_PORT_1, bench=board("left", 1, **emulated), profile=profile)
    async with running(root) as rig:
        yield rig


async def replaced(rig: Rig, **emulated: object) -> None:
    """Another daemon, and another emulated board at the port."""
    await rig.stop()
    (rig.root / "bench.toml").write_text(board("left", 1, **emulated))
    await rig.restart()


async def actions(rig: Rig, image: bytes = THREE) -> set[str]:
    """What a flash of this image would do on the board."""
    upload = await rig.client.upload("image.bin", image)
    (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
    assert not plan.blocked
    return {step.action for step in plan.steps}


async def by_hand(rig: Rig, image: bytes) -> JobState:
    """A flash that a person asks for, to its end."""
    upload = await rig.client.upload("image.bin", image)
    (job,) = (await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    return job


async def contents(rig: Rig, partition: str = "app1") -> Contents:
    (found,) = [p for p in (await rig.client.call(api.GetStatus())).boards[0].partitions if p.name == partition]
    assert found.contents is not None
    return found.contents


def is_blocked(snapshot: Snapshot) -> bool:
    return any(isinstance(job.status, Blocked) for job in snapshot.jobs)


def is_waiting(snapshot: Snapshot, attempts: int | None = None) -> bool:
    """Whether a job waits, after that many attempts where it matters."""
    waiting = (job.attempts for job in snapshot.jobs if isinstance(job.status, Waiting))
    return any(attempts in (None, each) for each in waiting)


async def test_a_proof_outlives_the_daemon(root: Path) -> None:
    async with bench(root) as rig:
        assert "write canary" in await actions(rig)
        assert isinstance((await by_hand(rig, ONE)).status, Done)
        assert not {"write canary", "prove reading"} & await actions(rig)
        await rig.stop()
        await rig.restart()
        steps = await actions(rig)
        assert "compare" in steps
        assert not {"write canary", "prove reading"} & steps


@pytest.mark.parametrize("other", [{"serial": "OTHER0000002"}, {"bcd_device": 0x0123}, {"serial": ""}])
async def test_another_board_behind_the_same_name_begins_with_nothing(root: Path, other: dict[str, object]) -> None:
    async with bench(root) as rig:
        await by_hand(rig, ONE)
        await replaced(rig, **other)
        assert "write canary" in await actions(rig)
        await replaced(rig)
        assert "compare" in await actions(rig)


async def test_a_released_bank_stays_released_for_this_board(root: Path) -> None:
    async with bench(root, model="classic-noread") as rig:
        await rig.client.call(api.Hold(boards=("left",), reason="for a moment"))
        await rig.client.call(api.Release(boards=("left",)))
        rig.build(SECOND, name="APP2.bin")
        snapshot = await rig.until(is_blocked)
        assert "flashdeck release" in status_hint(snapshot.jobs[0].status)
        assert (await rig.emulated("left")).erases == 0
        await rig.client.call(api.Release(boards=("left",)))
        (job,) = await rig.wait("partition2", SECOND)
        assert job.result is not None
        assert job.result.verified is Verified.NO
        await rig.until_logged("bank 2 is flashed from now on without proof")
        await rig.stop()
        await rig.restart()
        rig.build(SECOND_AGAIN, name="APP2.bin")
        await rig.wait("partition2", SECOND_AGAIN)
        assert await rig.partition_of("left", len(SECOND_AGAIN), address=PARTITION2) == SECOND_AGAIN
        await replaced(rig, model="classic-noread", serial="OTHER0000002")
        rig.build(SECOND, name="APP2.bin")
        await rig.until(is_blocked)
        assert (await rig.emulated("left")).erases == 0


async def test_a_bootloader_that_erases_the_wrong_bank_is_not_asked_again(root: Path) -> None:
    async with bench(root, model="usbx", bank_bug=True) as rig:
        before = await rig.flash_of("left")
        rig.build(SECOND, name="APP2.bin")
        snapshot = await rig.until(lambda s: any(job.is_settled for job in s.jobs))
        (job,) = snapshot.jobs
        assert (type(job.status), job.attempts) == (Failed, 1)
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.WRONG_BANK
        assert (await rig.emulated("left")).mode == "dfu"
        assert (await rig.flash_of("left"))[: 128 * 1024] == before[: 128 * 1024]
        await rig.stop()
        await rig.restart()
        rig.build(SECOND_AGAIN, name="APP2.bin")
        snapshot = await rig.until(lambda s: len(s.jobs) == 2 and s.jobs[-1].is_settled)
        failure = snapshot.jobs[-1].failure
        assert failure is not None
        assert failure.kind is ErrorKind.WRONG_BANK
        assert ((await rig.emulated("left")).erases, (await rig.emulated("left")).words) == (0, 0)
        assert "nothing is flashed into bank 2" in snapshot.boards[0].doubts[0]
        await rig.client.call(api.Release(boards=("left",)))
        await rig.until_logged("tried anew in bank 2")
        await rig.client.call(api.Retry(job=snapshot.jobs[-1].id))
        await rig.until(lambda s: len(s.jobs) == 3 and s.jobs[-1].is_settled)
        assert (await rig.emulated("left")).words == 1


async def lose_in_reads(rig: Rig, image: bytes, times: int = 1) -> JobResult:
    """Builds an image, and pulls the cable at one of the first reads of that many of its attempts."""
    await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=6))
    rig.build(image)
    for attempt in range(1, times + 1):
        await rig.until(lambda state, attempt=attempt: is_waiting(state, attempt))
        if attempt < times:  # detaching and opening come first, in some number of requests; then it is compared
            await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=20))
        await rig.plug("left")
    (job,) = await rig.wait(data=image)
    assert job.attempts == times + 1
    assert job.result is not None
    return job.result


async def test_a_board_that_was_lost_in_two_reads_is_not_read_until_it_is_released(root: Path) -> None:
    async with bench(root) as rig:
        for image in (ONE, TWO):
            assert "sample" in await actions(rig)
            result = await lose_in_reads(rig, image)
            assert (result.verified, result.uploads) == (Verified.NO, 0)
        await rig.until_logged("was lost in 2 reads and is not read any more")
        for _ in range(2):
            assert not {"sample", "read back"} & await actions(rig)
            await rig.stop()
            await rig.restart()
        assert "lost in 2 reads" in (await rig.client.call(api.GetStatus())).boards[0].doubts[0]
        released = await rig.client.call(api.Release(boards=("left",)))
        assert released.boards[0].doubts == ()
        await rig.until_logged("reading is tried again")
        assert "sample" in await actions(rig)


async def test_a_board_that_is_lost_to_plans_is_not_read_any_more_either(root: Path) -> None:
    async with bench(root) as rig:
        upload = await rig.client.upload("image.bin", ONE)
        for _ in range(2):
            await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=6))
            (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
            assert "gone" in plan.blocked
            await rig.plug("left")
            await rig.until(lambda s: s.boards[0].presence is Presence.DFU)
        assert "sample" not in await actions(rig)


async def test_where_reading_is_proved_a_second_loss_is_needed_to_go_without(root: Path) -> None:
    async with bench(root) as rig:
        assert (await holding_after(rig, ONE)).verified is Verified.YES
        assert (await lose_in_reads(rig, TWO)).verified is Verified.YES
        result = await lose_in_reads(rig, THREE, times=2)
        assert (result.verified, result.uploads) == (Verified.NO, 0)
        assert "compare" in await actions(rig, ONE), "of one job only"
        assert (await holding_after(rig, ONE)).verified is Verified.YES


async def holding_after(rig: Rig, image: bytes) -> Contents:
    rig.build(image)
    await rig.wait(data=image)
    return await contents(rig)


async def test_an_image_that_is_there_counts_for_the_job_that_asked_for_it(root: Path) -> None:
    async with bench(root) as rig:
        first = await by_hand(rig, ONE)
        erases = (await rig.emulated("left")).erases
        second = await by_hand(rig, ONE)
        assert (await rig.emulated("left")).erases == erases
        assert second.result is not None
        assert (type(second.status), second.result.erases, second.result.verified) == (Done, 0, Verified.YES)
        assert second.result.unchanged >= len(ONE)
        held = await contents(rig)
        assert (held.job, held.sha256, held.complete, held.verified) == (second.id, sha256(ONE), True, Verified.YES)
        assert second.id > first.id


async def erases_of(rig: Rig, image: bytes, *, status: type[JobStatus] = Done) -> int:
    """How many sectors a flash by hand erases; it must never be called verified."""
    before = (await rig.emulated("left")).erases
    job = await by_hand(rig, image)
    assert isinstance(job.status, status)
    if job.result is not None:
        assert job.result.verified is Verified.NO
    return (await rig.emulated("left")).erases - before


TRUSTING = STAYS + "trust_cache = true\n"


async def test_without_trust_all_of_an_unreadable_board_is_written(root: Path) -> None:
    async with bench(root, model="classic-noread") as rig:
        assert [await erases_of(rig, ONE) for _ in range(2)] == [ALL, ALL]


@pytest.mark.long
async def test_trust_skips_what_was_last_flashed_and_verifies_nothing(root: Path) -> None:
    changed = ONE[:-1] + bytes([ONE[-1] ^ 0xFF])
    async with bench(root, profile=TRUSTING, model="classic-noread") as rig:
        assert [await erases_of(rig, image) for image in (ONE, ONE, changed, ONE)] == [ALL, 0, 2, 2]
        assert await rig.partition_of("left", len(ONE)) == ONE
        # A sector is done again once, and an attempt that failed is made again twice.
        await rig.client.call(api.VirtualFault(board="left", fault="error-write", address=APP1, times=6))
        await erases_of(rig, TWO, status=Failed)
        assert [await erases_of(rig, image) for image in (ONE, ONE)] == [ALL, 0]
        assert await rig.partition_of("left", len(ONE)) == ONE


async def test_trust_needs_the_image_that_was_flashed(root: Path) -> None:
    async with bench(root, profile=TRUSTING, model="classic-noread") as rig:
        assert await erases_of(rig, ONE) == ALL
        (root / "state" / "spool" / sha256(ONE)).write_bytes(b"damaged")
        assert [await erases_of(rig, TWO) for _ in range(2)] == [ALL, 0]


async def test_trust_ends_where_another_board_was_seen(root: Path) -> None:
    async with bench(root, profile=TRUSTING, model="classic-noread") as rig:
        assert [await erases_of(rig, ONE) for _ in range(2)] == [ALL, 0]
        await replaced(rig, model="classic-noread", serial="OTHER0000002")
        assert (await contents(rig)).uncertain
        (outcome,) = (await rig.client.call(api.Wait(partition="app1", sha256=sha256(ONE)))).boards
        assert outcome.failure is not None
        assert outcome.failure.kind is ErrorKind.AMBIGUOUS, "nobody knows whether it is the board that was flashed"
        await replaced(rig, model="classic-noread")
        assert [await erases_of(rig, ONE) for _ in range(2)] == [ALL, 0]
        assert await rig.partition_of("left", len(ONE)) == ONE
        assert not (await contents(rig)).uncertain


@pytest.mark.long
async def test_trust_ends_where_the_image_did_not_start(root: Path) -> None:
    trusting = 'trust_cache = true\nverify = "never"\n'
    async with bench(root, profile=trusting, model="classic-template") as rig:
        for _ in range(2):
            job = await by_hand(rig, ONE)
            assert job.failure is not None
            assert job.failure.kind is ErrorKind.NOT_ACCEPTED
            assert job.result is not None
            assert job.result.erases == ALL


async def test_a_board_that_hangs_again_and_again_is_reset_and_finished(root: Path) -> None:
    async with bench(root) as rig:
        for after in (100, 102, 104):
            await rig.client.call(api.VirtualFault(board="left", fault="hang", after=after))
        rig.build(ONE)
        (job,) = await rig.wait(data=ONE)
        assert 1 < job.attempts <= 3
        await rig.until_logged("stopped answering")
        assert await rig.partition_of("left", len(ONE)) == ONE


async def test_a_board_that_hangs_in_every_attempt_is_left_to_a_person_with_a_reason(root: Path) -> None:
    async with bench(root) as rig:
        for _ in range(100):
            await rig.client.call(api.VirtualFault(board="left", fault="hang", after=1))
        rig.build(ONE)
        snapshot = await rig.until(is_blocked)
        (job,) = snapshot.jobs
        assert "stopped answering in 8 attempts in a row that came no further" in job.text
        assert "plug it in again" in status_hint(job.status)
        assert job.attempts == 8
