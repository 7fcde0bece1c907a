"""`flash`: what it sends, how it follows its jobs, and what it exits with."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canned_daemon import CannedDaemon, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.job_state import Failure, JobResult, JobStatus, Phase, Verified
from flashdeck.model import JobState

RUN = (
    {"status": JobStatus.RUNNING, "phase": Phase.ERASE, "done": 0, "total": 1000},
    {"status": JobStatus.RUNNING, "phase": Phase.WRITE, "done": 100, "total": 1000},
    {"status": JobStatus.RUNNING, "phase": Phase.WRITE, "done": 900, "total": 1000},
    {"status": JobStatus.RUNNING, "phase": Phase.VERIFY, "done": 900, "total": 1000},
)
FAILED: dict[str, Any] = {"status": JobStatus.FAILED, "failure": Failure(kind=ErrorKind.STALL, message="it stalled")}
REFUSED: dict[str, Any] = {"status": JobStatus.FAILED, "failure": Failure(kind=ErrorKind.GUARD, message="wrong place")}
UNNAMED: dict[str, Any] = {"status": JobStatus.FAILED, "failure": Failure(kind=ErrorKind.OTHER, message="odd")}
HELD: dict[str, Any] = {"status": JobStatus.HELD, "reason": "the map disagrees"}
DONE: dict[str, Any] = {"status": JobStatus.DONE}
SUPERSEDED: dict[str, Any] = {"status": JobStatus.SUPERSEDED, "reason": "a newer build came"}
CANCELLED: dict[str, Any] = {"status": JobStatus.CANCELLED}


def play(daemon: CannedDaemon, *ends: dict[str, Any], early: bool = False, notes: tuple[str, ...] = ()) -> None:
    """Lets `flash` make one job for each of `ends`, run them all, and end each of them so.

    With `early` everything happens before the reply that announces the jobs is sent.
    """
    jobs = [job(number, f"board{number}") for number in range(1, len(ends) + 1)]

    def change(number: int, fields: dict[str, Any]) -> Callable[[], None]:
        return lambda: daemon.hub.publish_job(job(number, f"board{number}", **fields))

    def flash(_params: api.Flash) -> api.JobList:
        for each in jobs:
            daemon.hub.publish_job(each)
        changes = [change(each.id, fields) for fields in RUN for each in jobs]
        changes += [change(each.id, end) for each, end in zip(jobs, ends, strict=True)]
        if early:
            for each in changes:
                each()
        else:
            daemon.later(*changes)
        return api.JobList(jobs=tuple(jobs), notes=notes)

    daemon.answers[api.Flash] = flash


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "APP1.bin"
    path.write_bytes(bytes(range(256)) * 2000)
    return path


def test_what_is_to_be_known_of_a_result_is_said(daemon: CannedDaemon, cli: Cli, image: Path) -> None:
    result = JobResult(
        bytes_written=1,
        erases=1,
        blocks=1,
        transfers=1,
        uploads=0,
        slept=0.0,
        seconds=1.0,
        verified=Verified.NO,
        protection="",
        remarks=("reading was refused",),
    )
    play(daemon, {"status": JobStatus.DONE, "result": result})
    run = cli("flash", "app1", str(image))
    assert run.code == 0
    assert run.err.splitlines()[-1] == "board1 app1: reading was refused"


def test_flash_uploads_the_bytes_and_follows_the_jobs(daemon: CannedDaemon, cli: Cli, image: Path) -> None:
    play(daemon, DONE)
    run = cli("flash", "app1", str(image), "--board", "b*")
    assert run.code == 0
    assert bytes(daemon.uploaded) == image.read_bytes()
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert daemon.called(api.Flash) == [api.Flash(partition="app1", sha256=digest, boards=("b*",))]
    assert [call.name for call in daemon.called(api.BeginUpload)] == ["APP1.bin"], "a name, never a path"
    told = run.err.splitlines()
    assert told[0] == "board1 app1: queued"
    assert told[-1] == "board1 app1: done"
    # A slow reader gets the newest state instead of every one; what it gets is in order and told once.
    between = ["board1 app1: erase", "board1 app1: write", "board1 app1: verify"]
    assert told[1:-1] == [line for line in between if line in told]
    assert run.out.splitlines()[1].split()[:5] == ["1", "board1", "app1", "1.2.3", "done"]
    assert "\x1b" not in run.out + run.err


def test_a_file_whose_name_is_no_utf8_travels_under_a_harmless_one(daemon: CannedDaemon, cli: Cli, image: Path) -> None:
    play(daemon, DONE)
    odd = image.rename(image.with_name(os.fsdecode(b"APP1-\xff.hex")))
    assert cli("flash", "app1", str(odd)).code == 0
    assert [call.name for call in daemon.called(api.BeginUpload)] == ["APP1-\N{REPLACEMENT CHARACTER}.hex"]


def test_without_a_file_nothing_is_uploaded(daemon: CannedDaemon, cli: Cli) -> None:
    play(daemon, DONE)
    assert cli("flash", "app1", "--no-wait").code == 0
    assert not daemon.called(api.BeginUpload)
    assert daemon.called(api.Flash) == [api.Flash(partition="app1", present_only=True)]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([DONE, DONE], 0),
        ([FAILED], 5),
        ([FAILED, FAILED], 5),
        ([UNNAMED], 5),
        ([CANCELLED], 5),
        ([REFUSED], 9),
        ([HELD], 13),
        ([SUPERSEDED], 13),
        ([HELD, SUPERSEDED], 13),
        ([DONE, HELD], 13),
        ([DONE, FAILED], 10),
        ([DONE, CANCELLED], 10),
        ([HELD, FAILED], 10),
        ([REFUSED, FAILED], 10),
    ],
)
def test_exit_code_of_jobs(
    daemon: CannedDaemon, cli: Cli, ends: list[dict[str, Any]], code: int, *, early: bool
) -> None:
    play(daemon, *ends, early=early)
    run = cli("flash", "app1", "--json")
    assert run.code == code
    assert [each["status"] for each in run.json["jobs"]] == [end["status"] for end in ends]


def test_a_note_is_said_while_there_is_time_to_cancel_and_is_part_of_the_object(
    daemon: CannedDaemon, cli: Cli, image: Path
) -> None:
    play(daemon, DONE, notes=("the stack pointer\x1b[2J is odd",))
    run = cli("flash", "app1", str(image))
    assert run.code == 0
    assert run.err.splitlines()[0] == "warning: the stack pointer\N{REPLACEMENT CHARACTER}[2J is odd"
    assert "stack pointer" not in run.out
    play(daemon, DONE, notes=("odd",))
    assert cli("flash", "app1", str(image), "--json").json["notes"] == ["odd"]


def test_jsonl_prints_every_state(daemon: CannedDaemon, cli: Cli) -> None:
    play(daemon, FAILED)
    run = cli("flash", "app1", "--jsonl")
    assert run.code == 5
    states = [each["job"] for each in run.jsonl]
    assert states[0]["status"] == "queued"
    assert {state["id"] for state in states} == {1}
    assert states[-1]["failure"] == {"kind": "stall", "message": "it stalled", "hint": ""}


def test_an_absent_board_is_waited_for_with_its_hint(daemon: CannedDaemon, cli: Cli) -> None:
    waiting = job(status=JobStatus.WAITING, reason="hold SW2, press RESET")

    def flash(_params: api.Flash) -> api.JobList:
        daemon.hub.publish_job(waiting)
        daemon.later(lambda: daemon.hub.publish_job(job(status=JobStatus.DONE)))
        return api.JobList(jobs=(waiting,))

    daemon.answers[api.Flash] = flash
    run = cli("flash", "app1")
    assert run.code == 0
    assert "left app1: waiting: hold SW2, press RESET" in run.err


def test_no_wait_and_an_absent_board(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Flash] = FlashdeckError("board left is absent", kind=ErrorKind.ABSENT)
    run = cli("flash", "app1", "--no-wait", "--json")
    assert run.code == 4
    assert run.json["error"]["kind"] == "absent"


def test_other_jobs_are_nobodys_business(daemon: CannedDaemon, cli: Cli) -> None:
    other = job(99, "other")

    def flash(_params: api.Flash) -> api.JobList:
        daemon.hub.publish_job(job())
        daemon.later(
            lambda: daemon.hub.publish_job(other),
            lambda: daemon.hub.log("something else"),
            lambda: daemon.hub.publish_job(job(status=JobStatus.DONE)),
        )
        return api.JobList(jobs=(job(),))

    daemon.answers[api.Flash] = flash
    run = cli("flash", "app1", "--jsonl")
    assert run.code == 0
    assert {each["job"]["id"] for each in run.jsonl} == {1}


def test_a_daemon_that_ends_meanwhile_is_unreachable(daemon: CannedDaemon, cli: Cli) -> None:
    def flash(_params: api.Flash) -> api.JobList:
        daemon.later(daemon.stop)
        return api.JobList(jobs=(job(),))

    daemon.answers[api.Flash] = flash
    run = cli("flash", "app1", "--json")
    assert run.code == 3
    assert run.json["error"]["kind"] == "unreachable"


@pytest.mark.parametrize("command", [("flash", "app1"), ("plan", "app1"), ("wait", "app1", "--for")])
def test_a_file_that_is_no_image_is_refused_before_the_daemon_is_asked(
    offline: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    empty, large = tmp_path / "empty.bin", tmp_path / "large.bin"
    empty.touch()
    with large.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    for path, word in ((tmp_path / "missing.bin", "no file"), (tmp_path, "directory"), (empty, "empty"), (large, "64")):
        run = offline(*command, str(path), "--json")
        assert run.code == 2
        assert word in run.json["error"]["message"]
        assert str(path) in run.err
        assert run.json["error"]["hint"]


def test_what_jobs_came_to_does_not_depend_on_their_order() -> None:
    from itertools import permutations, product  # noqa: PLC0415 - used here only

    from flashdeck_tui.cli.outcome import exit_code  # noqa: PLC0415 - the pure part, not the command

    ends = [job(**fields) for fields in (DONE, FAILED, HELD, REFUSED, SUPERSEDED, CANCELLED)]
    for jobs in product(ends, repeat=3):
        codes: set[int] = {exit_code(list(order)) for order in permutations(jobs)}
        assert len(codes) == 1
        assert (codes == {0}) == _all_done(jobs)


def _all_done(jobs: tuple[JobState, ...]) -> bool:
    return all(each.status is JobStatus.DONE for each in jobs)


@pytest.mark.parametrize("command", ["flash", "plan", "wait"])
def test_help_names_the_files_that_can_be_flashed(offline: Cli, command: str) -> None:
    assert SUFFIXES_IN_WORDS in " ".join(offline(command, "--help").out.split())
