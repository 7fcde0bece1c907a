"""An emulated bench that nobody has configured, in an empty home, and a project with built images."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cli_run import Run
from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from flashdeck.model import Presence, Snapshot
from flashdeck.paths import data_file
from flashdeck.value import Value
from product_images import program
from pseudo_terminal import OnTerminal
from rig import APP1, PARTITION2, PATIENCE, START_SECONDS

R = TypeVar("R", bound=Value)
STACK = 0x20030000
ONE = program(STACK, APP1 + 0x201, 20_000)
TWO = program(STACK, PARTITION2 + 0x201, 30_000)
FIRST_CASE = data_file("demo", "first-board.toml").read_text() + 'timing = "none"\n'
_PROGRAM = ("-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())")


@dataclass
class NewUser:
    """Somebody with an empty home, a project, and a daemon of emulated boards that runs already."""

    root: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "fw"

    @property
    def config(self) -> Path:
        return self.home / ".config" / "flashdeck-virtual" / "flashdeck.toml"

    @property
    def socket(self) -> Path:
        return self.root / "run" / "flashdeck-virtual" / "flashdeckd.sock"

    @property
    def variables(self) -> Mapping[str, str]:
        names = {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "FLASHDECK_SOCKET", "VISUAL", "EDITOR"}
        kept = {name: value for name, value in os.environ.items() if name not in names}
        own = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.root / "run"), "LC_ALL": "C.UTF-8"}
        return {**kept, **own}

    def built(self, name: str, data: bytes) -> Path:
        path = self.project / name.lower() / "Debug" / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def start(self, bench: str, *words: str) -> None:
        """Starts a daemon of emulated boards, and waits until it answers."""
        (self.root / "bench.toml").write_text(bench)
        with (self.root / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - ours
                (sys.executable, "-m", "flashdeckd", "--virtual", str(self.root / "bench.toml"), *words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.variables),
                start_new_session=True,
            )
        self.processes.append(process)

        async def answers() -> None:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    try:
                        await (await Client.connect(self.socket, client="test")).close()
                    except FlashdeckError:
                        assert process.poll() is None, (self.root / "log").read_text()
                        await asyncio.sleep(0.02)  # the socket file appears without an event of its own
                    else:
                        return

        asyncio.run(answers())

    def until_plugged_in(self) -> None:
        """Waits until the daemon has seen a device: a slow one takes its time to come."""

        async def seen() -> None:
            async with (
                asyncio.timeout(START_SECONDS),
                await Client.connect(self.socket, client="test") as client,
                aclosing(client.follow()) as news,
            ):
                async for item in news:
                    if item.devices:
                        return

        asyncio.run(seen())

    def ask(self, params: api.Params[R]) -> R:
        async def once() -> R:
            async with await Client.connect(self.socket, client="test") as client:
                return await client.call(params)

        return asyncio.run(once())

    def presses(self, name: str, board: str) -> None:
        """Presses an emulated board's button, and waits until its configured board is in DFU mode."""

        async def both() -> None:
            async with await Client.connect(self.socket, client="test") as client, asyncio.timeout(60 * PATIENCE):
                changes = client.follow()
                await anext(changes)
                await client.call(api.VirtualPress(boards=(name,)))
                async for change in changes:
                    states = change.boards if isinstance(change, Snapshot) else (change.board,)
                    if any(each and (each.name, each.presence) == (board, Presence.DFU) for each in states):
                        return

        asyncio.run(both())

    def flash(self, name: str, address: int, size: int) -> bytes:
        """A piece of the emulated flash, at most 256 KiB."""
        return self.ask(api.VirtualDump(board=name, address=address, size=size)).data

    def types(self, *words: str, columns: int = 80, lines: int = 24, **variables: str | None) -> OnTerminal:
        """A command on a terminal."""
        hidden: dict[str, str | None] = dict.fromkeys(name for name in os.environ if name not in self.variables)
        environment: dict[str, Any] = {**hidden, **self.variables, **variables}
        return OnTerminal(*words, columns=columns, lines=lines, ignore_hangup=False, python=(), **environment)

    def runs(self, *words: str) -> Run:
        """A command in a script, without a terminal."""
        run = subprocess.run(  # noqa: S603 - ours
            (sys.executable, *_PROGRAM, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(self.variables),
            cwd=self.root,
            timeout=60 * PATIENCE,
            check=False,
        )
        return Run(run.returncode, run.stdout.decode(), run.stderr.decode())


@contextmanager
def new_user() -> Generator[NewUser]:
    """Somebody new, whose processes are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:  # short enough for a socket's path
        user = NewUser(Path(directory))
        user.home.mkdir()
        (user.root / "run").mkdir(mode=0o700)
        user.built("APP1", ONE)
        user.built("APP2", TWO)
        try:
            yield user
        finally:
            for process in user.processes:
                process.terminate()
                process.wait(60 * PATIENCE)


Answer = tuple[str, str]
"""The last words of a prompt, and what is typed there."""


def talked(terminal: OnTerminal, answers: Mapping[str, str], *, most: int = 12) -> list[Answer]:
    """Answer each prompt that ends with one of these words until the command ends; return all that was typed."""
    typed: list[Answer] = []
    seen = 0
    while terminal.reads(60 * PATIENCE):
        text = terminal.seen[seen:].decode(errors="replace")
        for prompt, answer in answers.items():
            if text.rstrip(" ").endswith(prompt):
                seen = len(terminal.seen)
                terminal.types(answer.encode() + b"\n")
                typed.append((prompt, answer))
                assert len(typed) <= most, text
    return typed
