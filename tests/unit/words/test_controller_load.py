"""The load of host controllers, as it follows from boards and jobs."""

from msgspec.structs import replace

from flashdeck.controller_load import SHORTEST_RATE, controller_lines, controller_states
from flashdeck.job_state import JobStatus, Phase, Running, WaitFor, Waiting, Written
from flashdeck.model import BoardState, Presence
from tui_scene import board, job

WAITS = Waiting(for_=WaitFor.CONTROLLER, reason="its turn comes")


def at(name: str, controller: str = "pci-a") -> BoardState:
    return replace(board(name), presence=Presence.DFU, controller=controller)


def writes(done: int, seconds: float, phase: Phase = Phase.WRITE) -> Running:
    return Running(phase=phase, done=done, total=100_000, since=100.0, answered_at=100.0 + seconds)


def rate_of(*statuses: JobStatus) -> int:
    jobs = [job(number, f"b{number}", status=status) for number, status in enumerate(statuses)]
    (state,) = controller_states([at(each.board) for each in jobs], jobs, None)
    return state.bytes_per_second


def test_boards_are_counted_by_what_their_jobs_do() -> None:
    boards = [at("one"), at("two"), at("three"), at("far", "pci-b"), replace(board("gone"), controller="")]
    jobs = [job(1, "one", status=writes(10, 1)), job(2, "two", status=WAITS), job(3, "far", status=WAITS)]
    first, second = controller_states(boards, jobs, 1)
    assert (first.name, first.boards, first.busy, first.waiting) == (
        "pci-a",
        ("one", "two", "three"),
        ("one",),
        ("two",),
    )
    assert (second.name, second.boards, second.busy, second.waiting) == ("pci-b", ("far",), (), ("far",))
    assert (first.limit, second.limit) == (1, 1)


def test_only_those_count_as_busy_that_are_talked_to() -> None:
    talks = [writes(0, 0, Phase.DETACH), Written(phase=Phase.START), Written(), Written(phase=Phase.LEAVE)]
    jobs = [job(number, f"b{number}", status=status) for number, status in enumerate(talks)]
    (state,) = controller_states([at(each.board) for each in jobs], jobs, None)
    assert state.busy == ("b3",)


def test_the_rate_is_that_of_all_phases_that_move_bytes() -> None:
    assert rate_of(writes(4096, 2), writes(8192, 4, Phase.VERIFY)) == 2048 + 2048
    assert rate_of(writes(65536, 1, Phase.ERASE), WAITS) == 0, "what is erased does not go over the bus"
    assert rate_of(writes(1024, SHORTEST_RATE / 2)) == 0
    assert rate_of(writes(1024, SHORTEST_RATE)) == round(1024 / SHORTEST_RATE)


def test_one_controller_without_a_limit_is_nothing_to_tell() -> None:
    assert list(controller_lines(controller_states([at("one")], [], None))) == []
    assert list(controller_lines(controller_states([at("one")], [], 2))) == [
        "controller pci-a: 1 board, 0 of at most 2 busy"
    ]
    assert len(list(controller_lines(controller_states([at("one"), at("two", "pci-b")], [], None)))) == 2


def test_waiting_boards_and_bytes_are_part_of_the_line() -> None:
    boards, jobs = [at("one"), at("two")], [job(1, "one", status=writes(4096, 2)), job(2, "two", status=WAITS)]
    (line,) = controller_lines(controller_states(boards, jobs, 1))
    assert line == "controller pci-a: 2 boards, 1 of at most 1 busy, 1 waiting, 2.0 KiB/s"
