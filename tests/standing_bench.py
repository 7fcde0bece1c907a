"""A real daemon on an emulated bench for many tests, started and ended without an event loop."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import flashdeck
from flashdeck.errors import FlashdeckError
from flashdeck.paths import SOCKET_VARIABLE
from rig import DAEMON, LOOK_AGAIN, START_SECONDS, WAIT_SECONDS, board, prepare

BOARD = '[boards.{name}]\nprofile = "product"\nserial = "TEST000000{number:02}"\n'
BIN = Path(sys.executable).parent
"""The commands of the product, and those of the packages beside it."""


@dataclass(frozen=True)
class StandingBench:
    """The daemon's files, and how others find it."""

    root: Path
    process: "subprocess.Popen[bytes]"

    @property
    def socket(self) -> Path:
        return self.root / "s"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a shell in which `flashdeck` is this one, and finds this daemon."""
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, SOCKET_VARIABLE: str(self.socket), "PATH": path, "NO_COLOR": "1"}

    def run(
        self, *words: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command beside it, and return what it printed."""
        return subprocess.run(  # noqa: S603 - the tests' own commands
            words,
            cwd=cwd or self.root,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS,
        )

    def file(self, name: str, data: bytes) -> Path:
        """Write an image that the daemon does not watch."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def contents(self, board: str, size: int, *, partition: str = "app1") -> bytes:
        """Return the first bytes of a partition of an emulated board."""
        with flashdeck.connect(self.socket) as bench:
            return bench.read(partition, boards=board).data[:size]


@contextmanager
def standing_bench(*names: str) -> Generator[StandingBench]:
    """A daemon with these boards, for the length of a block."""
    root = Path(tempfile.mkdtemp(prefix="fd-"))
    each = [(name, number) for number, name in enumerate(names, 1)]
    prepare(
        root,
        boards="".join(BOARD.format(name=name, number=number) for name, number in each),
        bench="".join(board(name, number, serial=f"TEST000000{number:02}") for name, number in each),
    )
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own daemon
            [
                *(sys.executable, *DAEMON, "--virtual", str(root / "bench.toml")),
                *("--config", str(root / "config.toml"), "--socket", str(root / "s")),
                *("--state-dir", str(root / "state")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(root, process)
        yield StandingBench(root, process)
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
        shutil.rmtree(root)


def _wait_for(root: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            flashdeck.connect(root / "s").close()
        except FlashdeckError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((root / "log").read_text()) from None
            time.sleep(LOOK_AGAIN)  # the socket file appears without an event of its own
        else:
            return
