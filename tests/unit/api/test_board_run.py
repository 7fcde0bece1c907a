"""A run on one board: which lines count, what decides it, and what is said where nothing did. Without a daemon."""

from typing import Any

import pytest
from msgspec.structs import replace

from canned_daemon import board, job
from flashdeck.board_run import MOST_KEPT, MOST_PATTERNS, BoardRun, ExpectedLines
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Cancelled, Canceller, Done, Failed, Failure, JobStatus
from flashdeck.model import BoardHold, BoardState, ConsoleEntry, ConsoleState, Presence
from job_states import BLOCKED, DONE, QUEUED, RESULT, RUNNING, WAITING, WRITTEN

OPEN = ConsoleState(port="app", condition=ConsoleCondition.OPEN, node="/dev/ttyACM0")
JOB = 7
REFUSED = Failure(kind=ErrorKind.NOT_ACCEPTED, message="board left came back in DFU mode", hint="check the image")
BEGINS, LEAVES, ANY_LEAVE = "job 7: begins", "job 7: leave", "off the bus"


def running_board(**fields: Any) -> BoardState:
    return replace(board(presence=Presence.APP, console=OPEN), **fields)


class Said:
    """A console as a daemon numbers it."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, *texts: str) -> list[ConsoleEntry]:
        return [self._entry(text) for text in texts]

    def _entry(self, text: str) -> ConsoleEntry:
        self._number += 1
        is_mark = text in (BEGINS, LEAVES, ANY_LEAVE)
        return ConsoleEntry(
            number=self._number,
            at=1.0,
            kind=ConsoleKind.MARK if is_mark else ConsoleKind.LINE,
            text=text,
            is_leave=text in (LEAVES, ANY_LEAVE),
            job=JOB if text in (BEGINS, LEAVES) else 0,
        )


def begun(status: JobStatus = RUNNING, *, until: Any = "PASS", fail: Any = "FAIL", **fields: Any) -> BoardRun:
    run = BoardRun(running_board(**fields), "app1", ExpectedLines.of(until, fail))
    run.began_at = 10.0
    run.job = job(JOB, status=status, attempts=1)
    return run


def heard(run: BoardRun, *texts: str, said: Said | None = None) -> list[str]:
    return [entry.text for entry in run.hear((said or Said())(*texts))]


def failure(run: BoardRun) -> Failure:
    assert run.result is not None
    assert run.result.failure is not None
    return run.result.failure


def test_only_what_comes_behind_the_leave_of_its_own_job_counts() -> None:
    run = begun(WRITTEN)
    assert heard(run, "PASS", ANY_LEAVE, "PASS", BEGINS, "PASS", LEAVES, "booting", "PASS") == [
        *(LEAVES, "booting", "PASS"),
    ]
    assert run.decide(12.5)
    assert run.result is not None
    assert (run.result.is_done, run.result.seconds) == (True, 2.5)
    assert [entry.number for entry in run.result.entries] == [6, 7, 8]


def test_what_was_said_before_the_job_had_to_begin_once_more_counts_no_more() -> None:
    """The cable was pulled in the middle of the flash: the board left, and its bootloader said something."""
    run, said = begun(), Said()
    assert heard(run, BEGINS, ANY_LEAVE, "PASS", said=said)
    assert not run.decide(11.0), "the image is not complete"
    heard(run, BEGINS, said=said)
    run.job = job(JOB, status=WRITTEN, attempts=2)
    assert not run.decide(12.0)
    heard(run, LEAVES, "FAIL", said=said)
    assert run.decide(13.0)
    assert failure(run).kind is ErrorKind.CRASHED


def test_a_line_decides_once_the_image_is_complete() -> None:
    run = begun()
    heard(run, BEGINS, LEAVES, "PASS", "FAIL")
    assert not run.decide(11.0)
    run.job = job(JOB, status=DONE)
    assert run.decide(11.0)
    assert run.result is not None
    assert run.result.is_done, "the first line counts"


@pytest.mark.parametrize(
    ("line", "pattern", "is_failure"),
    [("PASS", "PASS", False), ("FAIL PASS", "FAIL", True), ("ok 3", r"^ok \d", False), ("assert x", "assert", True)],
)
def test_a_failure_counts_before_an_end(line: str, pattern: str, is_failure: bool) -> None:
    found = ExpectedLines.of(["PASS", r"^ok \d"], ["FAIL", "assert"]).found_in(line)
    assert found is not None
    assert (found.line, found.pattern, found.is_failure) == (line, pattern, is_failure)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (BLOCKED, ErrorKind.BLOCKED),
        (Cancelled(by=Canceller.PERSON), ErrorKind.CANCELLED),
        (Failed(failure=Failure(kind=ErrorKind.VERIFY, message="m")), ErrorKind.VERIFY),
        (Failed(failure=REFUSED, result=RESULT), ErrorKind.NOT_ACCEPTED),
        (Failed(failure=Failure(kind=ErrorKind.ANOTHER_BUILD, message="m"), result=RESULT), ErrorKind.ANOTHER_BUILD),
        (Done(result=RESULT, not_started="app2 is incomplete"), ErrorKind.BLOCKED),
    ],
)
def test_a_job_that_goes_wrong_decides_it(status: JobStatus, kind: ErrorKind) -> None:
    run = begun(status)
    assert run.decide(11.0)
    assert failure(run).kind is kind


def test_a_line_counts_where_usb_says_that_it_did_not_start() -> None:
    run = begun(Failed(failure=REFUSED, result=RESULT))
    heard(run, BEGINS, LEAVES, "PASS")
    assert run.decide(11.0)
    assert run.result is not None
    assert run.result.is_done


def test_one_that_is_flashed_and_not_started_is_told_so() -> None:
    run = begun(DONE)
    heard(run, BEGINS)
    assert run.decide(11.0)
    assert (failure(run).kind, failure(run).message) == (ErrorKind.BLOCKED, "it was flashed, and not started")


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({}, ErrorKind.TIMEOUT, "'PASS' was not seen within 20 s; its last line was \"adc\""),
        ({"presence": Presence.DFU}, ErrorKind.SILENT, 'it does not run: it is in DFU mode; its last line was "adc"'),
        (
            {"presence": Presence.ABSENT},
            ErrorKind.SILENT,
            'it does not run: it is off the bus; its last line was "adc"',
        ),
        (
            {"console": replace(OPEN, condition=ConsoleCondition.HELD, reason="tio has it")},
            ErrorKind.BLOCKED,
            "its console cannot be read: held (/dev/ttyACM0): tio has it",
        ),
        (
            {"presence": Presence.ABSENT, "console": replace(OPEN, port="/dev/ttyS0")},
            ErrorKind.TIMEOUT,
            "'PASS' was not seen within 20 s; its last line was \"adc\"",
        ),
        ({"console": None}, ErrorKind.BLOCKED, "it has no console"),
    ],
)
def test_what_is_said_once_the_time_is_up(fields: dict[str, Any], kind: ErrorKind, message: str) -> None:
    run = begun(DONE)
    heard(run, BEGINS, LEAVES, "adc")
    assert not run.decide(11.0)
    run.board = running_board(**fields)
    run.give_up(30.0, 20.0)
    assert (failure(run).kind, failure(run).message) == (kind, message)


@pytest.mark.parametrize("status", [QUEUED, WAITING, RUNNING])
def test_a_flash_that_is_not_done_in_time_is_told_as_flash_tells_it(status: JobStatus) -> None:
    run = begun(status)
    run.give_up(30.0, 20.0)
    assert failure(run).kind is ErrorKind.TIMEOUT
    assert failure(run).message.startswith("not done yet: ")
    run.give_up(31.0, 20.0)
    assert run.result is not None
    assert run.result.seconds == 20.0, "the first result counts"


def test_a_silent_board_is_told_so() -> None:
    run = begun(DONE)
    heard(run, BEGINS, LEAVES)
    run.give_up(30.0, 20.0)
    assert failure(run).message.endswith("; it said nothing")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hold": BoardHold(reason="soldering")}, "it is on hold: soldering"),
        ({"console": None}, "it has no console"),
        ({"console": replace(OPEN, condition=ConsoleCondition.RELEASED)}, "its console cannot be read: released"),
        ({"console": replace(OPEN, condition=ConsoleCondition.UNAVAILABLE)}, "its console cannot be read: unavailable"),
    ],
)
def test_there_is_no_run_where_nothing_could_be_heard(fields: dict[str, Any], message: str) -> None:
    run = begun(QUEUED, **fields)
    assert failure(run).kind is ErrorKind.BLOCKED
    assert failure(run).message.startswith(message)


def test_a_console_that_comes_with_the_application_is_waited_for() -> None:
    assert begun(QUEUED, console=replace(OPEN, condition=ConsoleCondition.ABSENT)).result is None


def test_so_many_entries_are_kept_the_newest_of_all() -> None:
    run = begun(DONE)
    heard(run, BEGINS, LEAVES, *("adc" for _ in range(MOST_KEPT)), "PASS")
    assert run.decide(11.0)
    assert run.result is not None
    assert len(run.result.entries) == MOST_KEPT
    assert (run.result.entries[0].text, run.result.entries[-1].text) == ("adc", "PASS")


def test_so_many_patterns_are_taken_and_one_at_least() -> None:
    assert len(ExpectedLines.of(["x"] * (MOST_PATTERNS - 1), "y").until) == MOST_PATTERNS - 1
    for until, fail in ((["x"] * MOST_PATTERNS, "y"), ([], "y"), ("(", ())):
        with pytest.raises(FlashdeckError) as caught:
            ExpectedLines.of(until, fail)
        assert caught.value.kind is ErrorKind.BAD_REQUEST
