"""Emulated boards that crash, loop, say another version or have a UART, as a real daemon and its clients see them."""

from collections.abc import Callable
from pathlib import Path

from console_entries import said
from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.job_state import Done
from flashdeck.model import BoardState, ConsoleEntry, Presence, Snapshot
from flashdeckd.host.serial_lines import PseudoPort
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running

BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
ON_APP = '[profiles.product.console]\nport = "app"\n'
FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0")
MOST_PAGES = 200
"""Pages that are read of one console."""


def on_uart(root: Path) -> str:
    return f'[profiles.product.console]\nport = "{root / "left.tty"}"\n'


def left(now: Snapshot) -> BoardState:
    return next(each for each in now.boards if each.name == "left")


def is_console(condition: ConsoleCondition) -> Callable[[Snapshot], bool]:
    return lambda now: (state := left(now).console) is not None and state.condition is condition


async def read(
    rig: Rig, reached: Callable[[list[ConsoleEntry]], bool], *, since_leave: bool = True
) -> list[ConsoleEntry]:
    """Return what the left board's console has, once there is enough of it."""
    found: list[ConsoleEntry] = []
    after = 0
    for _ in range(MOST_PAGES):
        page = await rig.client.call(api.GetConsole(board="left", after=after, since_leave=since_leave, wait=30))
        found += page.entries
        after = page.next
        if reached(found):
            return found
    raise AssertionError([entry.text for entry in found])


def has(text: str, times: int = 1) -> Callable[[list[ConsoleEntry]], bool]:
    return lambda entries: said(entries).count(text) >= times


async def flashed(rig: Rig, data: bytes) -> None:
    rig.build(data)
    (job,) = await rig.wait(data=data)
    assert isinstance(job.status, Done)


async def test_a_uart_hears_bootloader_and_application_and_stays_open_over_a_flash(tmp_path: Path) -> None:
    says = 'says = [{ image = "flashdeck-test " }]\nboot_says = [{ text = "loader 2\\r\\n" }]\n'
    bench = board("left", start="dfu", uart="left.tty") + says
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=on_uart(tmp_path))
    async with running(tmp_path) as rig:
        await rig.until(is_console(ConsoleCondition.OPEN))
        await flashed(rig, FIRST)
        await read(rig, has("flashdeck-test 1.0.0"))
        await flashed(rig, SECOND)
        assert said(await read(rig, has("flashdeck-test 2.0.0")))[-1] == "flashdeck-test 2.0.0"
        everything = await read(rig, has("flashdeck-test 2.0.0"), since_leave=False)
        heard = said(everything)
        assert heard[0] == "loader 2", "of its first start, before the port was opened"
        assert "loader 2" in heard[heard.index("flashdeck-test 1.0.0") :], "of the start for the second flash"
        opened = [entry.text for entry in everything if " opened at " in entry.text]
        assert len(opened) == 1, "it is another device's port, and stays"
        assert (await rig.emulated("left")).uart == str(tmp_path / "left.tty")
    assert not (tmp_path / "left.tty").is_symlink()


async def test_old_words_of_a_uart_come_before_those_of_the_new_image(tmp_path: Path) -> None:
    bench = board("left", start="dfu", uart="left.tty") + 'says = [{ image = "flashdeck-test " }]\n'
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=on_uart(tmp_path))
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        await read(rig, has("flashdeck-test 1.0.0"))
        await rig.client.call(api.ReleaseConsole(board="left"))
        await rig.client.call(api.VirtualSay(board="left", text="old words"))
        await flashed(rig, SECOND)
        await rig.client.call(api.ResumeConsole(board="left"))
        entries = await read(rig, has("flashdeck-test 2.0.0"), since_leave=False)
        assert said(entries)[-2:] == ["old words", "flashdeck-test 2.0.0"]


async def test_unread_words_of_the_old_application_are_in_the_new_ones_port(tmp_path: Path) -> None:
    keys = 'keeps_unread = true\nsays = [{ image = "flashdeck-test " }]\n'
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + keys, profile=ON_APP)
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        await read(rig, has("flashdeck-test 1.0.0"))
        await rig.client.call(api.ReleaseConsole(board="left"))
        await rig.client.call(api.VirtualSay(board="left", text="old words"))
        await flashed(rig, SECOND)
        await rig.client.call(api.ResumeConsole(board="left"))
        entries = await read(rig, has("flashdeck-test 2.0.0"))
        assert said(entries)[-2:] == ["old words", "flashdeck-test 2.0.0"]


