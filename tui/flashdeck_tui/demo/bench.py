"""The demo's bench: a directory, a configuration and a daemon of its own, all gone when it ends."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flashdeck import api, config_file, paths
from flashdeck.client import Client
from flashdeck.config import Config
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck_tui.demo.firmware import Firmware

START_WITHIN = 30.0
"""Seconds until the daemon has to serve its socket; a loaded machine needs some for the imports."""
STOP_WITHIN = 20.0
"""Seconds until the daemon has to be gone after SIGTERM; it may finish the block that it is writing."""
_RETRY = 0.05
_LOG_KEPT = 4000
SLOWNESS = 25
"""How many times slower than an STM32H5 the boards of a slow bench erase and program."""
_ERASE_TIME = 0.002
_WORD_TIME = 0.00003
"""Seconds that an STM32H5 typically takes to erase 8 KiB and to program 16 bytes; emulated boards take as long."""
_INHERITED_FROM = ("FLASHDECK_", "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_")
"""What points at some other daemon, or at the service manager that runs us."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A daemon that serves the emulated bench, and what it watches."""

    client: Client
    config: Config
    firmware: Firmware
    socket: Path
    pid: int

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
async def bench(*, slow: bool = False) -> AsyncGenerator[Bench, None]:
    """Sets the bench up, and takes it down again whatever happens.

    A `slow` one has boards that are `SLOWNESS` times slower, so that somebody can watch a flash and interrupt it. A
    FlashdeckError that passes through gets the end of the daemon's log as a note.
    """
    if importlib.util.find_spec("flashdeckd") is None:
        raise FlashdeckError("the daemon is not installed", hint="pip install 'flashdeck[daemon]'")
    with _private_directory() as directory:
        settings, boards = _copied(directory, slow=slow)
        socket, state, log = directory / paths.SOCKET_NAME, directory / "state", directory / "daemon.log"
        firmware = Firmware(directory / "firmware")
        try:
            async with _daemon(settings, boards, socket, state, log) as (process, client):
                yield Bench(client, config_file.load(settings), firmware, socket, process.pid)
        except FlashdeckError as error:
            error.add_note(f"The end of the daemon's log:\n{log.read_text(errors='replace')[-_LOG_KEPT:]}")
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


@contextmanager
def _private_directory() -> Generator[Path, None, None]:
    """A new directory that only we can enter, with a path short enough for a Unix socket."""
    prefix = "flashdeck-demo-"
    room = paths.SOCKET_PATH_MAX - len(f"/{prefix}12345678/{paths.SOCKET_NAME}")
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > room:
        parent = "/tmp"  # noqa: S108 - mkdtemp makes the directory 0700 and with a name of its own
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        yield Path(name).resolve()


@asynccontextmanager
async def _daemon(
    settings: Path, boards: Path, socket: Path, state: Path, log: Path
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, Client], None]:
    options = {"--virtual": boards, "--config": settings, "--socket": socket, "--state-dir": state}
    with log.open("wb") as output:
        # In a session of its own the terminal's Ctrl-C reaches only us, and we stop the daemon in order.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flashdeckd",
            *(str(word) for option in options.items() for word in option),
            env={name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_FROM)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async with await _connected(process, socket) as client:
            yield process, client
        status = await _stop(process)
    except BaseException:
        await _stop(process)  # for good, also where the first attempt was what got interrupted
        raise
    if status:
        raise FlashdeckError(f"flashdeckd was asked to end, and ended with {status} in place of 0")


async def _connected(process: asyncio.subprocess.Process, socket: Path) -> Client:
    """A connection to the daemon, as soon as it serves."""
    ended = asyncio.ensure_future(process.wait())
    try:
        async with asyncio.timeout(START_WITHIN):
            while True:
                try:
                    return await Client.connect(socket, client="flashdeck demo")
                except ConnectionFailedError as error:
                    if error.kind is not ErrorKind.UNREACHABLE:
                        raise
                    await asyncio.wait((ended,), timeout=_RETRY)
                if ended.done():
                    raise FlashdeckError(f"flashdeckd ended with {ended.result()} before it served its socket")
    except TimeoutError:
        raise FlashdeckError(f"flashdeckd did not serve its socket within {START_WITHIN:g} s") from None
    finally:
        ended.cancel()


async def _stop(process: asyncio.subprocess.Process) -> int:
    """Ends the daemon by SIGTERM, or by SIGKILL where it does not listen; its exit status."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
