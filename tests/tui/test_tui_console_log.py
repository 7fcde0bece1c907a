"""Consoles in the full log: what boards say stands between what was done to them, by time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from asked_times import asked_times
from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.log_filter import LogFilter
from flashdeck.model import ConsoleState, DaemonState, LogLevel
from flashdeck.names import literal
from flashdeck_tui.console_log import CONSOLE_WAIT, FORGOTTEN, MOST_CONSOLES, ConsoleLog, speaking_boards
from flashdeck_tui.daemon_log import PAUSE
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.link import Link
from flashdeck_tui.log_source import MOST_AT_HAND, LinesAtHand, SourceLine
from flashdeck_tui.log_window import LogWindow
from flashdeck_tui.screens.log_screen import LogScreen
from flashdeck_tui.store import Selection, Store
from flashdeckd.consoles.console_marks import Mark
from flashdeckd.consoles.console_record import ConsoleRecord
from tui_hands import Screen, opened
from tui_scene import BENCH, NOW, board, filled_store, fleet_of

CONSOLE = ConsoleState(port="app", condition=ConsoleCondition.OPEN, node="/dev/ttyACM0")
ANY = LogFilter()
DAEMON = DaemonState(version="0.1.0", pid=1, instance="one", host="h", started_at=NOW, virtual=False)


class RecordingLink:
    """A way to a daemon with the record of one board."""

    def __init__(self, record: ConsoleRecord, dropped: int = 0) -> None:
        self.record = record
        self.asked: list[api.GetConsole] = []
        self.refused: list[Exception] = []
        self.dropped = dropped

    async def call(self, params: api.GetConsole) -> api.ConsolePage:
        self.asked.append(params)
        await asyncio.sleep(0)
        if self.refused:
            raise self.refused.pop(0)
        found = self.record.page(after=params.after, since_leave=params.since_leave, limit=params.limit)
        if not found and params.wait:
            await self.record.grown(params.wait)
            found = self.record.page(after=params.after, since_leave=params.since_leave, limit=params.limit)
        return api.ConsolePage(board="left", entries=found, next=found[-1].number if found else params.after)


def record(count: int, first: int = 1) -> ConsoleRecord:
    made = ConsoleRecord()
    for number in range(first, first + count):
        made.add(NOW + number, ConsoleKind.LINE, f"line {number}")
    return made


def source(link: RecordingLink, instance: str = "one") -> tuple[ConsoleLog, Store]:
    store = Store()
    store.daemon = replace(DAEMON, instance=instance)
    return ConsoleLog(FleetHost("", store, cast("Link", link)), "left"), store


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


async def until(reached: Callable[[], bool]) -> None:
    """Let others run until something has come about."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 -- a source tells nobody
            await asyncio.sleep(0)


async def all_of_it(window: LogWindow) -> None:
    while window.may_have_older:
        await window.page_back()


@given(st.integers(0, 1300), st.booleans())
def test_paged_back_to_its_beginning_all_that_was_said_is_there_once(count: int, watched_first: bool) -> None:
    log, _ = source(RecordingLink(record(count)))

    async def look() -> list[str]:
        watching = asyncio.create_task(log.watch()) if watched_first else None
        await asyncio.sleep(0)
        window = LogWindow((log,))
        if watched_first and count:
            await until(lambda: log.since(0)[1] > 0)
            window.take()
        await all_of_it(window)
        window.take()
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        return texts(window.lines)

    assert asyncio.run(look()) == [f"> line {number}" for number in range(1, count + 1)]


async def test_each_thing_that_is_said_comes_at_once_and_marks_look_otherwise() -> None:
    link = RecordingLink(record(2))
    log, _ = source(link)
    watching = asyncio.create_task(log.watch())
    await until(lambda: len(link.asked) >= 2)
    link.record.add_mark(NOW, Mark("job 1: leave"))
    link.record.add(NOW, ConsoleKind.NOISE, "9 bytes that are no text")
    link.record.add(NOW, ConsoleKind.CRASH, "HardFault: a division by zero")
    await until(lambda: log.since(0)[1] >= 5)
    watching.cancel()
    await asyncio.wait([watching])
    lines, _ = log.since(0)
    said, crash = lines[:-1], lines[-1]
    assert texts(said) == ["> line 1", "> line 2", "--- job 1: leave", "... 9 bytes that are no text"]
    assert {(line.board, line.level, line.source) for line in said} == {("left", LogLevel.INFO, "console /left")}
    assert (crash.text, crash.level) == ("!!! HardFault: a division by zero", LogLevel.ERROR)
    assert [(call.board, call.after, call.wait) for call in link.asked[:2]] == [
        (literal("left"), 0, 0.0),
        (literal("left"), 2, CONSOLE_WAIT),
    ]


async def test_what_is_forgotten_there_ends_the_way_back() -> None:
    link = RecordingLink(record(1200))
    log, _ = source(link)
    window = LogWindow((log,))
    await window.page_back()
    for number in range(1201, 10_801):  # the oldest 800 of 10,800 are forgotten meanwhile
        link.record.add(NOW + number, ConsoleKind.LINE, f"line {number}")
    await all_of_it(window)
    window.take()
    assert texts(window.lines)[0] == "> line 501", "of the page before it nothing was there any more"


