"""The demo's bench: a directory, a configuration and a daemon of its own, all gone when it ends."""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flashdeck import api, config_file, own_python, paths
from flashdeck.client import Client
from flashdeck.config import Config
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck_tui.demo import keeper
from flashdeck_tui.demo.firmware import Firmware

START_WITHIN = 30.0
"""Seconds until the daemon has to serve its socket; a loaded machine needs some for the imports."""
RETRY = 0.05
"""Seconds between tries to reach it."""
LOG_KEPT = 4000
"""Characters of the end of its log, where something went wrong."""
SLOWNESS = 25
"""The boards of a slow bench erase and program so many times slower than an STM32H5."""
_ERASE_TIME = 0.002
_WORD_TIME = 0.00003
"""Seconds that an STM32H5 typically takes to erase 8 KiB and to program 16 bytes; emulated boards take as long."""
_INHERITED_FROM = ("FLASHDECK_", "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_")
"""Variables that point at some other daemon, or at the service manager that runs us."""


@dataclass(frozen=True, slots=True)
class DemoBench:
    """A daemon that serves the emulated bench, and what it watches."""

    client: Client
    config: Config
    firmware: Firmware
    socket: Path

    async def dump(self, board: str) -> bytes:
        """The whole flash of a board, past all its bootloader says."""
        flash = bytearray()
        piece = await self.client.call(api.VirtualDump(board=board))
        flash += piece.data
        while len(flash) < piece.size:
            piece = await self.client.call(api.VirtualDump(board=board, address=piece.base + len(flash)))
            if not piece.data:
                raise FlashdeckError(f"the flash of {board} ends after {len(flash)} of {piece.size} bytes")
            flash += piece.data
        return bytes(flash)


@asynccontextmanager
async def demo_bench(*, slow: bool = False) -> AsyncGenerator[DemoBench, None]:
    """Sets the bench up, and takes it down again whatever happens.

    A `slow` one has boards that are `SLOWNESS` times slower, so that somebody can watch a flash and interrupt it. A
    FlashdeckError that passes through gets the end of the daemon's log as a note.
    """
    async with _kept() as kept:
        settings, boards = _copied(kept.directory, slow=slow)
        socket, log = kept.directory / paths.SOCKET_NAME, kept.directory / keeper.LOG
        options = {
            "--virtual": boards,
            "--config": settings,
            "--socket": socket,
            "--state-dir": kept.directory / "state",
        }
        kept.start(*own_python.module("flashdeckd"), *(str(word) for option in options.items() for word in option))
        try:
            async with await connected(kept.ended, socket) as client:
                yield DemoBench(client, config_file.load(settings), Firmware(kept.directory / "firmware"), socket)
            await kept.end()
        except FlashdeckError as error:
            with contextlib.suppress(FileNotFoundError):  # it did not come to that
                error.add_note(f"The end of the daemon's log:\n{log.read_text(errors='replace')[-LOG_KEPT:]}")
            raise


def _copied(directory: Path, *, slow: bool) -> tuple[Path, Path]:
    """Copies the demo's files into `directory`; its configuration and its bench file there."""
    shutil.copytree(paths.data_file("demo", "firmware"), directory / "firmware", ignore=shutil.ignore_patterns("build"))
    settings = Path(shutil.copy(paths.data_file("demo", "flashdeck.toml"), directory))
    boards = Path(shutil.copy(paths.data_file("demo", "bench.toml"), directory))
    if slow:
        boards.write_text(slowed(boards.read_text(encoding="utf-8")), encoding="utf-8")
    return settings, boards


def slowed(boards: str) -> str:
    """A bench file whose boards all take `SLOWNESS` times as long to erase and to program."""
    import tomli_w  # noqa: PLC0415 - comes with the daemon, whose absence is to be told before this one's

    times = {"erase_time": SLOWNESS * _ERASE_TIME, "word_time": SLOWNESS * _WORD_TIME}
    return tomli_w.dumps({"boards": {name: keys | times for name, keys in tomllib.loads(boards)["boards"].items()}})


class _KeptDaemon:
    """A directory of our own and a daemon, both in the hands of a keeper that ends them once this process has ended."""

    def __init__(self, tell: asyncio.StreamWriter, said: asyncio.StreamReader, directory: Path) -> None:
        self.directory = directory
        self._tell = tell
        self._said = said
        self.ended = asyncio.ensure_future(self._status())
        """The daemon's exit status, once it has ended; None if the keeper ended before."""

    def start(self, *words: str) -> None:
        """Let the keeper start the daemon."""
        self._tell.write(f"{json.dumps(words)}\n".encode())

    async def end(self) -> None:
        """Let it end the daemon by SIGTERM, or by SIGKILL where it does not listen.

        Raises FlashdeckError where the daemon did not end well.
        """
        self._tell.write(b"\n")
        if (status := await self.ended) != 0:
            raise FlashdeckError(f"flashdeckd was asked to end, and ended with {status} in place of 0")

    async def _status(self) -> int | None:
        line = await self._said.readline()
        return json.loads(line) if line else None


@asynccontextmanager
async def _kept() -> AsyncGenerator[_KeptDaemon, None]:
    """A new directory that only we can enter, with a path short enough for a Unix socket, and its keeper."""
    room = paths.SOCKET_PATH_MAX - len(f"/{keeper.PREFIX}12345678/{paths.SOCKET_NAME}")
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > room:
        parent = "/tmp"  # noqa: S108 - mkdtemp makes the directory 0700 and with a name of its own
    process = await asyncio.create_subprocess_exec(
        *own_python.isolated(keeper.__file__),
        parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_FROM)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # the terminal's Ctrl-C reaches only us, and we end the daemon in order
    )
    tell = cast("asyncio.StreamWriter", process.stdin)  # all three are pipes, as was asked for
    said, complaints = cast("asyncio.StreamReader", process.stdout), cast("asyncio.StreamReader", process.stderr)
    try:
        line = await said.readline()
        if not line:
            words = (await complaints.read()).decode(errors="replace").strip().splitlines()
            raise FlashdeckError(f"the demo gets no directory: {words[-1] if words else 'its keeper ended'}")
        yield _KeptDaemon(tell, said, Path(json.loads(line)))
    finally:
        tell.close()
        await process.wait()


async def connected(ended: asyncio.Future[int | None], socket: Path) -> Client:
    """A connection to the daemon, as soon as it serves."""
    try:
        async with asyncio.timeout(START_WITHIN):
            while True:
                try:
                    return await Client.connect(socket, client="flashdeck demo")
                except ConnectionFailedError as error:
                    if error.kind is not ErrorKind.UNREACHABLE:
                        raise
                    await asyncio.wait((ended,), timeout=RETRY)
                if ended.done():
                    raise FlashdeckError(f"flashdeckd ended with {ended.result()} before it served its socket")
    except TimeoutError:
        raise FlashdeckError(f"flashdeckd did not serve its socket within {START_WITHIN:g} s") from None
