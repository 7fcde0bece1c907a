"""Boards are named in one way everywhere; what does not exist is answered with what does."""

import re

import pytest

from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.api import VirtualBoardState
from flashdeck.diagnosis import Diagnosis
from flashdeck.job_state import NAMES
from flashdeck.value import Value
from flashdeck_tui.cli import instead
from flashdeck_tui.cli.root import COMMANDS

BOARDS = api.BoardList(boards=(board(),), devices=())
EMULATED = api.VirtualBoardList(
    boards=(VirtualBoardState(name="left", model="classic", port="1-1", serial="", plugged=True, mode="dfu"),)
)
TAKES_BOARDS: dict[str, tuple[type[api.Params[Value]], Value]] = {
    "hold": (api.Hold, BOARDS),
    "release": (api.Release, BOARDS),
    "arm": (api.Arm, BOARDS),
    "disarm": (api.Disarm, BOARDS),
    "boards": (api.GetBoards, BOARDS),
    "doctor": (api.Examine, Diagnosis(installation=())),
    "jobs": (api.GetJobs, api.JobList(jobs=(job(),))),
    "logs": (api.GetLogs, api.LogPage(lines=(), next=0)),
    "virtual plug": (api.VirtualPlug, EMULATED),
    "virtual unplug": (api.VirtualUnplug, EMULATED),
    "virtual press": (api.VirtualPress, EMULATED),
}
NEEDS_ONE = ("hold", "release", "virtual plug", "virtual unplug", "virtual press")


@pytest.mark.parametrize("command", TAKES_BOARDS)
@pytest.mark.parametrize(
    ("words", "boards"),
    [
        (("left",), ("left",)),
        (("left", "r*"), ("left", "r*")),
        (("--board", "left"), ("left",)),
        (("--board", "r*", "left", "--board=spare"), ("left", "r*", "spare")),
    ],
)
def test_boards_as_words_and_with_an_option(
    daemon: CannedDaemon, cli: Cli, command: str, words: tuple[str, ...], boards: tuple[str, ...]
) -> None:
    kind, answer = TAKES_BOARDS[command]
    daemon.answers[kind] = answer
    assert cli(*command.split(), *words).code == 0
    (call,) = daemon.called(kind)
    assert call.boards == boards


@pytest.mark.parametrize("command", [name for name in TAKES_BOARDS if name not in NEEDS_ONE])
def test_without_a_name_all_are_meant(daemon: CannedDaemon, cli: Cli, command: str) -> None:
    kind, answer = TAKES_BOARDS[command]
    daemon.answers[kind] = answer
    assert cli(command).code == 0
    assert daemon.called(kind)[0].boards == ()


@pytest.mark.parametrize("command", NEEDS_ONE)
def test_what_changes_boards_asks_for_a_name(daemon: CannedDaemon, cli: Cli, command: str) -> None:
    run = cli(*command.split())
    assert (run.code, run.err.splitlines()[0]) == (2, "error: no board is named")
    assert "'*'" in run.err
    assert daemon.calls == []


def test_jobs_are_filtered_by_the_daemon(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=())
    run = cli("jobs", "--board", "r*", "--status", "failed", "--status", "done", "--limit", "7")
    assert run == (0, "no such jobs\n", "")
    (call,) = daemon.called(api.GetJobs)
    assert call == api.GetJobs(limit=7, boards=("r*",), statuses=("failed", "done"))


def test_every_status_can_be_asked_for(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=())
    for name in NAMES:
        assert cli("jobs", "--status", name).code == 0
    run = cli("jobs", "--status", "broken")
    assert run.code == 2
    assert all(name in run.err for name in NAMES)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("stauts", "status"),
        ("STATUS", "status"),
        ("rel", "release"),
        ("config chek", "check"),
        ("virtual unplgu left", "unplug"),
        ("jobs --bord left", "--board"),
        ("jobs --jsno", "--json"),
        ("--sokcet x status", "--socket"),
    ],
)
def test_the_nearest_command_or_option(offline: Cli, words: str, meant: str) -> None:
    run = offline(*words.split())
    assert run.code == 2
    assert run.err.splitlines()[1:] == [f"hint: did you mean {meant}?"]
    assert run.err.count("did you mean") == run.err.lower().count("did you mean"), "said once"


def test_what_is_near_to_nothing_is_referred_to_the_help(offline: Cli) -> None:
    assert "hint: see 'flashdeck --help'" in offline("xyzzy").err
    assert "hint: see 'flashdeck virtual --help'" in offline("virtual", "xyzzy").err
    assert "hint: see 'flashdeck status --help'" in offline("status", "--xyzzy").err
    assert "hint: see 'flashdeck disarm --help'" in offline("disarm", "left", "--once").err, "not --socket"
    assert offline("\x1b[31mx").err.isascii() is False, "made harmless"


@pytest.mark.parametrize("word", instead.COMMANDS)
def test_what_does_not_exist_says_what_there_is_instead(offline: Cli, word: str) -> None:
    run = offline(word, "app1", "--whatever", "--json")
    assert run.code == 2
    assert run.json["error"]["hint"] == instead.COMMANDS[word]


def test_what_stands_in_for_a_command_exists() -> None:
    assert not set(instead.COMMANDS) & set(COMMANDS), "what exists needs no stand-in"
    for sentence in instead.COMMANDS.values():
        named = set(re.findall(r"'flashdeck ([a-z]+)", sentence))
        assert named <= set(COMMANDS), sentence
