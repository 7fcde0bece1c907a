"""`--host` before and behind a command: a stand-in for ssh runs the other side here, against the canned daemon."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asked_times import asked_times
from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis, Finding, Severity
from flashdeck.errors import ConnectionFailedError, ErrorKind, ExitCode, FlashdeckError, RequestError
from flashdeck.hosts import find_host, members
from flashdeck.job_state import Failed, Failure
from flashdeck.model import ConfigurationState, DeviceState, LogLevel, LogLine, Presence
from flashdeck.outcome import BoardResult, Outcome
from flashdeck_tui.cli import many_hosts
from flashdeck_tui.cli.answers import History
from flashdeck_tui.cli.connect import NEVER_AGAIN, Again, sessions
from flashdeck_tui.cli.group import CommandGroup
from flashdeck_tui.cli.host_boards import boards_there, machines_meant
from flashdeck_tui.cli.live_options import MOST_JOBS
from flashdeck_tui.cli.remote import LOCAL, MOST_HOSTS, for_host
from flashdeck_tui.cli.root import COMMANDS, root
from flashdeck_tui.pauses import FIRST_PAUSE, LONGEST_PAUSE_FAR
from job_states import DONE
from schema_check import document, faults

WHOLE = document("cli.schema.json")
CONNECT = "import sys; from flashdeck_tui.cli import main; sys.exit(main())"
CONFIG = f"""
include = ["project.toml"]
[hosts.bench]
ssh = "ann@box"
command = ["{sys.executable}", "-c", "{CONNECT}"]
[hosts.lab]
command = ["{sys.executable}", "-c", "{CONNECT}"]
[hosts.off]
command = ["flashdeck-is-not-here"]
[hosts.all]
hosts = ["lab", "b*", "off"]
[hosts.none]
hosts = ["x*"]
"""


@pytest.fixture
def far(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line where machines called bench and lab have the canned daemon, and off has none."""
    (tmp_path / "config" / "flashdeck").mkdir(parents=True)
    (tmp_path / "config" / "flashdeck" / "flashdeck.toml").write_text(CONFIG)
    (tmp_path / "config" / "flashdeck" / "project.toml").write_text('[hosts.theirs]\nssh = "mallory@box"\n')
    (tmp_path / "ssh").write_text('#!/bin/sh\nfor word; do :; done\nexec sh -c "$word"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return cli


def test_a_host_may_stand_before_or_behind_the_command(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    assert far("--host", "bench", "boards", "--json").json["boards"][0]["name"] == "left"
    assert far("boards", "--json", "--host", "bench").json["boards"][0]["name"] == "left"


def test_rows_of_several_machines_are_called_after_them_and_the_one_that_fails_is_named(
    daemon: CannedDaemon, far: Cli
) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    run = far("boards", "--host", "bench", "--host", "off", "--host", "lab", "--json")
    assert [each["name"] for each in run.json["boards"]] == ["bench/left", "lab/left"]
    assert run.code == ExitCode.SOME_FAILED
    assert "error: off has no command flashdeck-is-not-here" in run.err


def test_where_all_machines_fail_that_is_the_error(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.Hold] = FlashdeckError("there is no board nope", kind=ErrorKind.NO_SUCH_BOARD, hint="look")
    run = far("hold", "nope", "--host", "bench", "--host", "lab", "--json")
    assert run.code == ExitCode.NOT_FOUND
    assert run.json["error"]["message"] == "bench: there is no board nope; lab: there is no board nope"
    assert run.json["error"]["hint"] == "look"


def test_a_machine_of_an_included_file_is_none_until_it_is_confirmed(far: Cli, tmp_path: Path) -> None:
    run = far("--host", "theirs", "boards")
    assert run.code == ExitCode.USAGE
    assert "[hosts.theirs]" in run.err
    assert f"flashdeck config trust {tmp_path}" in run.err


@pytest.mark.parametrize("name", ["-oProxyCommand=touch pwned", "a;b", ""])
def test_what_can_be_no_machine_is_refused(far: Cli, name: str, tmp_path: Path) -> None:
    run = far(f"--host={name}", "boards")
    assert run.code == ExitCode.USAGE
    assert "is no host" in run.err
    assert not (tmp_path / "pwned").exists()


def test_a_socket_of_this_machine_is_none_of_another(far: Cli) -> None:
    run = far("--socket", "s", "--host", "bench", "boards")
    assert run.code == ExitCode.USAGE
    assert "--socket names a socket of this machine" in run.err


@pytest.mark.parametrize(
    "words",
    [
        ("cancel", "1"),
        ("retry", "1"),
        ("read", "app1", "a.bin"),
        ("take", "left", "--", "true"),
        ("adopt", "1-4"),
        ("console", "left"),
    ],
)
def test_one_machine_at_a_time_is_enough_for_these(far: Cli, words: tuple[str, ...]) -> None:
    run = far("--host", "bench", "--host", "lab", *words)
    assert run.code == ExitCode.USAGE
    assert "one machine at a time, and bench, lab are named" in run.err


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_what_is_done_here_takes_no_other_machine(far: Cli, name: str) -> None:
    run = far("--host", "bench", *name.split())
    assert run.code == ExitCode.USAGE
    assert f"'flashdeck {name}' works on this machine only" in run.err
    assert f"ssh -t MACHINE flashdeck {name}" in run.err
    assert "no such option" in far(*name.split(), "--host", "bench").err.lower()


def test_what_is_done_here_takes_none_whoever_asks_for_it_first() -> None:
    group = CommandGroup(package="flashdeck_tui.cli.commands.config", names=("check",))
    command = group.get_command(click.Context(group), "check")  # as whoever walks through the commands by groups alone
    assert command is not None
    assert "host" not in {parameter.name for parameter in command.params}


def test_every_other_command_takes_one() -> None:
    context = root.make_context("flashdeck", ["status"])
    for name in set(COMMANDS) - LOCAL - {"config", "lot", "virtual"}:
        command = root.get_command(context, name)
        assert command is not None
        assert any("--host" in parameter.opts for parameter in command.params), name


def test_so_many_machines_at_once(far: Cli) -> None:
    words = [word for number in range(MOST_HOSTS + 1) for word in ("--host", f"nobody{number}")]
    run = far(*words, "cancel", "1")
    assert f"at most {MOST_HOSTS} at once" in run.err
    assert "one machine at a time" in far(*words[2:], "cancel", "1").err


def test_several_machines_have_each_their_status(daemon: CannedDaemon, far: Cli) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(board()))
    both = far("status", "--host", "bench", "--host", "lab", "--json")
    assert both.json["hosts"].keys() == {"bench", "lab"}
    assert "bench/left" in far("status", "--host", "bench", "--host", "lab").out
    assert "boards" in far("status", "--host", "bench", "--json").json


def test_the_doctor_of_another_machine_never_looks_at_this_one(far: Cli) -> None:
    run = far("doctor", "--host", "off")
    assert run.code == ExitCode.UNREACHABLE
    assert "looking without one" not in run.err


def test_a_file_of_another_machine_is_named_by_its_full_path(far: Cli) -> None:
    assert "relative path" in far("config", "trust", "fw.toml", "--host", "bench").err


# Boards as HOST/BOARD


SELECTING = (
    ("hold", api.Hold, ("hold", "{0}")),
    ("release", api.Release, ("release", "{0}")),
    ("arm", api.Arm, ("arm", "{0}")),
    ("disarm", api.Disarm, ("disarm", "--board", "{0}")),
    ("boards", api.GetBoards, ("boards", "{0}")),
    ("jobs", api.GetJobs, ("jobs", "{0}")),
    ("history", api.GetHistory, ("history", "{0}")),
    ("logs", api.GetLogs, ("logs", "{0}")),
    ("plan", api.Plan, ("plan", "app1", "--board", "{0}")),
    ("flash", api.Flash, ("flash", "app1", "--board", "{0}")),
    ("run", api.GetBoards, ("run", "app1", "--board", "{0}", "--until", "x")),
    ("verify", api.Verify, ("verify", "app1", "--board", "{0}")),
    ("erase", api.Erase, ("erase", "app1", "--board", "{0}")),
    ("reset", api.ResetBoards, ("reset", "{0}")),
    ("rollback", api.PlanRollback, ("rollback", "app1", "{0}", "--dry-run")),
    ("wait", api.Wait, ("wait", "app1", "--board", "{0}")),
    ("doctor", api.Examine, ("doctor", "{0}")),
    ("take", api.Take, ("take", "{0}", "--", "true")),
    ("read", api.ReadPartition, ("read", "app1", "a.bin", "--board", "{0}")),
)
"""Each command that takes boards, what it asks of the daemon, and its words."""


@pytest.mark.parametrize(("asks", "words"), [each[1:] for each in SELECTING], ids=[name for name, _, _ in SELECTING])
@pytest.mark.parametrize("typed", ["lab/left", "la?/left", "lab/*"])
def test_a_board_of_one_of_several_machines_is_typed_as_it_is_printed(
    daemon: CannedDaemon, far: Cli, asks: type[api.Params[Any]], words: tuple[str, ...], typed: str
) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(board()))
    daemon.answers[asks] = FlashdeckError("that was asked", kind=ErrorKind.OTHER)
    far("--host", "bench", "--host", "lab", *(word.format(typed) for word in words))
    assert [call.boards for call in daemon.called(asks)] == [(typed.partition("/")[2],)], "and of no other machine"


