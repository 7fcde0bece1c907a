"""What the daemon sees of boards that come and go, by the events of a real udev."""

from pathlib import Path

from flashdeck.job_state import WaitFor
from flashdeck.model import Presence
from job_states import waits_for
from rig import firmware
from vm.desk import board, configured, desk, of, ran


async def test_a_board_is_seen_when_it_is_plugged_in_and_missed_when_it_is_pulled_out(root: Path) -> None:
    async with desk(root, board("left", 17, serial="ODD Serial/17")) as it:
        assert of(await it.rig.until(lambda _: True), "left").presence is Presence.ABSENT
        await it.plug("left")
        port = it.cables.port("left")
        now = await it.rig.until(lambda _: True)
        assert now.daemon.degraded == ()
        assert (of(now, "left").port, of(now, "left").serial) == (port.name, "ODD Serial/17")
        told = await ran("udevadm", "info", "--query=property", f"--path={port.device}")
        assert f"ID_PATH={port.path}\n" in told.out
        run = await it.cli("status", "--json")
        assert run.json["boards"][0]["presence"] == "dfu"
        it.bench.unplug("left")
        await it.until_present(Presence.ABSENT, "left")


async def test_sixty_boards_plugged_in_at_once_are_all_listed_and_none_is_touched(root: Path) -> None:
    crowd = [board(f"board{number}", number) for number in range(1, 61)]
    mine = board("left", 61)
    async with desk(root, mine, *crowd, boards=configured(mine)) as it:
        for spec in crowd:
            it.bench.plug(spec.name)
        now = await it.rig.until(lambda now: len(now.devices) == len(crowd))
        assert {device.serial for device in now.devices} == {spec.serial for spec in crowd}
        assert {device.port for device in now.devices} == {it.cables.port(spec.name).name for spec in crowd}
        await it.plug("left")
        await it.flashed(firmware("1.0.0", size=8_000), "left")
        for spec in crowd:
            it.bench.unplug(spec.name)
        await it.rig.until(lambda now: not now.devices)
        assert {state.requests for state in it.bench.list() if state.name != "left"} == {0}


async def test_boards_with_the_same_serial_are_told_apart_by_their_ports(root: Path) -> None:
    left, twin, other = board("left", 1, serial="TWIN"), board("twin", 2, serial="TWIN"), board("other", 16)
    async with desk(root, left, twin, other, boards=configured(left, twin, other, by_port=True)) as it:
        await it.plug("left", "twin", "other")
        image = root / "hand.bin"
        image.write_bytes(firmware("1.0.0"))
        run = await it.cli("flash", "app1", str(image), "--board", "twin", "--json")
        assert run.code == 0, run
        assert it.app1_of("twin", 20_000) == image.read_bytes()
        assert {state.requests for state in it.bench.list() if state.name != "twin"} == {0}
        it.bench.press("twin")
        await it.flashed(firmware("1.0.1"), "left", "twin", "other")


async def test_two_boards_with_one_serial_and_no_port_are_left_alone_until_one_is_gone_and_released(
    root: Path,
) -> None:
    left, twin = board("left", 1, serial="TWIN"), board("twin", 2, serial="TWIN")
    async with desk(root, left, twin, boards=configured(left)) as it:
        it.bench.plug("left")
        it.bench.plug("twin")
        await it.until_present(Presence.AMBIGUOUS, "left")
        image = firmware("1.0.0")
        it.rig.build(image)
        await it.until_job("left", lambda job: waits_for(job) is WaitFor.OTHER_DEVICE)
        assert {state.requests for state in it.bench.list()} == {0}
        it.bench.unplug("twin")
        await it.rig.until(lambda now: [device.port for device in now.devices] == [it.cables.port("left").name])
        assert of(await it.rig.until(lambda _: True), "left").presence is Presence.AMBIGUOUS
        assert {state.requests for state in it.bench.list()} == {0}
        released = await it.cli("release", "left")
        assert released.code == 0, released
        await it.waited(image, "left")
