"""Today's commands with a daemon of another release of their protocol, and with one of another protocol."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli_run import Cli
from flashdeck import __version__
from flashdeck.errors import ExitCode
from schema_check import document, faults
from stand_in_daemon import MEMBER, RELEASE, STATE, TEXT, Protocol, StandIn, stand_in

Start = Callable[..., StandIn]
FILE = "APP.bin"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "boards": ("boards",),
    "jobs": ("jobs",),
    "flash": ("flash", "app1"),
    "upload.begin": ("flash", "app1", FILE),
    "upload.chunk": ("plan", "app1", FILE),
    "upload.commit": ("wait", "app1", "--for", FILE),
    "plan": ("plan", "app1"),
    "wait": ("wait", "app1"),
    "subscribe": ("wait", "app1"),
    "cancel": ("cancel", "1"),
    "retry": ("retry", "1"),
    "logs": ("logs",),
    "logs.debug": ("logs", "--level", "debug"),
    "hold": ("hold", "left"),
    "release": ("release", "left"),
    "arm": ("arm", "left"),
    "disarm": ("disarm", "left"),
    "adopt": ("adopt", "1-5"),
    "doctor": ("doctor",),
    "virtual.list": ("virtual", "list"),
    "virtual.plug": ("virtual", "plug", "left"),
    "virtual.unplug": ("virtual", "unplug", "left"),
    "virtual.press": ("virtual", "press", "left"),
    "virtual.fault": ("virtual", "fault", "left", "stall"),
    "virtual.dump": ("virtual", "dump", "left", "flash.bin"),
}
"""A command that asks for each method."""
PARTS = {"versions": "versions of the daemon", "recordings": "recordings", "recordings.read": "recordings"}
"""Methods that only `report` asks for, which goes on without any part."""
NO_COMMAND = {"hello", "jobs.wait"}


@pytest.fixture
def start(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    del offline  # its directory and its environment
    Path(FILE).write_bytes(bytes(1000))
    with ExitStack() as stack:

        def run(**options: Any) -> StandIn:
            daemon = stack.enter_context(stand_in(**options))
            monkeypatch.setenv("FLASHDECK_SOCKET", str(daemon.socket))
            return daemon

        yield run


def test_every_method_has_a_command_here() -> None:
    assert {*COMMANDS, *PARTS, *NO_COMMAND} == set(Protocol().results)


@pytest.mark.parametrize("later", [False, True], ids=["same", "later"])
@pytest.mark.parametrize("words", [*COMMANDS.values(), ("report",)], ids=" ".join)
def test_every_command_works_with_another_release_of_its_protocol(
    start: Start, offline: Cli, words: tuple[str, ...], *, later: bool
) -> None:
    start(later=later)
    run = offline(*words, "--json")
    whole = document("cli.schema.json")
    if words[0] in ("cancel", "retry", "flash") and later:
        expected = {"cancel": ExitCode.OTHER, "retry": ExitCode.FAILED, "flash": ExitCode.FAILED}[words[0]]
    else:
        expected = ExitCode.OTHER if words[0] == "cancel" and not later else ExitCode.OK
    assert run.code in (expected, ExitCode.OK), run
    name = " ".join(words[:2]) if words[0] == "virtual" else words[0]
    assert faults(run.json, whole, whole["commands"][name]["json"]) == []
    as_text = offline(*words) if words != ("report",) else run
    assert as_text.code == run.code
    assert as_text.out


@pytest.mark.parametrize("method", COMMANDS)
def test_a_method_that_the_daemon_does_not_have_ends_that_command_only(start: Start, offline: Cli, method: str) -> None:
    start(without=[method])
    run = offline(*COMMANDS[method])
    if method.startswith("virtual."):  # a daemon of real boards has none of them
        assert run.code == ExitCode.USAGE
        return
    assert run.code == ExitCode.PROTOCOL_MISMATCH, run
    assert f"flashdeckd {RELEASE}" in run.err
    assert f"flashdeck {__version__}" in run.err
    assert f"'{method}'" in run.err
    for words in (COMMANDS["status"], COMMANDS["boards"]):
        if words != COMMANDS[method]:
            assert offline(*words).code == 0
    if method != "subscribe":
        assert offline("wait", "app1").code == (ExitCode.PROTOCOL_MISMATCH if method == "wait" else 0)


@pytest.mark.parametrize(("method", "part"), PARTS.items())
def test_a_report_goes_on_without_what_the_daemon_can_not_say(
    start: Start, offline: Cli, method: str, part: str
) -> None:
    start(without=[method])
    run = offline("report", "--json")
    assert run.code == 0
    (missing,) = [each for each in run.json["missing"] if each["part"].startswith(part)]
    assert RELEASE in missing["reason"]
    assert {"status.json", "doctor.json", "log.jsonl"} <= {each["name"] for each in run.json["parts"]}


def test_what_only_a_later_release_knows_is_shown_in_its_words(start: Start, offline: Cli) -> None:
    start(later=True)
    jobs = offline("jobs")
    assert TEXT in jobs.out
    assert STATE in jobs.out
    printed = offline("jobs", "--json").json["jobs"][0]
    assert printed["status"] == {"state": "unknown", "name": STATE, "text": TEXT}
    assert printed["text"] == TEXT
    assert "unknown" in offline("boards").out  # where a board is
    assert "left" in offline("status").out
    assert MEMBER not in offline("boards", "--json").out


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"is_settled": True, "needs_person": False}, ExitCode.FAILED),
        ({"is_settled": False, "needs_person": True}, ExitCode.BLOCKED),
    ],
)
def test_flash_follows_a_job_by_what_its_daemon_says_of_it(
    start: Start, offline: Cli, fields: dict[str, Any], code: ExitCode
) -> None:
    daemon = start(later=True)
    daemon.results["flash"] = {"jobs": [daemon.job(is_settled=False, needs_person=False)]}
    last = daemon.job(text="over, as a later release says", **fields)
    daemon.after["flash"] = [{"weather": {"rain": True}}, {"job": daemon.job(is_settled=False)}, {"job": last}]
    run = offline("flash", "app1", "--jsonl")
    assert run.code == code
    assert run.jsonl[-1]["job"]["text"] == "over, as a later release says"
    assert [each["job"]["is_settled"] for each in run.jsonl[:-1]] == [False, False]


def test_a_job_that_only_a_later_release_knows_is_followed_until_the_time_is_over(start: Start, offline: Cli) -> None:
    daemon = start(later=True)
    daemon.results["flash"] = {"jobs": [daemon.job(is_settled=False, needs_person=False)]}
    assert offline("flash", "app1", "--timeout", "0").code == ExitCode.TIMEOUT


def test_a_later_daemon_may_refuse_with_a_kind_of_its_own(start: Start, offline: Cli) -> None:
    daemon = start()
    daemon.errors["hold"] = {"code": 77, "message": "the board is at lunch", "data": {"kind": "lunch", "hint": "wait"}}
    run = offline("hold", "left", "--json")
    assert (run.code, run.json["error"]["message"]) == (ExitCode.OTHER, "the board is at lunch")
    assert run.json["error"]["kind"] == "other"


MISMATCH = {"kind": "protocol-mismatch", "hint": "install the same version of flashdeck on both sides"}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(f"flashdeckd {RELEASE} speaks protocol 1, the client 2", id="older"),
        pytest.param(f"flashdeckd {RELEASE} speaks protocol 5 to 7, flashdeck {__version__} 2", id="newer"),
    ],
)
def test_a_daemon_that_does_not_take_our_protocol_is_named_with_us(start: Start, offline: Cli, message: str) -> None:
    daemon = start()
    daemon.errors["hello"] = {"code": 8, "message": message, "data": MISMATCH}
    run = offline("status", "--json")
    assert run.code == ExitCode.PROTOCOL_MISMATCH
    assert run.json["error"]["kind"] == "protocol-mismatch"
    told = run.json["error"]["message"]
    assert f"flashdeckd {RELEASE}" in told
    assert told.count(f"flashdeck {__version__}") == 1


def test_a_daemon_that_answers_with_a_protocol_that_we_do_not_speak_is_named_with_us(
    start: Start, offline: Cli
) -> None:
    daemon = start()
    daemon.results["hello"] = daemon.protocol.result("hello", later=False) | {"protocol": 7, "lowest": 7, "highest": 9}
    run = offline("status")
    assert run.code == ExitCode.PROTOCOL_MISMATCH
    assert f"flashdeckd {RELEASE}" in run.err
    assert f"flashdeck {__version__}" in run.err


def test_a_daemon_that_speaks_more_protocols_is_taken(start: Start, offline: Cli) -> None:
    daemon = start()
    daemon.results["hello"] = daemon.protocol.result("hello", later=False) | {"lowest": 1, "highest": 9}
    assert offline("status").code == 0
    (hello,) = daemon.called("hello")
    assert (hello["lowest"], hello["protocol"], hello["release"]) == (2, 2, __version__)


def test_nothing_is_asked_that_the_checked_in_schema_does_not_have(start: Start, offline: Cli) -> None:
    daemon = start()
    for words in COMMANDS.values():
        offline(*words)
    schema = daemon.protocol.schema
    for method, params in daemon.calls:
        line = json.loads(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        assert faults(params, schema, schema["methods"][method]["params"]) == []
        assert faults(line, schema, schema) == []
