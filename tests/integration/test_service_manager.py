"""The daemon as a service: it takes its socket from the manager, says when it is ready, and gives signs of life."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashdeck import api, stream
from flashdeck.client import Client
from rig import WAIT_SECONDS, board, prepare

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
WATCHDOG = 3.0
"""Seconds in which the manager of these tests wants a sign of life."""
_DAEMON = """
import os, runpy, sys
handed = int(sys.argv.pop(1))
if handed:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    os.dup2(handed, 3)
runpy.run_module("flashdeckd", run_name="__main__", alter_sys=True)
"""


class Manager:
    """A service manager's side: what it was told."""

    def __init__(self, heard: socket.socket) -> None:
        self._heard = heard
        self.said: list[str] = []

    def until(self, words: str, times: int = 1) -> None:
        """Wait until something with these words was said so many times."""
        while sum(words in line for line in self.said) < times:
            self.said.append(self._heard.recv(4096).decode())


@contextmanager
def service(root: Path, listener: socket.socket | None = None) -> Generator[tuple[subprocess.Popen[bytes], Manager]]:
    prepare(root, boards=LEFT, bench=board("left"))
    handed = listener.fileno() if listener is not None else 0
    options = ("--virtual", "bench.toml", "--config", "config.toml", "--state-dir", "state", "--socket", "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(root / "notify"))
        heard.settimeout(WAIT_SECONDS)
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(root / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000)),
        }
        with subprocess.Popen(  # noqa: S603 - ours
            (sys.executable, "-c", _DAEMON, str(handed), *options),
            cwd=root,
            env=environment,
            pass_fds=(handed,) if handed else (),
        ) as process:
            try:
                yield process, Manager(heard)
            finally:
                process.kill()


async def test_a_client_that_came_first_is_served_through_the_socket_of_the_manager(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HELLO_TIMEOUT", WAIT_SECONDS)  # a start may take its time on a busy machine
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(root / "s"))
        listener.listen()
        with service(root, listener) as (process, manager):
            listener.close()  # from here on only the daemon has it
            async with await Client.connect(
                root / "s", client="test"
            ) as client:  # it waits in the queue while the daemon starts
                snapshot = await client.call(api.GetStatus())
                assert [each.name for each in snapshot.boards] == ["left"]
            manager.until("READY=1")
            manager.until("WATCHDOG=1", times=2)
            manager.until("STATUS=1 board: ")
            process.send_signal(signal.SIGTERM)
            manager.until("STOPPING=1")
            assert process.wait(WAIT_SECONDS) == 0
        assert (root / "s").is_socket()  # it is the manager's


def test_it_is_ready_once_clients_can_connect_and_the_bus_was_looked_at(root: Path) -> None:
    with service(root) as (process, manager):
        manager.until("READY=1")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(root / "s"))
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(WAIT_SECONDS) == 0
    assert not (root / "s").exists()
