"""What a service manager is told, and the socket that it hands over."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashdeckd.host.service_manager import FIRST_INHERITED, LONGEST_STATUS, ServiceManager, inherited_socket


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address of a service manager, as it stands in the environment, and its socket."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@flashdeck-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        ours.settimeout(0)
        yield address, ours


def test_it_is_told_what_it_waits_for(manager: tuple[str, socket.socket]) -> None:
    address, heard = manager
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    told = ServiceManager.of(environment)
    assert environment == {"HOME": "/"}  # a child must not speak for us
    assert told.watchdog == 30
    told.ready()
    told.status("1 board:\n1 failed " + "x" * LONGEST_STATUS)
    told.status("1 board:\n1 failed " + "x" * LONGEST_STATUS)
    told.alive()
    told.stopping()
    said = [heard.recv(4096).decode() for _ in range(4)]
    assert said[0] == "READY=1"
    assert said[1].startswith("STATUS=1 board: 1 failed x")
    assert len(said[1]) == len("STATUS=") + LONGEST_STATUS
    assert said[2:] == ["WATCHDOG=1", "STOPPING=1"]
    with pytest.raises(BlockingIOError):
        heard.recv(4096)


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "1000000"}, 0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000000"}, 1),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, 0),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, 0),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, 0),
    ],
)
def test_one_that_is_not_there_costs_nothing(environment: dict[str, str], watchdog: float) -> None:
    told = ServiceManager.of(environment)
    assert told.watchdog == watchdog
    told.ready()
    told.status("all is well")
    told.alive()
    told.stopping()


def test_one_that_does_not_read_costs_nothing(manager: tuple[str, socket.socket]) -> None:
    address, _ = manager
    told = ServiceManager(address)
    for number in range(3000):  # far more than its queue takes
        told.status(f"{number} boards")


_CHILD = f"""
import os, sys, socket
from flashdeckd.host.service_manager import inherited_socket
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(int(sys.argv[1]), {FIRST_INHERITED})  # as a service manager leaves it
try:
    handed = inherited_socket(os.environ)
except OSError as error:
    print(error)
else:
    print("none" if handed is None else handed.getsockname(), os.get_inheritable({FIRST_INHERITED}))
    print(sorted(name for name in os.environ if name.startswith("LISTEN")))
"""


def child(handed: socket.socket, count: int) -> list[str]:
    """Return what a process says that a socket is handed to as descriptor 3."""
    environment = {**os.environ, "LISTEN_FDS": str(count), "LISTEN_FDNAMES": "flashdeck"}
    words = [sys.executable, "-c", _CHILD, str(handed.fileno())]
    run = subprocess.run(  # noqa: S603 -- our own words
        words, env=environment, pass_fds=(handed.fileno(),), capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout.splitlines()


def test_a_socket_that_is_handed_over_is_taken_and_not_handed_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert child(listener, 1) == [f"{tmp_path / 's'} False", "[]"]
        assert child(listener, 2) == ["2 sockets were handed over, and flashdeckd listens on one"]


def test_what_is_no_listening_unix_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        assert "no listening Unix stream socket" in child(one, 1)[0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "d"))
        assert "no listening Unix stream socket" in child(one, 1)[0]


def test_nothing_is_taken_that_is_meant_for_another_process() -> None:
    environment = {"LISTEN_PID": str(os.getppid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}
    assert inherited_socket(environment) is None
    assert environment == {}
    assert inherited_socket({}) is None
