"""`wait`: a row a board, what each waits for said at once, and what it exits with."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.api import BoardOutcome
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Failed, Failure, JobStatus, WaitFor, Waiting
from flashdeck.model import BoardState, JobState
from flashdeck.problems import KEPT_OPEN_HINT
from job_states import RESULT

STALLED = Failure(kind=ErrorKind.STALL, message="it stalled", hint="reset the board")
ON_HOLD = Failure(
    kind=ErrorKind.BLOCKED, message="on hold: being soldered", hint="`flashdeck release left` lets it go on"
)
LATE = Failure(kind=ErrorKind.TIMEOUT, message="not up to date after 2 s: waiting: not connected", hint="plug it in")
UNCERTAIN = Failure(kind=ErrorKind.AMBIGUOUS, message="another serial was seen in its place since")
OTHER = Failure(kind=ErrorKind.OTHER, message="a fault in flashdeckd")
BY_HAND = Waiting(for_=WaitFor.HAND, reason="it is running", hint="press the button")


def row(name: str, failure: Failure | None = None, status: JobStatus | None = None) -> BoardOutcome:
    """A board that has the image, or failed, or still has a job in this state."""
    is_there = failure is None and status is None
    known = job(board=name, status=status or Done(result=RESULT))
    return BoardOutcome(board=name, partition="app1", is_there=is_there, job=known, failure=failure)


def answer(daemon: CannedDaemon, *rows: BoardOutcome) -> None:
    daemon.answers[api.Wait] = api.WaitResult(boards=rows)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row("a"), row("b")], 0),
        ([row("a", LATE)], 6),
        ([row("a"), row("b", LATE)], 6),
        ([row("a", ON_HOLD), row("b", status=BY_HAND)], 13),
        ([row("a", UNCERTAIN)], 7),
        ([row("a", OTHER)], 5),
        ([row("a", STALLED), row("b", STALLED)], 5),
        ([row("a"), row("b", STALLED)], 10),
        ([row("a", STALLED), row("b", LATE)], 10),
        ([row("a"), row("b", UNCERTAIN)], 10),
    ],
)
def test_exit_code_and_a_row_a_board(daemon: CannedDaemon, cli: Cli, rows: list[BoardOutcome], code: int) -> None:
    answer(daemon, *rows)
    run = cli("wait", "app1", "--json")
    assert run.code == code
    assert [each["board"] for each in run.json["boards"]] == [each.board for each in rows]
    assert [each["is_there"] for each in run.json["boards"]] == [each.is_there for each in rows]
    assert ("error" in run.json) == (code != 0)


def test_the_table_says_of_each_board_how_far_it_is(daemon: CannedDaemon, cli: Cli) -> None:
    answer(daemon, row("a"), row("b", STALLED), row("c", status=BY_HAND))
    run = cli("wait", "app1")
    lines = run.out.splitlines()
    assert ["up to date" in lines[1], "not up to date" in lines[2], "not yet" in lines[3]] == [True] * 3
    assert lines[2].endswith("it stalled (reset the board)")
    assert lines[3].endswith('waiting: it is running (at the board: "press the button")')


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("a", STALLED)], "a app1: it stalled"),
        ([row("a"), row("b", STALLED)], "app1: 1 of 2 boards is not done: b: it stalled"),
        (
            [row("a", LATE), row("b", STALLED)],
            "app1: 2 of 2 boards are not done: b: it stalled; a: not up to date after 2 s: waiting: not connected",
        ),
    ],
)
def test_the_error_names_its_boards_once(
    daemon: CannedDaemon, cli: Cli, rows: list[BoardOutcome], message: str
) -> None:
    answer(daemon, *rows)
    run = cli("wait", "app1", "--json")
    assert run.err.splitlines() == [f"error: {message}", "hint: reset the board"]
    assert run.json["error"] == {"kind": "stall", "message": message, "hint": "reset the board"}


def test_a_message_that_names_its_board_does_not_name_it_twice(daemon: CannedDaemon, cli: Cli) -> None:
    answer(daemon, row("a", Failure(kind=ErrorKind.NOT_ACCEPTED, message="board a came back in DFU mode")))
    assert cli("wait", "app1").err == "error: board a came back in DFU mode\n"


def publish(daemon: CannedDaemon, *jobs: JobState) -> Callable[[], None]:
    def run() -> None:
        for each in jobs:
            daemon.hub.publish_job(each)

    return run


def test_who_holds_a_file_open_is_said_while_its_build_is_waited_for(daemon: CannedDaemon, cli: Cli) -> None:
    """Once, as soon as it is known, and again only where it is another program."""

    def kept_open(who: str, name: str = "left") -> BoardState:
        partitions = (replace(each, kept_open=who if each.name == "app1" else "x") for each in board().partitions)
        return board(name, partitions=tuple(partitions))

    daemon.on_loop(lambda: daemon.hub.publish_board(kept_open("ld has it")))

    async def wait(_params: api.Wait) -> api.WaitResult:
        for state in (
            kept_open("ld has it"),
            kept_open("cp has it"),
            kept_open("cp has it", "right"),
            kept_open(""),
        ):
            daemon.hub.publish_board(state)
            await daemon.send()
        return api.WaitResult(boards=(row("left"),))

    daemon.answers[api.Wait] = wait
    run = cli("wait", "app1", "--board", "left")
    assert run.err.splitlines() == [
        f"left app1: ld has it ({KEPT_OPEN_HINT})",
        f"left app1: cp has it ({KEPT_OPEN_HINT})",
    ]


def test_what_a_board_waits_for_is_said_while_it_is_waited_for(daemon: CannedDaemon, cli: Cli) -> None:
    """Only of the boards and the partition that are meant, and nothing of jobs that had ended before."""

    def boards() -> None:
        for name in ("left", "right"):
            daemon.hub.publish_board(board(name))

    daemon.on_loop(boards)
    daemon.on_loop(publish(daemon, job(1, status=Failed(failure=STALLED)), job(3, "right", status=BY_HAND)))
    waiting = job(4, "left", status=BY_HAND)

    async def wait(_params: api.Wait) -> api.WaitResult:
        publish(daemon, waiting, job(5, "left", partition="partition2", status=BY_HAND))()
        await daemon.send()
        publish(daemon, job(4, "left", status=Failed(failure=STALLED)))()
        await daemon.send()
        return api.WaitResult(boards=(row("left", STALLED),))

    daemon.answers[api.Wait] = wait
    run = cli("wait", "app1", "--board", "l*")
    assert run.err.splitlines() == [
        'left app1: waiting: it is running (at the board: "press the button")',
        "left app1: failed: it stalled (reset the board)",
        "error: left app1: it stalled",
        "hint: reset the board",
    ]
    daemon.answers[api.Wait] = api.WaitResult(boards=(row("right", LATE),))
    run = cli("wait", "app1", "--board", "right")
    assert run.err.splitlines()[0] == 'right app1: waiting: it is running (at the board: "press the button")', (
        "as it was before"
    )
