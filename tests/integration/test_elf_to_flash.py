"""A partition whose image is an .elf file: its .bin is what the board gets, and what it is known by."""

from pathlib import Path

from flashdeck import api
from flashdeck.model import Disposition, JobStatus
from rig import Rig, firmware, sha256

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
    assert [(job.sha256, job.size, job.status) for job in await rig.jobs()] == [
        (sha256(image), len(image), JobStatus.DONE)
    ]
    assert await rig.partition_of("left", len(image)) == image
    artifacts = {each.partition: each for each in (await rig.client.call(api.GetStatus())).artifacts}
    assert artifacts["app1"].sha256 == sha256(image)
    assert "where app1 is" in artifacts["partition2"].reason
    rig.build(firmware("2.0.0"), name="APP1.elf")  # a raw binary under that name belongs nowhere
    snapshot = await rig.until(lambda s: all(a.disposition is Disposition.REFUSED for a in s.artifacts))
    assert len(snapshot.jobs) == 1
