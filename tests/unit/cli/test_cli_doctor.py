"""`flashdeck doctor`: a report that can be read, whole, and exit codes that say whether it could look."""

import os
import subprocess
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from canned_daemon import CannedDaemon
from cli_run import Cli
from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis, Explanation, Fact, Finding, Severity, exit_code
from flashdeck.errors import ErrorKind, ExitCode, RequestError
from flashdeck.full_json import full_json
from flashdeck.job_state import Failure
from flashdeck.model import DeviceState, Presence
from flashdeck_tui.cli import daemon_program
from flashdeck_tui.cli.commands import doctor

LONG = "the whole of a sentence that is much longer than any terminal is wide, " * 6 + "END"
REPORT = BoardReport(
    board="left",
    profile="product",
    presence=Presence.DFU,
    facts=(Fact(name="USB", value="0483:df11"), Fact(name="alternate 0", value=LONG)),
    findings=(
        Finding(code="bank-wrong", severity=Severity.ERROR, seen="an erase hit bank 1", means="held", mend="mend it"),
        Finding(code="claims-slow", severity=Severity.WARNING, seen=LONG, means=LONG, mend=LONG),
        Finding(code="map-agrees", severity=Severity.GOOD, seen="same sectors", means="jobs are let through"),
    ),
    explanations=(Explanation(message="Data read failed", meaning=LONG),),
    requests=25,
)
ABSENT = BoardReport(
    board="right",
    profile="product",
    presence=Presence.ABSENT,
    failure=Failure(kind=ErrorKind.ABSENT, message="board right is not connected", hint="hold SW2"),
)
BUSY = replace(ABSENT, failure=Failure(kind=ErrorKind.DEVICE_BUSY, message="board right is busy with job 7"))
FOUND = Diagnosis(installation=(), boards=(REPORT, ABSENT))


def test_the_report_shows_everything_in_order_of_severity(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Examine] = FOUND
    run = cli("doctor")
    assert (run.code, run.err) == (0, "")
    places = [run.out.index(text) for text in ("left: product, dfu", "bank-wrong", "claims-slow", "map-agrees")]
    assert places == sorted(places)
    assert "25 requests, nothing erased or written" in run.out
    assert run.out.count("END") == 5
    assert "could not be looked at: board right is not connected: hold SW2" in run.out


