"""The entrance before the web server: to whoever may not come in, not a byte is said."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from flashdeck_tui.browser.door import LONGEST_HEAD, Door
from flashdeck_tui.browser.entrance import HEAD_SECONDS, MOST_WAITING, Entrances
from flashdeck_tui.browser.peer import is_ours

TOKEN = "t0ken"  # noqa: S105 - of the test's own
NOBODY = 65534


class Inside(asyncio.Protocol):
    """Stands for the web server: says how much it has heard."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"heard %d " % len(data) + data)


class House:
    """An entrance that listens, and what it tells."""

    def __init__(self, *, patience: float, ours: Callable[[asyncio.BaseTransport], bool]) -> None:
        self.told: list[str] = []
        self._patience = patience
        self._ours = ours
        self.port = 0
        self.entrances: Entrances

    async def listen(self) -> asyncio.Server:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.entrances = Entrances(
            Door("127.0.0.1", self.port, TOKEN),
            Inside,
            self.told.append,
            patience=self._patience,
            is_ours=self._ours,
        )
        return await asyncio.get_running_loop().create_server(self.entrances, sock=listener)

    def request(self, *lines: str, path: str = f"/{TOKEN}/") -> bytes:
        return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *lines, "", "")).encode()

    async def ask(self, data: bytes, *, hang_up: bool = False) -> bytes:
        """All that is answered to these bytes, up to the end or the first word."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            if hang_up:
                writer.write_eof()
            return await reader.read(65536)
        except ConnectionError:
            return b""
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def house(
    *, patience: float = HEAD_SECONDS, ours: Callable[[asyncio.BaseTransport], bool] = is_ours
) -> AsyncGenerator[House]:
    made = House(patience=patience, ours=ours)
    async with await made.listen():
        yield made


async def test_who_may_come_in_is_served_without_the_token() -> None:
    async with house() as it:
        answer = await it.ask(it.request() + b"and more")
        assert answer.startswith(b"heard ")
        assert answer.endswith(b"\r\n\r\nand more")
        assert TOKEN.encode() not in answer
        assert not it.told
        assert not it.entrances.waiting


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_request_may_come_in_pieces(pieces: int) -> None:
    async with house() as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        request = it.request()
        for at in range(0, len(request), pieces):
            writer.write(request[at : at + pieces])
            await writer.drain()
        assert (await reader.read(65536)).startswith(b"heard ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST /t0ken/ HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n\r\n",
        b"\n\n",
    ],
)
async def test_others_hear_nothing(data: bytes) -> None:
    async with house() as it:
        assert await it.ask(data, hang_up=data == b"\n\n") == b""
        assert not it.told


async def test_whoever_has_the_token_and_is_turned_away_is_told_of_once() -> None:
    async with house() as it:
        for _ in range(3):
            assert await it.ask(it.request("Origin: http://evil.example")) == b""
        assert len(it.told) == 1
        assert "http://evil.example" in it.told[0]
        assert TOKEN not in it.told[0]
        for number in range(MOST_WAITING + 5):
            assert await it.ask(it.request(f"Origin: http://evil{number}.example")) == b""
        assert len(it.told) == MOST_WAITING


async def test_another_user_is_turned_away_though_it_has_the_token() -> None:
    async with house(ours=lambda _transport: False) as it:
        assert await it.ask(it.request()) == b""
        assert "another user of this machine" in it.told[0]


async def test_a_process_of_another_user_is_really_seen_to_be() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account")
    ask = (  # it becomes the other one itself, who may not read where our interpreter is
        "import encodings.idna, os, socket, sys; os.setuid(int(sys.argv[3])); "
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); "
        "s.sendall(sys.argv[2].encode()); "
        "sys.stdout.write(repr(s.recv(1000)))"
    )
    async with house() as it:
        for user, answered in ((0, True), (NOBODY, False)):
            asked = await asyncio.to_thread(
                subprocess.run,
                (sys.executable, "-I", "-S", "-c", ask, str(it.port), it.request().decode(), str(user)),
                capture_output=True,
                text=True,
                check=False,
            )
            assert ("heard" in asked.stdout) is answered, asked
            assert answered or asked.stdout == "b''" or "ConnectionResetError" in asked.stderr


async def test_a_request_is_not_longer_than_a_browser_s() -> None:
    async with house() as it:
        short = it.request("Cookie: ")
        longest = it.request("Cookie: " + "c" * (LONGEST_HEAD - len(short)))
        assert len(longest) == LONGEST_HEAD
        assert (await it.ask(longest)).startswith(b"heard ")
        assert await it.ask(longest.replace(b"Cookie: ", b"Cookie: c")) == b""
        assert await it.ask(b"GET /" + b"a" * LONGEST_HEAD) == b""


async def test_who_says_nothing_is_closed_in_time() -> None:
    async with house(patience=0.01) as it:
        assert await it.ask(b"GET /t0ken/") == b""
    made = Entrances(Door("127.0.0.1", 1, TOKEN), Inside, print)
    assert made.patience == HEAD_SECONDS


async def test_silent_ones_make_room_for_whoever_speaks() -> None:
    async with house() as it:
        silent = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(MOST_WAITING)]
        while len(it.entrances.waiting) < MOST_WAITING:  # noqa: ASYNC110 - the loop tells of no connection
            await asyncio.sleep(0)
        _, one_more = await asyncio.open_connection("127.0.0.1", it.port)
        with suppress(ConnectionError):
            assert await silent[0][0].read() == b""
        assert len(it.entrances.waiting) == MOST_WAITING
        assert (await it.ask(it.request())).startswith(b"heard ")
        for _, writer in (*silent, (None, one_more)):
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
