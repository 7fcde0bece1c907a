"""`flashdeck console`: what is printed of a board's console, and with which exit code."""

from collections.abc import Callable
from typing import Any

import pytest

from canned_daemon import NOW, CannedDaemon, board
from cli_run import Cli
from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import RequestError
from flashdeck.model import ConsoleEntry, ConsoleState
from flashdeck_tui.cli.commands.console import FOLLOW_SECONDS, LINES

OPEN = ConsoleState(port="app", condition=ConsoleCondition.OPEN, node="/dev/ttyACM0")
HELD = ConsoleState(
    port="app",
    condition=ConsoleCondition.HELD,
    node="/dev/ttyACM0",
    reason="minicom (pid 4711) has it open",
    hint="close it there",
)


def entry(number: int, text: str = "", kind: ConsoleKind = ConsoleKind.LINE) -> ConsoleEntry:
    return ConsoleEntry(number=number, at=NOW + number / 1000, kind=kind, text=text or f"line {number}")


def page(*entries: ConsoleEntry, dropped: int = 0) -> api.ConsolePage:
    return api.ConsolePage(board="left", entries=entries, next=entries[-1].number if entries else 0, dropped=dropped)


def record(*entries: ConsoleEntry, leave: int = 0) -> Callable[[api.GetConsole], api.ConsolePage]:
    """Answer as the daemon does that has these entries; `leave` is the number of the last leave's mark."""

    def answer(asked: api.GetConsole) -> api.ConsolePage:
        if asked.after or asked.since_leave:
            first = leave if asked.since_leave else asked.after + 1
            return page(*[each for each in entries if each.number >= first][: asked.limit])
        return page(*entries[-asked.limit :])

    return answer


@pytest.fixture
def said(daemon: CannedDaemon, cli: Cli) -> Callable[..., Cli]:
    """Give the board a record and a state, and take the command line for it."""

    def give(*entries: ConsoleEntry, state: ConsoleState | None = OPEN, leave: int = 0) -> Cli:
        daemon.answers[api.GetConsole] = record(*entries, leave=leave)
        daemon.answers[api.GetBoards] = api.BoardList(boards=(board(console=state),), devices=())
        return lambda *words: cli("console", "left", *words)

    return give


def test_lines_marks_and_noise_look_different_and_have_their_times(said: Callable[..., Cli]) -> None:
    run = said(
        entry(1, "left DFU mode", ConsoleKind.MARK),
        entry(2, "app1 1.0.7"),
        entry(3, "12 bytes that are no text", ConsoleKind.NOISE),
        entry(4, "HardFault: a division by zero", ConsoleKind.CRASH),
        entry(5, "  pc 0x08021a3c  control_step (control.c:118)", ConsoleKind.CRASH),
    )()
    assert (run.code, run.err) == (0, "")
    assert [line.partition("  ")[2] for line in run.out.splitlines()] == [
        "--- left DFU mode",
        "app1 1.0.7",
        "... 12 bytes that are no text",
        "!!! HardFault: a division by zero",
        "!!!   pc 0x08021a3c  control_step (control.c:118)",
    ]
    assert all(line[4] == "-" and line[19] == "." for line in run.out.splitlines()), "2026-01-31 13:05:04.812"


def test_the_newest_lines_are_shown_as_many_as_are_wanted(daemon: CannedDaemon, said: Callable[..., Cli]) -> None:
    cli = said(*map(entry, range(1, 201)))
    assert len(cli().out.splitlines()) == LINES
    assert cli("-n", "3").out.splitlines()[0].endswith("line 198")
    assert [call.limit for call in daemon.called(api.GetConsole)] == [LINES, 3]


def test_since_the_leave_all_of_it_is_shown_in_pages(daemon: CannedDaemon, said: Callable[..., Cli]) -> None:
    count = 2 * api.CONSOLE_PAGE + 7
    run = said(*map(entry, range(1, count + 1)), leave=5)("--since", "leave")
    assert len(run.out.splitlines()) == count - 4
    assert [call.since_leave for call in daemon.called(api.GetConsole)] == [True, False, False]


def test_one_object_or_one_a_line_for_scripts(said: Callable[..., Cli]) -> None:
    cli = said(entry(7), entry(8, "off", ConsoleKind.MARK))
    report = cli("--json").json
    assert (report["board"], report["console"]["condition"], report["next"]) == ("left", "open", 8)
    assert [each["text"] for each in report["entries"]] == ["line 7", "off"]
    assert [each["entry"]["kind"] for each in cli("--jsonl").jsonl] == ["line", "mark"]


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        (HELD, 13, "error: left: held (/dev/ttyACM0): minicom (pid 4711) has it open"),
        (ConsoleState(port="app", condition=ConsoleCondition.RELEASED), 13, "error: left: released"),
        (ConsoleState(port="app", condition=ConsoleCondition.UNAVAILABLE, reason="x"), 13, "error: left: unavailable"),
        (None, 13, "has no console any more"),
        (ConsoleState(port="app", condition=ConsoleCondition.ABSENT), 0, "left: no port"),
        (ConsoleState(port="app", condition=ConsoleCondition.OPEN, dropped=9), 0, "9 bytes not recorded"),
    ],
)
def test_what_was_recorded_is_shown_whatever_keeps_it_from_going_on(
    said: Callable[..., Cli], state: ConsoleState | None, code: int, told: str
) -> None:
    run = said(entry(1), state=state)()
    assert (run.code, run.out.endswith("  line 1\n")) == (code, True)
    assert told in run.err
    assert ("hint: close it there" in run.err) is (state is HELD)


