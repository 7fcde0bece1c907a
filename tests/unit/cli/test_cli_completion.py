"""What a shell completes: against the canned daemon, by the protocol of its script."""

import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from command_words.documents import DOCUMENTS
from flashdeck import api
from flashdeck.api import VirtualBoardState
from flashdeck.job_state import SETTLED, STATUSES, Unknown, name_of
from flashdeck.model import DeviceState, PartitionState
from flashdeck_tui.cli.commands.virtual.fault import FAULTS
from flashdeck_tui.cli.root import COMMANDS, root
from flashdeck_tui.tab_key import far_words, live_words
from flashdeck_tui.tab_key.far_words import MOST_HOSTS
from flashdeck_tui.tab_key.far_words import PATIENCE as FAR_PATIENCE
from flashdeck_tui.tab_key.going_on import GoingOn, Word
from flashdeckd.virtual.faults import Fault
from job_states import DONE, FAILED, RUNNING
from slot_scene import LOT

BOARDS = ["left", "right", "jig-1"]
"""The last is a slot."""
HOSTILE = ("$(touch harm)", "-rf", "a b", "x;y", "\x1b[31m")
JOBS = (job(3, status=RUNNING), job(2, "right", status=FAILED), job(1, status=DONE))
PATIENCE = 60.0
"""Seconds, so that a busy machine is not taken for a silent daemon."""
READING = {api.GetBoards, api.GetJobs, api.GetLots, api.VirtualList}

Complete = Callable[..., list[str]]
"""Completes the last of these words, as zsh would."""