def test_every_command_with_boards_is_among_those() -> None:
    context = root.make_context("flashdeck", ["status"])
    taking = set[str]()
    for name in set(COMMANDS) - LOCAL - {"config", "virtual"}:
        command = root.get_command(context, name)
        assert command is not None
        if any("--board" in parameter.opts for parameter in command.params):
            taking.add(name)
    assert taking - {"follow"} == {name for name, _, _ in SELECTING}


def test_rows_and_words_go_by_the_same_names(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.Hold] = api.BoardList(boards=(board(),), devices=())
    run = far("hold", "lab/left", "--host", "bench", "--host", "lab", "--json")
    assert [each["name"] for each in run.json["boards"]] == ["lab/left"]
    assert run.code == ExitCode.OK
    alone = far("hold", "lab/left", "--host", "lab", "--json")
    assert alone.code == ExitCode.OK, "what was printed may be typed with one --host, too"
    assert [call.boards for call in daemon.called(api.Hold)] == [("left",), ("left",)]


@pytest.mark.parametrize("hosts", [(), ("--host", "bench"), ("--host", "bench", "--host", "lab")])
def test_a_board_of_a_machine_that_is_not_asked_is_none(daemon: CannedDaemon, far: Cli, hosts: tuple[str, ...]) -> None:
    run = far("hold", "elsewhere/left", *hosts)
    assert run.code == ExitCode.NOT_FOUND
    assert "'elsewhere/left' is on a machine that is not asked" in run.err
    assert ("asked: bench" if hosts else "--host HOST") in run.err
    assert daemon.called(api.Hold) == []


