"""The full log on the screen: each of its keys, on hostile text, on several hosts, and on an older daemon."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled

from asked_times import asked_times
from flashdeck import api
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.log_filter import LogFilter
from flashdeck.model import LogLevel, LogLine
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.daemon_log import DEBUG_WAIT, PAUSE, TOO_OLD, DebugLog
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.fleet_log import ORDER_SLACK, PANEL_LINES, FleetLog
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.log_window import PAGE_LINES
from flashdeck_tui.screens.log_screen import LONGEST_TYPED, LOOK_SECONDS, MOST_COPIED, SEARCHED_PAGES, LogScreen
from flashdeck_tui.screens.questions import AskScreen
from flashdeck_tui.store import Store
from flashdeck_tui.views.log import source_text
from flashdeck_tui.widgets.log_lines import LEAST_WIDTH
from flashdeck_tui.widgets.log_panel import folded
from tui_scene import BENCH, NOW, FakeLink, event, filled_store, make_app

FIRST = 1000
"""The number of the first line that the store has."""
LEVELS = {0: LogLevel.ERROR, 5: LogLevel.WARNING}
COUNT = 100


def line(number: int, text: str = "", board: str = "") -> LogLine:
    level = LEVELS.get(number % 10, LogLevel.INFO)
    return LogLine(
        id=number,
        time=NOW - 5000 + number,
        level=level,
        text=text or f"line {number}",
        board=board or ("left" if number % 2 else "right"),
    )


class Bench:
    """The full log under the hands of a test, and a daemon that has older lines."""

    def __init__(self, app: FlashdeckApp, link: FakeLink, pilot: Pilot[int], oldest: int | None) -> None:
        self.app, self.link, self.pilot = app, link, pilot
        self._usual = link.call
        self._oldest = oldest
        cast("Any", link).call = self._call

    async def _call(self, params: api.Params[Any]) -> Any:
        if isinstance(params, api.GetDebugLog) and params.after:
            await asyncio.Event().wait()
        if not isinstance(params, api.GetLogs) or type(params) in self.link.answers:
            return await self._usual(params)
        self.link.calls.append(params)
        if self._oldest is None:
            return api.LogPage(lines=(line(FIRST),), next=FIRST)
        numbers = range(max(self._oldest, params.before - params.limit), params.before)
        lines = tuple(each for each in map(line, numbers) if params.text in each.text)
        return api.LogPage(lines=lines, next=0, before=numbers[0] if numbers and numbers[0] > self._oldest else 0)

    @property
    def screen(self) -> LogScreen:
        assert isinstance(self.app.screen, LogScreen)
        return self.app.screen

    @property
    def title(self) -> str:
        return str(cast("Any", self.screen.query_one("#log-title")).content)

    @property
    def shown(self) -> list[str]:
        """The texts of the lines in memory, without their times."""
        return [each.text for each in self.screen.window.lines]

    @property
    def at_cursor(self) -> str:
        found = self.screen.window.line(self.screen.lines.cursor)
        assert found is not None
        return found.text

    @property
    def asked(self) -> list[api.GetLogs]:
        return [call for call in self.link.calls if isinstance(call, api.GetLogs)]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        await self.pilot.pause()
        workers = cast("Any", self.app.workers)
        if busy := [worker for worker in workers if worker.group in {"paging", "saving"}]:
            with suppress(WorkerCancelled):  # another filter was chosen meanwhile
                await workers.wait_for_complete(busy)
        await self.pilot.pause()

    async def type(self, key: str, text: str) -> None:
        await self.press(key)
        self.screen.query_one(Input).value = text
        await self.press("enter")

    async def come(self, *lines: LogLine) -> None:
        for each in lines:
            self.app.fleet.hosts[0].store.take(event(log=each))
        self.screen.look()
        await self.pilot.pause()


@asynccontextmanager
async def opened(
    count: int = COUNT, *, first: int = FIRST, oldest: int | None = FIRST - 450, size: tuple[int, int] = (80, 24)
) -> AsyncGenerator[Bench]:
    store = filled_store(BENCH)
    store.log.clear()
    store.take_log(map(line, range(first, first + count)))
    link = FakeLink(store)
    app = FlashdeckApp(Fleet((FleetHost("", store, cast("Link", link)),)), clock=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        bench = Bench(app, link, pilot, oldest)
        await bench.press("3")
        yield bench


async def test_it_follows_pauses_and_counts_what_is_new() -> None:
    async with opened() as bench:
        assert "following" in bench.title
        await bench.come(line(FIRST + COUNT))
        assert bench.at_cursor == f"line {FIRST + COUNT}"
        await bench.press("space")
        top = bench.screen.lines.scroll_offset.y
        await bench.come(*(line(FIRST + COUNT + 1 + n) for n in range(312)))
        assert "paused, 312 new" in bench.title
        assert bench.screen.lines.scroll_offset.y == top
        assert bench.at_cursor == f"line {FIRST + COUNT}"
        await bench.press("space")
        assert "following" in bench.title
        assert bench.at_cursor == f"line {FIRST + COUNT + 312}"


@pytest.mark.parametrize("keys", [("up",), ("k",), ("pageup",), ("home",), ("g",)])
async def test_looking_back_pauses_and_the_end_follows_again(keys: tuple[str, ...]) -> None:
    async with opened() as bench:
        await bench.press(*keys)
        assert "paused" in bench.title
        before = bench.screen.lines.cursor
        await bench.press("j" if "k" in keys else "down")
        assert bench.screen.lines.cursor == before + 1
        await bench.press("G" if "g" in keys else "end")
        assert "following" in bench.title


async def test_it_pages_back_to_the_beginning_and_keeps_the_place() -> None:
    async with opened() as bench:
        await bench.press("home")
        assert bench.at_cursor == f"line {FIRST}"
        await bench.press("up")
        assert bench.asked[-1].before == FIRST
        assert bench.asked[-1].limit == PAGE_LINES
        assert bench.at_cursor == f"line {FIRST}", "the place stays"
        await bench.press("up")
        assert bench.at_cursor == f"line {FIRST - 1}"
        for _ in range(6):
            await bench.press("home")
        assert bench.shown[0] == f"line {FIRST - 450}"
        assert bench.shown == [f"line {n}" for n in range(FIRST - 450, FIRST + COUNT)]
        await bench.press("up")
        assert bench.screen.said == "This is the beginning of the log that is kept."


async def test_an_older_daemon_has_no_older_lines_and_that_is_said() -> None:
    async with opened(oldest=None) as bench:
        await bench.press("home", "up")
        assert bench.screen.said == TOO_OLD
        assert bench.shown[0] == f"line {FIRST}"


async def test_a_daemon_that_is_away_is_said_and_asked_again() -> None:
    async with opened() as bench:
        bench.link.answers[api.GetLogs] = ConnectionFailedError("no flashdeckd listens on /s")
        bench.link.state = LinkState(LinkStatus.DISCONNECTED, "gone", "start it")
        await bench.press("home", "up")
        assert "cannot be had now" in bench.screen.said
        assert "not connected: the daemon" in bench.title
        del bench.link.answers[api.GetLogs]
        bench.link.state = LinkState(LinkStatus.CONNECTED)
        await bench.press("up")
        assert bench.shown[0] == f"line {FIRST - PAGE_LINES}"


async def test_boards_text_and_levels_are_filtered_here_and_in_the_daemon() -> None:
    async with opened() as bench:
        await bench.type("b", "le* nobody")
        assert {each.board for each in bench.screen.window.lines} == {"left"}
        assert "le* nobody" in bench.title
        await bench.type("t", "LINE 10")
        assert all("line 10" in text for text in bench.shown)
        assert 'with "LINE 10"' in bench.title
        await bench.press("home", "up")
        assert (bench.asked[-1].boards, bench.asked[-1].text) == (("left",), "LINE 10")
        await bench.press("c", "e")
        assert bench.screen.said == "level: warnings and errors"
        assert {each.level for each in bench.screen.window.lines} == {LogLevel.WARNING, LogLevel.ERROR}
        assert bench.asked[-1].level is LogLevel.WARNING
        await bench.press("e")
        assert {each.level for each in bench.screen.window.lines} == {LogLevel.ERROR}
        await bench.press("c")
        assert len(bench.shown) == COUNT


async def test_a_search_goes_up_and_down_and_on_into_what_is_older() -> None:
    async with opened() as bench:
        await bench.type("slash", "line 105")
        assert bench.at_cursor == "line 1059"
        assert bench.screen.said == "hit 10 of 10 in memory"
        await bench.press("N")
        assert bench.at_cursor == "line 1058"
        await bench.press("n", "n")
        assert bench.screen.said == "no hit below; 10 hits in memory"
        await bench.type("slash", "line 601")
        assert bench.at_cursor == "line 601"
        await bench.press("N")
        assert "no hit above" in bench.screen.said
        await bench.press("escape", "n")
        assert bench.screen.said == "Nothing is searched: / searches."


async def test_a_search_asks_for_so_many_pages_and_goes_on_when_it_is_asked_to() -> None:
    pages = SEARCHED_PAGES * PAGE_LINES
    async with opened(first=pages + 2, oldest=1) as bench:
        before = len(bench.asked)
        await bench.type("slash", "nothing like that")
        assert len(bench.asked) - before == SEARCHED_PAGES
        assert "N searches on" in bench.screen.said


async def test_marked_lines_are_copied_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as bench:
        copied: list[str] = []
        monkeypatch.setattr(bench.app, "copy_to_clipboard", copied.append)
        await bench.press("up", "y")
        assert copied[-1].endswith(f"right: line {FIRST + COUNT - 2}")
        await bench.press("v", "up", "up", "y")
        assert [text.split(": ")[1] for text in copied[-1].splitlines()] == [f"line {n}" for n in (1096, 1097, 1098)]
        assert bench.screen.said.startswith("3 lines copied")
        await bench.press("shift+up", "y")
        assert len(copied[-1].splitlines()) == 2
        await bench.press("v", "escape")
        assert bench.screen.lines.mark is None


async def test_so_much_is_copied_and_more_is_refused_with_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(count=0) as bench:
        copied: list[str] = []
        monkeypatch.setattr(bench.app, "copy_to_clipboard", copied.append)
        monkeypatch.setattr(LogScreen, "_marked_texts", lambda _: ["x" * MOST_COPIED])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        await bench.press("y")
        assert len(copied) == 1
        monkeypatch.setattr(LogScreen, "_marked_texts", lambda _: ["x" * (MOST_COPIED + 1)])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        await bench.press("y")
        assert len(copied) == 1
        assert "s saves it" in bench.screen.said


async def test_lines_are_saved_to_a_new_file_and_never_over_an_old_one(tmp_path: Path) -> None:
    async with opened() as bench:
        for keys, name, count in (((), "all", COUNT), (("up", "v", "up"), "two", 2), ((), "two", 2)):
            await bench.press(*keys)
            await bench.pilot.press("s")
            await bench.pilot.pause()
            assert isinstance(bench.app.screen, AskScreen)
            bench.app.screen.query_one(Input).value = str(tmp_path / name)
            await bench.press("enter")
            assert len((tmp_path / name).read_text().splitlines()) == count
        assert "cannot be written: File exists" in bench.screen.said


async def test_decisions_are_fetched_while_they_are_wanted() -> None:
    async with opened() as bench:
        decided = LogLine(id=1, time=NOW, level=LogLevel.DEBUG, text="waits for its board", board="left")
        bench.link.answers[api.GetDebugLog] = api.LogPage(lines=(decided,), next=1)
        await bench.press("e", "e", "e")
        bench.screen.look()
        assert bench.screen.said == "level: all, and decisions"
        assert "waits for its board" in bench.shown
        assert len(bench.shown) >= COUNT
        await bench.press("e")
        assert "waits for its board" not in bench.shown


async def test_a_daemon_waits_so_long_for_a_decision_and_one_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = asked_times(monkeypatch)
    asked: list[api.GetDebugLog] = []

    class Answers:
        async def call(self, params: api.GetDebugLog) -> api.LogPage:
            asked.append(params)
            match len(asked):
                case 1:
                    raise ConnectionFailedError("not connected")
                case 2:
                    return api.LogPage(lines=(line(7),), next=7)
                case _:
                    raise RemoteError("there is no method 'logs.debug'", kind=ErrorKind.PROTOCOL_MISMATCH)

    source = DebugLog(FleetHost("", Store(), cast("Link", Answers())))
    await source.watch()
    assert times.naps == [PAUSE]
    assert [(call.after, call.wait) for call in asked] == [(0, 0), (0, 0), (7, DEBUG_WAIT)]
    assert [each.text for each in source.since(0)[0]] == ["line 7"]
    assert not (await source.before(7, LogFilter(), 9)).lines


async def test_escape_ends_one_thing_after_the_other() -> None:
    async with opened() as bench:
        await bench.type("slash", "line")
        await bench.press("v", "slash", "escape")
        assert bench.screen.lines.mark is not None
        await bench.press("escape", "escape")
        assert bench.screen.window.sought == ""
        await bench.press("escape")
        assert bench.app.screen is bench.app.main


@pytest.mark.parametrize("key", ["q", "1", "3"])
async def test_it_is_closed_and_nothing_below_it_is_pressed(key: str) -> None:
    async with opened() as bench:
        await bench.press("f", "H", "r")
        assert [call for call in bench.link.calls if not isinstance(call, api.GetLogs)] == []
        await bench.press(key)
        assert bench.app.screen is bench.app.main


async def test_a_hostile_line_and_a_long_one_are_harmless() -> None:
    async with opened() as bench:
        await bench.come(line(5000, "\x1b]0;owned\x07[/][bold red]" + "x" * 300, board="[/]\x1b[31m"))
        text = "\n".join(bench.screen.lines.render_line(y).text for y in range(20))
        assert "\x1b" not in text
        assert "[/][bold" in text
        await bench.pilot.resize_terminal(LEAST_WIDTH, 10)
        await bench.settle()
        assert all(len(bench.screen.lines.render_line(y).text) <= LEAST_WIDTH for y in range(5))
        for narrow in (LEAST_WIDTH - 1, LEAST_WIDTH // 2):
            await bench.pilot.resize_terminal(narrow, 10)
            await bench.settle()
            pieces = [folded(source_text(each), LEAST_WIDTH) for each in bench.screen.window.lines]
            assert bench.screen.lines.virtual_size.height == sum(map(len, pieces)), "not folded any further"


async def test_so_much_can_be_typed() -> None:
    async with opened() as bench:
        await bench.press("t")
        typed = bench.screen.query_one(Input)
        assert typed.max_length == LONGEST_TYPED


def test_it_looks_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(LogScreen, "set_interval", lambda _, seconds, __: asked.append(seconds))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    for name in ("_show", "_fill"):
        monkeypatch.setattr(LogScreen, name, lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    app, _ = make_app()
    LogScreen(app.fleet, app.keys).on_mount()
    assert asked == [LOOK_SECONDS]


# Several hosts.


def hosts(*names: str) -> Fleet:
    return Fleet([FleetHost(name, (store := Store()), cast("Link", FakeLink(store))) for name in names])


def say(fleet: Fleet, name: str, number: int, time: float) -> None:
    (host,) = [host for host in fleet if host.name == name]
    host.store.take_log((LogLine(id=number, time=time, level=LogLevel.INFO, text=f"{name} {number}"),))


def taken(log: FleetLog) -> list[str]:
    return [each.line.text for each in log.since(0)]


def test_lines_of_all_hosts_are_by_time_and_marked() -> None:
    fleet, log = hosts("a", "b"), FleetLog()
    say(fleet, "a", 1, 10)
    say(fleet, "b", 1, 5)
    say(fleet, "a", 2, 12)
    log.take(fleet)
    assert [(each.host, each.line.text) for each in log.since(0)] == [("b", "b 1"), ("a", "a 1"), ("a", "a 2")]
    say(fleet, "b", 2, 12 - ORDER_SLACK)
    log.take(fleet)
    assert (taken(log), log.epoch) == (["b 1", "a 1", "a 2", "b 2"], 0)
    say(fleet, "b", 3, 12 - 2.5 * ORDER_SLACK)
    log.take(fleet)
    assert log.epoch == 1
    assert taken(log)[-1] == "a 2"


def test_the_one_host_is_not_named_and_its_lines_are_bounded() -> None:
    fleet, log = hosts(""), FleetLog()
    for number in range(1, PANEL_LINES + 3):
        say(fleet, "", number, 0)
    log.take(fleet)
    assert len(log.since(0)) == PANEL_LINES
    assert log.since(log.count) == []
    assert {each.host for each in log.since(0)} == {""}


async def test_the_full_log_names_the_hosts() -> None:
    fleet = hosts("rack", "desk")
    say(fleet, "rack", 1, NOW - 2)
    say(fleet, "desk", 1, NOW - 3)
    app = FlashdeckApp(fleet, clock=lambda: NOW)
    for host in fleet:
        cast("Any", host.link).answers[api.GetLogs] = api.LogPage(lines=(), next=0, before=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert isinstance(app.screen, LogScreen)
        drawn: Callable[[int], str] = lambda y: app.screen.query_one("LogLines").render_line(y).text  # noqa: E731
        assert "desk: desk 1" in drawn(0)
        assert "rack: rack 1" in drawn(1)
