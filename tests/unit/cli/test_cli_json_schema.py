"""What every command prints with `--json` is as `config/schema/cli.schema.json` says, field by field."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from canned_daemon import SHA, CannedDaemon, board, job
from cli_run import Cli, Run
from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.diagnosis import BoardReport, Diagnosis, Explanation, Fact, Finding, Severity
from flashdeck.errors import ErrorKind
from flashdeck.full_json import full_json
from flashdeck.job_state import Failure, JobKind, Verified
from flashdeck.model import ConfigurationState, ConsoleEntry, ConsoleState, LogLevel, LogLine, Presence
from flashdeck.slot_state import LotState, UnitImage, UnitRecord, UnitResult
from flashdeck_tui.cli.answers import FollowedLine
from flashdeck_tui.cli.root import root
from flashdeck_tui.demo.demo_report import DemoRow, Report
from job_states import DONE, EVERY, FAILED, QUEUED
from schema.command_line import COMMANDS
from schema_check import closed, document, faults, faults_of_file
from tui_scene import BENCH, LOG

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / "config" / "demo" / "flashdeck.toml")
EVERY_JOB = api.JobList(jobs=tuple(job(number, status=status) for number, status in enumerate(EVERY, 1)), notes=("n",))
SETTLED = api.JobList(jobs=(job(1, status=FAILED),))
BOARDS = api.BoardList(boards=BENCH.boards, devices=BENCH.devices)
FAILURE = Failure(kind=ErrorKind.BLOCKED, message="it is on hold", hint="release it")
CONSOLE = ConsoleState(port="app", condition=ConsoleCondition.ABSENT, reason="not plugged in", dropped=3)
EMULATED = api.VirtualBoardState(name="left", model="classic", port="1-1", serial="S", plugged=True, mode="dfu")
LOT = LotState(name="l", image="A", partition="app1", sha256=SHA, size=5, count=2, passed=1, begun_at=1.0)
UNIT = UnitRecord(
    id=1,
    slot="s1",
    began_at=1.0,
    images=(UnitImage(partition="app1", sha256=SHA),),
    result=UnitResult.FAILED,
    failure=FAILURE,
)
ANSWERS: Mapping[type[api.Params[Any]], Any] = {
    api.GetBoards: BOARDS,
    api.GetJobs: EVERY_JOB,
    api.GetHistory: api.HistoryPage(jobs=EVERY_JOB.jobs, since=1.0, kept=10_000),
    api.GetUnits: api.UnitPage(units=(UNIT,), kept=20_000),
    api.GetLots: api.LotList(lots=(LOT,)),
    api.BeginLot: LOT,
    api.EndLot: LOT,
    api.VirtualSwap: EMULATED,
    api.Flash: SETTLED,
    api.Rollback: SETTLED,
    api.Take: api.LeaseToken(token="t", boards=("left",)),  # noqa: S106 - a test's
    api.Retry: SETTLED.jobs[0],
    api.MoveJob: api.QueueOrder(jobs=SETTLED.jobs),
    api.Cancel: SETTLED.jobs[0],
    api.Plan: api.PlanList(
        plans=(
            api.BoardPlan(
                board="left",
                partition="app1",
                sha256=SHA,
                steps=(api.PlanStep(action="erase", address=0x08020000, size=8192, note="again"),),
                notes=("whole sectors",),
            ),
        )
    ),
    api.PlanErase: api.PlanList(plans=(api.BoardPlan(board="left", partition="app1", sha256="", erases=48),)),
    api.Verify: SETTLED,
    api.ReadPartition: api.JobList(jobs=(job(2, kind=JobKind.READ, status=DONE, size=5),)),
    api.ReadImage: api.ImagePiece(data=b"bytes"),
    api.Erase: SETTLED,
    api.ResetBoards: SETTLED,
    api.Wait: api.WaitResult(
        boards=(
            api.BoardOutcome(board="left", partition="app1", is_there=True, job=EVERY_JOB.jobs[5]),
            api.BoardOutcome(board="lab", partition="app1", failure=FAILURE),
        )
    ),
    api.GetLogs: api.LogPage(lines=LOG, next=LOG[-1].id),
    api.GetDebugLog: api.LogPage(lines=(LogLine(id=1, time=1.0, level=LogLevel.DEBUG, text="why"),), next=1),
    api.GetConsole: api.ConsolePage(
        board="left",
        entries=tuple(ConsoleEntry(number=1, at=1.0, kind=kind, text="ready") for kind in ConsoleKind),
        next=1,
    ),
    api.ReleaseConsole: api.BoardConsole(board="left", console=CONSOLE),
    api.ResumeConsole: api.BoardConsole(board="left", console=CONSOLE),
    api.Hold: BOARDS,
    api.Release: BOARDS,
    api.Arm: BOARDS,
    api.Disarm: BOARDS,
    api.Adopt: board(adopted=True),
    api.Examine: Diagnosis(
        installation=(Finding(code="c", severity=Severity.WARNING, seen="s", means="m", mend="d"),),
        boards=(
            BoardReport(
                board="left",
                profile="product",
                presence=Presence.DFU,
                facts=(Fact(name="USB", value="0483:df11"),),
                findings=(Finding(code="c", severity=Severity.GOOD, seen="s", means="m"),),
                explanations=(Explanation(message="read failed", meaning="m"),),
                failure=FAILURE,
            ),
        ),
        devices=BENCH.devices,
    ),
    api.ReloadConfig: api.ConfigReloaded(
        configuration=ConfigurationState(files=("/c.toml",), read_at=1.0),
        changes=("board left is new",),
        unconfirmed=(api.UnconfirmedFile(file="/fw.toml", lines=("[profiles.p] enter: c",), boards=("left",)),),
    ),
    api.TrustConfig: api.ConfigTrusted(file="/fw.toml", lines=("[profiles.p] enter = c",)),
    api.GetVersions: api.Versions(facts=(Fact(name="flashdeck", value="0.1.0"),)),
    api.GetRecordings: api.RecordingList(),
    api.VirtualList: api.VirtualBoardList(boards=(EMULATED,)),
    api.VirtualPlug: api.VirtualBoardList(boards=(EMULATED,)),
    api.VirtualUnplug: api.VirtualBoardList(boards=(EMULATED,)),
    api.VirtualPress: api.VirtualBoardList(boards=(EMULATED,)),
    api.VirtualSay: EMULATED,
    api.VirtualFault: EMULATED,
    api.VirtualDump: api.FlashBytes(address=0x08000000, data=b"\xff", size=1, base=0x08000000),
}
WORDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "status": (("--json",),),
    "boards": (("--json",),),
    "jobs": (("--json",),),
    "history": (("--json",), ("--jsonl",)),
    "units": (("--json",),),
    "lot status": (("--json",),),
    "lot end": (("--json",),),
    "virtual swap": (("left", "--json"),),
    "flash": (("app1", "--json"), ("app1", "--jsonl")),
    "run": (
        ("app1", "--until", "x", "--json"),
        ("app1", "--until", "x", "--jsonl"),
    ),
    "plan": (("app1", "--json"), ("app1", "--erase", "--json")),
    "rollback": (("app1", "--json"), ("app1", "--jsonl")),
    "wait": (("app1", "--json"),),
    "cancel": (("1", "--json"),),
    "retry": (("1", "--json"), ("1", "--jsonl")),
    "move": (("1", "up", "--json"),),
    "logs": (("--json",), ("--jsonl",), ("--level", "debug", "--json")),
    "console": (
        ("left", "--json"),
        ("left", "--since", "leave", "--jsonl"),
        ("left", "--release", "--json"),
        ("left", "--resume", "--json"),
    ),
    "hold": (("left", "--json"),),
    "release": (("left", "--json"),),
    "take": (("left", "--json", "--", "true"),),
    "verify": (("app1", "--json"), ("app1", "--force", "--jsonl")),
    "read": (("app1", "a.bin", "--json"), ("app1", "b.bin", "--jsonl")),
    "erase": (("app1", "--json"), ("app1", "--jsonl")),
    "reset": (("left", "--json"), ("left", "--jsonl")),
    "arm": (("--json",),),
    "disarm": (("--json",),),
    "suggest": (("--config", CONFIG, "--json"),),
    "adopt": (("1-5", "--json"),),
    "doctor": (("--json",),),
    "report": (("--json",),),
    "config check": (("--config", CONFIG, "--json"),),
    "config reload": (("--json",),),
    "config trust": (("fw.toml", "--json"),),
    "install": (("--dry-run", "--system", "--user", "games", "--json"),),
    "uninstall": (("--dry-run", "--system", "--user", "games", "--json"),),
    "completion": (("bash", "--json"),),
    "virtual list": (("--json",),),
    "virtual plug": (("left", "--json"),),
    "virtual unplug": (("left", "--json"),),
    "virtual press": (("left", "--json"),),
    "virtual say": (("left", "ready", "--json"),),
    "virtual fault": (("left", "stall", "--json"),),
    "virtual dump": (("left", "flash.bin", "--json"),),
}
WHOLE = closed(document("cli.schema.json"))


@pytest.fixture
def bench(daemon: CannedDaemon, cli: Cli) -> Cli:
    def publish() -> None:
        for state in BENCH.boards:
            daemon.hub.publish_board(state)
        for state in EVERY_JOB.jobs:
            daemon.hub.publish_job(state)
        for artifact in BENCH.artifacts:
            daemon.hub.publish_artifact(artifact)
        daemon.hub.publish_devices(BENCH.devices)

    daemon.on_loop(publish)
    daemon.answers.update(ANSWERS)
    return cli


def wrong(run: Run, part: Mapping[str, Any]) -> list[str]:
    assert run.jsonl, run
    return [fault for each in run.jsonl for fault in (*faults(each, WHOLE, part), *faults(each, WHOLE, WHOLE))]


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name, each in WORDS.items() for words in each], ids=" ".join
)
def test_a_command_prints_what_its_schema_says(bench: Cli, name: str, words: tuple[str, ...]) -> None:
    kind = "jsonl" if "--jsonl" in words else "json"
    assert wrong(bench(*name.split(), *words), WHOLE["commands"][name][kind]) == []


def test_every_command_that_takes_json_is_in_the_schema_and_was_tried() -> None:
    takers = {"as_json", "as_jsonl"}
    found = {name for name, command in _commands(root) if any(p.name in takers for p in command.params)}
    assert found == set(COMMANDS) | {"config show"} == set(document("cli.schema.json")["commands"])
    assert set(WORDS) == set(COMMANDS) - {
        "demo",
        "follow",
        "init",
        "lot begin",
        "serve",
    }  # these need more than a canned daemon
    lines = {name for name, command in _commands(root) if any(p.name == "as_jsonl" for p in command.params)}
    assert lines == {name for name, printed in COMMANDS.items() if printed.jsonl is not None}
    assert lines - {"follow"} == {name for name, each in WORDS.items() if any("--jsonl" in words for words in each)}


def _commands(
    group: click.Group, before: str = "", parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command]]:
    # As on a command line: a command's options depend on where it stands, and it is made but once.
    context = click.Context(group, parent, before.strip() or "flashdeck")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ", context)
        else:
            yield before + name, command


def test_an_error_is_printed_as_the_schema_says(offline: Cli) -> None:
    run = offline("status", "--json")
    assert run.code == 3
    assert wrong(run, WHOLE["error"]) == []


def test_config_show_prints_what_the_schema_of_the_configuration_says(offline: Cli) -> None:
    shown = offline("config", "show", "--config", CONFIG, "--json").json
    assert faults(shown, WHOLE, WHOLE["commands"]["config show"]["json"]) == []
    del shown["files"], shown["disarmed"], shown["once"]
    assert faults_of_file(shown, "flashdeck.schema.json") == []


def test_the_demo_prints_what_its_schema_says() -> None:
    row = DemoRow(
        board="left",
        partition="app1",
        version="1",
        bytes=1,
        erases=1,
        erases_seen=1,
        transfers=1,
        seconds=0.5,
        verified=Verified.YES,
        sha256=SHA,
        is_image=True,
        outside_unchanged=True,
        jobs=1,
        pressed=False,
    )
    printed = json.loads(full_json(Report(compiled=False, rows=(row,), complaints=("c",))))
    assert faults(printed, WHOLE, WHOLE["commands"]["demo"]["json"]) == []


def test_a_file_that_is_followed_prints_what_its_schema_says() -> None:
    for line in (FollowedLine(build=BENCH.artifacts[0]), FollowedLine(job=job(1, status=QUEUED))):
        assert faults(json.loads(full_json(line)), WHOLE, WHOLE["commands"]["follow"]["jsonl"]) == []


def test_the_state_of_a_job_and_what_it_waits_for_have_the_names_of_the_wire(bench: Cli) -> None:
    jobs = bench("jobs", "--json").json["jobs"]
    assert [each["status"]["state"] for each in jobs][:3] == ["queued", "waiting", "running"]
    assert jobs[1]["status"]["for"] == "absent"
    assert jobs[0]["status"] == {"state": "queued", "note": ""}


Spoil = Callable[[dict[str, Any]], object]
SPOILS: tuple[Spoil, ...] = (
    lambda job: job.update(new=1),
    lambda job: job.pop("text"),
    lambda job: job.update(origin="a robot"),
    lambda job: job["status"].update(state="resting"),
    lambda job: job["status"].pop("note"),
    lambda job: job.update(id="1"),
)


@pytest.mark.parametrize("spoil", SPOILS)
def test_the_check_sees_what_is_wrong(spoil: Spoil) -> None:
    printed = json.loads(full_json(job(1, status=QUEUED)))
    part = {"$ref": "#/$defs/JobState"}
    assert faults(printed, WHOLE, part) == []
    spoil(printed)
    assert faults(printed, WHOLE, part) != []


@pytest.mark.parametrize("name", ["wire.schema.json", "cli.schema.json"])
def test_the_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(document(name))
    assert all(each.get("description") for each in document(name)["$defs"].values())
