"""A file without a partition on a real daemon: true bytes, and never a second board by accident."""

import asyncio
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError
from image_writers import hexed
from rig import APP1, PARTITION2, Rig, board, firmware, prepare, running

ONE = firmware("1.0.0")
TWO = firmware("2.0.0", base=PARTITION2)
FLASHDECK = str(Path(sys.executable).with_name("flashdeck"))
PAIR = '[boards.left]\nprofile = "product"\nport = "1-1"\n[boards.right]\nprofile = "product"\nport = "1-2"\n'


async def run(rig: Rig, *words: str) -> tuple[int | None, str]:
    """Exit code and stderr of the command line."""
    process = await asyncio.create_subprocess_exec(
        *(FLASHDECK, "--socket", str(rig.socket), *words),
        cwd=rig.root,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_on_one_board_each_file_goes_where_it_belongs(rig: Rig) -> None:
    rig.build(ONE, name="one.bin")
    (rig.root / "two.hex").write_bytes(hexed([(PARTITION2, TWO)]))
    assert (await run(rig, "flash", "build/one.bin"))[0] == 0
    assert (await run(rig, "flash", "two.hex"))[0] == 0
    assert await rig.partition_of("left", len(ONE)) == ONE
    assert await rig.partition_of("left", len(TWO), address=PARTITION2) == TWO
    assert (await run(rig, "wait", "--for", "two.hex"))[0] == 0


async def test_on_two_boards_it_reaches_none_unless_they_are_named(root: Path) -> None:
    bench = board("left", 1, serial="A") + board("right", 2, serial="B")
    prepare(root, boards=PAIR, bench=bench)
    async with running(root) as rig:
        rig.build(ONE, name="one.bin")
        code, said = await run(rig, "flash", "build/one.bin")
        assert (code, await rig.jobs()) == (7, [])
        assert "app1 of left, app1 of right" in said
        assert (await run(rig, "flash", "build/one.bin", "--board", "right"))[0] == 0
        assert await rig.partition_of("right", len(ONE)) == ONE
        assert await rig.partition_of("left", len(ONE)) == b"\xff" * len(ONE)
        with pytest.raises(FlashdeckError) as caught:
            await rig.client.place("one.bin", ONE, boards=("right", "nobody"))
        assert caught.value.kind is ErrorKind.NO_SUCH_BOARD
        both = (await rig.client.place("one.bin", ONE, boards=("*",))).images
        assert [(image.board, image.partition) for image in both] == [("left", "app1"), ("right", "app1")]


async def test_nothing_is_queued_where_a_guard_refuses_one_part(root: Path) -> None:
    bench = board("left")
    prepare(root, boards='[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n', bench=bench)
    config = (root / "config.toml").read_text()
    config = config.replace('size = "384K"\n', 'size = "384K"\noutside = "leave-out"\n')
    (root / "config.toml").write_text(config)
    async with running(root) as rig:
        elsewhere = firmware("2.0.1", base=APP1)  # in partition2, but linked for app1
        (rig.root / "merged.hex").write_bytes(hexed([(APP1, ONE), (PARTITION2, elsewhere)]))
        code, said = await run(rig, "flash", "merged.hex")
        assert (code, await rig.jobs()) == (9, []), said
        (rig.root / "merged.hex").write_bytes(hexed([(APP1, ONE), (PARTITION2, TWO)]))
        assert (await run(rig, "flash", "merged.hex"))[0] == 0
        assert await rig.partition_of("left", len(ONE)) == ONE
        assert await rig.partition_of("left", len(TWO), address=PARTITION2) == TWO
