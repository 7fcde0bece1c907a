"""One daemon a socket, and only its own user gets in."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeckd.server.endpoint import claimed, peer_uid
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub
from unit.wire.peer import is_there, peer


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_directory_and_socket_are_private(hub: Hub, path: Path) -> None:
    deeper = path.parent / "new" / "sock"
    before = os.umask(0)
    try:
        async with Server(hub, {}).listening(deeper):
            assert (mode(deeper.parent), mode(deeper)) == (0o700, 0o600)
            assert mode(deeper.parent / "sock.lock") == 0o600
    finally:
        os.umask(before)
    assert not is_there(deeper)


async def test_a_second_daemon_is_refused_and_the_first_unharmed(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as early:
        with pytest.raises(FlashdeckError, match=f"pid {os.getpid()} .*{path}") as caught:
            async with Server(hub, {}).listening(path):
                pass
        assert caught.value.kind is ErrorKind.ALREADY_RUNNING
        assert caught.value.hint
        early.call(1, "status")
        assert (await early.receive())["id"] == 1
        async with peer(path) as late:
            late.call(1, "status")
            assert (await late.receive())["id"] == 1


async def test_the_place_is_free_again_afterwards(hub: Hub, path: Path) -> None:
    for _ in range(3):
        async with Server(hub, {}).listening(path), peer(path):
            pass
        assert not is_there(path)


async def test_a_claim_can_be_held_before_and_while_serving(hub: Hub, path: Path) -> None:
    with claimed(path) as endpoint:
        assert not is_there(path)
        with pytest.raises(FlashdeckError, match="already serves"), claimed(path):
            pass
        async with Server(hub, {}).listening(endpoint), peer(path):
            pass
        assert not is_there(path)


async def test_the_socket_of_a_killed_daemon_is_taken_over(hub: Hub, path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom flashdeckd.server.endpoint import claimed\n"
        "with claimed(Path(sys.argv[1])) as e, e.listening():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False)  # noqa: ASYNC221,S603 - our own code, and quick
    assert is_there(path)
    async with Server(hub, {}).listening(path), peer(path):
        pass


async def test_a_child_process_does_not_keep_the_lock(hub: Hub, path: Path) -> None:
    with claimed(path):
        child = subprocess.Popen(  # noqa: ASYNC220 - our own code, and it only waits
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout is not None
        assert child.stdout.readline()  # it runs, so what it was not to inherit is closed
    try:
        async with Server(hub, {}).listening(path):
            pass
    finally:
        child.communicate(b"\n")


def test_a_file_in_the_way_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with claimed(path) as endpoint, pytest.raises(FlashdeckError, match="no socket"), endpoint.listening():
        pass
    assert path.read_text() == "precious"


def test_a_lock_file_that_is_a_link_is_not_followed(path: Path) -> None:
    target = path.parent / "target"
    target.write_text("precious")
    path.with_name("sock.lock").symlink_to(target)
    with pytest.raises(FlashdeckError, match=r"sock\.lock"), claimed(path):
        pass
    assert target.read_text() == "precious"


def test_a_directory_that_others_can_enter_is_refused(path: Path) -> None:
    path.parent.chmod(0o755)
    with pytest.raises(FlashdeckError) as caught, claimed(path):
        pass
    assert caught.value.kind is ErrorKind.NO_PERMISSION


def test_a_path_too_long_for_a_socket_says_so(path: Path) -> None:
    with pytest.raises(FlashdeckError, match="too long") as caught, claimed(path.with_name("x" * 120)):
        pass
    assert caught.value.hint


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()
