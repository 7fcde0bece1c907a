"""The files in tests/data/cases as a build's output, by `flash`, `plan` and `wait --for`: one answer in every way."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import Done
from flashdeck.model import Disposition
from image_writers import hexed
from rig import Rig, board, firmware, prepare, running

CASES = Path(__file__).resolve().parents[1] / "data/cases"
LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'

REFUSED = {
    "c01-option-bytes.hex": "option bytes",
    "c02-external-ram.hex": "external memory",
    "c13-two-suffixes.bin": "two DFU suffixes",
    "c14-unsigned-slot.bin": "before signing",
    "c14-unsigned-slot.hex": "before signing",
    "c15-runs-from-ram.bin": "runs from RAM",
    "c17-trustzone-secure.bin": "secure alias",
    "c17-trustzone-secure.hex": "secure alias",
    "c23-two-files-joined.hex": "two files in one",
    "c24-boot-and-app.hex": "partition bootloader",
    "c25-two-targets-flash-and-option.dfu": "option bytes",
    "c29-app.uf2": "UF2",
    "c33-own-header.bin": "vector table",
    "c16-riscv.bin": "",
    "c20b-overlap-differ.hex": "two contents",
    "c21-segment-records.hex": "0x00000800",
    "c30-padded-past-end.bin": "8192",
}
"""What is said of files that are refused; all others are taken."""
FILES = {path.name: path for path in sorted(CASES.rglob("*.*")) if path.suffix != ".md"}


def config(root: Path, **keys: str) -> None:
    """One board that stays in DFU mode, its app1 fed by whatever is newest in `build`, with these keys."""
    prepare(root, boards=LEFT, bench=board("left", start="dfu"), profile='banks = "trusted"\nleave = false\n')
    lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
    file = root / "config.toml"
    file.write_text(
        file.read_text()
        .replace('image = "build/APP1.bin"\n', f'image = "build/*"\n{lines}')
        .replace('image = "build/APP2.bin"\n', "")
    )


def build(rig: Rig, name: str) -> None:
    """The file is what the build wrote last."""
    for older in (rig.root / "build").glob("*"):
        older.unlink()
    rig.build(FILES[name].read_bytes(), name=name)


async def said_of(rig: Rig, name: str, data: bytes) -> str:
    """Why a file is not taken by hand; "" where it is. It is planned, flashed and waited for."""
    try:
        upload = await rig.client.upload(name, data, partition="app1")
        await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))
        (job,) = (await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
    except FlashdeckError as error:
        return error.advice
    await rig.waited(api.Wait(partition="app1", sha256=upload.sha256, timeout=60))
    (job,) = (await rig.client.call(api.GetJobs(ids=(job.id,)))).jobs
    assert isinstance(job.status, Done)
    return ""


async def said_to_who_waits(rig: Rig) -> str:
    try:
        await rig.waited(api.Wait(partition="app1", timeout=60))
    except FlashdeckError as error:
        return error.advice
    return ""


async def test_each_case_gets_one_answer_in_every_way(root: Path) -> None:
    config(root)
    (root / "build").mkdir()
    async with running(root) as rig:
        for name, path in FILES.items():
            by_hand = await said_of(rig, name, path.read_bytes())
            build(rig, name)
            waited = await said_to_who_waits(rig)
            snapshot = await rig.client.call(api.GetStatus())
            (artifact,) = snapshot.artifacts
            is_refused = name in REFUSED
            assert bool(by_hand) is is_refused, (name, by_hand)
            assert (artifact.disposition is Disposition.REFUSED) is is_refused, (name, artifact)
            assert REFUSED.get(name, "") in by_hand, (name, by_hand)
            assert by_hand == artifact.reason * is_refused == waited, name
            (app1,) = (p for p in snapshot.boards[0].partitions if p.name == "app1")
            assert bool(app1.trouble) is is_refused, name


@pytest.mark.parametrize(
    "name", ["c01-option-bytes.hex", "c24-boot-and-app.hex", "c25-two-targets-flash-and-option.dfu"]
)
async def test_the_partitions_own_part_is_flashed_and_what_is_left_out_is_named(root: Path, name: str) -> None:
    config(root, outside='"leave-out"')
    (root / "build").mkdir()
    async with running(root) as rig:
        before = await rig.flash_of("left")
        build(rig, name)
        await rig.waited(api.Wait(partition="app1", timeout=60))
        good = FILES["good.bin"].read_bytes()
        assert await rig.partition_of("left", len(good)) == good
        assert (await rig.flash_of("left"))[:0x20000] == before[:0x20000]
        (plan,) = (await rig.client.call(api.Plan(partition="app1"))).plans
        assert any("left out" in note for note in plan.notes)
        await rig.until_logged("left out")


async def test_a_merged_file_feeds_several_partitions_each_with_its_part(root: Path) -> None:
    """A file with nothing for one of them is that partition's trouble, and costs the other nothing."""
    config(root, outside='"leave-out"')
    file = root / "config.toml"
    file.write_text(
        file.read_text().replace(
            "[profiles.product.partitions.partition2]\n",
            '[profiles.product.partitions.partition2]\nimage = "build/*"\noutside = "leave-out"\n',
        )
    )
    (root / "build").mkdir()
    one, two = firmware("1.0.0"), firmware("2.0.0", base=0x08080000)
    async with running(root) as rig:
        rig.build(hexed([(0x08020000, one), (0x08080000, two)]), name="merged.hex")
        await rig.wait("app1")
        await rig.wait("partition2")
        assert await rig.partition_of("left", len(one)) == one
        assert await rig.partition_of("left", len(two), address=0x08080000) == two
        rig.build(hexed([(0x08020000, firmware("1.0.1"))]), name="merged.hex")
        await rig.wait("app1")
        snapshot = await rig.until(lambda s: any(p.trouble for p in s.boards[0].partitions))
        assert [p.name for p in snapshot.boards[0].partitions if p.trouble] == ["partition2"]
        assert [type(job.status) for job in await rig.jobs()] == [Done] * 3
