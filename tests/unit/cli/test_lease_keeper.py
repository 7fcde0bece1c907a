"""The process that ends a command whose `take` was killed: whom it asks to end, whom it kills, and when it stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck_tui.lease_keeper import GIVE_UP_AFTER, KILL_AFTER, PAUSE, QUIET_LOOKS, VARIABLE, end_all, holders


class Machine:
    """Processes by number, each with the signal that ends it, and a clock that only pauses move."""

    def __init__(self, ends_by: dict[int, int | None]) -> None:
        self.ends_by = ends_by
        self.sent: list[tuple[int, int]] = []
        self.looks = 0
        self.time = 0.0

    def look(self) -> Iterator[tuple[int, int]]:
        self.looks += 1
        yield from [(number, number) for number in self.ends_by]

    def pause(self, seconds: float) -> None:
        assert seconds == PAUSE
        self.time += seconds

    def send(self, process: int, number: int) -> None:
        self.sent.append((process, number))
        if self.ends_by[process] == number:
            del self.ends_by[process]


@pytest.fixture
def end_them(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    def run(machine: Machine) -> None:
        monkeypatch.setattr(signal, "pidfd_send_signal", machine.send)
        end_all(machine.look, now=lambda: machine.time, pause=machine.pause)

    return run


def test_each_is_asked_once_and_then_killed(end_them: Callable[[Machine], None]) -> None:
    machine = Machine({1: signal.SIGTERM, 2: signal.SIGKILL})
    end_them(machine)
    assert machine.sent == [(1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGKILL)]
    assert KILL_AFTER <= machine.time - QUIET_LOOKS * PAUSE < KILL_AFTER + 2 * PAUSE


def test_it_looks_so_often_before_it_believes_that_nobody_is_there(end_them: Callable[[Machine], None]) -> None:
    machine = Machine({})
    end_them(machine)
    assert machine.looks == QUIET_LOOKS


def test_it_gives_up_where_nothing_helps(end_them: Callable[[Machine], None]) -> None:
    machine = Machine({1: None})
    end_them(machine)
    assert GIVE_UP_AFTER <= machine.time < GIVE_UP_AFTER + 2 * PAUSE


def test_only_who_was_started_with_the_token_is_meant() -> None:
    assert VARIABLE == LEASE_VARIABLE
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    others = {"meant": "0123abcd", "longer": "0123abcde", "other": "f00d"}
    running = {
        name: subprocess.Popen(  # noqa: S603 - our own code
            command, env={**os.environ, VARIABLE: token}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name, token in others.items()
    }
    for each in running.values():
        assert each.stdout is not None
        each.stdout.readline()
    assert [number for number, _ in holders("0123abcd")] == [running["meant"].pid]
    for each in running.values():
        each.communicate()
