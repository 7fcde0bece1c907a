"""One screen's process: what it draws, what it takes, and that it ends whatever it does."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from flashdeck_tui.browser import screen_process
from flashdeck_tui.browser.packets import PacketError, ScreenSize, Typed
from flashdeck_tui.browser.screen_process import DRIVER, END_SECONDS, MOST_UNHEARD, ScreenProcess

PRELUDE = """
import json, os, sys, time
def packet(kind, data):
    os.write(1, kind + len(data).to_bytes(4, "big") + data)
os.write(1, b"__GANGLION__\\n")
"""
ECHO = (
    PRELUDE
    + """
packet(b"D", " ".join(os.environ[name] for name in ("TEXTUAL_DRIVER", "COLUMNS", "ROWS")).encode())
while header := sys.stdin.buffer.read(5):
    data = sys.stdin.buffer.read(int.from_bytes(header[1:], "big"))
    packet(b"M", b'{"type": "exit"}') if data == b"q" else packet(b"D", header[:1] + data)
"""
)
DEAF = PRELUDE + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n"
FLOOD = PRELUDE + "while True:\n    packet(b'D', bytes(60000))\n"


@asynccontextmanager
async def screen(program: str) -> AsyncGenerator[ScreenProcess]:
    made = await ScreenProcess.started((sys.executable, "-S", "-c", program), ScreenSize(81, 25))
    try:
        yield made
    finally:
        await made.end()
        assert not is_alive(made.pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_draws_at_the_size_of_its_page_and_takes_keys_until_it_is_closed() -> None:
    async with screen(ECHO) as it:
        drawn = it.drawn()
        assert await anext(drawn) == f"{DRIVER} 81 25".encode()
        it.take(Typed("n").packet)
        assert await anext(drawn) == b"Dn"
        it.take(Typed("q").packet)
        with pytest.raises(StopAsyncIteration):
            await anext(drawn)


async def test_it_ends_with_its_stdin() -> None:
    async with screen(ECHO) as it:
        assert await anext(it.drawn())


async def test_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []
    real = asyncio.timeout

    def soon(seconds: float | None) -> asyncio.Timeout:
        asked.append(seconds)
        return real(0)

    async with screen(DEAF) as it:
        monkeypatch.setattr(asyncio, "timeout", soon)
        await it.end()
        assert not is_alive(it.pid)
    assert asked[0] == END_SECONDS


async def test_one_that_nobody_reads_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    real = asyncio.timeout

    def soon(_seconds: float | None) -> asyncio.Timeout:
        return real(0)

    monkeypatch.setattr(asyncio, "timeout", soon)
    async with screen(FLOOD) as it:
        assert len(await anext(it.drawn())) == 60000


async def test_it_is_killed_where_the_end_is_cancelled() -> None:
    it = await ScreenProcess.started((sys.executable, "-S", "-c", DEAF), ScreenSize(80, 24))
    ending = asyncio.create_task(it.end())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await it.end()
    assert not is_alive(it.pid)


@pytest.mark.parametrize("program", ["print('Traceback (most recent call last):')", PRELUDE + "packet(b'T', b'')"])
async def test_what_is_no_screen_is_told(program: str) -> None:
    async with screen(program) as it:
        with pytest.raises(PacketError):
            async for _ in it.drawn():
                pass


async def test_one_that_says_nothing_has_drawn_nothing() -> None:
    async with screen("pass") as it:
        assert [drawn async for drawn in it.drawn()] == []
        it.take(Typed("n").packet)  # nobody is there: that is no error of the page's


async def test_one_that_takes_no_keys_is_given_up() -> None:
    """The pipe's own room is the kernel's; the rest waits here, and is bounded."""
    async with screen(DEAF) as it:
        stdin = cast("Any", it)._process.stdin
        with pytest.raises(PacketError, match="takes no keys"):
            type_on(it)
        waiting = stdin.transport.get_write_buffer_size()
        assert MOST_UNHEARD < waiting <= MOST_UNHEARD + 2000
        await end_at_once(it)


def type_on(it: ScreenProcess) -> None:
    while True:
        it.take(Typed("k" * 1000).packet)


async def end_at_once(it: ScreenProcess) -> None:
    process = cast("Any", it)._process
    process.kill()
    await process.wait()


def test_the_driver_is_textual_s() -> None:
    assert screen_process.DRIVER == "textual.drivers.web_driver:WebDriver"
