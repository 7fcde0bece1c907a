"""The way of a first board as `docs/first-board-by-hand.md` tells it: suggest, fill in, adopt, build."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

from cli_run import Run
from flashdeck import api
from flashdeck.model import DeviceMode, Presence, WayIntoDfu
from rig import PARTITION2, Rig, firmware, prepare, running
from unit.scanning.trees import APP1, OBJECT_FILE, elf, raw, write

BENCH = """
[boards.one]
model = "classic"
serial = "TEST00000001"
product = "Product"
port = 1
timing = "none"
app = "0483:5740"
runtime = true
"""
BLANKS = r"^#(?=(app = |enter = |\[profiles|address|size|protected|image))"
ONE, TWO = firmware("1.0.0"), firmware("1.0.1")


async def flashdeck(rig: Rig, *words: str) -> Run:
    """The real command, as a person types it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())"),
        *words,
        env={**os.environ, "FLASHDECK_SOCKET": str(rig.socket)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Run(process.returncode or 0, out.decode(), err.decode())


async def answer(rig: Rig, *words: str) -> Any:
    run = await flashdeck(rig, *words, "--json")
    assert run.code == 0, run.err
    return run.json


async def test_from_an_empty_configuration_to_a_board_that_each_build_lands_on(root: Path) -> None:
    prepare(root, boards="", bench=BENCH)
    config = root / "config.toml"
    config.write_text("")
    async with running(root) as rig:
        suggested = await flashdeck(rig, "suggest", "--config", str(config))
        assert suggested.code == 0, suggested.err
        assert (await rig.emulated("one")).transfers == 0, "nothing is opened to suggest"
        refused = await flashdeck(rig, "adopt", "1-1")
        assert refused.code == 2
        assert "suggest" in refused.err
    adopt = re.findall(r"^#   flashdeck (adopt .*)$", suggested.out, re.MULTILINE)
    profile = re.sub(BLANKS, "", suggested.out.partition("[boards.")[0], flags=re.MULTILINE)
    config.write_text(profile.replace("~/fw/app/Debug/APP.bin", "build/APP1.bin"))

    async with running(root) as rig:
        (line,) = adopt
        adopted = await flashdeck(rig, *line.split())
        assert adopted.code == 0, adopted.err
        assert "product-1" in adopted.out
        rig.build(ONE)
        (row,) = (await answer(rig, "wait", "app", "--timeout", "60"))["boards"]
        assert (row["board"], row["is_there"], row["job"]["status"]["state"]) == ("product-1", True, "done")
        assert await rig.partition_of("one", len(ONE)) == ONE

        await rig.until(lambda snapshot: snapshot.boards[0].presence is Presence.APP)
        rig.build(TWO)  # and the board is brought into DFU mode by itself
        await answer(rig, "wait", "app", "--timeout", "60")
        assert await rig.partition_of("one", len(TWO)) == TWO

    async with running(root) as rig:  # it is known also after a restart
        snapshot = await rig.until(lambda snapshot: snapshot.boards[0].presence is Presence.DFU)
        assert [(board.name, board.adopted) for board in snapshot.boards] == [("product-1", True)]
        assert snapshot.devices == ()


async def test_what_was_suggested_works_as_it_was_printed(root: Path) -> None:
    prepare(root, boards="", bench=BENCH)
    config = root / "config.toml"
    config.write_text("")
    async with running(root) as rig:
        suggested = await flashdeck(rig, "suggest", "--config", str(config))
    config.write_text(re.sub(BLANKS, "", suggested.out, flags=re.MULTILINE).replace("~/fw/app/Debug", "build"))
    async with running(root) as rig:
        await rig.until(lambda snapshot: snapshot.boards[0].presence is Presence.DFU)
        rig.build(ONE, name="APP.bin")
        (row,) = (await answer(rig, "wait", "app", "--timeout", "60"))["boards"]
        assert row["job"]["status"]["state"] == "done"
        left = await flashdeck(rig, "suggest", "--config", str(config))
        assert left.out.startswith("# Nothing to suggest")


async def test_the_machine_knows_the_chip_the_map_and_the_builds(root: Path) -> None:
    """The chip by the map, both partitions by where the builds are linked; pasted, read again, flashed."""
    prepare(root, boards="", bench=BENCH)
    config = root / "config.toml"
    config.write_text("")
    fw = root / "fw"
    write(
        fw,
        {
            "APP1/.cproject": "",
            "APP1/Debug/APP1.elf": elf("1.0.0", APP1),
            "APP1/Debug/APP1.bin": raw("1.0.0", APP1),
            "APP2/.cproject": "",
            "APP2/Debug/APP2.elf": elf("2.0.0", PARTITION2),
            "APP2/Debug/main.o": OBJECT_FILE,
        },
    )
    async with running(root) as rig:
        suggested = await flashdeck(rig, "suggest", str(fw), "--config", str(config))
        assert suggested.code == 0, suggested.err
        assert (await rig.emulated("one")).transfers == 0, "nothing is opened to suggest"
        lines = suggested.out.splitlines()
        assert len(lines) <= 24
        # The one thing that a device in DFU mode does not show is what it is called while it runs.
        config.write_text(re.sub(r"^#(?=(app|enter) = )", "", suggested.out, flags=re.MULTILINE))
        await answer(rig, "config", "reload")
        await rig.until(lambda snapshot: [board.presence for board in snapshot.boards] == [Presence.DFU])
        for partition in ("app1", "app2"):
            done = await flashdeck(rig, "flash", partition, "--json")
            assert done.code == 0, done.err
        assert await rig.partition_of("one", 4096) == raw("1.0.0", APP1)
        assert await rig.partition_of("one", 4096, address=PARTITION2) == raw("2.0.0", PARTITION2)


async def test_what_is_known_of_a_device_in_either_mode(root: Path) -> None:
    """The kernel knows the map of a device in DFU mode; a running one is listed apart, with its ways into that mode."""
    (root / "APP1.bin").write_bytes(ONE)
    contents = 'contents = [{ address = 0x08020000, file = "APP1.bin" }]\n'
    prepare(root, boards="", bench=BENCH + contents)
    (root / "config.toml").write_text("")
    async with running(root) as rig:
        listed = await rig.client.call(api.GetBoards())
        assert listed.devices == ()
        (device,) = listed.running
        assert (device.usb_id, device.mode) == ("0483:5740", DeviceMode.RUNNING)
        assert device.ways_into_dfu == (WayIntoDfu.DETACH, WayIntoDfu.TOUCH)
        assert device.alternates == ()
        await rig.press("one")
        snapshot = await rig.until(lambda snapshot: len(snapshot.devices) == 1)
        (device,) = snapshot.devices
        assert device.mode is DeviceMode.DFU
        assert device.alternates == (0,)
        assert device.setting_names == ("@Internal Flash   /0x08000000/16*8Ka,112*8Kg",)
        assert (await rig.client.call(api.GetBoards())).running == ()
