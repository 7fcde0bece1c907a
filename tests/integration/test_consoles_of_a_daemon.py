"""A real daemon records the words of emulated boards: over flashes, touches, other programs and floods."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from console_entries import said
from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Done
from flashdeck.model import BoardState, ConsoleEntry, ConsoleState, Snapshot
from rig import Rig, board, firmware, prepare, running

BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
ON_APP = '[profiles.product.console]\nport = "app"\n'
SAYS = 'says = [{ image = "flashdeck-test " }]\n'
FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0")
MOST_PAGES = 200
"""Pages that are read of one console."""


def console_of(now: Snapshot) -> ConsoleState:
    state = next(each for each in now.boards if each.name == "left").console
    assert state is not None
    return state


def is_in(condition: ConsoleCondition) -> Callable[[Snapshot], bool]:
    return lambda now: console_of(now).condition is condition


async def read(rig: Rig, *, until: str, since_leave: bool = True) -> list[ConsoleEntry]:
    """Return the words of the left board, up to a certain line."""
    found: list[ConsoleEntry] = []
    after = 0
    for _ in range(MOST_PAGES):
        page = await rig.client.call(api.GetConsole(board="left", after=after, since_leave=since_leave, wait=30))
        found += page.entries
        after = page.next
        if any(until in entry.text for entry in found):
            return found
    raise AssertionError([entry.text for entry in found])


async def test_each_flash_is_followed_by_what_the_new_image_says(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + SAYS, profile=ON_APP)
    async with running(tmp_path) as rig:
        for data, version in ((FIRST, "1.0.0"), (SECOND, "2.0.0")):
            rig.build(data)
            (job,) = await rig.wait(data=data)
            assert isinstance(job.status, Done)
            entries = await read(rig, until=f"flashdeck-test {version}")
            assert said(entries) == [f"flashdeck-test {version}"]
            texts = [entry.text for entry in entries if entry.kind is ConsoleKind.MARK]
            assert texts[0] == f"job {job.id}: leave"
            assert any("opened at 115200 baud" in text for text in texts)
        assert any(f"job {job.id}: " in entry.text for entry in await read(rig, until="2.0.0", since_leave=False))
    kept = [line[24:] for line in (tmp_path / "state" / "consoles" / "left.log").read_text().splitlines()]
    wanted = ("flashdeck-test 1.0.0", f"<job {job.id}: leave>", "flashdeck-test 2.0.0")
    assert [line for line in kept if line in wanted] == list(wanted)


async def test_it_gives_way_to_the_touch_and_comes_back(tmp_path: Path) -> None:
    bench = board("left", start="dfu", serial_port="touch-1200", runtime=False) + SAYS
    prepare(tmp_path, boards=BY_PORT, bench=bench, enter='"touch-1200"', profile=ON_APP)
    async with running(tmp_path) as rig:
        for data, version in ((FIRST, "1.0.0"), (SECOND, "2.0.0")):
            await rig.until(lambda now: console_of(now).condition is not ConsoleCondition.HELD)
            rig.build(data)
            (job,) = await rig.wait(data=data)
            assert isinstance(job.status, Done)
            await read(rig, until=f"flashdeck-test {version}")
            await rig.until(is_in(ConsoleCondition.OPEN))
        entries = await read(rig, until="flashdeck-test 2.0.0", since_leave=False)
        assert "port closed for the way into DFU mode" in [entry.text for entry in entries]


async def test_another_program_has_the_port_once_it_is_released(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + SAYS, profile=ON_APP)
    async with running(tmp_path) as rig:
        rig.build(FIRST)
        await rig.wait(data=FIRST)
        await rig.until(is_in(ConsoleCondition.OPEN))
        released = await rig.client.call(api.ReleaseConsole(board="left"))
        assert released.console.condition is ConsoleCondition.RELEASED
        other = os.open(released.console.node, os.O_RDWR | os.O_NOCTTY)
        try:
            resumed = await rig.client.call(api.ResumeConsole(board="left"))
            assert resumed.console.condition is ConsoleCondition.HELD
            assert f"(pid {os.getpid()}) has it open" in resumed.console.reason
        finally:
            os.close(other)
        await rig.until(is_in(ConsoleCondition.OPEN))
        rig.build(SECOND)  # flashing was none of its business
        await rig.wait(data=SECOND)


async def test_a_board_that_floods_its_console_is_flashed_all_the_same(tmp_path: Path) -> None:
    flood = 'says = [{ text = "flood flood flood flood flood\\r\\n", every = "0ms" }]\n'
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + flood, profile=ON_APP)
    async with running(tmp_path) as rig:
        rig.build(FIRST)
        await rig.wait(data=FIRST)
        await rig.until(lambda now: console_of(now).dropped > 0)
        page = await rig.client.call(api.GetConsole(board="left"))
        assert page.dropped > 0
        rig.build(SECOND)
        (job,) = await rig.wait(data=SECOND)
        assert isinstance(job.status, Done)


async def test_a_console_that_is_configured_later_is_recorded_from_then_on(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + SAYS)
    async with running(tmp_path) as rig:
        rig.build(FIRST)
        await rig.wait(data=FIRST)
        with pytest.raises(RemoteError, match="board left has no console") as caught:
            await rig.client.call(api.GetConsole(board="left"))
        assert caught.value.kind is ErrorKind.BAD_REQUEST
        assert "[profiles.product.console]" in caught.value.hint
        text = (tmp_path / "config.toml").read_text()
        place = "[profiles.product.partitions.bootloader]"
        (tmp_path / "config.toml").write_text(text.replace(place, ON_APP + place))
        await rig.client.call(api.ReloadConfig())
        await rig.until(is_in(ConsoleCondition.OPEN))
        (tmp_path / "config.toml").write_text(text)
        await rig.client.call(api.ReloadConfig())
        await rig.until(lambda now: _left(now).console is None)


def _left(now: Snapshot) -> BoardState:
    return next(each for each in now.boards if each.name == "left")
