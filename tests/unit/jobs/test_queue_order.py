"""The order in which the jobs of a board run, and how a person changes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.errors import RequestError
from flashdeck.job_state import JobKind, Queued
from flashdeck.model import JobState, Origin
from flashdeck.queue_order import QueueMove, in_order_of_each_board, in_queue_order, moved, ranked, why_not_moved

PARTITIONS = ("app1", "partition2", "settings")
MOVES = (QueueMove.UP, QueueMove.DOWN, QueueMove.FIRST)


def job(number: int, partition: str = "app1", board: str = "left", kind: JobKind = JobKind.FLASH) -> JobState:
    return JobState(
        id=number,
        kind=kind,
        board=board,
        partition=partition if kind is not JobKind.RESET else "",
        sha256="",
        size=0,
        origin=Origin.HAND,
        status=Queued(),
        created_at=0.0,
    )


def ids(jobs: list[JobState]) -> list[int]:
    return [each.id for each in jobs]


def after(queue: list[JobState], number: int, to: QueueMove) -> list[JobState]:
    """The queue once a job was moved, as the daemon keeps it."""
    chosen = next(each for each in queue if each.id == number)
    order = moved(chosen, to, queue)
    ranks = {each.id: rank for rank, each in enumerate(ranked(queue, order), 1)}
    return in_queue_order((replace(each, rank=ranks.get(each.id, each.rank)) for each in queue), PARTITIONS)


def test_without_a_person_the_configuration_says_the_order_and_a_reset_comes_first() -> None:
    jobs = [job(1, "settings"), job(2), job(3), job(4, kind=JobKind.RESET), job(5, "gone")]
    assert ids(in_queue_order(jobs, PARTITIONS)) == [4, 2, 3, 1, 5]


def test_a_job_goes_up_down_and_first() -> None:
    queue = in_queue_order([job(1), job(2, "partition2"), job(3, "settings")], PARTITIONS)
    assert ids(after(queue, 3, QueueMove.UP)) == [1, 3, 2]
    assert ids(after(queue, 1, QueueMove.DOWN)) == [2, 1, 3]
    assert ids(after(queue, 3, QueueMove.FIRST)) == [3, 1, 2]


def test_what_is_queued_later_comes_behind_what_was_moved() -> None:
    queue = in_queue_order([job(1), job(2, "partition2"), job(3, "settings")], PARTITIONS)
    now = [*after(queue, 2, QueueMove.UP), job(4)]
    assert ids(in_queue_order(now, PARTITIONS)) == [2, 1, 4, 3]


@pytest.mark.parametrize(
    ("number", "to", "why"),
    [
        (2, QueueMove.UP, "job 2 is the first one in the queue of left"),
        (4, QueueMove.DOWN, "job 4 is the last one in the queue of left"),
        (3, QueueMove.UP, "job 2 is for app1, too: jobs of one partition keep their order"),
        (3, QueueMove.FIRST, "job 2 is for app1, too: jobs of one partition keep their order"),
        (2, QueueMove.OTHER, "job 2 can be moved up, down or first, and in no other way"),
    ],
)
def test_what_is_refused_says_why(number: int, to: QueueMove, why: str) -> None:
    queue = in_queue_order([job(2), job(3), job(4, "partition2")], PARTITIONS)
    chosen = next(each for each in queue if each.id == number)
    assert why_not_moved(chosen, to, queue) == why
    with pytest.raises(RequestError, match=r"keep their order|first one|last one|no other way"):
        moved(chosen, to, queue)


def test_a_reset_stays_first() -> None:
    queue = in_queue_order([job(1), job(2, kind=JobKind.RESET)], PARTITIONS)
    for number, to in ((1, QueueMove.UP), (2, QueueMove.DOWN)):
        chosen = next(each for each in queue if each.id == number)
        assert why_not_moved(chosen, to, queue) == "job 2 takes the board out of DFU mode: that comes first"


@given(
    places=st.lists(st.sampled_from((*PARTITIONS, "")), min_size=1, max_size=8),
    moves=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(MOVES)), max_size=12),
)
def test_no_moves_change_the_order_within_a_partition(places: list[str], moves: list[tuple[int, QueueMove]]) -> None:
    jobs = [job(number, name, kind=JobKind.FLASH if name else JobKind.RESET) for number, name in enumerate(places, 1)]
    queue = in_queue_order(jobs, PARTITIONS)
    for which, to in moves:
        chosen = queue[which % len(queue)]
        if why_not_moved(chosen, to, queue):
            continue
        expected = moved(chosen, to, queue)
        queue = after(queue, chosen.id, to)
        assert ids(queue) == ids(expected)
    assert sorted(ids(queue)) == sorted(ids(jobs))
    for name in PARTITIONS:
        mine = [each.id for each in queue if each.partition == name]
        assert mine == sorted(mine)
    assert all(each.kind is JobKind.RESET for each in queue[: places.count("")])


def test_the_queues_of_many_boards_are_shown_by_age_and_each_in_its_order() -> None:
    jobs = [job(1), job(2, "partition2", "right"), replace(job(3, "settings"), rank=1), job(4, "app1", "right")]
    assert ids(in_order_of_each_board(jobs, lambda _: PARTITIONS)) == [3, 4, 1, 2]
