"""`flashdeck run`: what it asks of a daemon, and what it prints; what becomes of boards is tried beside a real one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api, console_following
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.model import ConsoleEntry, ConsoleState
from flashdeck.run_following import FOLLOW_SECONDS
from job_states import DONE, WAITING, WRITTEN
from junit_file import read_junit

OPEN = ConsoleState(port="app", condition=ConsoleCondition.OPEN, node="/dev/ttyACM0")
BEFORE = 41
"""The number of the newest entry before the run."""


def entries(number: int, *lines: str) -> list[ConsoleEntry]:
    """Return what the daemon records of a job: its begin, its leave, and lines."""
    mark, line = ConsoleKind.MARK, ConsoleKind.LINE
    return [
        ConsoleEntry(number=BEFORE + 1, at=1.0, kind=mark, text="job: begins", job=number),
        ConsoleEntry(number=BEFORE + 2, at=1.0, kind=mark, text="job: leave", job=number, is_leave=True),
        ConsoleEntry(number=BEFORE + 3, at=1.0, kind=ConsoleKind.NOISE, text="3 bytes that are no text"),
        *(ConsoleEntry(number=BEFORE + each, at=1.0, kind=line, text=text) for each, text in enumerate(lines, 4)),
    ]


Give = Callable[..., Cli]


@pytest.fixture
def said(daemon: CannedDaemon, cli: Cli) -> Give:
    """Give boards, each with the lines that it says once it was started, and take `run app1 --until PASS` for them."""

    def give(**lines: tuple[str, ...]) -> Cli:
        numbers = {name: number for number, name in enumerate(lines, 1)}
        records = {name: entries(numbers[name], *each) for name, each in lines.items()}
        has_begun = False

        def console(asked: api.GetConsole) -> api.ConsolePage:
            record = records[asked.board] if has_begun else []
            if asked.limit == 1:
                return api.ConsolePage(board=asked.board, next=record[-1].number if record else BEFORE)
            found = tuple(each for each in record if each.number > asked.after)
            return api.ConsolePage(board=asked.board, entries=found, next=found[-1].number if found else asked.after)

        def flash(_asked: api.Flash) -> api.JobList:
            nonlocal has_begun
            has_begun = True
            jobs = tuple(job(number, name, status=WRITTEN, attempts=1) for name, number in numbers.items())
            return api.JobList(jobs=jobs, notes=("it is large",))

        boards = tuple(board(name, console=OPEN) for name in lines)
        daemon.answers[api.GetBoards] = api.BoardList(boards=boards, devices=())
        daemon.answers[api.Take] = api.LeaseToken(token="t", boards=tuple(lines))  # noqa: S106 - a test's
        daemon.answers[api.EndLease] = api.Empty()
        daemon.answers[api.GetConsole] = console
        daemon.answers[api.Flash] = flash
        return lambda *words: cli("run", "app1", "--until", "PASS", *words)

    return give


def test_it_takes_the_board_flashes_it_for_itself_and_gives_it_back(daemon: CannedDaemon, said: Give) -> None:
    run = said(left=("booting", "PASS 7"))("--timeout", "5")
    assert (run.code, run.out) == (0, "... 3 bytes that are no text\nbooting\nPASS 7\n")
    assert "warning: it is large" in run.err
    assert run.err.splitlines()[-1].startswith("left app1: passed after ")
    (taken,) = daemon.called(api.Take)
    assert (taken.boards, taken.reason) == (("left",), "a run of app1")
    assert 0 < taken.timeout <= 5
    (flashed,) = daemon.called(api.Flash)
    assert (flashed.boards, flashed.cancel_on_exit, flashed.spare_begun) == (("left",), True, True)
    followed = [asked for asked in daemon.called(api.GetConsole) if asked.limit != 1]
    assert [(asked.after, asked.wait, asked.since_leave) for asked in followed[:1]] == [(BEFORE, FOLLOW_SECONDS, False)]
    assert len(daemon.called(api.EndLease)) == 1


def test_several_boards_have_their_names_before_their_lines_and_a_table(said: Give) -> None:
    run = said(left=("PASS",), right=("assert x",))("--fail", "assert")
    assert run.code == 10
    assert {"left: PASS", "right: assert x"} <= set(run.out.splitlines())
    assert [line.split()[:3] for line in run.out.splitlines()[-3:]] == [
        ["BOARD", "PARTITION", "RESULT"],
        ["left", "app1", "passed"],
        ["right", "app1", "failed"],
    ]
    assert 'app1: 1 of 2 boards is not done: right: it said "assert x"' in run.err


def test_foreign_text_is_harmless(said: Give) -> None:
    run = said(left=("\x1b[31mPASS\x07",))()
    assert run.out.splitlines()[-1] == "\N{REPLACEMENT CHARACTER}[31mPASS\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("words", [("app1",), ("app1", "--until", "x", "--json", "--jsonl"), ("app1", "--until", "(")])
def test_a_command_line_that_makes_no_sense_asks_for_nothing(daemon: CannedDaemon, cli: Cli, words: Any) -> None:
    assert cli("run", *words).code == 2
    assert not daemon.calls


def test_a_file_of_results_that_cannot_be_written_is_told_first(daemon: CannedDaemon, said: Give) -> None:
    run = said(left=("PASS",))("--junit", "no/such/directory.xml")
    assert run.code == 2
    assert "there is no directory no/such" in run.err
    assert not daemon.calls


def test_an_older_result_never_passes_for_this_one(daemon: CannedDaemon, said: Give, tmp_path: Path) -> None:
    results = tmp_path / "r.xml"
    cli = said(left=("PASS",))
    assert cli("--junit", "r.xml").code == 0
    assert read_junit(results).get("errors") == "0"
    daemon.answers[api.GetBoards] = FlashdeckError("there is no board", kind=ErrorKind.NO_SUCH_BOARD)
    assert cli("--junit", "r.xml").code == 4
    (case,) = read_junit(results).iter("testcase")
    assert case.findtext("error") == "there is no board"


def test_the_daemons_refusal_is_the_result_of_each_board(daemon: CannedDaemon, said: Give) -> None:
    cli = said(left=("PASS",), right=("PASS",))
    daemon.answers[api.Flash] = FlashdeckError("linked for another place", kind=ErrorKind.GUARD)
    run = cli("--json")
    assert run.code == 9
    assert [each["failure"]["kind"] for each in run.json["boards"]] == ["guard", "guard"]


def test_a_board_that_waits_is_not_waited_for_where_another_failed(daemon: CannedDaemon, said: Give) -> None:
    cli = said(left=("FAIL",), right=())
    jobs = (job(1, "left", status=WRITTEN, attempts=1), job(2, "right", status=WAITING))
    flash = daemon.answers[api.Flash]

    def flash_one(asked: api.Flash) -> api.JobList:
        assert callable(flash)
        flash(asked)
        return api.JobList(jobs=jobs)

    daemon.answers[api.Flash] = flash_one
    daemon.answers[api.Cancel] = job(2, "right", status=DONE)
    run = cli("--fail", "FAIL", "--json")
    assert run.code == 10
    assert [each["failure"]["kind"] for each in run.json["boards"]] == ["crashed", "timeout"]
    assert [call.job for call in daemon.called(api.Cancel)] == [2], "it never began"


def test_a_console_that_is_taken_away_meanwhile_is_told(daemon: CannedDaemon, said: Give) -> None:
    cli = said(left=("PASS",))
    console = daemon.answers[api.GetConsole]

    def gone(asked: api.GetConsole) -> Any:
        assert callable(console)
        if asked.limit == 1:
            return console(asked)
        raise FlashdeckError("board left has no console", kind=ErrorKind.BAD_REQUEST)

    daemon.answers[api.GetConsole] = gone
    run = cli("--json")
    assert run.code == 13
    assert run.json["boards"][0]["failure"]["message"] == "board left has no console"


async def test_a_console_is_followed_for_as_long_as_is_wanted(daemon: CannedDaemon) -> None:
    import flashdeck  # noqa: PLC0415 - the rest is the command line

    found = ConsoleEntry(number=1, at=1.0, kind=ConsoleKind.LINE, text="x")
    daemon.answers[api.GetConsole] = lambda asked: api.ConsolePage(
        board="left", entries=(found,) if asked.after == -1 else (), next=max(0, asked.after)
    )
    async with flashdeck.connect_async(daemon.socket) as bench:
        assert [entry async for entry in bench.console("left", timeout=0.0)] == [found]
        entries = bench.console("l*", since_leave=True)
        assert await anext(entries) == found
        await entries.aclose()
    calls = daemon.called(api.GetConsole)
    assert [(call.board, call.after, call.since_leave, call.wait) for call in calls] == [
        ("left", 0, False, 0.0),
        ("left", -1, False, 0.0),
        ("l*", -1, True, console_following.WAIT_SECONDS),
    ]
