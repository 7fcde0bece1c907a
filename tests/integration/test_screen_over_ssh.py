"""One screen with the boards of two machines, over real ssh: whatever becomes of one of them, the other goes on."""

import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from far_bench import HOST_KEYS, SSH, FarBench, FarMachine, far_bench, machine_beside
from flashdeck.errors import ExitCode
from rig import firmware
from tmux_terminal import Terminal, at_home, terminal

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # each step has its own patience


@pytest.fixture(scope="module")
def there() -> Generator[FarBench]:
    with far_bench() as bench:
        yield bench


@pytest.fixture(scope="module")
def beside(there: FarBench) -> FarMachine:
    return machine_beside(there, "beside", ("rack-1", "rack-2"))


@pytest.fixture
def screen(there: FarBench, place: Path) -> Generator[Terminal]:
    """A terminal here, whose ssh knows the machines."""
    here = at_home(place)
    path = f"{there.directory / 'bin'}:{here['PATH']}"
    with terminal(place, {**here, **there.environment, "PATH": path}) as made:
        yield made


def in_one_line(shown: str) -> str:
    """Return the words on a screen, without where they were wrapped."""
    return " ".join(shown.split())


def until_said(screen: Terminal, *texts: str) -> str:
    """Return the words of the first screen that has all of these."""
    return in_one_line(
        screen.until(lambda now: all(text in in_one_line(now) for text in texts), what=" and ".join(texts))
    )


def until_all_is_well(screen: Terminal) -> None:
    screen.until(lambda now: "away" not in now and "last seen" not in now and "2 hosts" in now, what="both hosts")


def test_each_host_is_lost_and_found_again_by_itself_while_the_other_goes_on(
    there: FarBench, beside: FarMachine, screen: Terminal, tmp_path: Path
) -> None:
    image = tmp_path / "APP1.bin"
    image.write_bytes(firmware("1.0.1"))
    with beside.server():
        with beside.daemon():
            screen.run("flashdeck --host bench --host beside")
            screen.until(lambda now: "bench/left" in now and "beside/rack-2" in now, what="the boards of both")
            until_all_is_well(screen)
            with there.wire.parted():
                until_said(screen, "bench is away, reconnecting: the connection to bench was cut", "2 hosts, 1 away")
                screen.until(lambda now: now.count("last seen ") == len(("left", "right")), what="one host as it was")
            until_all_is_well(screen)
        until_said(screen, "beside is away", "no flashdeckd listens on", "start it: ")
        # What is done on the other host meanwhile is done, and seen.
        run = there.cli("--host", "bench", "flash", "app1", str(image), "--board", "right")
        assert run.code == ExitCode.OK, run.err
        until_said(screen, "bench/right", "running")
        with beside.daemon():
            until_all_is_well(screen)
    until_said(screen, "beside is away", "no ssh server answers on beside", "is sshd running there")
    with beside.daemon():
        with beside.server(HOST_KEYS[1]):
            until_said(screen, "beside is away", "the key of beside is not the one that ssh knows", "find out why")
        with beside.server():
            until_all_is_well(screen)
            screen.press("q")
            screen.until_given_back()


def test_whatever_is_wrong_with_a_host_is_said_and_the_boards_of_another_are_there(
    there: FarBench, screen: Terminal
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes a connection, and says nothing
        with (there.directory / "ssh.conf").open("a") as file:
            port = silent.getsockname()[1]
            file.write(SSH.format(name="silent", port=port, user="x", directory=there.directory, key="key"))
        screen.run("flashdeck --host silent --host bench --host short --host changed")
        screen.until("bench/right")
        shown = until_said(
            screen,
            "4 hosts, 3 away",
            "short has no command flashdeck-is-not-here",
            "the key of changed is not the one that ssh knows",
            "silent does not answer. is it switched on",
        )
        assert "last seen" not in shown
        screen.press("H")
        screen.until(lambda now: "reason" in now.casefold())
        screen.run("still here")
        until_said(screen, "on hold: still here")
        screen.press("L")  # the cursor is on the board that was there first: either may have been
        until_said(screen, ": released")
        screen.press("q")
        screen.until(lambda now: "silent does not" not in now, what="the shell")
