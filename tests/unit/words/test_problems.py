"""Boards that need a person, and boards counted by their worst."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ErrorKind
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
)
from flashdeck.model import BoardHold, BoardState, Contents, JobState, Origin, PartitionState, Presence
from flashdeck.problems import ProblemKind, condition, counts, last_failures, problems

FAILURE = Failure(kind=ErrorKind.NOT_ACCEPTED, message="Erase failed at 0x08024000", hint="Check write protection.")
STATUSES: tuple[JobStatus, ...] = (
    Queued(),
    *(Waiting(for_=each, reason="seen", hint="do") for each in WaitFor),
    Running(phase=Phase.WRITE, since=0, answered_at=0),
    Written(),
    Blocked(reason="the map changed", hint="look at it"),
    Done(),
    Failed(failure=FAILURE),
    Superseded(),
    Cancelled(by=Canceller.PERSON),
    Unknown(name="levitating"),
)


def job(number: int, status: JobStatus, board: str = "b0", partition: str = "app1") -> JobState:
    return JobState(
        id=number,
        board=board,
        partition=partition,
        sha256="00",
        size=1,
        origin=Origin.HAND,
        status=status,
        created_at=0,
    )


def contents(**fields: Any) -> Contents:
    return Contents(sha256="00", size=1, flashed_at=0, verified=Verified.YES, job=1, **fields)


def partition(name: str = "app1", **fields: Any) -> PartitionState:
    known: dict[str, Any] = {"image": "APP1.bin"}
    return PartitionState(name=name, address=0, size=1, **known | fields)


def board(name: str = "b0", *partitions: PartitionState, **fields: Any) -> BoardState:
    known: dict[str, Any] = {"presence": Presence.APP, "partitions": partitions or (partition(current=True),)}
    return BoardState(name=name, profile="p", **known | fields)


@pytest.mark.parametrize(
    ("state", "jobs", "kind"),
    [
        (board(), (), ProblemKind.CURRENT),
        (board("b0", partition()), (), ProblemKind.NO_BUILD),
        (board("b0", partition(contents=contents())), (), ProblemKind.NOT_CURRENT),
        (board("b0", partition(contents=contents(), image="")), (), ProblemKind.NO_BUILD),
        (board("b0", partition(offered="11")), (), ProblemKind.OFFERED),
        (board("b0", partition(current=True), partition("app2")), (), ProblemKind.CURRENT),
        (board(presence=Presence.ABSENT), (), ProblemKind.ABSENT),
        (board(), (job(1, Queued()),), ProblemKind.QUEUED),
        (board(), (job(1, Running(phase=Phase.ERASE, since=0, answered_at=0)),), ProblemKind.FLASHING),
        (board(), (job(1, Written()),), ProblemKind.FLASHING),
        (board(presence=Presence.ABSENT), (job(1, Waiting(for_=WaitFor.ABSENT, reason="x")),), ProblemKind.WAITING),
        (board(), (job(1, Waiting(for_=WaitFor.PAUSE, reason="x")),), ProblemKind.WAITING),
        (board(), (job(1, Waiting(for_=WaitFor.HAND, reason="x")),), ProblemKind.NEEDS_HAND),
        (board(), (job(1, Waiting(for_=WaitFor.ACCESS, reason="x")),), ProblemKind.NEEDS_HAND),
        (board(), (job(1, Waiting(for_=WaitFor.HOLD, reason="x")),), ProblemKind.ON_HOLD),
        (board(hold=BoardHold(reason="Eva")), (job(1, Queued()),), ProblemKind.ON_HOLD),
        (board(), (job(1, Blocked(reason="x")),), ProblemKind.BLOCKED),
        (board(), (job(1, Failed(failure=FAILURE)),), ProblemKind.FAILED),
        (board(trouble="two of them", presence=Presence.AMBIGUOUS), (), ProblemKind.AMBIGUOUS),
        (board(trouble="its map is another"), (), ProblemKind.TROUBLE),
        (board("b0", partition(contents=contents(complete=False))), (), ProblemKind.INCOMPLETE),
        (board("b0", partition(contents=contents(uncertain=True), current=True)), (), ProblemKind.UNCERTAIN),
        (board("b0", partition(contents=contents(started=False), current=True)), (), ProblemKind.NOT_STARTED),
        (board("b0", partition(current=True, trouble="too large")), (), ProblemKind.REFUSED),
        (board("b0", partition(current=True, kept_open="by ld")), (), ProblemKind.KEPT_OPEN),
        (board(), (job(1, Unknown(name="levitating")),), ProblemKind.WAITING),
        # A job on its way to an incomplete partition is what puts it right.
        (board("b0", partition(contents=contents(complete=False))), (job(1, Queued()),), ProblemKind.QUEUED),
        # A protected partition is nobody's business, unless a flash was cut short there because it is protected now.
        (board("b0", partition(contents=contents(started=False), protected=True)), (), ProblemKind.NO_BUILD),
        (board("b0", partition(trouble="too large", protected=True)), (), ProblemKind.NO_BUILD),
        (board("b0", partition(contents=contents(complete=False), protected=True)), (), ProblemKind.INCOMPLETE),
    ],
)
def test_a_board_counts_under_its_worst(state: BoardState, jobs: tuple[JobState, ...], kind: ProblemKind) -> None:
    assert condition(state, jobs) is kind
    assert counts((state,), jobs) == {kind: 1}
    worst = next(iter(problems((state,), jobs)), None)
    assert (worst.kind if worst else None) == (kind if kind.needs_person else None)


def test_a_failure_counts_until_it_is_put_right_or_tried_again() -> None:
    failed = job(1, Failed(failure=FAILURE))
    place = ("b0", "app1")
    assert last_failures((failed,)) == {place: failed}
    assert last_failures((failed, job(2, Superseded()), job(3, Cancelled(by=Canceller.PERSON)))) == {place: failed}
    assert last_failures((job(4, Done()), failed)) == {}
    assert last_failures((failed, job(4, Queued()))) == {}
    assert last_failures((failed, job(4, Done(), partition="app2"), job(5, Done(), board="b1"))) == {place: failed}


def test_the_worst_comes_first_and_equals_keep_the_order_of_the_boards() -> None:
    boards = [board(f"b{n}", hold=BoardHold(reason="Eva") if n in (1, 3) else None) for n in range(5)]
    jobs = [job(1, Failed(failure=FAILURE), "b4"), job(2, Failed(failure=FAILURE), "b2")]
    found = problems(boards, jobs)
    assert [(problem.board, problem.kind) for problem in found] == [
        ("b2", ProblemKind.FAILED),
        ("b4", ProblemKind.FAILED),
        ("b1", ProblemKind.ON_HOLD),
        ("b3", ProblemKind.ON_HOLD),
    ]
    assert (found[0].text, found[0].hint, found[0].partition) == (FAILURE.message, FAILURE.hint, "app1")
    assert dict(counts(boards, jobs)) == {ProblemKind.FAILED: 2, ProblemKind.ON_HOLD: 2, ProblemKind.CURRENT: 1}


PARTITIONS = st.builds(
    partition,
    st.sampled_from(("app1", "app2")),
    contents=st.none()
    | st.builds(
        contents,
        complete=st.booleans(),
        uncertain=st.booleans(),
        started=st.none() | st.booleans(),
    ),
    current=st.booleans(),
    offered=st.sampled_from(("", "11")),
    trouble=st.sampled_from(("", "too large")),
    protected=st.booleans(),
    image=st.sampled_from(("", "APP1.bin")),
)
BOARDS = st.lists(st.lists(PARTITIONS, max_size=3), max_size=6).flatmap(
    lambda all_of_them: st.tuples(
        *(
            st.builds(
                BoardState,
                name=st.just(f"b{number}"),
                profile=st.just("p"),
                presence=st.sampled_from(tuple(Presence)),
                hold=st.none() | st.builds(BoardHold, reason=st.just("Eva")),
                trouble=st.sampled_from(("", "broken")),
                partitions=st.just(tuple(each)),
            )
            for number, each in enumerate(all_of_them)
        )
    )
)
JOBS = st.lists(
    st.tuples(st.sampled_from(STATUSES), st.integers(0, 7), st.sampled_from(("app1", "app2"))), max_size=12
).map(lambda rows: [job(number, status, f"b{at}", name) for number, (status, at, name) in enumerate(rows, 1)])


@given(BOARDS, JOBS)
def test_every_board_counts_once_and_problems_say_what_they_are(
    boards: tuple[BoardState, ...], jobs: list[JobState]
) -> None:
    found = problems(boards, jobs)
    ranks = [list(ProblemKind).index(problem.kind) for problem in found]
    assert ranks == sorted(ranks)
    assert all(problem.kind.needs_person and problem.text for problem in found)
    counted = counts(boards, jobs)
    assert sum(counted.values()) == len(boards)
    assert list(counted) == [kind for kind in ProblemKind if kind in counted]
    # A board counts as in need of a person exactly if it has a problem, and the worst of its problems is what it is.
    for each in boards:
        worst = next((problem.kind for problem in found if problem.board == each.name), None)
        kind = condition(each, jobs)
        assert kind is worst if worst is not None else not kind.needs_person


def test_a_failed_flash_says_it_for_what_it_left_behind() -> None:
    state = board("b0", partition(contents=contents(complete=False, started=False)), partition("app2", trouble="large"))
    found = problems((state,), (job(1, Failed(failure=FAILURE)),))
    assert [(problem.kind, problem.partition) for problem in found] == [
        (ProblemKind.FAILED, "app1"),
        (ProblemKind.REFUSED, "app2"),
    ]


def test_a_hold_says_that_it_is_one_once_for_all_jobs() -> None:
    waiting = Waiting(for_=WaitFor.HOLD, reason="the board is on hold")
    (found,) = problems((board(hold=BoardHold(reason="Eva")),), (job(1, waiting), job(2, waiting)))
    assert found.text == "on hold: Eva"
    assert "release b0" in found.hint
