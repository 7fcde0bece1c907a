"""What may follow each state of a job: the book holds to the one table, and the table to what users rely on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeck.job_state import (
    TRANSITIONS,
    Blocked,
    Cancelled,
    Done,
    Failed,
    JobStatus,
    Superseded,
    Unknown,
    WaitFor,
    Waiting,
    Written,
    is_settled,
    name_of,
    needs_person,
)
from flashdeck.model import DaemonState, JobState, Origin
from flashdeckd.jobs.book import IllegalMoveError, JobBook
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from job_states import EVERY

PAIRS = [(before, after) for before in EVERY for after in EVERY]
KNOWN = [status for status in EVERY if not isinstance(status, Unknown)]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    yield journal
    await journal.close()


async def book(journal: Journal) -> JobBook:
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    return JobBook(hub, journal, await journal.load(), lambda _: None)


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{name_of(a)}-{name_of(b)}" for a, b in PAIRS])
async def test_a_job_moves_as_the_table_says_and_a_step_that_it_has_not_changes_nothing(
    journal: Journal, before: JobStatus, after: JobStatus
) -> None:
    await journal.save_job(job(before))
    jobs = await book(journal)
    if type(after) in TRANSITIONS[type(before)]:
        moved = await jobs.move(jobs.job(1), after)
        assert (moved.status, moved.finished_at is not None) == (after, is_settled(after))
    else:
        with pytest.raises(IllegalMoveError, match=f"job 1 is {name_of(before)} and cannot become {name_of(after)}"):
            await jobs.move(jobs.job(1), after)
        assert jobs.job(1).status == before
    assert (await book(journal)).job(1) == jobs.job(1)


def test_there_is_a_line_for_each_state() -> None:
    assert set(TRANSITIONS) == {type(status) for status in EVERY}


@pytest.mark.parametrize("status", EVERY, ids=name_of)
def test_what_users_rely_on(status: JobStatus) -> None:
    after = TRANSITIONS[type(status)]
    assert (after == ()) is isinstance(status, Done | Failed | Superseded | Cancelled | Unknown), "an end is an end"
    assert (Done in after) is isinstance(status, Written), "only what is complete on its board is done"
    assert (Superseded in after) is (name_of(status) in {"queued", "waiting", "blocked"}), "what runs goes on"
    assert (type(status) in after) is (bool(after)), "every state that lasts may be told anew"


@pytest.mark.parametrize("status", KNOWN, ids=name_of)
def test_a_job_is_settled_where_nothing_can_follow(status: JobStatus) -> None:
    assert is_settled(status) is job(status).is_settled is (TRANSITIONS[type(status)] == ())


def test_a_person_is_needed_for_what_is_blocked_and_on_hold_alone() -> None:
    waiting = [Waiting(for_=for_, reason="so") for for_ in WaitFor]
    assert [status for status in (*EVERY, *waiting) if needs_person(status)] == [
        *(status for status in EVERY if isinstance(status, Blocked)),
        Waiting(for_=WaitFor.HOLD, reason="so"),
    ]


def job(status: JobStatus) -> JobState:
    return JobState(
        id=1,
        board="left",
        partition="app1",
        sha256="a" * 64,
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0.0,
    )