@given(
    st.lists(st.sampled_from(["a", "b", "ssh://u@c:22"]), min_size=1, unique=True),
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "*", "ssh://*"]), st.sampled_from(["left", "*"])), min_size=1),
)
def test_no_machine_is_ever_asked_for_all_boards_where_some_are_named(
    hosts: list[str], named: list[tuple[str, str]]
) -> None:
    patterns = tuple(f"{at}/{name}" if at else name for at, name in named)
    with suppress(RequestError):
        assert all(boards_there(host, patterns) for host in machines_meant(tuple(hosts), patterns))
    assert machines_meant(tuple(hosts), ()) == tuple(hosts)


def test_the_doctor_and_a_reload_of_several_machines_name_each(daemon: CannedDaemon, far: Cli) -> None:
    finding = Finding(code="storage", severity=Severity.GOOD, seen="1 GiB is free", means="enough")
    report = BoardReport(board="left", profile="product", presence=Presence.ABSENT)
    daemon.answers[api.Examine] = Diagnosis(installation=(finding,), boards=(report,))
    both = ("--host", "bench", "--host", "lab")
    found = far("doctor", *both, "--json").json
    assert [each["seen"] for each in found["installation"]] == ["bench: 1 GiB is free", "lab: 1 GiB is free"]
    assert [each["board"] for each in found["boards"]] == ["bench/left", "lab/left"]
    assert "these installations" in far("doctor", *both).out
    unconfirmed = api.UnconfirmedFile(file="/more.toml", lines=("line 1",), boards=())
    daemon.answers[api.ReloadConfig] = api.ConfigReloaded(
        configuration=ConfigurationState(files=("/c.toml",), read_at=1.0), unconfirmed=(unconfirmed,)
    )
    assert far("config", "reload", *both, "--json").json["hosts"].keys() == {"bench", "lab"}
    run = far("config", "reload", *both)
    assert run.out.splitlines()[::3] == ["bench:", "lab:"]
    assert "flashdeck --host lab config trust /more.toml" in run.err


