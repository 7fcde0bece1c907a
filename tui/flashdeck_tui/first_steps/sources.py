"""Where devices, boards and builds come from: the daemon where there is one, and the process `flashdeckd scan`."""

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck.first_board.found import FoundBuild, ScanLine
from flashdeck.model import BoardState, DaemonState, DeviceState, Event, Snapshot
from flashdeck.text import clean
from flashdeck.whereabouts import Whereabouts

MAX_SCAN_LINE: Final = 16 * 1024 * 1024
"""Bytes of one line of `flashdeckd scan`."""


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
            changes = client.follow()
            first = await anext(changes)
    except ConnectionFailedError as error:
        if error.kind is not ErrorKind.UNREACHABLE:
            raise
        return None
    return first.daemon


async def bus_of(where: Whereabouts | None) -> AsyncIterator[Bus]:
    """Yield devices and boards now, and again whenever that changes; with no daemon from `flashdeckd scan`."""
    source = _scanned() if where is None else _followed(where)
    async for bus in source:
        yield bus


async def project_in(folder: Path) -> Project:
    """Return the builds below a directory. Raises FlashdeckError where it cannot be looked through."""
    builds: tuple[FoundBuild, ...] | None = None
    notes: tuple[str, ...] = ()
    async with contextlib.aclosing(_scan(str(folder))) as lines:
        async for line in lines:
            if line.builds is not None:
                builds, notes = line.builds, line.notes
    if builds is None:
        raise FlashdeckError("flashdeckd scan did not say which builds there are", hint="run it: flashdeckd scan DIR")
    return Project(builds, notes)


async def _followed(where: Whereabouts) -> AsyncIterator[Bus]:
    async with await where.connect(client="flashdeck-cli") as client:
        devices: tuple[DeviceState, ...] = ()
        boards: dict[str, BoardState] = {}
        async for change in client.follow():
            match change:
                case Snapshot():
                    devices, boards = change.devices, {each.name: each for each in change.boards}
                case Event(devices=tuple() as now):
                    devices = now
                case Event(board=BoardState() as board):
                    boards[board.name] = board
                case _:
                    continue
            yield Bus(devices, tuple(boards.values()))


async def _scanned() -> AsyncIterator[Bus]:
    async with contextlib.aclosing(_scan("--follow")) as lines:
        async for line in lines:
            if line.devices is not None:
                yield Bus(line.devices, trouble=(*((line.trouble,) if line.trouble else ()), *line.unread))


async def _scan(*words: str) -> AsyncGenerator[ScanLine]:
    """Yield the lines of `flashdeckd scan`, a process of its own: the command line never loads the daemon.

    Raises FlashdeckError where it is not installed, or refuses.
    """
    if importlib.util.find_spec("flashdeckd") is None:
        raise FlashdeckError("looking for devices and builds needs flashdeckd", hint=extra_hint("daemon"))
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
