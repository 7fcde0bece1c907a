"""Several machines that are this one: a daemon each, and a stand-in for ssh that runs the other side here."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rig import WAIT_SECONDS, board, prepare

PROGRAM: Final = "import sys; from flashdeck_tui.cli import main; sys.exit(main())"
SSH: Final = '#!/bin/sh\nfor word; do :; done\nexec sh -c "$word"\n'


@dataclass(slots=True)
class Typed:
    """A command line that runs."""

    process: Process
    err: str = ""
    """All that it has said on stderr so far."""

    async def says(self, *texts: str) -> None:
        """Wait until it has said all of these on stderr, in any order."""
        async with asyncio.timeout(WAIT_SECONDS):
            while missing := [text for text in texts if text not in self.err]:
                assert self.process.stderr is not None
                line = await self.process.stderr.readline()
                assert line, (missing, self.err)
                self.err += line.decode()

    async def prints(self, text: str) -> str:
        """Return the next line of stdout with this text."""
        assert self.process.stdout is not None
        seen = ""
        async with asyncio.timeout(WAIT_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                if text in line:
                    return line
                seen += line
        raise AssertionError((seen, self.err))

    def forget(self) -> None:
        """Forget what it has said: what comes is news."""
        self.err = ""

    async def interrupted(self) -> tuple[int, str]:
        """Press Ctrl-C, and return the exit code and what was still on stdout."""
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> tuple[int, str]:
        """Return the exit code, once it has ended, and what was still on stdout."""
        out, err = await asyncio.wait_for(self.process.communicate(), WAIT_SECONDS)
        self.err += err.decode()
        return self.process.returncode or 0, out.decode()


@dataclass(slots=True)
class Machines:
    """The machines, by names; a daemon of each may come and go."""

    directory: Path
    names: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def at(self, name: str) -> Path:
        """Return the place of one of them, for `rig.running`."""
        return self.directory / name

    @property
    def words(self) -> list[str]:
        """All of them, as a command line names them."""
        return [word for name in self.names for word in ("--host", name)]

    @asynccontextmanager
    async def typed(self, *words: str) -> AsyncGenerator[Typed]:
        """Run a command line for the length of a block."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **self.environment},
        )
        try:
            yield Typed(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def machines(directory: Path, names: Sequence[str], boards: Iterable[str], *, more: str = "") -> Machines:
    """Return machines with boards of the same names; `more` is what [hosts] has besides them."""
    boards = tuple(boards)
    tools, config = directory / "bin", directory / "xdg" / "flashdeck"
    tools.mkdir()
    config.mkdir(parents=True)
    (tools / "ssh").write_text(SSH)
    (tools / "ssh").chmod(0o755)
    tables = more
    for name in names:
        place = directory / name
        place.mkdir(mode=0o700)
        serials = {each: f"{name}{number}" for number, each in enumerate(boards, 1)}
        prepare(
            place,
            boards="".join(
                f'[boards.{each}]\nprofile = "product"\nserial = "{serial}"\n' for each, serial in serials.items()
            ),
            bench="".join(board(each, number, serial=serials[each]) for number, each in enumerate(boards, 1)),
        )
        command = f'["{sys.executable}", "-c", "{PROGRAM}", "--socket", "{place}/s"]'
        tables += f"[hosts.{name}]\ncommand = {command}\n"
    (config / "flashdeck.toml").write_text(tables)
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "XDG_CONFIG_HOME": str(directory / "xdg"),
        "XDG_STATE_HOME": str(directory / "xdg-state"),
    }
    return Machines(directory, names, environment)
