"""A real labgrid coordinator on loopback, and the real programs of labgrid beside it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli_run import Run
from flashdeck.own_lab_user import HOST_VARIABLE, USER_VARIABLE
from kept_port import kept_port
from rig import LOOK_AGAIN, START_SECONDS, WAIT_SECONDS

BIN: Final = Path(sys.executable).parent
ANN: Final = "desk/ann"
"""A user of the lab, and ..."""
BOB: Final = "cellar/bob"
"""... another one."""


@dataclass
class LabSite:
    """A coordinator, its places, and those who use them."""

    root: Path
    port: int
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the coordinator, again maybe, and return once it listens."""
        with (self.root / "coordinator.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - labgrid's own
                [BIN / "labgrid-coordinator", "-l", self.address],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.root / "coordinator.log").read_text()) from None
                time.sleep(LOOK_AGAIN)  # it says nothing that could be awaited
            else:
                return

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(WAIT_SECONDS)

    def environment(self, user: str) -> dict[str, str]:
        """The environment of a user's shell."""
        host, _, name = user.partition("/")
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        settings = {"LG_COORDINATOR": self.address, HOST_VARIABLE: host, USER_VARIABLE: name, "PATH": path}
        return os.environ | settings | {"PYTHONUNBUFFERED": "1"}

    def run(self, *words: str | Path, user: str = ANN, cwd: Path | None = None) -> Run:
        """Run a program as a user."""
        done = subprocess.run(  # noqa: S603 - labgrid's own, and ours
            [BIN / words[0], *words[1:]],
            cwd=cwd or self.root,
            env=self.environment(user),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def client(self, *words: str | Path, user: str = ANN, place: str = "") -> Run:
        """Run `labgrid-client` as a user."""
        return self.run("labgrid-client", *(("-p", place) if place else ()), *words, user=user)

    def done(self, *words: str | Path, user: str = ANN, place: str = "") -> str:
        """The same, where it is to end well."""
        ran = self.client(*words, user=user, place=place)
        assert ran.code == 0, ran
        return ran.out


@contextmanager
def lab_site(*places: str) -> Generator[LabSite]:
    """A coordinator for the length of a block, with a place for each of these boards, and of its name."""
    root = Path(tempfile.mkdtemp(prefix="fd-lab-"))
    known = {place: {"matches": [{"exporter": "*", "group": place, "cls": "FlashdeckBoard"}]} for place in places}
    if known:
        (root / "places.yaml").write_text(json.dumps(known))  # YAML, too: the coordinator's own file
    with kept_port() as port:
        site = LabSite(root, port)
        try:
            yield site
        finally:
            if site.process.poll() is None:
                site.stop(signal.SIGKILL)
            shutil.rmtree(root)
