"""Applications that leave the bus, hang or start again some time after a start, and what their ports have of it."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import usb.core

from flashdeck.errors import RequestError
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.bench_file import LATEST
from flashdeckd.virtual.board import Attachment, VirtualBoard
from flashdeckd.virtual.control import Cdc, Setup
from flashdeckd.virtual.faults import SHORTEST_RUN, AppCrash, Fault, Faults
from flashdeckd.virtual.spec import BoardSpec, Content, Start
from flashdeckd.virtual.virtual_bench import VirtualBench
from flashdeckd.virtual.voice import Saying

IMAGE = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little") + b"demo 1.0.0\0"
SAYS = (Saying(b"boot ok\n"), Saying(b"tick\n", after=1.0, every=1.0))
GET_CONFIGURATION = Setup(0x80, 8, 0, 0, 1)
RAISE_DTR = Setup(0x21, Cdc.SET_CONTROL_LINE_STATE, 3, 0, 0)
UART = Path("/nowhere/one.tty")
"""Made by nobody here: the board knows only that it has one."""


class Stage:
    """One board, and the time on its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, spec: BoardSpec) -> None:
        self.now = 100.0
        self.changes = 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self._addresses = iter(range(1, 10_000))
        self.board = VirtualBoard(spec, lambda: next(self._addresses), self._note)

    def _note(self) -> None:
        self.changes += 1

    def at(self, seconds: float) -> "Stage":
        """Let it be so many seconds after the beginning."""
        self.now = 100.0 + seconds
        return self

    @property
    def connection(self) -> Attachment:
        found = self.board.connection()
        assert found is not None
        return found

    def heard(self, *, on_uart: bool = False) -> bytes:
        """Return all that has come on a port since the last call."""
        heard = bytearray()

        def take(data: bytes) -> int:
            heard.extend(data)
            return len(data)

        self.board.speak(None if on_uart else self.connection, 10_000, take)
        return bytes(heard)

    def answers(self) -> bool:
        try:
            self.board.transfer(self.connection, GET_CONFIGURATION, b"", 1)
        except usb.core.USBTimeoutError:
            return False
        return True


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    def staged(*crashes: AppCrash, **keys: object) -> Stage:
        spec = BoardSpec(
            name="one", contents=(Content(0x08020000, IMAGE),), serial_port=AppPort.PLAIN, says=SAYS, crashes=crashes
        )
        return Stage(monkeypatch, replace(spec, **keys))  # type: ignore[arg-type]

    return staged


def with_uart(**keys: object) -> dict[str, object]:
    return {"uart": UART, "boot_says": (Saying(b"loader 2\n"),), **keys}


def test_an_application_that_vanishes_says_what_was_due_by_then_and_is_off_the_bus(
    stage: Callable[..., Stage],
) -> None:
    it = stage(AppCrash(Fault.APP_VANISH, after=2.5), **with_uart())
    assert it.board.changes_at() == 102.5
    assert it.at(2.4).heard() == b"boot ok\ntick\ntick\n"
    assert it.at(2.5).board.connection() is None
    assert it.changes == 1
    assert it.at(9).heard(on_uart=True) == b"loader 2\nboot ok\ntick\ntick\n"
    assert it.board.state().mode == "app"
    assert it.board.changes_at() is None
    it.board.press()
    assert it.connection.is_dfu


def test_an_application_that_hangs_is_still_there_and_has_its_last_words(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_HANG, after=1.0))
    connection = it.connection
    assert it.answers()
    assert not it.at(5).answers()
    assert it.connection is connection
    assert it.heard() == b"boot ok\ntick\n"
    it.board.press()
    assert it.connection.is_dfu


def test_a_boot_loop_shows_itself_anew_each_time_with_its_first_lines(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_RESET, after=1.5), **with_uart())
    addresses: list[int] = []
    for loop in range(3):
        addresses.append(it.at(loop * 1.5).connection.address)
        assert it.at(loop * 1.5 + 1.4).heard() == b"boot ok\ntick\n"
    assert len(set(addresses)) == 3
    assert it.at(4.4).heard(on_uart=True) == b"loader 2\nboot ok\ntick\n" * 3
    assert it.board.state().starts == 3


def test_a_loop_that_nobody_looks_at_goes_on_from_where_it_is_seen_again(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_RESET))
    it.at(1000)
    assert it.board.connection() is not None
    assert it.board.state().starts == 2, "a loop of the shortest runs costs one look one start"
    assert it.board.changes_at() == it.now + SHORTEST_RUN


def test_a_restart_that_the_bus_does_not_see_is_seen_by_its_words(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_RESTART, after=1.5, times=1), waits_for_dtr=True, **with_uart())
    connection = it.connection
    it.board.transfer(connection, RAISE_DTR, b"", 1)
    assert it.at(1.4).heard() == b"boot ok\ntick\n"
    assert it.at(1.5).heard() == b"boot ok\n", "DTR is raised still"
    assert it.connection is connection
    assert it.at(2.5).heard() == b"tick\n"
    assert it.heard(on_uart=True) == b"loader 2\nboot ok\ntick\nboot ok\ntick\n"
    assert it.board.state().starts == 2


def test_a_board_without_usb_restarts_on_its_uart_alone(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_RESET, after=1.5, times=1), app=None, serial_port=AppPort.NONE, **with_uart())
    assert it.at(3).board.connection() is None
    assert it.heard(on_uart=True) == b"loader 2\nboot ok\ntick\nloader 2\nboot ok\n"


