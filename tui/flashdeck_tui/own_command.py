"""The command line of this very installation, run beside the screen for what only a command can do."""

import asyncio
import shlex
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flashdeck import own_python
from flashdeck.errors import FlashdeckError
from flashdeck.text import MAX_MESSAGE, clean

_PROGRAM = own_python.code("import sys; from flashdeck_tui.cli import main; sys.exit(main())")
_ERROR, _HINT = "error: ", "hint: "
MOST_OUTPUT = 64 * 1024
"""Bytes of what a command prints that are kept."""


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command of `flashdeck`, for the daemon of one host."""

    host: str
    """The machine, as `--host` has it; "" for this one."""
    socket: Path
    words: tuple[str, ...]
    read_only: bool = False
    """True if it may change nothing there, no more than the screen that runs it."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that make it go to that daemon."""
        place = ("--host", self.host) if self.host else ("--socket", str(self.socket))
        return (*place, "--read-only") if self.read_only else place

    @property
    def shown(self) -> str:
        """The command as a person types it."""
        return clean(shlex.join(("flashdeck", *self.options, *self.words)), MAX_MESSAGE)

    @property
    def argv(self) -> tuple[str, ...]:
        """The same for the system."""
        return (*_PROGRAM, *self.options, *self.words)


async def output_of(command: OwnCommand) -> str:
    """Run a command that asks nothing, and return what it prints; raises FlashdeckError with what it complains of."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise FlashdeckError(f"{command.shown} cannot be started: {error.strerror}") from error
    try:
        printed, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        message, hint = _complaint(said[-MOST_OUTPUT:].decode(errors="replace"))
        raise FlashdeckError(message or f"{command.shown} ended with {process.returncode}", hint=hint)
    return printed[:MOST_OUTPUT].decode(errors="replace")


def _complaint(said: str) -> tuple[str, str]:
    """Return message and hint of what a command complains of."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    hints = [line.removeprefix(_HINT) for line in lines if line.startswith(_HINT)]
    messages = [line.removeprefix(_ERROR) for line in lines if not line.startswith(_HINT)]
    return "; ".join(messages), "; ".join(hints)


async def run_in_terminal(command: OwnCommand) -> int:
    """Run a command that has the terminal for itself, and return its exit code; the caller has left the screen.

    The interrupt that a person types there is for the command alone.
    """
    with _interrupts_left_to_command():
        try:
            process = await asyncio.create_subprocess_exec(*command.argv)
        except OSError as error:
            raise FlashdeckError(f"{command.shown} cannot be started: {error.strerror}") from error
        return await process.wait()


@contextmanager
def _interrupts_left_to_command() -> Generator[None]:
    """Do nothing when the terminal sends an interrupt, for the length of a block; a child is not told of this."""

    def leave(_number: int, _frame: object) -> None:
        return None

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
