"""What a person does to jobs and boards: cancel, retry, arm, disarm, adopt."""

import pytest

from canned_daemon import NOW, CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.job_state import Blocked, Cancelled, Canceller, Done, Failed, Failure, Phase, Running
from flashdeck.model import BoardHold, LogLevel, Presence
from flashdeck.queue_order import QueueMove
from flashdeck.value import Value


def test_cancel_tells_what_became_of_the_job(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Cancel] = job(7, status=Cancelled(by=Canceller.PERSON, reason="app1 has no complete image"))
    run = cli("cancel", "7")
    assert (run.code, run.err) == (0, "")
    assert "by hand; app1 has no complete image" in run.out
    assert cli("cancel", "7", "--json").json["status"]["state"] == "cancelled"
    assert daemon.called(api.Cancel) == [api.Cancel(job=7)] * 2


def test_cancel_says_at_once_what_keeps_a_job_from_ending(daemon: CannedDaemon, cli: Cli) -> None:
    hung = job(7, status=Running(phase=Phase.WRITE, since=NOW, answered_at=NOW))
    ended = job(7, status=Cancelled(by=Canceller.PERSON))

    async def cancel(_params: api.Cancel) -> Value:
        daemon.hub.log("waits for the running transfer, at most 5 s", level=LogLevel.WARNING, board="left", job=7)
        daemon.hub.log("waits for something else", level=LogLevel.WARNING, board="right", job=8)
        daemon.hub.publish_job(ended)
        daemon.hub.log("cancelled; app1 has no complete image", level=LogLevel.WARNING, board="left", job=7)
        await daemon.send()
        return ended

    daemon.on_loop(lambda: daemon.hub.publish_job(hung))
    daemon.answers[api.Cancel] = cancel
    run = cli("cancel", "7", "--json")
    assert run.code == 0
    assert run.err == "left: waits for the running transfer, at most 5 s\n"


def test_a_job_that_was_quicker_is_no_success(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Cancel] = job(7, status=Done())
    run = cli("cancel", "7")
    assert run.code == 1
    assert "job 7 ended first: done" in run.err


@pytest.mark.parametrize("command", ["cancel", "retry"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(2**63)])
def test_what_is_no_job_number_never_reaches_the_daemon(offline: Cli, command: str, number: str) -> None:
    run = offline(command, "--json", "--", number)
    assert run.code == 2
    assert number in run.json["error"]["message"]


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_a_job_that_does_not_exist_is_4(daemon: CannedDaemon, cli: Cli, command: str) -> None:
    missing = RequestError("there is no job 99", kind=ErrorKind.NO_SUCH_JOB)
    daemon.answers[api.Cancel] = daemon.answers[api.Retry] = missing
    run = cli(command, "99", "--json")
    assert run.code == 4
    assert run.json["error"]["message"] == "there is no job 99"


def test_retry_follows_the_new_job_to_its_end(daemon: CannedDaemon, cli: Cli) -> None:
    def retry(params: api.Retry) -> Value:
        assert params.job == 7
        daemon.hub.publish_job(job(8))
        daemon.later(
            lambda: daemon.hub.publish_job(
                job(8, status=Running(phase=Phase.ERASE, total=10, since=NOW, answered_at=NOW))
            ),
            lambda: daemon.hub.publish_job(job(8, status=Done())),
        )
        return job(8)

    daemon.answers[api.Retry] = retry
    run = cli("retry", "7")
    assert run.code == 0
    assert run.err.splitlines()[-1] == "left app1: done"
    assert run.out.splitlines()[1].split()[:2] == ["8", "left"]
    assert [each["id"] for each in cli("retry", "7", "--json").json["jobs"]] == [8]
    assert cli("retry", "7", "--jsonl").jsonl[-1]["job"]["status"]["state"] == "done"
    assert cli("retry", "7", "--json", "--jsonl").code == 2


