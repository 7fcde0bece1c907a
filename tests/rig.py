"""A real daemon on an emulated bench, its socket, its files, and the hands of whoever builds and plugs."""

import asyncio
import hashlib
import os
import random
import signal
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError, RemoteError
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.value import Value
from forked_daemons import ForkedProcess, Process, forks_for

R = TypeVar("R", bound=Value)

APP1 = 0x08020000
PARTITION2 = 0x08080000
PATIENCE = float(os.environ.get("FLASHDECK_PATIENCE", "1"))
"""How many times longer than usual everything may take, where the machine is an emulated one."""
START_SECONDS = 30.0 * PATIENCE
"""Bounds the daemon's start; a test that gets near it is broken, not slow."""
LOOK_AGAIN = 0.02
"""Seconds between two looks whether a daemon listens."""
WAIT_SECONDS = 60.0 * PATIENCE
"""Bounds every wait for something to happen."""

CONFIG = """
[daemon]
settle = "{settle}"

[profiles.product]
dfu = "0483:df11"
app = "{app}"
enter = {enter}
enter_hint = "press the button"
flash = "STM32H563RG"
{profile}
[profiles.product.partitions.bootloader]
address = 0x08000000
size = "128K"
protected = true
[profiles.product.partitions.app1]
address = 0x08020000
size = "384K"
image = "build/APP1.bin"
[profiles.product.partitions.partition2]
address = 0x08080000
size = "384K"
image = "build/APP2.bin"
{boards}
"""


SLOW: Mapping[str, Any] = MappingProxyType({"timing": "real", "erase_time": 0.05, "word_time": 0.0005})
"""Keys of an emulated board that takes seconds for what other boards take tenths of a second for.

There is time to do something in the middle of a flash, also on a machine that is busy.
"""
HONEST_MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"


def board(name: str, number: int = 1, **keys: object) -> str:
    """One emulated board of the bench file; text is written as TOML literal strings."""
    settings: dict[str, object] = {
        "model": "classic",
        "serial": "TEST00000001",
        "port": number,
        "timing": "none",
        "map": HONEST_MAP,
        "app": "0483:5740",
        "runtime": True,
        **keys,
    }
    lines = [f"[boards.{name}]"]
    for key, value in settings.items():
        text = str(value).lower() if isinstance(value, (bool, int, float)) else '"' + str(value) + '"'
        lines.append(f"{key} = {text}")
    return "\n".join(lines) + "\n"


def firmware(version: str, *, size: int = 20_000, base: int = APP1, stack: int = 0x20030000) -> bytes:
    """An image that every guard accepts: a vector table, the version string, and contents that follow from it."""
    body = struct.pack("<II", stack, base + 0x101) + f"\0flashdeck-test {version}\0".encode()
    return body + random.Random(version).randbytes(size - len(body))  # noqa: S311 -- contents, not secrets


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DAEMON = ("-m", "flashdeckd")
"""What Python runs."""


