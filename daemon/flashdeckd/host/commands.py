"""Commands that a person configured: run without a shell, in bounded time, and with nothing of the daemon's own.

A simulation sets `system` to one whose commands are made up.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flashdeck.text import clean

KEPT_VARIABLES: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""All that a command gets of the daemon's environment."""
GRACE_SECONDS: Final = 2.0
"""Seconds that a command has to end after SIGTERM, and after the SIGKILL that follows."""
_PIECE: Final = 64 * 1024
"""Bytes read of a command's output at once; as many as a pipe keeps."""


@dataclass(frozen=True, slots=True)
class Exited:
    """A command ended by itself."""

    code: int

    @property
    def text(self) -> str:
        """Return the end in words, to go on after the name of a command."""
        return f"ended with {self.code}"


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal ended a command."""

    number: int

    @property
    def text(self) -> str:
        """Return the end in words, to go on after the name of a command."""
        try:
            return f"was ended by {signal.Signals(self.number).name}"
        except ValueError:  # real-time signals have no names
            return f"was ended by signal {self.number}"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A command did not end in its time, and was ended."""

    seconds: float

    @property
    def text(self) -> str:
        """Return the end in words, to go on after the name of a command."""
        return f"did not end within {self.seconds:g} s"


Ending = Exited | Signalled | TimedOut

_unreaped: list[subprocess.Popen[bytes]] = []
"""Killed processes that had not ended yet when their run was over: they are reaped at the next one."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The end of a command, and what it printed."""

    ending: Ending
    output: str = ""
    """The last that it wrote to stdout and stderr. Each line is cleaned; lines are separated by line feeds."""

    @property
    def is_success(self) -> bool:
        """Return whether it ended by itself, with 0."""
        return self.ending == Exited(0)


class Commands(Protocol):
    """A place where commands run."""

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        """Do what `run` of this module says."""
        ...

    def find(self, program: str) -> str:
        """Do what `find` of this module says."""
        ...


async def run(
    argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
) -> CommandResult:
    """Run a command to its end, at most `seconds` long, and return how it ended.

    It runs in a session and a process group of its own, in the directory /, without stdin. `environment` is added to
    the `KEPT_VARIABLES`. The last `most_output` bytes of its output are kept. When it ends, is out of time, or the task
    that awaits it is cancelled, all that is left of its process group ends with it. Raises OSError where it cannot be
    started, and ValueError for a NUL byte.
    """
    return await system.run(argv, environment=environment, seconds=seconds, most_output=most_output)


def find(program: str) -> str:
    """Return the path of a program as `run` finds it; "" where there is none that may be run. Blocks."""
    return system.find(program)


class _ChildProcesses:
    """Commands as child processes."""

    @staticmethod
    def find(program: str) -> str:
        return shutil.which(program) or ""

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        output = _Output(most_output)
        try:
            child = _Child(argv, kept | dict(environment), output.write_end)
        except BaseException:
            output.close()
            raise
        with contextlib.closing(output), contextlib.closing(child):
            output.begin()
            is_over = False
            try:
                is_over = await child.ended_within(seconds)
            finally:
                if not is_over:
                    await child.end()
            child.kill_group()
            ending = child.ending if is_over else TimedOut(seconds)
            return CommandResult(ending, output.text())


class _Child:
    """A running command, and the group of processes that it leads. Not reaped before `close`: its number stays its."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], output: int) -> None:
        _unreaped[:] = [process for process in _unreaped if process.poll() is None]
        self._process = subprocess.Popen(  # noqa: S603 -- no shell; only the configuration says what runs
            tuple(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=dict(environment),
            start_new_session=True,
        )
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        try:
            self._handle = os.pidfd_open(self._process.pid)
        except OSError:  # too many files are open: nobody would know when it ends
            self.kill_group()
            _unreaped.append(self._process)
            raise
        self._loop.add_reader(self._handle, self._has_ended)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._handle)  # it stays readable
        self._ended.set()

    async def ended_within(self, seconds: float) -> bool:
        """Wait until it has ended; return False where it has not within `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self._ended.is_set()

    async def end(self) -> None:
        """End it, at first in a way in which it can put its things in order."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            if await self.ended_within(GRACE_SECONDS):
                return

    def kill_group(self) -> None:
        """End all that is left of its group, at once."""
        self._signal(signal.SIGKILL)

    @property
    def ending(self) -> Exited | Signalled:
        """Return how it ended; it has."""
        code = self._process.wait()
        return Exited(code) if code >= 0 else Signalled(-code)

    def close(self) -> None:
        """Forget it, and leave nothing of it running. A process that hangs in the kernel is not waited for."""
        if self._process.returncode is None:
            self.kill_group()
            if self._process.poll() is None:
                _unreaped.append(self._process)
        self._loop.remove_reader(self._handle)
        os.close(self._handle)

    def _signal(self, number: signal.Signals) -> None:
        # Nobody is left in the group, or all that are have become another user (sudo).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Output:
    """The end of what a command writes, read as it comes: a command never waits for us."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)

    def begin(self) -> None:
        """Read from now on; the command has its own copy of the other end."""
        self._close_write_end()
        self._loop.add_reader(self._read_end, self._read)

    def text(self) -> str:
        """Return what was kept, cleaned. What a process that has left the group still writes is not waited for."""
        self._read()
        lines = self._kept.decode(errors="replace").splitlines()
        return "\n".join(clean(line, self._most) for line in lines)

    def close(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        self._close_write_end()

    def _close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def _read(self) -> None:
        try:
            piece = os.read(self._read_end, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._loop.remove_reader(self._read_end)
        self._kept += piece
        del self._kept[: -self._most]


system: Commands = _ChildProcesses()
