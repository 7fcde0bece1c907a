"""The first board on a real USB, as `docs/first-board-by-hand.md` tells it: suggest, adopt, restart, build, wait."""

import sys
from pathlib import Path

from flashdeck.model import Presence
from rig import firmware
from vm.desk import board, desk, ran

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")


async def test_an_adopted_board_is_known_after_a_restart_and_brought_into_dfu_mode(root: Path) -> None:
    async with desk(root, board("left", 17), boards="") as it:
        it.bench.plug("left")
        port = it.cables.port("left").name
        await it.rig.until(lambda now: [device.port for device in now.devices] == [port])
        suggested = await it.cli("suggest")
        assert suggested.code == 0, suggested
        assert f"adopt {port}" in suggested.out
        assert it.bench.list()[0].requests == 0, "nothing is opened to suggest"
        adopted = await it.cli("adopt", port, "--profile", "product", "--name", "left")
        assert adopted.code == 0, adopted
        await it.rig.stop()
        await it.rig.restart(virtual=False)
        await it.until_present(Presence.DFU, "left")
        await it.flashed(ONE, "left")
        await it.until_present(Presence.APP, "left")
        await it.flashed(TWO, "left")


async def test_the_map_that_the_kernel_has_read_is_known_without_opening_the_board(root: Path) -> None:
    async with desk(root, board("left", 18), boards="") as it:
        it.bench.plug("left")
        port, shown = it.cables.port("left").name, it.bench.boards["left"].spec.memory_map
        # The directory of the interface comes after that of the device, and so does the name in it.
        now = await it.rig.until(lambda now: any(device.setting_names for device in now.devices))
        assert [(device.port, device.setting_names) for device in now.devices] == [(port, (shown,))]
        scanned = await ran(sys.executable, "-m", "flashdeckd", "scan")
        assert scanned.code == 0, scanned
        assert [(each["port"], each["setting_names"]) for each in scanned.json["devices"]] == [(port, [shown])]
        suggested = await it.cli("suggest")
        assert 'profile = "product"' in suggested.out, suggested
        config = root / "config.toml"  # without a profile for it, its chip is told from the map
        config.write_text(config.read_text().replace("0483:df11", "1209:db42"))
        assert (await it.cli("config", "reload")).code == 0
        suggested = await it.cli("suggest")
        assert 'flash = "STM32H563xG"' in suggested.out, suggested
        assert it.bench.list()[0].requests == 0