def test_a_port_is_released_and_followed_again(daemon: CannedDaemon, cli: Cli) -> None:
    released = ConsoleState(port="app", condition=ConsoleCondition.RELEASED, node="/dev/ttyACM0")
    daemon.answers[api.ReleaseConsole] = api.BoardConsole(board="left", console=released)
    daemon.answers[api.ResumeConsole] = api.BoardConsole(board="left", console=OPEN)
    assert (cli("console", "left", "--release").code, daemon.called(api.ReleaseConsole)[0].board) == (0, "left")
    run = cli("console", "l*", "--resume")
    assert (run.code, run.out, run.err) == (0, "left: recorded (/dev/ttyACM0)\n", "")
    assert cli("console", "left", "--resume", "--json").json["console"]["condition"] == "open"
    daemon.answers[api.ResumeConsole] = api.BoardConsole(board="left", console=HELD)
    run = cli("console", "left", "--resume")
    assert (run.code, run.out) == (13, "left: held (/dev/ttyACM0): minicom (pid 4711) has it open\n")
    assert "hint: close it there" in run.err


def test_the_status_says_which_consoles_are_not_recorded(daemon: CannedDaemon, cli: Cli) -> None:
    def publish() -> None:
        daemon.hub.publish_board(board("left", console=HELD))
        daemon.hub.publish_board(board("right", console=OPEN))

    daemon.on_loop(publish)
    told = [line for line in cli("status").out.splitlines() if "console" in line]
    assert told == ["left: console held (/dev/ttyACM0): minicom (pid 4711) has it open"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--release", "--resume"), "take one of them"),
        (("--release", "-f"), "leave out all but --release"),
        (("--resume", "--since", "leave"), "leave out all but --resume"),
        (("-f", "--json"), "take --jsonl"),
        (("--since", "leave", "-n", "3"), "leave out --lines"),
        (("--json", "--jsonl"), "take one of them"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(cli: Cli, words: tuple[str, ...], hint: str) -> None:
    run = cli("console", "left", *words)
    assert (run.code, run.out if "--json" not in words else "") == (2, "")
    assert hint in run.err


def test_a_followed_console_goes_on_behind_what_was_shown(daemon: CannedDaemon, cli: Cli) -> None:
    asked: list[api.GetConsole] = []
    pages = [page(entry(1), entry(2)), page(), page(entry(3)), page(entry(9), dropped=70)]

    def answer(params: api.GetConsole) -> Any:
        asked.append(params)
        if len(asked) > len(pages):
            raise RequestError("enough")
        found = pages[len(asked) - 1]
        return found if found.entries else api.ConsolePage(board="left", next=2)

    daemon.answers[api.GetConsole] = answer
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(console=HELD),), devices=())
    run = cli("console", "left", "-f", "-n", "2")
    assert [line.split()[-1] for line in run.out.splitlines()] == ["1", "2", "3", "9"]
    assert "left: held (/dev/ttyACM0): minicom (pid 4711) has it open" in run.err
    assert "5 lines missing here" in run.err
    assert "70 bytes not recorded" in run.err
    assert "enough" in run.err
    assert [(call.after, call.limit, call.wait) for call in asked] == [
        (0, 2, 0.0),
        *((after, api.CONSOLE_PAGE, FOLLOW_SECONDS) for after in (2, 2, 3, 9)),
    ]


def test_what_is_followed_since_a_leave_that_is_still_to_come_shows_nothing_older(
    daemon: CannedDaemon, cli: Cli
) -> None:
    asked: list[tuple[int, bool]] = []

    def answer(params: api.GetConsole) -> Any:
        asked.append((params.after, params.since_leave))
        if len(asked) > 3:
            raise RequestError("enough")
        return page(entry(70, "leave", ConsoleKind.MARK)) if len(asked) == 3 else page()

    daemon.answers[api.GetConsole] = answer
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(console=OPEN),), devices=())
    run = cli("console", "left", "--follow", "--since", "leave", "--jsonl")
    assert [each["entry"]["number"] for each in run.jsonl if "entry" in each] == [70]
    assert asked == [(0, True), (0, True), (0, True), (70, False)]


def test_a_board_that_is_not_there_or_has_none_is_told_as_the_daemon_does(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetConsole] = RequestError("left has no console", hint="[profiles.product.console]")
    run = cli("console", "left")
    assert (run.code, "[profiles.product.console]" in run.err) == (2, True)