def test_nothing_is_cut_on_a_narrow_terminal(daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.answers[api.Examine] = FOUND
    monkeypatch.setattr(doctor, "is_terminal", bool)
    narrow = SimpleNamespace(get_terminal_size=lambda: os.terminal_size((80, 24)))
    monkeypatch.setattr(doctor, "shutil", narrow)  # and not for pytest, which asks the same when it tells of the test
    lines = cli("doctor").out.splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    for label in ("seen: ", "means: ", "mend: "):
        assert label + LONG in words


def test_json_is_the_diagnosis_with_every_field(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Examine] = FOUND
    run = cli("doctor", "--json", "le*", "right")
    assert daemon.called(api.Examine) == [api.Examine(boards=("le*", "right"))]
    assert run.json["boards"][0]["findings"][2] == {
        "code": "map-agrees",
        "severity": "good",
        "seen": "same sectors",
        "means": "jobs are let through",
        "mend": "",
    }
    assert run.json["offline"] is False


@pytest.mark.parametrize(
    ("boards", "named", "code"),
    [
        ((REPORT,), True, ExitCode.OK),
        ((REPORT, ABSENT), False, ExitCode.OK),
        ((REPORT, ABSENT), True, ExitCode.SOME_FAILED),
        ((ABSENT,), True, ExitCode.NOT_FOUND),
        ((ABSENT,), False, ExitCode.OK),
        ((BUSY,), False, ExitCode.FAILED),
        ((REPORT, BUSY), False, ExitCode.SOME_FAILED),
        ((), False, ExitCode.OK),
    ],
)
def test_the_exit_code_says_whether_it_could_look(
    daemon: CannedDaemon, cli: Cli, boards: tuple[BoardReport, ...], named: bool, code: ExitCode
) -> None:
    daemon.answers[api.Examine] = Diagnosis(installation=(), boards=boards)
    assert cli("doctor", *(["left"] if named else [])).code == code


def test_an_invalid_configuration_is_its_own_exit_code() -> None:
    failure = Failure(kind=ErrorKind.CONFIG_INVALID, message="key bogus")
    assert exit_code(Diagnosis(installation=(), failure=failure), named=False) is ExitCode.CONFIG_INVALID


def test_trouble_of_the_installation_and_strangers_are_shown(daemon: CannedDaemon, cli: Cli) -> None:
    trouble = Finding(code="degraded", severity=Severity.ERROR, seen="libusb: none", means="no board can be reached")
    stranger = DeviceState(port="1-9", usb_id="0483:df11", serial="S9", note="not configured: never touched")
    daemon.answers[api.Examine] = Diagnosis(installation=(trouble,), devices=(stranger,))
    run = cli("doctor")
    assert "libusb: none" in run.out
    assert "no boards configured" in run.out
    assert "S9" in run.out


def test_escape_sequences_from_a_device_do_not_reach_the_terminal(daemon: CannedDaemon, cli: Cli) -> None:
    evil = "\x1b[31mred\x1b]0;owned\x07\r\n"
    facts = (Fact(name=evil, value=evil),)
    findings = (Finding(code=evil, severity=Severity.NOTE, seen=evil, means=evil, mend=evil),)
    report = replace(REPORT, facts=facts, findings=findings, explanations=(Explanation(message=evil, meaning=evil),))
    daemon.answers[api.Examine] = Diagnosis(installation=(), boards=(report,))
    out = cli("doctor").out
    assert not set(out) & {"\x1b", "\x07", "\r"}


def test_an_error_of_the_daemon_is_not_answered_by_looking_without_it(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Examine] = RequestError("there is no board 'lfet'", kind=ErrorKind.NO_SUCH_BOARD)
    run = cli("doctor", "lfet", "--json")
    assert run.code == ExitCode.NOT_FOUND
    assert run.json["error"]["kind"] == "no-such-board"


def ended(code: int, out: str, err: str = "") -> Any:
    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(words, code, out.encode(), err.encode())

    return run


def test_without_a_daemon_it_looks_by_itself(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        daemon_program.subprocess, "run", ended(0, full_json(replace(FOUND, offline=True)), "W slow disk\n")
    )
    run = offline("doctor", "left", "--json")
    assert run.json["offline"] is True
    assert run.json["boards"][0]["board"] == "left"
    assert run.err.splitlines() == ["no daemon answers: looking without one", "W slow disk"]


def test_what_keeps_it_from_looking_by_itself_is_told_with_its_kind(
    offline: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = Failure(kind=ErrorKind.ALREADY_RUNNING, message="flashdeckd with pid 9 already uses it", hint="ask it")
    monkeypatch.setattr(daemon_program.subprocess, "run", ended(1, full_json({"error": failure}), "error: the same\n"))
    run = offline("doctor", "--json")
    assert run.json["error"] == {"kind": "already-running", "message": failure.message, "hint": "ask it"}
    assert run.code == ExitCode.OTHER


@pytest.mark.parametrize("out", ["", "no json", '{"boards": 7}', "[]"])
def test_a_flashdeckd_that_answers_nonsense_is_said_to(offline: Cli, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    monkeypatch.setattr(daemon_program.subprocess, "run", ended(1, out, "Traceback\nImportError: broken\n"))
    run = offline("doctor")
    assert run.code == ExitCode.OTHER
    assert "ended with 1: ImportError: broken" in run.err


def test_really_without_a_daemon_it_ends_with_a_report_of_this_machine(offline: Cli) -> None:
    run = offline("doctor", "--json")
    assert run.code == 0
    assert run.json["offline"] is True
    assert run.json["boards"] == []


def test_really_without_a_daemon_a_wrong_configuration_is_a_finding(offline: Cli, tmp_path: Any) -> None:
    settings = tmp_path / "config" / "flashdeck" / "flashdeck.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        textwrap.dedent("""\
        [profiles.product]
        bogus = 1
    """)
    )
    run = offline("doctor", "--json")
    assert run.code == ExitCode.CONFIG_INVALID
    assert run.json["installation"][0]["code"] == "config-invalid"
    assert "bogus" in run.json["installation"][0]["seen"]
