"""Time, randomness and the process: from the machine, or from whoever has taken its place."""

import re
import time
from collections.abc import Callable

import pytest

from flashdeckd.host import clock, processes, randomness
from flashdeckd.host.clock import LONGEST_TICK


class VirtualTime:
    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return 1_000_000_000.0 + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float, /) -> None:
        self.passed += seconds


class Zeros:
    def urandom(self, size: int, /) -> bytes:
        return bytes(size)


class MadeUp:
    def getpid(self) -> int:
        return 7

    def geteuid(self) -> int:
        return 1234


def test_time_passes_only_where_somebody_else_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(sleep: Callable[[float], None] = clock.sleep) -> None:
        sleep(3600.0)

    monkeypatch.setattr(clock, "system", VirtualTime())
    kept()
    clock.sleep(1.5)
    assert clock.monotonic() == 3601.5
    assert clock.now() == 1_000_003_601.5
    assert clock.stamp() == "20010909T024641Z"


def test_the_machines_time_goes_on() -> None:
    before, wall = clock.monotonic(), clock.now()
    clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now() > wall - 60
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", clock.stamp())


def test_a_tick_is_that_of_this_kernel_and_never_more_than_that_of_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < clock.tick() <= LONGEST_TICK
    for seconds, tick in ((0.02, LONGEST_TICK), (0.001, 0.001)):

        def resolution(_: int, seconds: float = seconds) -> float:
            return seconds

        monkeypatch.setattr(time, "clock_getres", resolution)
        assert clock.tick() == tick

    def unknown(_: int) -> float:
        raise OSError("no such clock")

    monkeypatch.setattr(time, "clock_getres", unknown)
    assert clock.tick() == LONGEST_TICK


def test_names_are_unique_unless_somebody_else_throws_the_dice(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {randomness.unique_id() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)
    monkeypatch.setattr(randomness, "system", Zeros())
    assert randomness.unique_id() == randomness.unique_id() == "00000000000040008000000000000000"


def test_noise_is_the_same_for_the_same_seed() -> None:
    assert randomness.noise("a", 1000) == randomness.noise("a", 1000) != randomness.noise("b", 1000)


def test_this_process_may_be_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "system", MadeUp())
    assert (processes.own_pid(), processes.own_uid()) == (7, 1234)
