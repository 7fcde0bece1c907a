"""Images with gaps: what lies between their pieces stays, and files that define the same bytes are one image."""

import random
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError, RemoteError
from flashdeck.job_state import Done
from flashdeck.model import PartitionState
from image_writers import WRITERS, Pieces, binary, elf, hexed
from rig import APP1, Rig, board, firmware, prepare, running

SECTOR = 8192
PIECES: Pieces = ((APP1, firmware("1.0.0", size=3000)), (APP1 + 5 * SECTOR + 100, b"second piece" * 20))
FILES = {name.rpartition(".")[2]: write(PIECES) for name, write in WRITERS.items()}
FILLED = {"00": binary(PIECES, fill=0x00), "ff": binary(PIECES, fill=0xFF)}
USED = random.Random(7).randbytes(384 * 1024)  # noqa: S311 -- contents, nothing secret

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'


async def taken(rig: Rig, name: str, data: bytes, partition: str = "app1") -> str:
    return (await rig.client.upload(name, data, partition=partition)).sha256


async def flash(rig: Rig, sha256: str, partition: str = "app1") -> None:
    (job,) = (await rig.client.call(api.Flash(partition=partition, sha256=sha256))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert isinstance(job.status, Done), job


async def wait(rig: Rig, sha256: str) -> int:
    return len(await rig.waited(api.Wait(partition="app1", sha256=sha256, timeout=60)))


async def app1(rig: Rig) -> PartitionState:
    snapshot = await rig.client.call(api.GetStatus())
    return next(p for p in snapshot.boards[0].partitions if p.name == "app1")


def used_board(root: Path) -> None:
    """A board whose partition is full of something."""
    (root / "used.bin").write_bytes(USED)
    contents = f'contents = [{{ address = 0x08020000, file = "{root / "used.bin"}" }}]\n'
    prepare(root, boards=LEFT, bench=board("left") + contents, profile='banks = "trusted"\n')


@pytest.mark.parametrize("ending", FILES)
async def test_what_lies_between_the_pieces_is_as_before(root: Path, ending: str) -> None:
    used_board(root)
    async with running(root) as rig:
        await flash(rig, await taken(rig, f"app.{ending}", FILES[ending]))
        flash_now = await rig.partition_of("left", len(USED))
        assert flash_now[: len(PIECES[0][1])] == PIECES[0][1]
        assert flash_now[SECTOR : 5 * SECTOR] == USED[SECTOR : 5 * SECTOR]
        assert flash_now[6 * SECTOR :] == USED[6 * SECTOR :]
        second = flash_now[5 * SECTOR : 6 * SECTOR]
        assert second == (b"\xff" * 100 + PIECES[1][1]).ljust(SECTOR, b"\xff")
        assert (await rig.emulated("left")).erases == 2


async def test_the_plan_says_what_a_piece_costs_beside_it(root: Path) -> None:
    used_board(root)
    async with running(root) as rig:
        image = await taken(rig, "app.hex", FILES["hex"])
        (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=image))).plans
        assert plan.erases == 2
        assert plan.erased_beside == 2 * SECTOR - sum(len(data) for _, data in PIECES)
        assert any(f"{plan.erased_beside} " in note for note in plan.notes)


async def test_files_of_one_build_are_one_image(rig: Rig) -> None:
    names = {await taken(rig, f"app.{ending}", data) for ending, data in FILES.items()}
    assert len(names) == 1


@pytest.mark.parametrize("first", FILES)
async def test_whichever_file_was_flashed_the_others_are_there(rig: Rig, first: str) -> None:
    await flash(rig, await taken(rig, f"app.{first}", FILES[first]))
    for second, data in FILES.items():
        await wait(rig, await taken(rig, f"app.{second}", data))
        rig.build(data, name="APP1.bin")  # the build writes another format than was flashed by hand
        await wait(rig, "")
        assert len(await rig.jobs()) == 1
        assert (await app1(rig)).current


