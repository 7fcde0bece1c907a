"""A CDC-ACM application that is put into DFU mode by a touch of its real /dev/ttyACM, whoever else has that open."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from flashdeck import api
from flashdeck.model import Presence
from rig import DAEMON, firmware
from vm.desk import Desk, board_with_port, desk

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")


@asynccontextmanager
async def running(root: Path, *names: str, daemon: tuple[str, ...] = DAEMON) -> AsyncGenerator[Desk]:
    """Boards that run their first image."""
    specs = [board_with_port(name, number) for number, name in enumerate(names, start=1)]
    async with desk(root, *specs, enter='"touch-1200"', daemon=daemon) as it:
        await it.plug(*names)
        await it.flashed(ONE, *names)
        await it.until_present(Presence.APP, *names)
        yield it


@contextmanager
def held(tty: Path) -> Generator[int]:
    """A terminal program that has the port open."""
    descriptor = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def touched(it: Desk) -> list[str]:
    lines = (await it.rig.client.call(api.GetLogs(limit=1000))).lines
    return [f"{line.board}: {line.text}" for line in lines if line.text.startswith("touched ")]


async def test_each_board_is_touched_at_its_own_port(root: Path) -> None:
    async with running(root, "left", "right") as it:
        ttys = {name: await it.tty_of(name) for name in ("left", "right")}
        assert all(tty.name.startswith("ttyACM") for tty in ttys.values())
        await it.flashed(TWO, "left", "right")
        assert sorted(await touched(it)) == [f"{name}: touched {ttys[name]} at 1200 baud" for name in ("left", "right")]
        assert [job.attempts for job in await it.rig.jobs()] == [1, 1, 1, 1]


async def test_a_terminal_that_has_the_port_open_is_no_obstacle_and_is_named(root: Path) -> None:
    async with running(root, "left") as it:
        tty = await it.tty_of("left")
        with held(tty):
            await it.flashed(TWO, "left")
        (line,) = await touched(it)
        assert line.startswith(f"left: touched {tty} at 1200 baud; ")
        assert line.endswith(f" (pid {os.getpid()}) has {tty} open, too")
