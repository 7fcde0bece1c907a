"""Crashes of one board: known at once, told once no more comes, and counted where they come in a loop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from asked_times import asked_times
from flashdeckd.crashes import crash_watch
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.crash import Crash
from flashdeckd.crashes.crash_resolving import Resolution
from flashdeckd.crashes.crash_watch import LONGEST_SECONDS, QUIET_SECONDS, REST_SECONDS, CrashWatch
from flashdeckd.images.image import NOTHING

PROGRAM = BoardProgram(partition="app1", span=None, image="", read=lambda: NOTHING)


@dataclass
class Timer:
    """A timer of the event loop that the test lets run out."""

    at: float
    call: Callable[[], object]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Board:
    """A board whose crashes are watched; `now` is the loop's time."""

    monkeypatch: pytest.MonkeyPatch
    now: float = 100.0
    timers: list[Timer] = field(default_factory=list[Timer])
    told: list[str] = field(default_factory=list[str])
    ended: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    resolved: list[Crash] = field(default_factory=list[Crash])
    may_resolve: asyncio.Event = field(default_factory=asyncio.Event)
    running: tuple[BoardProgram, ...] = (PROGRAM,)
    given: list[Sequence[BoardProgram]] = field(default_factory=list[Sequence[BoardProgram]])
    watch: CrashWatch = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.monkeypatch.setattr(loop, "time", lambda: self.now)
        self.monkeypatch.setattr(loop, "call_at", self._call_at)
        self.monkeypatch.setattr(crash_watch, "resolve", self._resolve)
        self.may_resolve.set()
        self.watch = CrashWatch(lambda: self.running, self.told.extend, self.ended.append)

    def _call_at(self, at: float, call: Callable[[], object]) -> Timer:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    async def _resolve(self, crash: Crash, programs: Sequence[BoardProgram]) -> Resolution:
        self.given.append(programs)
        self.resolved.append(crash)
        await self.may_resolve.wait()
        return Resolution(notes=("no ELF file",))

    @property
    def waits_until(self) -> float | None:
        """The time at which the crash that is open is told; None where none is."""
        (*_, last) = (None, *(each.at for each in self.timers if not each.is_cancelled))
        return last

    def pass_time(self) -> None:
        """Let the timer run out."""
        timer = next(each for each in self.timers if not each.is_cancelled)
        self.now = timer.at
        timer.call()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Board]:
    return lambda: Board(monkeypatch)


async def test_a_crash_is_known_at_once_and_told_a_moment_later(board: Callable[[], Board]) -> None:
    it = board()
    assert it.watch.read("ready") is None
    assert it.waits_until is None
    crash = it.watch.read("HardFault")
    assert crash is not None
    assert crash.sentence == "HardFault"
    await it.settle()
    assert it.told == []
    assert it.waits_until == it.now + QUIET_SECONDS
    it.watch.read("CFSR = 0x02000000")
    it.pass_time()
    await it.settle()
    assert it.told == ["HardFault: a division by zero", "  no ELF file"]
    assert it.waits_until is None


async def test_each_line_puts_it_off_but_not_for_ever(board: Callable[[], Board]) -> None:
    it = board()
    begun = it.now
    it.watch.read("HardFault")
    it.now += QUIET_SECONDS / 2
    it.watch.read("adc 512")
    assert it.waits_until == it.now + QUIET_SECONDS
    it.now = begun + LONGEST_SECONDS - QUIET_SECONDS / 2
    it.watch.read("R0 = 0x00000000")
    assert it.waits_until == begun + LONGEST_SECONDS


async def test_it_is_resolved_with_what_was_running_as_it_began(board: Callable[[], Board]) -> None:
    it = board()
    it.watch.read("HardFault")
    it.running = ()  # it is flashed anew
    it.watch.end()
    await it.settle()
    assert it.given == [(PROGRAM,)]


async def test_what_is_open_is_told_when_the_port_is_closed(board: Callable[[], Board]) -> None:
    it = board()
    it.watch.read("HardFault")
    it.watch.end()
    await it.settle()
    assert it.told == ["HardFault", "  no ELF file"]


async def test_crashes_in_a_loop_are_counted(board: Callable[[], Board], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    it = board()
    it.may_resolve.clear()
    begun = [it.watch.read("HardFault") for _ in range(5)]
    assert None not in begun  # each of them is known
    it.watch.end()
    await it.settle()
    assert len(it.resolved) == 1
    it.may_resolve.set()
    await it.settle()
    assert it.told == ["HardFault", "  no ELF file", "4 more crashes since then"]
    assert REST_SECONDS in asked.naps
    it.watch.read("HardFault")
    it.watch.end()
    it.watch.read("HardFault")
    it.watch.end()
    await it.settle()
    assert it.told[3:] == ["HardFault", "  no ELF file", "1 more crash since then"]
    assert [task.exception() for task in it.ended] == [None, None]


async def test_a_fault_of_ours_is_told_to_whoever_looks_after_tasks(
    board: Callable[[], Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = board()

    async def broken(*_: object) -> Resolution:
        raise RuntimeError("a fault")

    monkeypatch.setattr(crash_watch, "resolve", broken)
    it.watch.read("HardFault")
    it.watch.end()
    await it.settle()
    assert [str(task.exception()) for task in it.ended] == ["a fault"]
    it.watch.read("HardFault")  # and the next one is tried all the same
    it.watch.end()
    await it.settle()
    assert len(it.ended) == 2
    assert it.ended[1].exception() is not None


async def test_at_the_end_nothing_is_told_any_more(board: Callable[[], Board]) -> None:
    it = board()
    it.may_resolve.clear()
    it.watch.read("HardFault")
    it.watch.end()
    it.watch.read("HardFault")
    await it.settle()
    await it.watch.close()
    assert it.waits_until is None
    assert [task.cancelled() for task in it.ended] == [True]
    assert it.told == []
