"""Notices that nobody reads any more what a command says: at once, and not with the next thing that it says."""

import asyncio
import os
import select
import stat
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, TextIO, TypeVar

from flashdeck_tui.cli.output import UnreadError

T = TypeVar("T")


class Until(Enum):
    """The end of a command's patience, besides its own."""

    UNREAD = auto()
    """Its data has no reader any more: it prints as things happen, and does nothing else."""
    UNHEARD = auto()
    """Neither its data nor its messages have one, and both were for another program: somebody closed the pipe."""
    DONE = auto()
    """Nothing but its own end: what it runs for goes on whoever reads."""


async def while_read(work: Coroutine[Any, Any, T], until: Until) -> T:
    """Return what `work` returns; raises UnreadError where it was cancelled because nobody reads any more."""
    if until is Until.DONE:
        return await work
    unread = asyncio.ensure_future(_until_unread(until))  # before a first line finds out, and stdout is silenced
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait((working, unread), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.wait((working,))
        raise UnreadError
    finally:
        working.cancel()
        unread.cancel()
        await asyncio.gather(working, unread, return_exceptions=True)


async def _until_unread(until: Until) -> None:
    if until is Until.UNREAD:
        await _closed(sys.stdout, pipes_only=False)
    else:
        await asyncio.gather(*(_closed(stream, pipes_only=True) for stream in (sys.stdout, sys.stderr)))


async def _closed(stream: TextIO | None, *, pipes_only: bool) -> None:
    """Return once the other side of a pipe, a socket or a terminal is closed; never for anything else."""
    closed = asyncio.Event()
    # One that waits for nothing is still told of a hang-up; the loop itself would also wake for what comes in.
    with _copied(stream, pipes_only=pipes_only) as descriptor, select.epoll() as poller:
        try:
            poller.register(descriptor, 0)
        except (OSError, ValueError):  # a file, or nothing
            await closed.wait()
        loop = asyncio.get_running_loop()
        loop.add_reader(poller.fileno(), closed.set)
        try:
            await closed.wait()
        finally:
            loop.remove_reader(poller.fileno())


@contextmanager
def _copied(stream: TextIO | None, *, pipes_only: bool) -> Generator[int]:
    """The open file of a stream under another number, which stays when the stream is silenced.

    -1 where there is none, or none of the wanted kind.
    """
    try:
        copy = -1 if stream is None else os.dup(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        copy = -1
    if copy < 0:
        yield -1
        return
    try:
        mode = os.fstat(copy).st_mode
        is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        yield copy if is_pipe or not pipes_only else -1
    finally:
        os.close(copy)
