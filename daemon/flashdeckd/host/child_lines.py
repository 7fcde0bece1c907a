"""A process of our own beside this one, with lines on its standard input and output, which ends with its input."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Protocol

from flashdeckd.host import processes

CHILD_GRACE: Final = 2.0
"""Seconds that a process has to end once its input has, and after SIGTERM; then it is killed."""


class LineProcess(Protocol):
    """A process that speaks in lines."""

    def send(self, line: bytes) -> None:
        """Say a line to it; one that has ended does not hear it."""
        ...

    def lines(self) -> AsyncIterator[bytes]:
        """Yield what it says, until it ends."""
        ...

    async def end(self) -> None:
        """End it, and return once it has."""
        ...


class ChildLines:
    """A child process. Make it with `start`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, argv: Sequence[str], environment: Mapping[str, str], *, longest: int) -> "ChildLines":
        """Start it, in a session of its own; `longest` bytes are a line. Raises OSError where that cannot be."""
        return cls(
            await asyncio.create_subprocess_exec(
                *argv,
                stdin=PIPE,
                stdout=PIPE,
                env={**processes.environment(), **environment},
                limit=longest,
                start_new_session=True,
            )
        )

    def send(self, line: bytes) -> None:
        """Say a line to it; one that has ended does not hear it."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield what it says, until it ends, or says a line that is too long."""
        stdout = self._process.stdout
        with contextlib.suppress(ConnectionError, ValueError):  # ValueError: a line beyond the limit
            while stdout is not None and (line := await stdout.readline()):
                yield line

    async def end(self) -> None:
        """End it, and return once it has."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for deed in (self._process.terminate, self._process.kill):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), CHILD_GRACE)
                return
            with contextlib.suppress(ProcessLookupError):
                deed()
        await self._process.wait()