@pytest.mark.parametrize("fill", FILLED)
async def test_a_binary_with_its_gaps_filled_has_the_pieces_too(rig: Rig, fill: str) -> None:
    await flash(rig, await taken(rig, "app.bin", FILLED[fill]))
    await wait(rig, await taken(rig, "app.elf", FILES["elf"]))
    rig.build(FILES["hex"], name="APP1.bin")
    await wait(rig, "")
    assert len(await rig.jobs()) == 1


async def test_after_the_pieces_a_filled_binary_is_another_image(rig: Rig) -> None:
    await flash(rig, await taken(rig, "app.elf", FILES["elf"]))
    with pytest.raises(RemoteError) as caught:
        await wait(rig, await taken(rig, "app.bin", FILLED["00"]))
    assert caught.value.kind is ErrorKind.NO_TARGET
    rig.build(FILLED["00"])
    await wait(rig, "")
    assert [type(job.status) for job in await rig.jobs()] == [Done] * 2


async def test_a_gap_that_was_erased_counts_as_filled_with_0xff(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left"), profile='banks = "trusted"\n')
    close: Pieces = ((APP1, firmware("1.0.0", size=3000)), (APP1 + 3500, b"in the same sector"))
    async with running(root) as rig:
        await flash(rig, await taken(rig, "app.elf", elf(close)))
        await wait(rig, await taken(rig, "app.bin", binary(close, fill=0xFF)))
        with pytest.raises(RemoteError):
            await wait(rig, await taken(rig, "app.bin", binary(close, fill=0x00)))


async def test_contents_are_known_after_a_restart(rig: Rig) -> None:
    image = await taken(rig, "app.elf", FILES["elf"])
    await flash(rig, image)
    await rig.stop()
    await rig.restart()
    await wait(rig, await taken(rig, "app.srec", FILES["srec"]))
    assert len(await rig.jobs()) == 1


NO_GUARDS = 'guards = ["fits"]\n'


def with_guards_off(root: Path, keys: str = NO_GUARDS) -> None:
    config = root / "config.toml"
    config.write_text(config.read_text().replace('image = "build/APP1.bin"\n', f'image = "build/APP1.bin"\n{keys}'))


@pytest.fixture
async def bare(root: Path) -> object:
    prepare(root, boards=LEFT, bench=board("left"))
    with_guards_off(root)
    async with running(root) as rig:
        yield rig


PATCH: Pieces = ((APP1 + 20 * SECTOR, b"a table"),)


async def test_a_patch_is_laid_over_the_program_and_listed_with_it(bare: Rig) -> None:
    program = await taken(bare, "app.bin", firmware("1.0.0"))
    await flash(bare, program)
    patch = await taken(bare, "patch.hex", hexed(PATCH))
    await flash(bare, patch)
    partition = await app1(bare)
    assert partition.contents is not None
    assert partition.contents.version == "flashdeck-test 1.0.0"
    assert [each.sha256 for each in partition.contents.patches] == [patch]
    assert await wait(bare, program) == 1
    assert await wait(bare, patch) == 1


async def test_a_program_by_hand_queues_the_newest_builds_patch_again_behind_it(bare: Rig) -> None:
    await flash(bare, await taken(bare, "app.bin", firmware("1.0.0", size=200_000)))
    bare.build(hexed(PATCH))
    await wait(bare, "")
    other = await taken(bare, "other.bin", firmware("1.0.1", size=200_000))
    (job,) = (await bare.client.call(api.Flash(partition="app1", sha256=other))).jobs
    await bare.until(lambda s: len(s.jobs) == 4 and all(job.is_settled for job in s.jobs))
    jobs = await bare.jobs()
    assert [(each.id, each.patch, type(each.status)) for each in jobs] == [
        (1, False, Done),
        (2, True, Done),
        (job.id, False, Done),
        (4, True, Done),
    ]
    assert await bare.partition_of("left", len(PATCH[0][1]), address=PATCH[0][0]) == PATCH[0][1]


async def test_a_rollback_takes_the_program_back_and_leaves_the_newest_builds_patch_offered(bare: Rig) -> None:
    first = await taken(bare, "app.bin", firmware("1.0.0", size=200_000))
    await flash(bare, first)
    await flash(bare, await taken(bare, "other.bin", firmware("1.0.1", size=200_000)))
    bare.build(hexed(PATCH))
    await wait(bare, "")
    reply = await bare.client.call(api.Rollback(partition="app1"))
    (job,) = (await bare.client.call(api.WaitJobs(ids=(reply.jobs[0].id,), timeout=60))).jobs
    assert (job.sha256, type(job.status)) == (first, Done)
    assert "1 patch over it goes with it" in reply.notes[0]
    assert len(await bare.jobs()) == 4
    partition = await app1(bare)
    assert partition.contents is not None
    assert (partition.contents.sha256, partition.contents.patches) == (first, ())
    newest = (await bare.client.call(api.GetStatus())).artifacts[0]
    assert partition.offered == newest.sha256


async def test_a_program_that_leaves_the_patch_alone_queues_none(bare: Rig) -> None:
    await flash(bare, await taken(bare, "app.bin", firmware("1.0.0")))
    bare.build(hexed(PATCH))
    await wait(bare, "")
    await flash(bare, await taken(bare, "other.bin", firmware("1.0.1")))
    await wait(bare, "")  # it is still there
    assert len(await bare.jobs()) == 3


async def test_data_may_be_blank_and_begin_anywhere_and_replaces_the_last(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left"), profile="leave = false\n")
    with_guards_off(root, 'holds = "data"\n')
    async with running(root) as rig:
        blank = await taken(rig, "blank.bin", b"\xff" * 20_000)
        await flash(rig, blank)
        later = await taken(rig, "later.hex", hexed(PATCH))
        await flash(rig, later)
        partition = await app1(rig)
        assert partition.contents is not None
        assert (partition.contents.sha256, partition.contents.patches) == (later, ())
        assert not any(job.patch for job in await rig.jobs())
        assert all("data" in job.result.protection for job in await rig.jobs() if job.result is not None)
        (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=later))).plans
        assert plan.protection.startswith("data")