# Groups of machines


def test_a_group_is_one_name_for_several_machines(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    run = far("boards", "--host", "all", "--host", "lab", "--json")
    assert [each["name"] for each in run.json["boards"]] == ["bench/left", "lab/left"], "each once, as in [hosts]"
    assert [each["host"] for each in run.json["failed_hosts"]] == ["off"]


def test_what_a_group_is_not_is_said(far: Cli) -> None:
    run = far("boards", "--host", "none")
    assert run.code == ExitCode.USAGE
    assert "[hosts.none] means no machine" in run.err
    assert members(("nobody", "ann@box")) == ("nobody", "ann@box")
    with pytest.raises(RequestError, match="group of machines") as caught:
        find_host("all")
    assert "lab, b*, off" in caught.value.hint


# Jobs as HOST/JOB


@pytest.mark.parametrize(
    ("asks", "words"),
    [(api.Cancel, ("cancel",)), (api.Retry, ("retry",)), (api.MoveJob, ("move", "up"))],
    ids=["cancel", "retry", "move"],
)
def test_a_job_of_one_of_several_machines_is_typed_as_it_is_printed(
    daemon: CannedDaemon, far: Cli, asks: type[api.Params[Any]], words: tuple[str, ...]
) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=(job(7),), notes=())
    listed = far("jobs", "--host", "bench", "--host", "lab")
    assert "lab/7" in listed.out.split()
    daemon.answers[asks] = FlashdeckError("that was asked", kind=ErrorKind.OTHER)
    name, *more = words
    far("--host", "bench", "--host", "lab", name, "lab/7", *more)
    assert [call.job for call in daemon.called(asks)] == [7]
    run = far("--host", "bench", "--host", "lab", name, "7", *more)
    assert run.code == ExitCode.USAGE
    assert "name the job as it is listed: bench/7" in run.err
    for wrong in ("lab/0", f"lab/{MOST_JOBS + 1}", "lab/x", "/"):
        assert far("--host", "lab", name, wrong, *more).code == ExitCode.USAGE
    assert len(daemon.called(asks)) == 1


def test_a_limit_counts_over_all_machines(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=(job(2), job(1)), notes=())
    daemon.answers[api.GetHistory] = api.HistoryPage(jobs=(job(2), job(1)))
    line = LogLine(id=1, time=1.0, level=LogLevel.INFO, text="t")
    daemon.answers[api.GetLogs] = api.LogPage(lines=(line, line), next=1)
    both = ("--host", "bench", "--host", "lab", "-n", "3")
    assert len(far("jobs", *both, "--json").json["jobs"]) == 3
    assert len(far("history", *both, "--json").json["jobs"]) == 3
    lines = far("history", *both, "--jsonl").jsonl
    assert {each["job"]["board"] for each in lines} == {"bench/left", "lab/left"}
    assert len(lines) == 3
    assert len(far("logs", *both, "--jsonl").jsonl) == 3
    assert far("logs", *both[:-1], "0").out == ""


# Machines that fail


FAILING = (
    *((api.Hold, ("hold", "left")), (api.GetBoards, ("boards",)), (api.GetJobs, ("jobs",))),
    *((api.GetHistory, ("history",)), (api.Plan, ("plan", "app1")), (api.GetLogs, ("logs",))),
    *((api.Flash, ("flash", "app1")), (api.Wait, ("wait", "app1")), (None, ("status",))),
)
OK_ANSWERS: dict[object, Any] = {
    api.Hold: api.BoardList(boards=(), devices=()),
    api.GetBoards: api.BoardList(boards=(), devices=()),
    api.GetJobs: api.JobList(jobs=(), notes=()),
    api.GetHistory: api.HistoryPage(),
    api.Plan: api.PlanList(plans=()),
    api.GetLogs: api.LogPage(lines=(), next=0),
    api.Flash: api.JobList(jobs=(job(1, status=DONE),)),
    api.Wait: api.WaitResult(boards=()),
}


