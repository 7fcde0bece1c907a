"""`status`: how many boards are well first, then what is not, then the rest; and `--check` for scripts."""

from typing import Any

import pytest
from msgspec.structs import replace

from canned_daemon import NOW, SHA, CannedDaemon, board, job
from cli_run import Cli
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Blocked, Done, Failed, Failure, Verified, WaitFor, Waiting
from flashdeck.model import BoardHold, Contents, PartitionState, Presence
from slot_scene import slots

CONTENTS = Contents(sha256=SHA, size=8, version="2.0", flashed_at=NOW, verified=Verified.YES, job=1)
FAILURE = Failure(kind=ErrorKind.STALL, message="it stalled", hint="reset the board")


def app1(**fields: Any) -> PartitionState:
    return PartitionState(name="app1", address=0x08020000, size=0x60000, **fields)


def well(name: str) -> Any:
    return board(name, partitions=(app1(contents=CONTENTS, current=True, image="APP1.bin"),))


def test_two_failures_among_a_hundred_boards_are_in_the_first_lines(daemon: CannedDaemon, cli: Cli) -> None:
    def publish() -> None:
        for number in range(100):
            daemon.hub.publish_board(well(f"b{number:02}"))
            daemon.hub.publish_job(job(number + 1, f"b{number:02}", status=Done()))
        for number in (17, 83):
            daemon.hub.publish_job(job(200 + number, f"b{number}", status=Failed(failure=FAILURE)))

    daemon.on_loop(publish)
    run = cli("status")
    assert run.code == 0
    lines = run.out.splitlines()
    assert lines[0] == "100 boards: 2 failed, 98 current"
    assert [line.split()[:3] for line in lines[3:6]] == [
        ["BOARD", "PARTITION", "PROBLEM"],
        ["b17", "app1", "failed"],
        ["b83", "app1", "failed"],
    ]
    assert lines[4].endswith("it stalled (reset the board)")


PROBLEMS = {
    "on hold": board(hold=BoardHold(reason="being soldered")),
    "incomplete": board(partitions=(app1(contents=replace(CONTENTS, complete=False)),)),
    "uncertain": board(partitions=(app1(contents=replace(CONTENTS, uncertain=True)),)),
    "did not start": board(partitions=(app1(contents=replace(CONTENTS, started=False)),)),
    "build refused": board(partitions=(app1(trouble="too large"),)),
    "file kept open": board(partitions=(app1(being_written=True, kept_open="APP1.bin is kept open by ld"),)),
    "ambiguous": board(presence=Presence.AMBIGUOUS, trouble="two devices look like it"),
}


@pytest.mark.parametrize("word", PROBLEMS)
def test_check_ends_with_10_where_a_board_needs_a_person(daemon: CannedDaemon, cli: Cli, word: str) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(PROBLEMS[word]))
    assert cli("status").code == 0
    run = cli("status", "--check")
    assert run.code == 10
    assert run.out.splitlines()[0] == f"1 board: 1 {word}"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Done(), 0),
        (Waiting(for_=WaitFor.ABSENT, reason="not connected"), 0),
        (Waiting(for_=WaitFor.PAUSE, reason="tries again in 2 s"), 0),
        (Waiting(for_=WaitFor.HAND, reason="it is running"), 10),
        (Waiting(for_=WaitFor.ACCESS, reason="no permission"), 10),
        (Blocked(reason="the map disagrees"), 10),
        (Failed(failure=FAILURE), 10),
    ],
)
def test_check_ends_with_10_where_a_job_needs_one(daemon: CannedDaemon, cli: Cli, status: Any, code: int) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(well("left")))
    daemon.on_loop(lambda: daemon.hub.publish_job(job(status=status)))
    run = cli("status", "--check", "--json")
    assert run.code == code
    assert bool(run.json["problems"]) == (code == 10)


def test_a_part_of_the_daemon_that_does_not_work_needs_one_too(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_daemon(replace(daemon.hub.daemon, degraded=("udev: not readable",))))
    assert cli("status", "--check").code == 10
    assert cli("status").code == 0


def test_json_has_counts_and_problems_beside_the_snapshot(daemon: CannedDaemon, cli: Cli) -> None:
    def publish() -> None:
        daemon.hub.publish_board(well("left"))
        daemon.hub.publish_board(well("right"))
        daemon.hub.publish_job(job(7, "right", status=Failed(failure=FAILURE)))

    daemon.on_loop(publish)
    status = cli("status", "--json").json
    assert status["counts"] == {"failed": 1, "current": 1}
    assert status["problems"] == [
        {"board": "right", "partition": "app1", "kind": "failed", "text": "it stalled", "hint": "reset the board"}
    ]
    assert [each["name"] for each in status["boards"]] == ["left", "right"]


def test_slots_are_counted_where_boards_are(daemon: CannedDaemon, cli: Cli) -> None:
    def publish() -> None:
        for slot in slots(6).slots:
            daemon.hub.publish_board(board(slot.name, slot=True))
            daemon.hub.publish_slot(slot)

    daemon.on_loop(publish)
    told = "6 slots: 1 FAIL, 3 PASS, 1 empty, 1 flashing"
    assert cli("status").out.splitlines()[0] == told
    daemon.on_loop(lambda: daemon.hub.publish_board(well("left")))
    assert cli("status").out.splitlines()[0] == f"1 board: 1 current; {told}"
