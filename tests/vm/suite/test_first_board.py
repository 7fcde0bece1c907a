"""The first board on a real USB, as `docs/first-board.md` tells it: suggest, adopt, restart, build, wait."""

from pathlib import Path

from flashdeck.model import Presence
from rig import firmware
from vm.desk import board, desk

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