@pytest.mark.parametrize(("asks", "words"), FAILING, ids=[words[0] for _, words in FAILING])
def test_a_machine_that_fails_is_a_row_of_the_object(
    daemon: CannedDaemon, far: Cli, asks: type[api.Params[Any]] | None, words: tuple[str, ...]
) -> None:
    if asks is not None:
        daemon.answers[asks] = OK_ANSWERS[asks]
    run = far(*words, "--host", "bench", "--host", "off", "--json")
    assert run.code == ExitCode.SOME_FAILED
    (failed,) = run.json["failed_hosts"]
    assert (failed["host"], failed["code"]) == ("off", ExitCode.UNREACHABLE)
    assert failed["error"]["kind"] == ErrorKind.UNREACHABLE
    assert "off has no command" in failed["error"]["message"]
    assert failed["error"]["hint"]
    assert faults(run.json["failed_hosts"], WHOLE, WHOLE["failed_hosts"]) == []


def test_lines_of_several_machines_end_with_those_that_failed(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.GetLogs] = api.LogPage(lines=(LogLine(id=1, time=1.0, level=LogLevel.INFO, text="t"),), next=1)
    lines = far("logs", "--host", "bench", "--host", "off", "--jsonl").out.splitlines()
    first, last = map(json.loads, lines)
    assert first["log"]["text"] == "t"
    assert [each["host"] for each in last["failed_hosts"]] == ["off"]


def test_where_all_fail_each_has_its_row_beside_the_error(daemon: CannedDaemon, far: Cli) -> None:
    daemon.answers[api.Hold] = FlashdeckError("there is no board nope", kind=ErrorKind.NO_SUCH_BOARD)
    run = far("hold", "nope", "--host", "bench", "--host", "off", "--json")
    assert "error" in run.json
    assert [(each["host"], each["code"]) for each in run.json["failed_hosts"]] == [("bench", 4), ("off", 3)]


# Answers joined


def test_answers_of_several_machines_become_one() -> None:
    left, device = board(), DeviceState(port="1-4", usb_id="0483:df11")
    boards = many_hosts.boards([("a", api.BoardList(boards=(left,), devices=(device,)))])
    assert (boards.boards[0].name, boards.devices[0].port) == ("a/left", "a/1-4")
    old, new = job(1, created_at=1.0), job(2, created_at=2.0)
    jobs = many_hosts.jobs([("a", api.JobList(jobs=(old,), notes=("n",))), ("b", api.JobList(jobs=(new,), notes=()))])
    assert [each.board for each in jobs.jobs] == ["b/left", "a/left"]
    assert jobs.notes == ("a: n",)
    failure = Failure(kind=ErrorKind.OTHER, message="m")
    failed = BoardResult(board="left", partition="app1", is_done=False, job=old, failure=failure)
    done = BoardResult(board="left", partition="app1", is_done=True, job=new)
    both = many_hosts.outcomes(
        [("a", Outcome(what="app1", rows=(failed,), notes=("n",))), ("b", Outcome(what="app1", rows=(done,)))]
    )
    assert [(row.board, row.job.board) for row in both.rows if row.job] == [("a/left",) * 2, ("b/left",) * 2]
    assert (both.notes, both.exit_code) == (("a: n",), ExitCode.SOME_FAILED)
    history = many_hosts.history(
        [("a", History(jobs=(old,), since=1.0, kept=0)), ("b", History(jobs=(new,), since=5.0, kept=7))]
    )
    assert (history.since, history.kept, len(history.jobs)) == (5.0, 7, 2)
    lines = [LogLine(id=1, time=time, level=LogLevel.INFO, text="t", board=name) for time, name in ((2, "x"), (1, ""))]
    assert [each.board for each in many_hosts.log_lines([("a", lines)], limit=9)] == ["a", "a/x"]
    plan = api.BoardPlan(board="left", partition="app1", sha256="")
    assert many_hosts.plans([("a", api.PlanList(plans=(plan,)))]).plans[0].board == "a/left"


