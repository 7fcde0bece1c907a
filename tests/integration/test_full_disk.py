"""A daemon whose images find no room on the disk: what nobody needs goes first, and then it says so, and goes on."""

from pathlib import Path

from flashdeck import api
from flashdeck.model import Snapshot
from rig import Rig, board, firmware, prepare, running, sha256

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
SIZE = 60_000
ON_A_SMALL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
from small_disk import SmallDisk
from flashdeckd.host import files

class Disk(SmallDisk):
    def write(self, fd, data, /):
        self.size = int((self.root.parent.parent / "room").read_text())
        return super().write(fd, data)

files.system = Disk(Path(sys.argv.pop(1)) / "state" / "spool", 0)
from flashdeckd.__main__ import main
main()
"""
"""The program that Python runs; the directories of the tests and of the rig stand before the daemon's options."""


def on_a_small_disk(root: Path, *, images: int) -> tuple[str, ...]:
    prepare(root, boards=LEFT, bench=board("left"))
    give_room(root, images)
    return ("-c", ON_A_SMALL_DISK, str(Path(__file__).parents[1]), str(root))


def give_room(root: Path, images: int) -> None:
    (root / "room").write_text(str(images * SIZE))


def images(root: Path) -> set[str]:
    return {path.name for path in (root / "state" / "spool").iterdir()}


async def test_every_build_is_flashed_where_only_superseded_images_fill_the_disk(root: Path) -> None:
    builds = [firmware(f"1.0.{number}", size=SIZE) for number in range(8)]
    async with running(root, daemon=on_a_small_disk(root, images=3)) as rig:
        for data in builds:
            rig.build(data)
            await rig.wait(data=data)
        assert "spool" not in parts(await rig.client.call(api.GetStatus()))
    assert images(root) == {sha256(data) for data in builds[-3:]}


async def test_a_build_that_finds_no_room_is_said_and_taken_once_there_is(root: Path) -> None:
    async with running(root, daemon=on_a_small_disk(root, images=1)) as rig:
        await flash(rig, first := firmware("1.0.0", size=SIZE))
        rig.build(second := firmware("2.0.0", size=SIZE))
        snapshot = await rig.until(lambda snapshot: "spool" in parts(snapshot))
        (trouble,) = [trouble for trouble in snapshot.daemon.troubles if trouble.part == "spool"]
        assert "No space left on device" in trouble.text
        assert "make room" in trouble.hint
        assert await rig.partition_of("left", SIZE) == first
        give_room(root, 2)
        await rig.wait(data=second)
        await rig.until(lambda snapshot: "spool" not in parts(snapshot))


async def flash(rig: Rig, data: bytes) -> None:
    rig.build(data)
    await rig.wait(data=data)


def parts(snapshot: Snapshot) -> list[str]:
    return [trouble.part for trouble in snapshot.daemon.troubles]