async def test_a_boot_loop_prints_its_first_lines_again_and_a_newer_build_ends_it(tmp_path: Path) -> None:
    stage = 'crashes = [{ fault = "app-reset", after = "300ms", where = "flashdeck-test 1.0.0" }]\n'
    stage += 'says = [{ image = "flashdeck-test " }]\n'
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + stage, profile=ON_APP)
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        entries = await read(rig, has("flashdeck-test 1.0.0", times=3))
        marks = [entry.text for entry in entries if entry.kind is ConsoleKind.MARK]
        assert sum("running at 1-1" in text for text in marks) >= 3, "it shows itself anew each time"
        await rig.press("left")  # asked to detach, it would have to hear of that in its third of a second
        await rig.until(lambda now: left(now).presence is Presence.DFU)
        await flashed(rig, SECOND)
        await read(rig, has("flashdeck-test 2.0.0"))
        starts = (await rig.emulated("left")).starts
        await rig.client.call(api.VirtualSay(board="left", text="still here"))
        await read(rig, has("still here"))
        assert (await rig.emulated("left")).starts == starts


async def test_a_restart_that_the_bus_does_not_see_is_on_the_uart(tmp_path: Path) -> None:
    stage = (
        'crashes = [{ fault = "app-restart", after = "200ms", times = 2 }]\nsays = [{ image = "flashdeck-test " }]\n'
    )
    bench = board("left", start="dfu", uart="left.tty") + stage
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=on_uart(tmp_path))
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        entries = await read(rig, has("flashdeck-test 1.0.0", times=3))
        assert sum(entry.text.startswith("running at") for entry in entries) <= 1
        assert (await rig.emulated("left")).starts == 3


async def test_another_build_says_a_version_that_is_not_the_images(tmp_path: Path) -> None:
    stage = (
        "says = [\n"
        '  { image = "flashdeck-test ", where = "flashdeck-test 1" },\n'
        '  { text = "flashdeck-test 1.0.0\\r\\n", where = "flashdeck-test 2" },\n'
        "]\n"
    )
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + stage, profile=ON_APP)
    async with running(tmp_path) as rig:
        for data in (FIRST, SECOND):
            await flashed(rig, data)
            assert said(await read(rig, has("flashdeck-test 1.0.0"))) == ["flashdeck-test 1.0.0"]
        assert await rig.partition_of("left", len(SECOND)) == SECOND


async def test_a_hand_lets_what_runs_vanish_or_hang(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain"), profile=ON_APP)
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        await rig.until(is_console(ConsoleCondition.OPEN))
        await rig.client.call(api.VirtualFault(board="left", fault="app-vanish"))
        await rig.until(lambda now: left(now).presence is Presence.ABSENT)
        await rig.press("left")
        await rig.until(lambda now: left(now).presence is Presence.DFU)
        await rig.client.call(api.VirtualFault(board="left", fault="app-hang", delay=0.05))
        rig.build(SECOND)
        asked = api.Wait(partition="app1", timeout=WAIT_SECONDS)
        await rig.waited(asked)
        await rig.until(lambda now: left(now).presence is Presence.APP)
        assert await rig.partition_of("left", len(SECOND)) == SECOND


async def test_only_emulated_ports_are_opened_beside_an_emulated_uart(tmp_path: Path) -> None:
    port, bench = PseudoPort(), board("left", start="dfu", uart="left.tty")
    (tmp_path / "mine.tty").symlink_to(port.node)
    profile = f'[profiles.product.console]\nport = "{tmp_path / "mine.tty"}"\n'
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=profile)
    try:
        async with running(tmp_path) as rig:
            now = await rig.until(is_console(ConsoleCondition.UNAVAILABLE))
            console = left(now).console
            assert console is not None
            assert console.reason == "it is no port of an emulated board, and only these are opened"
            assert not port.state.is_open
    finally:
        port.close()
