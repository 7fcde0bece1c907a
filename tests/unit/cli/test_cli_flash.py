"""`flash`: what it sends, how it follows its jobs, and what it exits with."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from canned_daemon import NOW, CannedDaemon, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    JobStatus,
    Phase,
    Queued,
    Running,
    Superseded,
    Unknown,
    Verified,
    WaitFor,
    Waiting,
    Written,
    name_of,
)
from flashdeck.model import JobState
from job_states import RESULT


def running(phase: Phase, done: int = 0) -> Running:
    return Running(phase=phase, done=done, total=1000, since=NOW, answered_at=NOW)


def failed(kind: ErrorKind, message: str) -> Failed:
    return Failed(failure=Failure(kind=kind, message=message))


RUN = (running(Phase.ERASE), running(Phase.WRITE, 100), running(Phase.WRITE, 900), running(Phase.VERIFY, 900))
FAILED = failed(ErrorKind.STALL, "it stalled")
REFUSED = failed(ErrorKind.GUARD, "wrong place")
UNNAMED = failed(ErrorKind.OTHER, "odd")
BLOCKED = Blocked(reason="the map disagrees", hint="look at it")
ON_HOLD = Waiting(for_=WaitFor.HOLD, reason="being soldered", hint="release it")
ABSENT = Waiting(for_=WaitFor.ABSENT, reason="not connected", hint="plug it in")
BY_HAND = Waiting(for_=WaitFor.HAND, reason="it is running", hint="hold SW2, press RESET")
PAUSE = Waiting(for_=WaitFor.PAUSE, reason="tries again in 2 s")
DONE = Done()
NOT_STARTED = Done(not_started="app2 is incomplete")
SUPERSEDED = Superseded(by=9)
CANCELLED = Cancelled(by=Canceller.PERSON)


def play(daemon: CannedDaemon, *ends: JobStatus, early: bool = False, notes: tuple[str, ...] = ()) -> None:
    """Lets `flash` make one job for each of `ends`, run them all, and end each of them so.

    With `early` everything happens before the reply that announces the jobs is sent.
    """
    jobs = [job(number, f"board{number}") for number in range(1, len(ends) + 1)]

    def change(number: int, status: JobStatus) -> Callable[[], None]:
        return lambda: daemon.hub.publish_job(job(number, f"board{number}", status=status))

    def flash(_params: api.Flash) -> api.JobList:
        for each in jobs:
            daemon.hub.publish_job(each)
        changes = [change(each.id, status) for status in RUN for each in jobs]
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
    play(daemon, Done(result=replace(RESULT, verified=Verified.NO, remarks=("reading was refused",))))
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
    between = ["board1 app1: erasing", "board1 app1: writing", "board1 app1: verifying"]
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
    assert daemon.called(api.Flash) == [api.Flash(partition="app1", no_wait=True)]


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
        ([BLOCKED], 13),
        ([ON_HOLD], 13),
        ([NOT_STARTED], 13),
        ([SUPERSEDED], 13),
        ([BLOCKED, SUPERSEDED], 13),
        ([DONE, BLOCKED], 13),
        ([DONE, ON_HOLD], 13),
        ([DONE, NOT_STARTED], 13),
        ([DONE, FAILED], 10),
        ([DONE, CANCELLED], 10),
        ([BLOCKED, FAILED], 10),
        ([REFUSED, FAILED], 10),
    ],
)
def test_exit_code_of_jobs(daemon: CannedDaemon, cli: Cli, ends: list[JobStatus], code: int, *, early: bool) -> None:
    play(daemon, *ends, early=early)
    run = cli("flash", "app1", "--json")
    assert run.code == code
    assert [each["status"]["state"] for each in run.json["jobs"]] == list(map(name_of, ends))
    assert ("error" in run.json) == (code != 0)


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
    assert states[0]["status"]["state"] == "queued"
    assert {state["id"] for state in states} == {1}
    assert states[-1]["status"]["failure"] == {"kind": "stall", "message": "it stalled", "hint": ""}


def test_an_absent_board_is_waited_for_with_its_hint(daemon: CannedDaemon, cli: Cli) -> None:
    waiting = job(status=BY_HAND)

    def flash(_params: api.Flash) -> api.JobList:
        daemon.hub.publish_job(waiting)
        daemon.later(lambda: daemon.hub.publish_job(job(status=DONE)))
        return api.JobList(jobs=(waiting,))

    daemon.answers[api.Flash] = flash
    run = cli("flash", "app1")
    assert run.code == 0
    assert 'left app1: waiting: it is running (at the board: "hold SW2, press RESET")' in run.err


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
            lambda: daemon.hub.publish_job(job(status=DONE)),
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

    from flashdeck.outcome import exit_code, failure_of  # noqa: PLC0415 - the pure part, not the command

    ends = [job(status=status) for status in (DONE, FAILED, BLOCKED, REFUSED, SUPERSEDED, CANCELLED, ON_HOLD)]
    for jobs in product(ends, repeat=3):
        codes: set[int] = {exit_code(map(failure_of, order)) for order in permutations(jobs)}
        assert len(codes) == 1
        assert (codes == {0}) == _all_done(jobs)


def _all_done(jobs: tuple[JobState, ...]) -> bool:
    return all(isinstance(each.status, Done) for each in jobs)


@pytest.mark.parametrize("command", ["flash", "plan", "verify", "wait"])
def test_help_names_the_files_that_can_be_flashed(offline: Cli, command: str) -> None:
    assert SUFFIXES_IN_WORDS in " ".join(offline(command, "--help").out.split())


def stay(daemon: CannedDaemon, *statuses: JobStatus, attempts: int = 0) -> None:
    """Lets `flash` make one job for each of `statuses`, which stay so; a cancel ends them."""
    jobs = [
        job(number, f"board{number}", status=status, attempts=attempts) for number, status in enumerate(statuses, 1)
    ]

    def flash(_params: api.Flash) -> api.JobList:
        for each in jobs:
            daemon.hub.publish_job(each)
        return api.JobList(jobs=tuple(jobs))

    daemon.answers[api.Flash] = flash

    def cancel(params: api.Cancel) -> JobState:
        return replace(jobs[params.job - 1], status=CANCELLED)

    daemon.answers[api.Cancel] = cancel


@pytest.mark.parametrize("other", [DONE, ABSENT, BY_HAND, ON_HOLD])
@pytest.mark.parametrize("stuck", [ON_HOLD, BLOCKED])
def test_what_only_a_person_frees_ends_it_at_once_also_among_several(
    daemon: CannedDaemon, cli: Cli, stuck: JobStatus, other: JobStatus
) -> None:
    stay(daemon, stuck)
    run = cli("flash", "app1")
    assert run.code == 13
    reason, hint = job(status=stuck).text, stuck.hint if isinstance(stuck, Blocked | Waiting) else ""
    assert run.err.splitlines() == [
        f"board1 app1: {reason} ({hint})",
        "job 1 is not done: it stays in the queue; 'flashdeck cancel 1' ends it",
        f"error: board1 app1: {reason}",
        f"hint: {hint}",
    ]
    stay(daemon, other, stuck)
    run = cli("flash", "app1", "--json")
    assert run.code == 13
    assert f"board2: {reason}" in run.json["error"]["message"]
    assert [each["board"] for each in run.json["jobs"]] == ["board1", "board2"]


@pytest.mark.parametrize("busy", [Queued(), running(Phase.WRITE, 10), PAUSE, Written()])
def test_a_board_that_is_being_flashed_is_followed_to_its_end(daemon: CannedDaemon, cli: Cli, busy: JobStatus) -> None:
    first, second = job(1, status=ON_HOLD), job(2, "right", status=busy)

    def flash(_params: api.Flash) -> api.JobList:
        daemon.later(lambda: daemon.hub.publish_job(replace(second, status=DONE)))
        return api.JobList(jobs=(first, second))

    daemon.answers[api.Flash] = flash
    run = cli("flash", "app1", "--json")
    assert run.code == 13
    assert [each["status"]["state"] for each in run.json["jobs"]] == ["waiting", "done"]


def test_a_board_that_failed_ends_it_where_all_others_wait(daemon: CannedDaemon, cli: Cli) -> None:
    stay(daemon, ABSENT, FAILED)
    run = cli("flash", "app1")
    assert run.code == 10
    told = "error: app1: 2 of 2 boards are not done: board2: it stalled; board1: not done yet: waiting: not connected"
    assert run.err.splitlines()[-1] == told, "the failure first"


def test_the_boards_that_failed_are_named_but_not_a_hundred_of_them(daemon: CannedDaemon, cli: Cli) -> None:
    play(daemon, DONE, FAILED, DONE, early=True)
    run = cli("flash", "app1")
    assert run.code == 10
    assert run.err.splitlines()[-1] == "error: app1: 1 of 3 boards is not done: board2: it stalled"
    assert len(run.out.splitlines()) == 4, "a row a board"
    play(daemon, *[FAILED] * 12, DONE, early=True)
    last = cli("flash", "app1").err.splitlines()[-1]
    five = "board1, board2, board3, board4, board5"
    assert last == f"error: app1: 12 of 13 boards are not done: {five}: it stalled; and 7 more", "one reason, told once"


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(ABSENT, 4, "absent"), (BY_HAND, 13, "held"), (ON_HOLD, 13, "held")]
)
def test_no_wait_takes_back_what_never_began(
    daemon: CannedDaemon, cli: Cli, status: JobStatus, code: int, kind: str
) -> None:
    stay(daemon, status)
    run = cli("flash", "app1", "--no-wait", "--json")
    assert run.code == code
    assert daemon.called(api.Cancel) == [api.Cancel(job=1)]
    assert "job 1 of board1 is cancelled" in run.err
    assert run.json["jobs"][0]["status"]["state"] == "cancelled"
    assert run.json["error"]["kind"] == kind


def test_no_wait_leaves_what_began(daemon: CannedDaemon, cli: Cli) -> None:
    stay(daemon, ABSENT, attempts=1)
    run = cli("flash", "app1", "--no-wait")
    assert run.code == 4
    assert not daemon.called(api.Cancel)
    assert "job 1 is not done: it stays in the queue; 'flashdeck cancel 1' ends it" in run.err


def test_no_wait_follows_what_runs_or_is_next(daemon: CannedDaemon, cli: Cli) -> None:
    play(daemon, DONE)
    assert cli("flash", "app1", "--no-wait").code == 0


def test_a_job_that_ended_before_it_could_be_taken_back_is_told_as_it_ended(daemon: CannedDaemon, cli: Cli) -> None:
    stay(daemon, ABSENT)
    daemon.answers[api.Cancel] = FlashdeckError("job 1 has ended already", kind=ErrorKind.BAD_REQUEST)
    daemon.answers[api.GetJobs] = api.JobList(jobs=(job(status=DONE),))
    run = cli("flash", "app1", "--no-wait", "--json")
    assert run.json["jobs"][0]["status"]["state"] == "done"
    assert run.code == 4


@pytest.mark.parametrize("status", [ABSENT, Queued(), running(Phase.WRITE, 10), Written()])
def test_a_time_limit_ends_the_following_and_not_the_job(daemon: CannedDaemon, cli: Cli, status: JobStatus) -> None:
    stay(daemon, status)
    run = cli("flash", "app1", "--timeout", "0.01", "--json")
    assert run.code == 6
    assert run.json["error"]["kind"] == "timeout"
    assert "job 1 is not done: it stays in the queue" in run.err
    assert not daemon.called(api.Cancel)


def test_cancel_on_exit_takes_back_all_that_is_not_done(daemon: CannedDaemon, cli: Cli) -> None:
    stay(daemon, DONE, running(Phase.WRITE, 10), ON_HOLD)
    run = cli("flash", "app1", "--cancel-on-exit", "--timeout", "0.01", "--json")
    assert run.code == 13
    assert daemon.called(api.Flash)[0].cancel_on_exit
    assert [call.job for call in daemon.called(api.Cancel)] == [2, 3]
    assert [each["status"]["state"] for each in run.json["jobs"]] == ["done", "cancelled", "cancelled"]


def test_a_state_that_only_a_newer_daemon_knows_ends_as_that_says(daemon: CannedDaemon, cli: Cli) -> None:
    unknown = replace(job(status=Unknown(name="resting")), text="resting in peace", is_settled=True)
    daemon.answers[api.Flash] = api.JobList(jobs=(unknown,))
    run = cli("flash", "app1")
    assert run.code == 5
    assert "error: left app1: resting in peace" in run.err