def fill(daemon: CannedDaemon) -> None:
    partitions = (
        PartitionState(name="bootloader", address=0x08000000, size=0x20000, protected=True),
        PartitionState(name="app1", address=0x08020000, size=0x60000),
        PartitionState(name="app2", address=0x08080000, size=0x60000),
    )
    boards = tuple(board(name, partitions=partitions, slot=name == "jig-1") for name in (*BOARDS, *HOSTILE))
    lots = tuple(replace(LOT, name=name, ended_at=ended) for name, ended in (("day", None), ("night", 1.0)))
    devices = (DeviceState(port="1-9", usb_id="0483:df11", serial="S9"),)
    emulated = tuple(
        VirtualBoardState(name=name, model="classic", port="1-1", serial="", plugged=True, mode="dfu")
        for name in ("one", "two", *HOSTILE)
    )
    daemon.answers |= {
        api.GetBoards: api.BoardList(boards=boards, devices=devices),
        api.GetJobs: lambda params: api.JobList(
            jobs=tuple(each for each in JOBS if name_of(each.status) in params.statuses)
        ),
        api.GetLots: api.LotList(lots=lots),
        api.VirtualList: api.VirtualBoardList(boards=emulated),
    }


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Complete:
    monkeypatch.setattr(live_words, "PATIENCE", PATIENCE)

    def run(*words: str) -> list[str]:
        monkeypatch.setenv("_FLASHDECK_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join(("flashdeck", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        done = cli()
        assert (done.code, done.err) == (0, "")
        return [line.removeprefix("plain,") for line in done.out.splitlines()]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sta", ["status"]),
        ("virtual pl", ["plug"]),
        ("hold ", BOARDS),
        ("units ", ["jig-1"]),
        ("units --lot ", ["day", "night"]),
        ("lot status ", ["day", "night"]),
        ("lot end ", ["day"]),
        ("lot begin next --slot ", ["jig-1"]),
        ("hold left r", ["right"]),
        ("release --board l", ["left"]),
        ("jobs --board = l", ["left"]),
        ("disarm r", ["right"]),
        ("logs r", ["right"]),
        ("doctor r", ["right"]),
        ("flash ", ["app1", "app2"]),
        ("flash app1 --board ", BOARDS),
        ("plan a", ["app1", "app2"]),
        ("wait app2 --board r", ["right"]),
        ("cancel ", ["3"]),
        ("retry ", ["2", "1"]),
        ("retry 2", ["2"]),
        ("adopt ", ["1-9"]),
        ("virtual plug ", ["one", "two"]),
        ("virtual fault t", ["two"]),
        ("jobs --status ru", ["running"]),
        ("hold --rea", ["--reason"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("flash app1 ", ["file,"]),
        ("wait app1 --for ", ["file,"]),
        ("virtual dump one ", ["file,"]),
        ("--socket ", ["file,"]),
        ("--virtual hold ", []),  # $FLASHDECK_SOCKET does not count then
        ("-q hold l", ["left"]),
        ("hold --qu", []),
        ("adopt 1-9 --profile ", ["product"]),
        ("history --partition a", ["app1", "app2"]),
        ("logs --level w", ["warning"]),
        ("logs -n 5 --level w", ["warning"]),
        ("logs -n5 r", ["right"]),
        ("flash a", ["app1", "app2"]),
        ("flash build/", ["file,"]),
        ("plan ", ["app1", "app2"]),
        ("wait ", ["app1", "app2"]),
        ("cancel 3 ", []),
        ("config ch", ["check"]),
        ("config check --config ", ["file,"]),
        ("take left -- ", ["file,"]),
        ("hold -- l", ["left"]),
        ("hold --board left --board ", BOARDS),
        ("flash app1 x.bin --no-wait --no", []),
        ("nonsense ", []),
        ("hold --nonsense l", ["left"]),
    ],
)
def test_every_word_is_completed_with_what_there_is(
    daemon: CannedDaemon, complete: Complete, words: str, expected: list[str]
) -> None:
    fill(daemon)
    assert complete(*words.split(" ")) == expected
    assert {type(call) for call in daemon.calls} <= READING, "completing only looks"


def test_without_a_daemon_there_is_silence_and_the_rest_works(
    complete: Complete, monkeypatch: pytest.MonkeyPatch, runtime_dir: str
) -> None:
    monkeypatch.setenv("FLASHDECK_SOCKET", f"{runtime_dir}/nobody")
    assert complete("hold", "") == complete("virtual", "plug", "") == complete("retry", "") == []
    assert complete("hold", "--js") == ["--json"]
    assert os.listdir(runtime_dir) == []  # noqa: PTH208 - only whether there is anything


def test_a_daemon_that_does_not_answer_is_given_up(
    daemon: CannedDaemon, complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_words, "PATIENCE", 0.05)
    daemon.silent.add(api.GetBoards)
    assert complete("hold", "") == []


def test_the_socket_that_is_named_is_the_one_that_is_asked(
    daemon: CannedDaemon, complete: Complete, monkeypatch: pytest.MonkeyPatch, runtime_dir: str
) -> None:
    fill(daemon)
    monkeypatch.setenv("FLASHDECK_SOCKET", f"{runtime_dir}/nobody")
    assert complete("--socket", str(daemon.socket), "hold", "l") == ["left"]


@pytest.mark.parametrize(
    "instruction", ["bash_complete", "zsh_complete", "fish_complete", "bash_run", "tcsh_source", "x"]
)
def test_what_no_shell_asks_is_refused_in_silence(cli: Cli, monkeypatch: pytest.MonkeyPatch, instruction: str) -> None:
    monkeypatch.delenv("COMP_WORDS", raising=False)
    monkeypatch.setenv("_FLASHDECK_COMPLETE", instruction)
    assert cli("hold", "left") == (1, "", "")
    monkeypatch.setenv("COMP_WORDS", "flashdeck")
    monkeypatch.setenv("COMP_CWORD", "x" if instruction != "fish_complete" else "")
    assert cli("hold", "left").err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_what_the_variable_does(offline: Cli, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    printed = offline("completion", shell)
    assert (printed.code, printed.err) == (0, "")
    assert "_FLASHDECK_COMPLETE" in printed.out
    assert offline("completion", shell, "--json").json == {"shell": shell, "script": printed.out.rstrip("\n")}
    monkeypatch.setenv("_FLASHDECK_COMPLETE", f"{shell}_source")
    assert offline() == printed


def test_jobs_say_what_they_are_where_a_shell_shows_it(
    daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(daemon)
    monkeypatch.setattr(live_words, "PATIENCE", PATIENCE)
    monkeypatch.setenv("_FLASHDECK_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", "flashdeck retry")
    monkeypatch.setenv("COMP_CWORD", "")
    assert cli().out.splitlines() == ["plain,2\tapp1 of right failed", "plain,1\tapp1 of left done"]


def test_every_command_can_be_completed(complete: Complete) -> None:
    assert complete("") == list(COMMANDS)


def test_a_virtual_bench_is_asked_where_that_is_wanted(
    daemon: CannedDaemon, complete: Complete, monkeypatch: pytest.MonkeyPatch, runtime_dir: str
) -> None:
    fill(daemon)
    monkeypatch.setenv("FLASHDECK_SOCKET", f"{runtime_dir}/nobody")
    place = Path(runtime_dir, "flashdeck-virtual")
    place.mkdir()
    (place / "flashdeckd.sock").symlink_to(daemon.socket)
    assert complete("--virtual", "hold", "") == complete("hold", "--virtual", "") == BOARDS
    assert complete("hold", "") == []


def test_the_protocol_and_the_states_are_those_of_the_client() -> None:
    assert api.LOWEST_PROTOCOL <= live_words.PROTOCOL <= api.HIGHEST_PROTOCOL
    assert set(live_words.OPEN) == {name_of(status) for status in STATUSES if status not in (*SETTLED, Unknown)}
    assert set(live_words.AGAIN) == {*map(name_of, SETTLED), "blocked", "waiting"}


def test_the_table_is_that_of_the_commands() -> None:
    for path, render in DOCUMENTS.items():
        assert path.read_text() == render(), f"make schema: {path.name} is not as the commands are"


def test_who_presses_tab_waits_so_long_and_reads_so_much(
    daemon: CannedDaemon, complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live_words.JOBS == 100
    monkeypatch.undo()
    assert 0 < live_words.PATIENCE <= 1
    fill(daemon)
    monkeypatch.setattr(live_words, "LONGEST_ANSWER", 100)
    assert complete("hold", "") == []


NO_LIST = {
    *("adopt --name", "follow --settle", "history --since", "history --until", "hold --reason", "init --alt"),
    *("init --app", "init --chip", "init --device", "init --enter-hint", "init --image", "init --name"),
    *("install --user", "take --for", "uninstall --user", "virtual dump --address", "virtual dump --size"),
    *("virtual fault --address", "virtual say text", "logs --grep", "serve --bind"),
    *("run --fail", "run --until", "virtual swap --serial"),
    "lot begin name",
}
"""Values that are no members of a list: names that a person makes up, patterns, times, sizes, and what only init
finds out."""


def takes_words(parameter: click.Parameter) -> bool:
    """True if the values of a parameter are words, and neither numbers, files nor what the daemon knows."""
    is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
    return not is_flag and not isinstance(parameter.type, click.IntRange | click.FloatRange | click.Path | click.Choice)


def test_each_word_of_a_list_is_completed() -> None:
    missing = set[str]()
    for path, context in every_command():
        for parameter in context.command.params:
            if takes_words(parameter) and parameter.name != "host" and not parameter.shell_complete(context, ""):
                missing.add(f"{path} {parameter.opts[0]}")
    assert missing == NO_LIST


def every_command() -> Iterator[tuple[str, click.Context]]:
    left = [("", root.make_context("flashdeck", ["status"]))]
    while left:
        path, context = left.pop()
        command = context.command
        if not isinstance(command, click.Group):
            yield path, context
            continue
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            left.append((f"{path} {name}".strip(), click.Context(found, parent=context, info_name=name)))


def test_the_faults_of_an_emulated_board_are_completed(complete: Complete) -> None:
    assert {fault.value for fault in Fault} == set(FAULTS)
    assert complete("virtual", "fault", "left", "silent") == ["silent-erase", "silent-write"]
    assert complete("init", "--enter", "t") == ["touch-1200"]


@pytest.fixture
def far_complete(daemon: CannedDaemon, complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Completes where machines called bench and lab have the canned daemon; slow never answers, off is not there."""
    there = f"{sys.executable} -c 'import sys; from flashdeck_tui.cli import main; sys.exit(main())' connect --stdio"
    monkeypatch.delenv("FLASHDECK_SOCKET")
    (tmp_path / "ssh").write_text(
        "#!/bin/sh\nfor word; do host=$last last=$word; done\n"
        "case $host in slow) exec sleep 600 ;; off) exit 255 ;; esac\n"
        f"unset _FLASHDECK_COMPLETE\necho noise >&2\nFLASHDECK_SOCKET={daemon.socket} exec {there}\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(far_words, "PATIENCE", PATIENCE)
    fill(daemon)
    return complete


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--host bench hold l", ["left"]),
        ("--host bench --host lab lot end ", ["bench/day", "lab/day"]),
        ("--host bench --host lab units lab/", ["lab/jig-1"]),
        ("hold --host bench bench/", ["bench/left", "bench/right", "bench/jig-1"]),
        ("hold --host ann@bench ann@bench/l", ["@bench/left"]),  # bash begins a word there
        ("hold --host ssh://bench:22 ssh://bench:22/l", ["22/left"]),
        (
            "--host bench --host lab hold ",
            [f"{host}/{name}" for host in ("bench", "lab") for name in BOARDS],
        ),
        ("--host bench --host off release --board bench/r", ["bench/right"]),
        ("--host bench --host lab flash ", ["app1", "app2"]),
        ("--host bench retry ", ["2", "1"]),
        ("--host bench --host lab retry ", []),
        ("--host off hold ", []),
        ("--host -oProxyCommand=x hold ", []),
    ],
)
def test_boards_of_other_machines_are_completed_as_they_are_typed(
    far_complete: Complete, words: str, expected: list[str]
) -> None:
    assert far_complete(*words.split(" ")) == expected


def test_a_machine_that_does_not_answer_in_time_proposes_nothing_and_leaves_nothing(
    far_complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_words, "PATIENCE", 0.05)
    assert far_complete("--host", "slow", "hold", "") == []


def test_so_many_machines_are_asked_and_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    @contextmanager
    def way(argv: Sequence[str]) -> Generator[str]:
        yield argv[-2]

    def words(connection: str, _kinds: object, until: float) -> dict[str, list[Word]]:
        asked.append((connection, until))
        return {"boards": [Word("left")]}

    monkeypatch.setattr(far_words, "_running", way)
    monkeypatch.setattr(far_words, "words_of", words)
    monkeypatch.setattr(far_words.time, "monotonic", lambda: 0.0)
    hosts = tuple(f"ann@box{number}" for number in range(MOST_HOSTS + 1))
    found = live_words.names(GoingOn(kinds=("boards",), hosts=hosts))
    assert [word.text for word in found] == [f"{host}/left" for host in hosts[:-1]]
    assert asked == [(host, FAR_PATIENCE) for host in hosts[:-1]]