async def test_a_file_that_can_not_be_taken_is_part_of_the_partitions_state(rig: Rig) -> None:
    async def refusal() -> FlashdeckError:
        with pytest.raises(FlashdeckError) as caught:
            await wait(rig, "")
        return caught.value

    rig.image.mkdir(parents=True)
    state = await rig.until(lambda s: any(p.trouble for p in s.boards[0].partitions))
    assert "directory" in state.boards[0].partitions[1].trouble
    assert "directory" in (await refusal()).message
    rig.image.rmdir()
    rig.build(firmware("1.0.0", base=0x08080000))  # linked for another partition
    await rig.until(lambda s: "partition2" in s.boards[0].partitions[1].trouble)
    assert (await refusal()).kind is ErrorKind.GUARD
    rig.build(firmware("1.0.0"))
    await wait(rig, "")
    assert (await app1(rig)).trouble == ""


async def test_a_file_that_goes_again_is_no_trouble(rig: Rig) -> None:
    rig.image.mkdir(parents=True)
    await rig.until(lambda s: any(p.trouble for p in s.boards[0].partitions))
    rig.image.rmdir()
    await rig.until(lambda s: not any(p.trouble for p in s.boards[0].partitions))


async def test_after_data_a_rom_starts_the_program_and_not_the_data(root: Path) -> None:
    rom = board("left", model="rom", map="@Internal Flash   /0x08000000/128*8Kg", start="dfu")
    prepare(root, boards=LEFT, bench=rom, profile='banks = "trusted"\n')
    config = root / "config.toml"
    data = config.read_text().replace('image = "build/APP2.bin"\n', 'holds = "data"\n')
    protected = '[profiles.product.partitions.bootloader]\naddress = 0x08000000\nsize = "128K"\nprotected = true\n'
    config.write_text(data.replace(protected, ""))
    async with running(root) as rig:
        await flash(rig, await taken(rig, "app.bin", firmware("1.0.0")))
        upload = await rig.client.upload("data.bin", b"a table of data", partition="partition2")
        await flash(rig, upload.sha256, "partition2")
        assert await rig.partition_of("left", 15, address=0x08080000) == b"a table of data"
        assert all(job.result is not None and job.result.started for job in await rig.jobs())
