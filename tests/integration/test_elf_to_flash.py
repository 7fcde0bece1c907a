"""Files that say where they belong: their .bin is what the board gets, and what they are known by."""

import io
import struct
import zlib
from pathlib import Path, PurePath

import pytest
from intelhex import IntelHex

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Done
from flashdeck.model import Disposition
from rig import APP1, Rig, firmware, sha256

PREBUILT = Path(__file__).resolve().parents[2] / "config/demo/firmware/prebuilt"


async def test_an_elf_file_is_flashed_as_its_bin_and_known_by_it(rig: Rig) -> None:
    config = rig.root / "config.toml"
    config.write_text(config.read_text().replace("APP1.bin", "APP1.elf").replace("APP2.bin", "APP2.elf"))
    await rig.stop()
    await rig.restart()
    image = (PREBUILT / "APP1.bin").read_bytes()
    rig.build((PREBUILT / "APP1.elf").read_bytes(), name="APP2.elf")  # for the other partition
    await rig.until(lambda s: any(a.disposition is Disposition.REFUSED for a in s.artifacts))
    rig.build((PREBUILT / "APP1.elf").read_bytes(), name="APP1.elf")
    await rig.wait(data=image)
    assert [(job.sha256, job.size, type(job.status)) for job in await rig.jobs()] == [(sha256(image), len(image), Done)]
    assert await rig.partition_of("left", len(image)) == image
    artifacts = {each.partition: each for each in (await rig.client.call(api.GetStatus())).artifacts}
    assert artifacts["app1"].sha256 == sha256(image)
    assert "nothing for partition2" in artifacts["partition2"].reason
    assert "partition app1" in artifacts["partition2"].reason
    rig.build(firmware("2.0.0"), name="APP1.elf")  # a raw binary under that name belongs nowhere
    snapshot = await rig.until(lambda s: all(a.disposition is Disposition.REFUSED for a in s.artifacts))
    assert len(snapshot.jobs) == 1


@pytest.mark.parametrize("name", ["APP1.elf", "APP1.hex", "APP1.dfu", "APP1.bin"])
async def test_a_file_of_every_format_can_be_flashed_and_waited_for_by_hand(rig: Rig, name: str) -> None:
    image = (PREBUILT / "APP1.bin").read_bytes()
    upload = await rig.client.upload(name, as_file(name, image), partition="app1")
    assert (upload.sha256, upload.size) == (sha256(image), len(image))
    (job,) = (await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))).jobs
    assert [each.id for each in await rig.wait(data=image)] == [job.id]
    assert await rig.partition_of("left", len(image)) == image


async def test_what_a_build_pads_has_all_that_the_program_has_and_not_the_other_way_round(rig: Rig) -> None:
    image = (PREBUILT / "APP1.bin").read_bytes()
    await padded_build(rig, image)
    whole = await rig.client.upload("APP1.elf", (PREBUILT / "APP1.elf").read_bytes(), partition="app1")
    await rig.waited(api.Wait(partition="app1", sha256=whole.sha256))
    longer = await rig.client.upload("APP1.bin", image + b"\xff" * 100_000, partition="app1")
    with pytest.raises(RemoteError, match="nothing queued will flash this file to app1") as caught:
        await rig.waited(api.Wait(partition="app1", sha256=longer.sha256))
    assert caught.value.kind is ErrorKind.NO_TARGET
    assert "pads" in caught.value.hint


async def padded_build(rig: Rig, image: bytes) -> None:
    padded = image + b"\xff" * 50_000
    rig.build(padded)
    await rig.until(lambda s: bool(s.artifacts))
    upload = await rig.client.upload("APP1.bin", padded, partition="app1")
    await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))
    await rig.wait(data=padded)
    assert await rig.partition_of("left", len(padded)) == padded


async def test_a_file_for_another_partition_is_refused_before_there_is_a_job(rig: Rig) -> None:
    data = (PREBUILT / "APP1.elf").read_bytes()
    with pytest.raises(RemoteError, match=r"^APP1\.elf has nothing for partition2 .*\(partition app1\)") as caught:
        await rig.client.upload("APP1.elf", data, partition="partition2")
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    with pytest.raises(RemoteError, match="protected"):
        await rig.client.upload("APP1.elf", data, partition="bootloader")
    with pytest.raises(RemoteError, match="no board has a partition 'app9'"):
        await rig.client.upload("APP1.elf", data, partition="app9")
    assert not await rig.jobs()


def as_file(name: str, image: bytes) -> bytes:
    """The image in the format of the name's suffix."""
    match PurePath(name).suffix:
        case ".elf":
            return (PREBUILT / "APP1.elf").read_bytes()
        case ".hex":
            text = io.StringIO()
            hexed = IntelHex()
            hexed.frombytes(image, offset=APP1)
            hexed.write_hex_file(text)
            return text.getvalue().encode()
        case ".dfu":
            body = image + struct.pack("<HHHH3sB", 0xFFFF, 0xDF11, 0x0483, 0x0100, b"UFD", 16)
            return body + struct.pack("<I", zlib.crc32(body) ^ 0xFFFFFFFF)
        case _:
            return image


async def test_a_file_that_fits_one_of_two_profiles_is_refused_with_the_boards_that_it_is_not_for(rig: Rig) -> None:
    config = rig.root / "config.toml"
    config.write_text(config.read_text() + OTHER_PRODUCT)
    await rig.stop()
    await rig.restart()
    data = (PREBUILT / "APP1.elf").read_bytes()
    with pytest.raises(RemoteError, match=r"^not for right: APP1\.elf has nothing for app1") as caught:
        await rig.client.upload("APP1.elf", data, partition="app1")
    assert "--board" in caught.value.hint
    left = await rig.client.upload("APP1.elf", data, partition="app1", boards=("left",))
    assert left.sha256 == sha256((PREBUILT / "APP1.bin").read_bytes())
    raw = await rig.client.upload("APP1.bin", b"the same for both", partition="app1")
    assert raw.sha256 == sha256(b"the same for both")


async def test_a_stack_pointer_that_sample_bootloaders_reject_is_warned_of_everywhere(rig: Rig) -> None:
    upload = await rig.client.upload("a.bin", firmware("1.0.0", stack=0x200A0000), partition="app1")
    (plan,) = (await rig.client.call(api.Plan(partition="app1", sha256=upload.sha256))).plans
    reply = await rig.client.call(api.Flash(partition="app1", sha256=upload.sha256))
    (warning,) = reply.notes
    assert "0x200a0000" in warning
    assert "ST's sample bootloader for the STM32H563" in warning
    assert warning in plan.notes
    await rig.until_logged(warning)
    good = await rig.client.upload("b.bin", firmware("1.0.1"), partition="app1")
    assert not (await rig.client.call(api.Flash(partition="app1", sha256=good.sha256))).notes


OTHER_PRODUCT = """
[profiles.other]
dfu = "0483:df11"
flash = "STM32H563RG"
[profiles.other.partitions.app1]
address = 0x08040000
size = "256K"
[boards.right]
profile = "other"
serial = "TEST00000002"
"""