def test_a_watchdog_resets_what_hangs(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_RESET, after=3.0, times=1), AppCrash(Fault.APP_HANG, after=1.2, times=1))
    assert it.at(2.9).heard() == b"boot ok\ntick\n"
    assert not it.answers()
    assert it.at(3).answers()
    assert it.at(4).heard() == b"boot ok\ntick\n"
    assert it.at(50).board.state().starts == 2


@pytest.mark.parametrize(("skip", "times", "well"), [(0, 2, [3, 4]), (1, 1, [1, 3, 4]), (2, None, [1, 2])])
def test_it_happens_in_chosen_starts(
    stage: Callable[..., Stage], skip: int, times: int | None, well: list[int]
) -> None:
    it = stage(AppCrash(Fault.APP_HANG, after=1.0, skip=skip, times=times))
    seen: list[int] = []
    for start in range(1, 5):
        seen += [start] if it.at(start * 10).answers() else []
        it.board.unplug()
        it.board.plug()
    assert seen == well


def test_it_happens_to_certain_images_alone(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_HANG, where=b"demo 1.0.0"), AppCrash(Fault.APP_VANISH, where=b"demo 2"))
    assert not it.at(1).answers()
    other = stage(AppCrash(Fault.APP_VANISH, where=b"demo 2"))
    assert other.at(1).answers()


def test_a_hand_crashes_what_runs_at_once_and_what_starts_later_in_its_time(stage: Callable[..., Stage]) -> None:
    it = stage()
    it.at(10).board.crash(AppCrash(Fault.APP_HANG, times=1))
    assert it.changes, "whoever waits for the next change has to look when that is now"
    assert not it.answers()
    it.board.press()
    it.board.crash(AppCrash(Fault.APP_VANISH, after=2.0, times=1))
    assert it.connection.is_dfu
    it.board.unplug()
    it.board.plug()
    assert it.at(11.9).board.connection() is not None
    assert it.at(12).board.connection() is None


def test_what_nobody_read_is_in_the_port_of_the_next_start_where_it_is_kept(stage: Callable[..., Stage]) -> None:
    for keeps, old in ((True, b"boot ok\ntick\n"), (False, b"")):
        it = stage(AppCrash(Fault.APP_RESET, after=1.5, times=1), keeps_unread=keeps)
        assert it.at(1.6).heard() == old + b"boot ok\n"
        it.board.unplug()
        it.board.plug()
        assert it.heard() == b"boot ok\n", "without power nothing is kept"


def test_old_words_stay_in_a_uart_until_somebody_reads_them(stage: Callable[..., Stage]) -> None:
    it = stage(**with_uart(boot_says=(Saying(b"wait\n", every=1.0),)))
    it.at(1.5).board.press()
    it.at(3.2).board.unplug()
    it.at(4).board.plug()
    assert it.heard(on_uart=True) == b"wait\nboot ok\ntick\n" + b"wait\n" * 2 + b"wait\nboot ok\n"
    assert not it.board.state().violations


def test_what_an_old_port_had_is_not_said_on_it_any_more(stage: Callable[..., Stage]) -> None:
    it = stage(keeps_unread=True)
    connection = it.connection
    it.at(1).board.unplug()
    it.board.plug()
    heard: list[bytes] = []
    it.board.speak(connection, 100, lambda data: heard.append(data) or len(data))
    assert heard == []


def test_a_line_by_hand_is_on_each_port_that_somebody_may_hear(stage: Callable[..., Stage]) -> None:
    it = stage(says=(), **with_uart(boot_says=()))
    it.board.say("both")
    assert (it.heard(), it.heard(on_uart=True)) == (b"both\r\n", b"both\r\n")
    it.board.press()
    it.board.say("of the bootloader")
    assert it.heard(on_uart=True) == b"of the bootloader\r\n"
    it.board.unplug()
    with pytest.raises(RequestError, match="is not running"):
        it.board.say("nobody")


def test_a_bench_refuses_what_no_fault_can_have() -> None:
    spec = BoardSpec(name="one", contents=(Content(0x08020000, IMAGE),))
    bench = VirtualBench([spec])
    bench.fault("one", "app-hang", delay=LATEST)
    for delay in (-0.1, LATEST + 1, float("nan")):
        with pytest.raises(RequestError, match="cannot be"):
            bench.fault("one", "app-hang", delay=delay)
    with pytest.raises(RequestError, match="has no delay") as caught:
        bench.fault("one", "stall", delay=1.0)
    assert "app-hang, app-reset" in caught.value.hint
    with pytest.raises(RequestError, match="has no address"):
        bench.fault("one", "app-hang", address=0x08020000)


def test_a_fault_of_an_application_may_be_taken_back() -> None:
    faults = Faults([AppCrash(Fault.APP_HANG)])
    faults.on_start(0.0, b"")
    assert (faults.armed, faults.due) == (1, SHORTEST_RUN)
    faults.disarm()
    assert (faults.armed, faults.due) == (0, None)


def test_nothing_is_due_while_the_bootloader_runs(stage: Callable[..., Stage]) -> None:
    it = stage(AppCrash(Fault.APP_HANG, after=1.0), start=Start.DFU)
    assert it.board.changes_at() is None
    assert it.at(5).connection.is_dfu
