"""A real daemon on emulated boards that are part of a lab, and what its boards really have."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import flashdeck
from flashdeck import AsyncBench, Bench, api
from flashdeck.errors import FlashdeckError
from lab.lab_rig import LabSite
from rig import APP1, DAEMON, LOOK_AGAIN, START_SECONDS, WAIT_SECONDS, board, prepare

SPEAKS: Final = 'says = [{ image = "flashdeck-test " }]\n'
CONSOLE: Final = '[profiles.product.console]\nport = "app"\n'
KNOWN: Final = '[boards.{name}]\nprofile = "product"\nserial = "LAB{number:09}"\n'
LAB: Final = '\n[labgrid]\ncoordinator = "{address}"\nname = "{name}"\nhost = "localhost"\n{more}'


@dataclass
class LabDaemon:
    """A daemon, its files, and its life."""

    root: Path
    name: str
    """As an exporter."""
    site: LabSite | None
    process: "subprocess.Popen[bytes]" = field(init=False)

    @property
    def socket(self) -> Path:
        return self.root / "s"

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()

    def start(self) -> None:
        """Start it, again maybe, and return once it answers."""
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own daemon
                [
                    *(sys.executable, *DAEMON, "--virtual", str(self.root / "bench.toml")),
                    *("--config", str(self.root / "config.toml"), "--socket", str(self.socket)),
                    *("--state-dir", str(self.root / "state")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
            except FlashdeckError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.log) from None
                time.sleep(LOOK_AGAIN)  # the socket file appears without an event of its own
            else:
                return

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it in order; or kill it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(WAIT_SECONDS)

    def connect(self, user: str = "") -> Bench:
        """Return a connection as a user of the lab; "" for somebody who has nothing to do with it."""
        return flashdeck.connect(self.socket, lab_user=user)

    def connected(self, user: str = "") -> AbstractAsyncContextManager[AsyncBench]:
        """The same, for a block of a program with an event loop."""
        return flashdeck.connect_async(self.socket, lab_user=user)

    def flash_of(self, name: str, size: int, *, address: int = APP1) -> bytes:
        """Return what an emulated board really has."""
        with self.connect() as bench:
            return emulated_flash(bench, name, size, address=address)

    def build(self, data: bytes, *, name: str = "APP1.bin") -> None:
        path = self.root / "build" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def emulated_flash(bench: Bench, name: str, size: int, *, address: int = APP1) -> bytes:
    """Return what an emulated board really has."""
    data = b""
    while len(data) < size:
        data += bench.call(api.VirtualDump(board=name, address=address + len(data))).data
    return data[:size]


@contextmanager
def lab_daemon(
    name: str, boards: Sequence[str], site: LabSite | None = None, *, speaks: bool = False, more: str = ""
) -> Generator[LabDaemon]:
    """A daemon for the length of a block, whose boards are in the pool of `site`. `more` are lines of [labgrid]."""
    root = Path(tempfile.mkdtemp(prefix="fd-"))
    numbered = list(enumerate(boards, 1))
    voice = {"serial_port": "plain"} if speaks else {}
    bench = [
        board(each, number, serial=f"LAB{number:09}", **voice) + (SPEAKS if speaks else "") for number, each in numbered
    ]
    lab = "" if site is None else LAB.format(address=site.address, name=name, more=more)
    prepare(
        root,
        boards="".join(KNOWN.format(name=each, number=number) for number, each in numbered) + lab,
        bench="".join(bench),
        profile=CONSOLE if speaks else "",
    )
    daemon = LabDaemon(root, name, site)
    daemon.start()
    try:
        yield daemon
    except BaseException:
        sys.stderr.write(daemon.log)  # pytest shows it with the failure
        raise
    finally:
        daemon.stop()
        shutil.rmtree(root)
