"""Errors: the line and the hint on stderr, the object on stdout, the exit code."""

import os
import socket

import pytest

from canned_daemon import CannedDaemon
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import EXIT_CODES, ErrorKind, FlashdeckError
from flashdeck.paths import socket_places

PROMISED = {
    "other": 1, "bad-request": 2, "unreachable": 3, "already-running": 1, "protocol-mismatch": 8, "no-such-board": 4,
    "no-such-partition": 4, "no-such-job": 4, "no-such-artifact": 4, "no-target": 4, "absent": 4, "ambiguous": 7,
    "config-invalid": 11, "no-permission": 12, "protected": 9, "outside-partition": 9, "guard": 9, "held": 13,
    "disarmed": 13, "offered": 13, "superseded": 13, "cancelled": 5, "device-gone": 5, "device-busy": 5, "stall": 5,
    "transfer-timeout": 5, "dfu-status": 5, "dfu-state": 5, "descriptor": 5, "verify": 5, "not-accepted": 5,
    "wrong-bank": 5, "interrupted": 5, "timeout": 6,
}  # fmt: skip


def test_every_kind_has_a_promised_exit_code() -> None:
    assert set(PROMISED) <= {kind.value for kind in ErrorKind}
    assert set(EXIT_CODES) == set(ErrorKind)


def test_an_error_of_every_kind_reaches_the_caller(daemon: CannedDaemon, cli: Cli) -> None:
    for kind, code in PROMISED.items():
        daemon.answers[api.GetBoards] = FlashdeckError("what was seen", hint="what to do", kind=ErrorKind(kind))
        assert cli("boards") == (code, "", "error: what was seen\nhint: what to do\n"), kind
        run = cli("boards", "--json")
        assert run.code == code, kind
        assert run.json == {"error": {"kind": kind, "message": "what was seen", "hint": "what to do"}}


def test_without_a_hint_there_is_no_empty_one(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetBoards] = FlashdeckError("what was seen")
    assert cli("boards") == (1, "", "error: what was seen\n")


def test_an_error_of_several_lines_is_told_on_one(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetBoards] = FlashdeckError("one\ntwo")
    assert cli("boards").err == "error: one two\n"


@pytest.mark.parametrize(
    "command",
    [
        "status", "boards", "jobs", "flash app1", "plan app1", "wait app1", "logs", "logs -f", "hold left",
        "console left", "release left", "virtual list", "virtual plug left", "virtual unplug left",
        "virtual press left", "virtual say left x", "virtual fault left stall", "virtual dump left x", "cancel 1",
        "retry 1", "arm", "disarm", "adopt 1-4.2",
    ],
)  # fmt: skip
def test_an_unreachable_daemon(offline: Cli, command: str) -> None:
    run = offline(*command.split())
    assert run.code == 3
    assert run.out == ""
    error, hint = run.err.splitlines()
    assert error.startswith("error: no flashdeckd listens on ")
    assert hint.startswith("hint: ")
    as_json = offline(*command.split(), "--jsonl" if "-f" in command else "--json")
    assert as_json.code == 3
    assert as_json.json["error"]["kind"] == "unreachable"


def test_the_socket_that_is_named_is_the_one_that_is_tried(offline: Cli, runtime_dir: str) -> None:
    assert f"{runtime_dir}/here" in offline("--socket", f"{runtime_dir}/here", "status").err


def test_virtual_looks_for_a_virtual_daemon(offline: Cli) -> None:
    real, virtual = offline("status").err, offline("virtual", "list").err
    assert "/flashdeck-virtual/" in virtual
    assert "/flashdeck-virtual/" not in real


def test_a_socket_that_is_named_beats_the_environment(daemon: CannedDaemon, cli: Cli, runtime_dir: str) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=())
    assert cli("boards").code == 0
    assert cli("--socket", f"{runtime_dir}/nobody", "boards").code == 3