def test_retry_exits_like_flash(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Retry] = job(8, status=Blocked(reason="the map disagrees"))
    run = cli("retry", "8")
    assert run.code == 13
    assert "the map disagrees" in run.out
    failure = Failure(kind=ErrorKind.STALL, message="it stalled")
    daemon.answers[api.Retry] = job(9, status=Failed(failure=failure))
    assert cli("retry", "8").code == 5


def test_move_prints_the_queue_in_its_new_order(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.MoveJob] = api.QueueOrder(jobs=(job(9), job(8)))
    run = cli("move", "9", "first")
    assert run.code == 0
    assert [line.split()[0] for line in run.out.splitlines()] == ["JOB", "9", "8"]
    assert [each["id"] for each in cli("move", "9", "up", "--json").json["jobs"]] == [9, 8]
    assert daemon.called(api.MoveJob) == [
        api.MoveJob(job=9, to=QueueMove.FIRST),
        api.MoveJob(job=9, to=QueueMove.UP),
    ]
    assert cli("move", "9", "sideways").code == 2


def test_arm_and_disarm(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Arm] = api.BoardList(boards=(board(), board("right")), devices=())
    daemon.answers[api.Disarm] = api.BoardList(boards=(board(armed=False),), devices=())
    assert cli("arm") == (0, "left: armed: new builds are flashed\nright: armed: new builds are flashed\n", "")
    run = cli("disarm", "--board", "l*", "--board", "left")
    assert run == (0, "left: disarmed: new builds are offered\n", "")
    assert cli("disarm", "--json").json["boards"][0]["armed"] is False
    assert daemon.called(api.Arm) == [api.Arm()]
    assert daemon.called(api.Disarm) == [api.Disarm(boards=("l*", "left")), api.Disarm()]


def test_once_means_nothing_for_disarm(offline: Cli) -> None:
    run = offline("disarm", "--once")
    assert run.code == 2
    assert "--once" in run.err


def test_arm_once_asks_for_that_and_says_what_it_means(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Arm] = api.BoardList(boards=(board(once=True),), devices=())
    run = cli("arm", "left", "--once")
    assert run == (0, "left: armed once: the next build is flashed, those after it are offered\n", "")
    assert daemon.called(api.Arm) == [api.Arm(boards=("left",), once=True)]
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(once=True),), devices=())
    assert "in DFU mode (armed once)" in cli("boards").out


def test_a_disarmed_board_is_shown_as_one(daemon: CannedDaemon, cli: Cli) -> None:
    boards = (
        board(armed=False),
        board("right", armed=False, hold=BoardHold(reason="in the oven"), presence=Presence.ABSENT),
    )
    daemon.answers[api.GetBoards] = api.BoardList(boards=boards, devices=())
    daemon.on_loop(lambda: daemon.hub.publish_board(boards[0]))
    run = cli("boards")
    assert "in DFU mode (disarmed)" in run.out
    assert "absent (on hold, disarmed)" in run.out
    assert "left: disarmed: new builds are offered" in run.out
    assert "in DFU mode (disarmed)" in cli("status").out


def test_adopt_says_what_the_board_is_now(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Adopt] = lambda params: board(params.name or "product-1", adopted=True)
    run = cli("adopt", "1-4.2", "--profile", "product", "--name", "left")
    assert run.code == 0
    assert run.out.splitlines()[1].split() == ["left", "product", "in", "DFU", "mode", "1-4.2", "336E36833233"]
    adopted = cli("adopt", "336E36833233", "--json").json
    assert (adopted["name"], adopted["adopted"]) == ("product-1", True)
    assert daemon.called(api.Adopt) == [
        api.Adopt(device="1-4.2", profile="product", name="left"),
        api.Adopt(device="336E36833233"),
    ]


def test_adopt_passes_on_why_not(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Adopt] = RequestError(
        "two devices have this serial", hint="say its port", kind=ErrorKind.AMBIGUOUS
    )
    run = cli("adopt", "S")
    assert run == (7, "", "error: two devices have this serial\nhint: say its port\n")