# Connections that are made again


class Flaky:
    """An address whose connections are lost as a script says."""

    def __init__(self, *kinds: ErrorKind) -> None:
        self.kinds = list(kinds)
        self.where = "bench"

    async def connect(self, *, client: str) -> "Flaky":
        del client
        if self.kinds:
            raise ConnectionFailedError("cut", kind=self.kinds.pop(0))
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left."""


async def test_a_lost_connection_is_made_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    address = Flaky()
    tries = 0

    async def work(_client: object) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            address.kinds = [ErrorKind.UNREACHABLE] * 9
            raise ConnectionFailedError("cut")
        return "done"

    assert await sessions(address, work, Again(None)) == "done"  # pyright: ignore[reportArgumentType] - its stand-in
    assert asked.naps[0] == FIRST_PAUSE
    assert asked.naps == sorted(asked.naps)
    assert asked.naps[-1] == LONGEST_PAUSE_FAR


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (ErrorKind.UNREACHABLE, NEVER_AGAIN),
        (ErrorKind.NO_PERMISSION, Again(None)),
        (ErrorKind.PROTOCOL_MISMATCH, Again(None)),
    ],
)
async def test_what_will_not_be_better_is_not_tried_again(first: ErrorKind, again: Again) -> None:
    async def work(_client: object) -> str:
        raise ConnectionFailedError("cut", kind=first)

    with pytest.raises(ConnectionFailedError):
        await sessions(Flaky(), work, again)  # pyright: ignore[reportArgumentType] - its stand-in


async def test_a_machine_that_was_never_reached_is_not_tried_again() -> None:
    async def work(_client: object) -> str:
        return "done"

    with pytest.raises(ConnectionFailedError):
        await sessions(Flaky(ErrorKind.UNREACHABLE), work, Again(None))  # pyright: ignore[reportArgumentType] - same


TYPED = "release it: `flashdeck release left`; `flashdeck config check` and `flashdeckd` are for this machine"


def test_a_command_that_a_hint_tells_to_type_is_for_the_machine_that_is_asked(far: Cli, daemon: CannedDaemon) -> None:
    daemon.answers[api.Hold] = FlashdeckError("no", kind=ErrorKind.BLOCKED, hint=TYPED)
    there = "`flashdeck --host lab release left`; `flashdeck config check` and `flashdeckd` are"
    assert there in far("--host", "lab", "hold", "left").err
    assert there in far("hold", "left", "--host", "lab", "--host", "off").err
    assert far("--host", "lab", "hold", "left", "--json").json["error"]["hint"] == TYPED, "a program knows its host"


def test_so_is_one_in_a_table(far: Cli, daemon: CannedDaemon) -> None:
    failed = Failed(failure=Failure(kind=ErrorKind.OTHER, message="no", hint="`flashdeck retry 1` tries it again"))
    daemon.answers[api.GetJobs] = api.JobList(jobs=(job(1, status=failed),))
    assert "`flashdeck --host lab retry 1`" in " ".join(far("--host", "lab", "jobs").out.split())


def test_a_command_for_a_machine_names_none_twice_and_a_name_is_quoted() -> None:
    assert for_host(TYPED) == TYPED
    once = for_host("`flashdeck jobs`", "a b")
    assert once == for_host(once, "lab") == "`flashdeck --host 'a b' jobs`"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("retry", "1"), "lab/1"),
        (("read", "app1", "x.bin"), "lab/BOARD"),
        (("take", "left", "--", "true"), "lab/BOARD"),
        (("report",), "flashdeck --host lab report"),
        (("suggest",), "flashdeck --host lab suggest"),
    ],
)
def test_what_works_with_one_machine_says_how_to_name_one(far: Cli, words: tuple[str, ...], told: str) -> None:
    run = far("--host", "lab", "--host", "bench", *words)
    assert (run.code, told in run.err) == (2, True), run
