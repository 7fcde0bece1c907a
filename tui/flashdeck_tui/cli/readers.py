"""Notices that nobody reads any more what a command says: at once, and not with the next thing that it says."""

import asyncio
import os
import select
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from enum import Enum, auto
from typing import TextIO

from flashdeck_tui.cli.output import UnreadError


class Until(Enum):
    """The end of a command's patience, besides its own."""

    UNREAD = auto()
    """Its data has no reader any more: it prints as things happen, and does nothing else."""
    UNHEARD = auto()
    """Neither its data nor its messages have one, and both were for another program: somebody closed the pipe."""
    DONE = auto()
    """Nothing but its own end: what it runs for goes on whoever reads."""


@asynccontextmanager
async def while_read(until: Until) -> AsyncGenerator[None]:
    """Cancel what a block does once nobody reads any more; raises UnreadError then."""
    if until is Until.DONE:
        yield
        return
    task = asyncio.current_task()
    has_ended = False

    def end(_unread: object) -> None:
        nonlocal has_ended
        has_ended = True
        if task is not None:
            task.cancel()

    unread = asyncio.ensure_future(_until_unread(until))
    unread.add_done_callback(end)
    await asyncio.sleep(0)  # it looks at stdout before a first line finds out, and silences it
    try:
        yield
    except asyncio.CancelledError:
        if has_ended and task is not None and not task.uncancel():
            raise UnreadError from None
        raise
    finally:
        unread.remove_done_callback(end)
        unread.cancel()


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
