"""One screen for one page: a `flashdeck` of its own, which draws into a pipe, and ends with its stdin."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final, cast

from flashdeck_tui.browser.packets import BEGINNING, HEADER, Kind, PacketError, ScreenSize, is_end, kind_and_size
from flashdeck_tui.terminal import DRIVER_VARIABLE

DRIVER: Final = "textual.drivers.web_driver:WebDriver"
"""The part of Textual that draws into a pipe, as packets."""
MOST_UNHEARD: Final = 256 * 1024
"""Bytes that wait for a screen which takes no keys: at more it hangs, and ends."""
END_SECONDS: Final = 3.0
"""Seconds in which it has to end, once nobody writes to it any more."""


class ScreenProcess:
    """A running screen. `end` it, whatever happens."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def started(cls, argv: Sequence[str], size: ScreenSize) -> "ScreenProcess":
        """Start it at that size. Raises OSError.

        What it says on stderr is for whoever serves. A Ctrl-C that is meant for us does not reach it.
        """
        environment = {
            **os.environ,
            DRIVER_VARIABLE: DRIVER,
            "TEXTUAL_COLOR_SYSTEM": "truecolor",
            "LC_ALL": "C.UTF-8",  # a browser shows every character, whatever the terminal can that we were started on
            "COLUMNS": str(size.columns),
            "ROWS": str(size.lines),
        }
        return cls(
            await asyncio.create_subprocess_exec(
                *argv, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
            )
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def _drawings(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe there
        return self._process.stdout

    def take(self, packet: bytes) -> None:
        """Send it a packet. Raises PacketError where it has taken none for long."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was started with a pipe there
        if stdin.is_closing():
            return
        stdin.write(packet)
        if stdin.transport.get_write_buffer_size() > MOST_UNHEARD:
            raise PacketError("it takes no keys any more")

    async def drawn(self) -> AsyncGenerator[bytes]:
        """Yield what it draws, up to its end. Raises PacketError where that is nothing that a screen says."""
        with suppress(asyncio.IncompleteReadError):
            beginning = await self._drawings.readexactly(len(BEGINNING))
            if beginning != BEGINNING:
                raise PacketError("it says something else than a screen")
            while True:
                kind, size = kind_and_size(await self._drawings.readexactly(HEADER))
                contents = await self._drawings.readexactly(size)
                if kind is Kind.SCREEN:
                    yield contents
                elif kind is Kind.NOTE and is_end(contents):
                    return

    async def end(self) -> None:
        """End it, and return once it has: in bounded time, and also where this is cancelled.

        Nobody may be waiting for what it draws any more.
        """
        stdin = self._process.stdin
        try:
            if stdin is not None:
                stdin.close()
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
            self._stop_listening()
        await self._process.wait()

    def _stop_listening(self) -> None:
        """Close the pipe that it draws into: what comes now nobody will see, and asyncio keeps a full one open."""
        transport = self._process._transport  # noqa: SLF001 # pyright: ignore -- asyncio has no other way to a pipe that is read
        pipe = cast("asyncio.SubprocessTransport", transport).get_pipe_transport(1)
        if pipe is not None:
            pipe.close()
