"""Where devices, boards and builds come from: the daemon where there is one, and the process `flashdeckd scan`."""

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from flashdeck.api import GetBoards, GetStatus
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RemoteError
from flashdeck.first_board.found import FoundBuild, ScanLine
from flashdeck.job_state import Failure
from flashdeck.model import BoardState, DaemonState, DeviceState
from flashdeck.text import clean
from flashdeck.whereabouts import Whereabouts

ASK_AGAIN: Final = 0.3
"""Seconds between two questions to the daemon while a board is waited for."""
MAX_ERRORS: Final = 64 * 1024
"""Bytes that are read of what `flashdeckd scan` says on stderr."""
MAX_SCAN_LINE: Final = 16 * 1024 * 1024
"""Bytes of one line of `flashdeckd scan`."""


BY_HAND: Final = "run it by hand: flashdeckd scan"


class _Line(ScanLine, frozen=True, kw_only=True):
    """A line, or the error that ended it."""

    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Bus:
    """The devices and boards at one instant."""

    devices: tuple[DeviceState, ...]
    boards: tuple[BoardState, ...] = ()
    trouble: tuple[str, ...] = ()
    """The reasons why devices are not seen as they should be."""


@dataclass(frozen=True, slots=True)
class Project:
    """The builds below a directory."""

    builds: tuple[FoundBuild, ...]
    notes: tuple[str, ...] = ()


async def daemon_at(where: Whereabouts) -> DaemonState | None:
    """Return the daemon that answers; None where there is none. Raises ConnectionFailedError for all else."""
    try:
        async with await where.connect(client="flashdeck-cli") as client:
            return (await client.call(GetStatus())).daemon
    except ConnectionFailedError as error:
        if error.kind is not ErrorKind.UNREACHABLE:
            raise
        return None


class BusWatch:
    """Devices and boards as they are now, from the daemon at `where`, or with None from `flashdeckd scan`."""

    def __init__(self, where: Whereabouts | None) -> None:
        self._where = where
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.bus = Bus(())

    async def changed(self) -> Bus:
        """Return the next state; the first one as soon as it is known. Raises FlashdeckError once it is lost."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="devices and boards")
        waiting = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self._changed.is_set():
            await self._task
        self._changed.clear()
        return self.bus

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _watch(self) -> None:
        async with contextlib.aclosing(_scanned() if self._where is None else _asked(self._where)) as source:
            async for bus in source:
                self.bus = bus
                self._changed.set()
        raise FlashdeckError("flashdeckd scan has ended", hint=BY_HAND)


async def project_in(folder: Path) -> Project:
    """Return the builds below a directory. Raises FlashdeckError where it cannot be looked through."""
    builds: tuple[FoundBuild, ...] | None = None
    notes: tuple[str, ...] = ()
    async with contextlib.aclosing(_scan("--no-devices", "--", str(folder))) as lines:
        async for line in lines:
            if line.builds is not None:
                builds, notes = line.builds, line.notes
    if builds is None:
        raise FlashdeckError("flashdeckd scan did not say which builds there are", hint="run it: flashdeckd scan DIR")
    return Project(builds, notes)


async def _asked(where: Whereabouts) -> AsyncGenerator[Bus]:
    """Yield what the daemon says; it tells of no device whose application is running, so it is asked."""
    async with await where.connect(client="flashdeck-cli") as client:
        before: Bus | None = None
        while True:
            reply = await client.call(GetBoards())
            bus = Bus((*reply.devices, *reply.running), reply.boards)
            if bus != before:
                before = bus
                yield bus
            await asyncio.sleep(ASK_AGAIN)


async def _scanned() -> AsyncGenerator[Bus]:
    async with contextlib.aclosing(_scan("--follow")) as lines:
        async for line in lines:
            if line.devices is not None:
                yield Bus(line.devices, trouble=(*((line.trouble,) if line.trouble else ()), *line.unread))


async def _scan(*words: str) -> AsyncGenerator[ScanLine]:
    """Yield the lines of `flashdeckd scan`, a process of its own: the command line never loads the daemon.

    Raises FlashdeckError where it is not installed, or refuses.
    """
    if importlib.util.find_spec("flashdeckd") is None:
        raise FlashdeckError("looking for devices and builds needs flashdeckd", hint="install its extra 'daemon'")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flashdeckd", "scan", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_SCAN_LINE,
        start_new_session=True,  # Ctrl-C is for the dialogue, which ends it in order
    )
    assert process.stdout is not None  # noqa: S101 - both are pipes
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.ensure_future(process.stderr.read(MAX_ERRORS))
    try:
        while line := await process.stdout.readline():
            yield _read(line)
        if await process.wait():
            raise _failed(process.returncode or 0, await errors)
    finally:
        errors.cancel()
        if process.stdin is not None:
            process.stdin.close()  # it ends by that
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _read(line: bytes) -> ScanLine:
    """Return a line of `flashdeckd scan`. Raises the error that it is about."""
    try:
        said = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError as error:
        raise FlashdeckError(
            f"flashdeckd scan said {clean(line.decode(errors='replace'), 60)}", hint=BY_HAND
        ) from error
    if said.error is not None:
        raise RemoteError(said.error.message, hint=said.error.hint, kind=said.error.kind)
    return said


def _failed(code: int, errors: bytes) -> FlashdeckError:
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    return FlashdeckError(
        f"flashdeckd scan ended with {code}: {clean(last[0]) if last else 'it said nothing'}", hint=BY_HAND
    )
