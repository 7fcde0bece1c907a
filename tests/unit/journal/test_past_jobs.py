"""The whole journal, a piece at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest

from flashdeck.job_state import Phase, PhaseTimes
from flashdeck.model import JobState, Origin
from flashdeckd.state import journal as journal_module
from flashdeckd.state.journal import KEPT_JOBS, PAGE_BYTES, PAGE_JOBS, Journal
from job_states import DONE


def a_job(number: int, **fields: object) -> JobState:
    values: dict[str, object] = {
        "id": number,
        "board": "left",
        "partition": "app1",
        "sha256": "aa" * 32,
        "size": 100_000,
        "origin": Origin.BUILD,
        "status": DONE,
        "created_at": 1_700_000_000.0 + number,
    }
    return JobState(**(values | fields))  # type: ignore[arg-type]  # the point of a test's builder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncGenerator[Journal]:
    journal = await Journal.open(path)
    yield journal
    await journal.close()


async def fill(journal: Journal, *jobs: JobState) -> None:
    await asyncio.gather(*(journal.save_job(job) for job in jobs))


async def pages(journal: Journal) -> list[list[int]]:
    """Return the numbers of all jobs, piece by piece."""
    found: list[list[int]] = []
    before = 0
    while True:
        page = await journal.jobs_below(before)
        found.append([job.id for job in page.jobs])
        before = page.next
        if not before:
            return found


async def test_an_empty_journal_has_an_empty_history(journal: Journal) -> None:
    assert await pages(journal) == [[]]
    reach = await journal.reach()
    assert (reach.since, reach.kept) == (None, 0)


async def test_so_many_jobs_are_read_at_once_and_the_next_piece_goes_on_below(journal: Journal) -> None:
    await fill(journal, *(a_job(number) for number in range(1, PAGE_JOBS + 2)))
    first, second = await pages(journal)
    assert first == list(range(PAGE_JOBS + 1, 1, -1))
    assert second == [1]


async def test_so_many_bytes_are_read_at_once_and_one_job_always(journal: Journal) -> None:
    def large(number: int) -> JobState:
        return a_job(number, version="v" * (PAGE_BYTES // 2 - 1000))

    whole = a_job(4, version="v" * (PAGE_BYTES + 1))
    await fill(journal, large(1), large(2), large(3), whole)
    assert await pages(journal) == [[4], [3, 2], [1]]


async def test_a_row_that_cannot_be_read_is_left_out_and_the_others_are_there(path: Path, journal: Journal) -> None:
    await fill(journal, a_job(1), a_job(2), a_job(3))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE job SET state = 'not JSON' WHERE id = 2")
        other.execute("UPDATE job SET state = '{\"id\": 1}' WHERE id = 1")
    assert await pages(journal) == [[3]]
    assert await journal.with_jobs("board") == {"left"}
    assert await journal.with_jobs("partition") == {"app1"}


async def test_it_says_from_when_on_no_job_is_missing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_JOBS", 3)
    await fill(journal, *(a_job(number) for number in (1, 2, 3)))
    reach = await journal.reach()
    assert (reach.since, reach.kept) == (1_700_000_001.0, 0)
    await fill(journal, *(a_job(number) for number in (4, 5)))
    reach = await journal.reach()
    assert (reach.since, reach.kept) == (1_700_000_003.0, 3)
    assert KEPT_JOBS > PAGE_JOBS


async def test_the_times_of_the_phases_outlive_the_daemon(path: Path) -> None:
    times = PhaseTimes().plus(Phase.ERASE, 1.2).plus(Phase.BOOT_UNIT, 0.03)
    journal = await Journal.open(path)
    await journal.save_job(a_job(1, times=times))
    await journal.close()
    again = await Journal.open(path)
    (job,) = (await again.jobs_below(0)).jobs
    await again.close()
    assert job.times == times


def test_every_phase_is_counted_by_itself() -> None:
    for phase in Phase:
        times = PhaseTimes().plus(phase, 1.5).plus(phase, 0.25)
        counted = 0.0 if phase is Phase.OTHER else 1.75
        assert times.of(phase) == counted
        assert sum(times.of(each) for each in Phase) == counted
