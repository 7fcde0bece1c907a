"""`flashdeck take`: what it asks for, what it says while it waits, and its exit code."""

import shutil
import sys
from pathlib import Path

import pytest

from canned_daemon import NOW, CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import BlockedError, ErrorKind, FlashdeckError
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck.job_state import Phase, Running
from flashdeck.model import BoardLease
from flashdeck.value import Value
from flashdeck_tui.cli.commands.take import LONGEST_COMMAND, NOT_EXECUTABLE, NOT_FOUND

LEASE = api.LeaseToken(token="secret", boards=("left",))  # noqa: S106 - a test's
TAKEN = BoardLease(by="bob, process 5", reason="a demo", since=NOW)


def test_it_asks_for_the_boards_and_runs_the_command_with_the_token(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    daemon.answers[api.Take] = LEASE
    code = cli("take", "l*", "--board", "left", "--", "sh", "-c", f"echo ${LEASE_VARIABLE} >said; exit 7").code
    assert code == 7
    assert (tmp_path / "said").read_text() == "secret\n"
    (asked,) = daemon.called(api.Take)
    assert (asked.boards, asked.no_wait, asked.timeout) == (("l*", "left"), False, None)
    assert ", process " in asked.by
    assert asked.reason == "sh -c echo $FLASHDECK_LEASE >said; exit 7"


def test_the_purpose_is_named_or_is_the_commands_beginning(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Take] = LEASE
    assert cli("take", "left", "--for", "a demo", "--no-wait", "--timeout", "3", "--", "true").code == 0
    (asked,) = daemon.called(api.Take)
    assert (asked.reason, asked.no_wait, asked.timeout) == ("a demo", True, 3.0)
    assert cli("take", "left", "--", "true", "x" * LONGEST_COMMAND).code == 0
    assert len(daemon.called(api.Take)[1].reason) == LONGEST_COMMAND


def test_with_json_stdout_has_one_object_and_the_command_prints_to_stderr(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Take] = LEASE
    run = cli("take", "left", "--json", "--", "sh", "-c", "exit 3")
    assert run.code == 3
    assert {**run.json, "seconds": 0} == {"boards": ["left"], "code": 3, "seconds": 0}


def test_a_command_that_a_signal_ends_has_the_code_that_shells_give(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Take] = LEASE
    assert cli("take", "left", "--", "sh", "-c", "kill -KILL $$").code == 128 + 9


def test_what_cannot_be_run_takes_nothing(daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.answers[api.Take] = LEASE
    run = cli("take", "left", "--", "no-such-command")
    assert (run.code, run.err) == (NOT_FOUND, "there is no command no-such-command\n")
    assert not daemon.called(api.Take)
    monkeypatch.setattr(shutil, "which", str)
    run = cli("take", "left", "--", "/")
    assert run.code == NOT_EXECUTABLE
    assert "cannot be started" in run.err


@pytest.mark.parametrize("words", [("left",), ("left", "--"), ("--", "true"), ("left", "--nope", "--", "true")])
def test_boards_and_a_command_are_needed(offline: Cli, words: tuple[str, ...]) -> None:
    assert offline("take", *words).code == 2


def test_it_says_who_has_the_board_and_what_runs_while_it_waits(daemon: CannedDaemon, cli: Cli) -> None:
    def publish() -> None:
        daemon.hub.publish_board(board(lease=TAKEN))
        daemon.hub.publish_board(board("right", lease=TAKEN))
        daemon.hub.publish_job(job(7, status=Running(phase=Phase.WRITE, since=NOW, answered_at=NOW)))

    async def take(_asked: api.Take) -> Value:
        await daemon.send()
        return LEASE

    daemon.on_loop(publish)
    daemon.answers[api.Take] = take
    run = cli("take", "left", "--", "true")
    assert run.err == (
        "left: taken by bob, process 5 for a demo; waits for the end of that\n"
        "left: job 7 runs; waits for the end of that\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BlockedError("board left is taken by bob"), 13),
        (FlashdeckError("not taken after 3 s", kind=ErrorKind.TIMEOUT), 6),
    ],
)
def test_where_it_does_not_get_them_nothing_runs(
    daemon: CannedDaemon, cli: Cli, error: FlashdeckError, code: int
) -> None:
    daemon.answers[api.Take] = error
    run = cli("take", "left", "--json", "--", sys.executable, "-c", "print('ran')")
    assert run.code == code
    assert run.json["error"]["message"] == error.message


def test_a_taken_board_is_shown_as_one(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(lease=TAKEN),), devices=())
    run = cli("boards")
    assert "in DFU mode (taken)" in run.out
    assert "left: taken by bob, process 5 for a demo, for " in run.out
    assert "only its jobs start" in run.out


def test_inside_the_command_all_others_act_for_the_lease(
    daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEASE_VARIABLE, "secret")
    daemon.answers[api.UseLease] = LEASE
    daemon.answers[api.GetJobs] = api.JobList(jobs=())
    assert cli("jobs") == (0, "no jobs yet\n", "")
    assert daemon.calls[0] == api.UseLease(token="secret")  # noqa: S106 - a test's
    daemon.answers[api.UseLease] = BlockedError("this lease has ended")
    run = cli("jobs")
    assert run.code == 0
    assert run.err == "the lease in $FLASHDECK_LEASE does not count here: this lease has ended\n"