class Rig:
    """One daemon and one client of it."""

    def __init__(self, root: Path, client: Client, process: Process, daemon: tuple[str, ...] = DAEMON) -> None:
        self.root = root
        self.daemon = daemon
        self.client = client
        self.process = process

    @property
    def socket(self) -> Path:
        return self.root / "s"

    @property
    def image(self) -> Path:
        return self.root / "build" / "APP1.bin"

    def build(self, data: bytes, *, name: str = "APP1.bin") -> None:
        """Writes a build output as a plain tool does: open, write, close."""
        path = self.root / "build" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    async def jobs(self) -> list[JobState]:
        """All jobs, oldest first."""
        return sorted((await self.client.call(api.GetJobs(limit=500))).jobs, key=lambda job: job.id)

    async def wait(self, partition: str = "app1", data: bytes = b"", boards: tuple[str, ...] = ()) -> list[JobState]:
        """Wait for an image, and return the jobs that brought it; raises RemoteError for the first board that fails."""
        wanted = sha256(data) if data else ""
        asked = api.Wait(partition=partition, sha256=wanted, boards=boards, timeout=WAIT_SECONDS)
        return [outcome.job for outcome in await self.waited(asked) if outcome.job is not None]

    async def waited(self, asked: api.Wait) -> tuple[api.BoardOutcome, ...]:
        """Return the row of each board; raises RemoteError for the first that does not get the image."""
        outcomes = (await self.client.call(asked)).boards
        for failure in (outcome.failure for outcome in outcomes if outcome.failure is not None):
            raise RemoteError(failure.message, hint=failure.hint, kind=failure.kind)
        return outcomes

    async def until(self, reached: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot in which something is so; asks again after every event."""
        subscription = await self.client.subscribe()
        snapshot = subscription.snapshot
        events: AsyncIterator[Event] = aiter(subscription)
        async with asyncio.timeout(WAIT_SECONDS):
            while not reached(snapshot):
                await anext(events)
                snapshot = await self.client.call(api.GetStatus())
        return snapshot

    async def until_logged(self, text: str) -> None:
        """Waits for a log line."""
        subscription = await self.client.subscribe()
        seen = (await self.client.call(api.GetLogs(limit=1000))).lines
        if any(text in line.text for line in seen):
            return
        async with asyncio.timeout(WAIT_SECONDS):
            async for event in subscription:
                if event.log is not None and text in event.log.text:
                    return

    async def flash_of(self, board: str) -> bytes:
        """All of an emulated board's flash."""
        first = await self.client.call(api.VirtualDump(board=board))
        data = first.data
        while len(data) < first.size:
            data += (await self.client.call(api.VirtualDump(board=board, address=first.base + len(data)))).data
        return data

    async def partition_of(self, board: str, length: int, *, address: int = APP1) -> bytes:
        return (await self.flash_of(board))[address - 0x08000000 :][:length]

    async def emulated(self, board: str) -> api.VirtualBoardState:
        (state,) = [b for b in (await self.client.call(api.VirtualList())).boards if b.name == board]
        return state

    async def press(self, board: str) -> None:
        await self.client.call(api.VirtualPress(boards=(board,)))

    async def plug(self, board: str) -> None:
        await self.client.call(api.VirtualPlug(boards=(board,)))

    async def unplug(self, board: str) -> None:
        await self.client.call(api.VirtualUnplug(boards=(board,)))

    def send_signal(self, number: int) -> None:
        """Sends the daemon a signal, unless it has ended.

        Not `Process.send_signal`: that polls the child first, and where it has just ended takes its exit code from
        under asyncio, which then warns of an unknown child.
        """
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the daemon and answers its exit code."""
        await self.client.close()
        self.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), WAIT_SECONDS)

    async def restart(self, *, virtual: bool = True) -> None:
        """Starts a daemon again where one was stopped."""
        again = await start(self.root, virtual=virtual, daemon=self.daemon)
        self.client, self.process = again.client, again.process


async def begun(client: Client, params: api.Params[R]) -> "asyncio.Task[R]":
    """A call that the daemon works on by now: it begins what one client asks in the order in which that asks."""
    call = asyncio.create_task(client.call(params))
    await asyncio.sleep(0)  # it is asked
    await client.call(api.GetStatus())
    return call


def prepare(
    root: Path,
    *,
    boards: str,
    bench: str,
    settle: str = "50ms",
    profile: str = "",
    enter: str = '"detach"',
    app: str = "0483:5740",
) -> None:
    """Writes a configuration and a bench for `start`."""
    config = CONFIG.format(settle=settle, profile=profile, boards=boards, enter=enter, app=app)
    (root / "config.toml").write_text(config)
    (root / "bench.toml").write_text(bench)


async def start(
    root: Path, *, virtual: bool = True, daemon: tuple[str, ...] = DAEMON, look_again: float = LOOK_AGAIN
) -> Rig:
    """Starts a daemon on what `prepare` wrote, or on what an earlier daemon left there.

    `daemon` is what Python runs: the real one, or one on a bench that no bench file can describe. `look_again` is in
    seconds.
    """
    process = await _begun(
        root,
        *(*daemon, *(("--virtual", str(root / "bench.toml")) if virtual else ())),
        *("--config", str(root / "config.toml"), "--socket", str(root / "s"), "--state-dir", str(root / "state")),
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_SECONDS
    while True:
        try:
            return Rig(root, await Client.connect(root / "s", client="test"), process, daemon)
        except FlashdeckError:
            if process.returncode is not None or loop.time() > deadline:
                raise AssertionError((root / "log").read_text()) from None
            await asyncio.sleep(look_again)  # the socket file appears without an event of its own


async def _begun(root: Path, *words: str) -> Process:
    """Starts Python with these words: no terminal, whoever runs the tests, for SIGHUP means something else with one."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (root / "log").open("ab") as log, open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 - no disk is behind it
        if words[: len(DAEMON)] == DAEMON and "--virtual" in words and (forks := forks_for(environment)):
            files = (nothing.fileno(), log.fileno(), log.fileno())
            return ForkedProcess(forks.start(*words[1:], directory=Path.cwd(), environment=environment, files=files))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *words), stdin=nothing, stdout=log, stderr=log, env=environment, start_new_session=True
        )


@asynccontextmanager
async def running(root: Path, *, virtual: bool = True, daemon: tuple[str, ...] = DAEMON) -> AsyncGenerator[Rig]:
    """A daemon for the length of a block; it must end by itself and well when asked to."""
    rig = await start(root, virtual=virtual, daemon=daemon)
    try:
        yield rig
    except BaseException:
        sys.stderr.write((root / "log").read_text())  # pytest shows it with the failure
        raise
    finally:
        code = await rig.stop()
    assert code in {0, -signal.SIGKILL}
