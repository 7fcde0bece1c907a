"""From what a resource of labgrid says to the way to its daemon; no labgrid is needed for it."""

import socket

import pytest

from flashdeck.lab_connection import (
    FLASH_SECONDS,
    DaemonWay,
    is_this_machine,
)
from flashdeck.pytest_plugin import TIMEOUT

HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("host", "path", "ssh", "way"),
    [
        ("localhost", "/run/s", "", DaemonWay(socket="/run/s")),
        (HERE, "/run/s", "lab@rack", DaemonWay(socket="/run/s")),
        (HERE, "", "", DaemonWay()),
        (HERE, "", "lab@rack", DaemonWay(ssh="lab@rack")),
        ("rack.example", "/run/s", "", DaemonWay(ssh="rack.example")),
        ("rack.example", "/run/s", "lab@rack", DaemonWay(ssh="lab@rack")),
    ],
)
def test_a_socket_serves_on_its_own_machine_and_ssh_everywhere_else(
    host: str, path: str, ssh: str, way: DaemonWay
) -> None:
    assert DaemonWay.of(host, socket=path, ssh=ssh) == way


def test_this_machine_is_known_by_its_names() -> None:
    assert is_this_machine(HERE)
    assert not is_this_machine("rack.example")


def test_a_board_of_a_lab_is_waited_for_as_long_as_any_other() -> None:
    assert FLASH_SECONDS == TIMEOUT