def test_where_several_daemons_run_it_is_said_which_one_answers(
    daemon: CannedDaemon, cli: Cli, runtime_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=())
    assert "several daemons" not in cli("boards").err, "the one that $FLASHDECK_SOCKET names is meant"
    monkeypatch.delenv("FLASHDECK_SOCKET")
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime_dir)
    first, *_, last = socket_places(environ=os.environ)
    for place in (first, last):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    first.symlink_to(daemon.socket)
    assert "several daemons" not in cli("boards").err
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(last))
        other.listen()
        run = cli("boards")
        assert run.code == 0
        assert f"warning: several daemons run; this is the one at {first}, --socket chooses {last}" in run.err
        assert "several daemons" not in cli("--socket", str(first), "boards").err, "it was chosen"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("bogus", "bogus"),
        ("flash", "PARTITION"),
        ("virtual", "command"),
        ("config", "command"),
        ("jobs -n 0", "1"),
        ("jobs -n x", "x"),
        ("logs -n 501", "500"),
        ("wait app1 --timeout -1", "0"),
        ("virtual dump left x --size 3Q", "3Q"),
        ("virtual fault left stall --after 0", "1"),
        ("virtual fault left stall --times 0", "1"),
        ("status --jsonl", "--jsonl"),
        ("--bogus", "--bogus"),
        ("flash app1 --json --jsonl", "--jsonl"),
        ("logs -f --json", "--jsonl"),
        ("logs --json --jsonl", "--jsonl"),
    ],
)
def test_usage_errors(offline: Cli, command: str, word: str) -> None:
    run = offline(*command.split())
    assert run.code == 2
    assert word in run.err
    assert run.err.startswith("error: ")
    assert "\nhint: " in run.err


def test_usage_errors_as_an_object(offline: Cli) -> None:
    run = offline("jobs", "--json", "-n", "many")
    assert run.code == 2
    assert run.json["error"]["kind"] == "bad-request"
    assert offline("flash", "--", "--json").code == 3, "behind -- it is the name of a partition"


def test_a_name_that_is_not_utf8_can_not_travel(offline: Cli) -> None:
    run = offline("hold", "b\udcffd", "--json")
    assert run.code == 2
    assert "UTF-8" in run.json["error"]["message"]


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["status"], "`flashdeckd`"),
        (["--socket", "/nowhere/a b", "status"], "`flashdeckd --socket '/nowhere/a b'`"),
        (["virtual", "list"], "`flashdeckd --virtual FILE`"),
        (["--socket", "/nowhere/s", "virtual", "list"], "`flashdeckd --virtual FILE --socket /nowhere/s`"),
    ],
)
def test_the_daemon_that_would_answer_is_the_one_to_start(offline: Cli, words: list[str], start: str) -> None:
    run = offline(*words)
    assert run.code == 3
    assert f"hint: start it: {start}" in run.err


def test_the_help_lists_all_commands(offline: Cli) -> None:
    run = offline("--help")
    assert run.code == 0
    assert run.err == ""
    assert run.out == offline("-h").out
    commands = run.out.partition("Commands:\n")[2].splitlines()
    assert not [line for line in commands if line.endswith("...")], "a sentence that ends in its middle"
    listed = [line.split()[0] for line in commands if not line.startswith("   ")]
    promised = (
        "init status boards jobs history flash run plan rollback verify read erase reset wait follow cancel retry move "
        "logs console hold release take arm disarm units lot suggest adopt doctor report config install uninstall "
        "completion demo virtual connect serve"
    )
    assert " ".join(listed) == promised
    assert "130 interrupted" in run.out


def test_every_command_explains_itself_within_80_columns(offline: Cli) -> None:
    from flashdeck_tui.cli.root import root  # noqa: PLC0415 - only its list of names is needed

    context = root.make_context("flashdeck", ["demo"])
    paths = [(name,) for name in root.list_commands(context)]
    paths += [("virtual", name) for name in ("list", "plug", "unplug", "press", "say", "fault", "dump")]
    paths += [("config", name) for name in ("check", "show", "reload", "trust")]
    for path in paths:
        run = offline(*path, "-h")
        assert run.code == 0
        assert run.out.startswith(f"Usage: flashdeck {' '.join(path)} ")
        assert max(map(len, run.out.splitlines())) <= 80


def test_version(offline: Cli) -> None:
    from flashdeck import __version__  # noqa: PLC0415 - this test only

    assert offline("--version") == (0, f"flashdeck {__version__}\n", "")