async def test_another_daemon_counts_anew_and_has_nothing_older() -> None:
    link = RecordingLink(record(1200))
    log, store = source(link)
    window = LogWindow((log,))
    await window.page_back()
    window.take()
    before = texts(window.lines)
    link.record, store.daemon = ConsoleRecord(), replace(DAEMON, instance="two")
    link.record.add(NOW + 5000, ConsoleKind.LINE, "anew")
    await all_of_it(window)
    window.take()
    assert window.notes == (FORGOTTEN,)
    assert texts(window.lines) == [*before, "> anew"]


@pytest.mark.parametrize("kind", [ErrorKind.PROTOCOL_MISMATCH, ErrorKind.BAD_REQUEST, ErrorKind.NO_SUCH_BOARD])
async def test_a_daemon_that_is_away_is_asked_again_and_one_that_has_none_is_not(
    monkeypatch: pytest.MonkeyPatch, kind: ErrorKind
) -> None:
    link = RecordingLink(record(1))
    link.refused = [ConnectionFailedError("not connected"), RemoteError("there is none", kind=kind)]
    log, _ = source(link)
    times = asked_times(monkeypatch)
    await log.watch()
    assert [nap for nap in times.naps if nap] == [PAUSE]
    assert len(link.asked) == 2


def test_so_many_lines_are_at_hand() -> None:
    lines = LinesAtHand()
    lines.add(SourceLine("s", number, NOW, LogLevel.INFO, "") for number in range(MOST_AT_HAND + 7))
    found, count = lines.since(0)
    assert (len(found), found[0].number, count) == (MOST_AT_HAND, 7, MOST_AT_HAND + 7)
    assert [line.number for line in lines.since(MOST_AT_HAND + 6)[0]] == [MOST_AT_HAND + 6]


def test_only_boards_with_a_console_that_are_wanted_speak() -> None:
    fleet = fleet_of(filled_store(replace(BENCH, boards=(board("left", console=CONSOLE), board("right"), quiet()))))
    assert [name for _, name in speaking_boards(fleet, ANY)] == ["left", "spare"]
    assert [name for _, name in speaking_boards(fleet, LogFilter(boards=("r*", "s*")))] == ["spare"]


def quiet() -> Any:
    return board("spare", console=replace(CONSOLE, condition=ConsoleCondition.ABSENT))


# On the screen.


def spoken(screen: Screen, *says: str) -> None:
    """Let each console have said the same."""
    made = ConsoleRecord()
    for at, text in enumerate(says):
        made.add(NOW - 10 + at, ConsoleKind.LINE, text)
    link, usual = RecordingLink(made), screen.link.call

    async def call(params: api.Params[Any]) -> Any:
        return await (link.call(params) if isinstance(params, api.GetConsole) else usual(params))

    cast("Any", screen.link).call = call


def log_of(screen: Screen) -> LogScreen:
    assert isinstance(screen.app.screen, LogScreen)
    return screen.app.screen


async def looked(screen: Screen) -> list[str]:
    await screen.settle()
    log_of(screen).look()
    await screen.settle()
    return [f"{line.board}: {line.text}" for line in log_of(screen).window.lines]


def with_consoles(count: int) -> Any:
    boards = tuple(board(f"board{number:02}", console=CONSOLE) for number in range(count))
    return replace(BENCH, boards=boards, jobs=())


async def test_the_log_of_a_board_has_its_console_and_o_takes_it_out() -> None:
    snapshot = replace(BENCH, boards=(board("left", console=CONSOLE), board("right")), jobs=())
    async with opened(snapshot, keys={"board-log": "f6"}) as screen:
        spoken(screen, "app1 1.0.7", "adc 512")
        await screen.select(Selection(board="left"))
        await screen.press("f6")
        assert "left: > adc 512" in await looked(screen)
        assert "with console" in screen.text
        await screen.press("o")
        assert not [line for line in await looked(screen) if "> " in line]
        assert "with console" not in screen.text
        await screen.press("o")
        assert "left: > app1 1.0.7" in await looked(screen)
        assert log_of(screen).said == "1 console shown; what a board says begins with >"


async def test_the_log_of_all_boards_shows_consoles_when_asked_and_only_of_those_that_are_chosen() -> None:
    async with opened(with_consoles(3)) as screen:
        spoken(screen, "hello")
        await screen.press("3")
        assert not [line for line in await looked(screen) if "> " in line]
        await screen.press("o")
        assert [line for line in await looked(screen) if "> " in line] == [f"board0{at}: > hello" for at in range(3)]
        await screen.press("b")
        screen.type("*02")
        await screen.press("enter")
        assert await looked(screen) == ["board02: > hello"]


async def test_boards_without_a_console_and_too_many_with_one_are_told() -> None:
    async with opened() as screen:
        await screen.press("3", "o")
        assert "No board here has a console" in log_of(screen).said
    async with opened(with_consoles(MOST_CONSOLES + 1)) as screen:
        spoken(screen, "hello")
        await screen.press("3", "o")
        assert log_of(screen).said == f"{MOST_CONSOLES + 1} consoles are too many at once: b chooses some boards."
        await screen.press("b")
        screen.type("board0*")
        await screen.press("enter")
        assert len([line for line in await looked(screen) if "> hello" in line]) == 10
