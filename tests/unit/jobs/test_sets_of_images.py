"""The book keeps what concerns several partitions at once as one: jobs that bring a board back, and what ran there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError, HostError
from flashdeck.job_state import Failed, Failure, Phase, Queued, Running, Verified, Written
from flashdeck.model import Contents, DaemonState, JobState, Origin
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.book import JobBook
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal

CRASHED = Failed(failure=Failure(kind=ErrorKind.CRASHED, message="no"))
NOTE = "goes back by itself: 1.0.3 crashed"


class Shelf:
    """A book, its journal, and what it told."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.book: JobBook

    async def load(self) -> JobBook:
        """Return the book as the next daemon has it."""
        self.book = JobBook(self.hub, self.journal, await self.journal.load(), lambda _: None)
        return self.book

    async def crash(self) -> JobState:
        """A build is flashed and crashes."""
        job = await self.book.create("left", "app1", artifact("bad"), Origin.BUILD)
        await self.book.move(job, Running(phase=Phase.OPEN, since=0.0, answered_at=0.0))
        await self.book.move(job, Written())
        return await self.book.move(job, CRASHED, undecided=True)


def artifact(name: str) -> Artifact:
    return Artifact(name, 8, f"v-{name}", is_program=True)


def contents(sha256: str) -> Contents:
    return Contents(sha256=sha256, size=8, flashed_at=1.0, verified=Verified.YES, job=1)


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[Shelf]:
    journal = await Journal.open(path / "journal.sqlite3")
    try:
        shelf = Shelf(journal)
        await shelf.load()
        yield shelf
    finally:
        await journal.close()


async def full(*_: object) -> None:
    raise HostError("the disk is full")


async def test_what_brings_a_board_back_is_queued_together_and_decides_what_crashed(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        crashed = await shelf.crash()
        assert shelf.book.undecided_jobs("left") == [crashed]
        assert (await shelf.load()).undecided_jobs("left") == [crashed]
        wanted = {"app1": [artifact("good"), artifact("patch")], "partition2": [artifact("other")]}
        jobs = await shelf.book.go_back("left", wanted, NOTE)
        assert [(job.partition, job.sha256, job.patch) for job in jobs] == [
            ("app1", "good", False),
            ("app1", "patch", True),
            ("partition2", "other", False),
        ]
        assert {(job.origin, job.note, job.status) for job in jobs} == {(Origin.FLASHDECK, NOTE, Queued(note=NOTE))}
        assert shelf.book.active("left") == jobs
        assert shelf.book.undecided_jobs("left") == []
        again = await shelf.load()
        assert (again.active("left"), again.undecided_jobs("left")) == (jobs, [])
        later = await again.create("left", "app1", artifact("new"), Origin.BUILD)
        assert later.id == jobs[-1].id + 1


async def test_a_decision_that_cannot_be_recorded_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as shelf:
        crashed = await shelf.crash()
        with monkeypatch.context() as patched:
            patched.setattr(shelf.journal, "save_jobs", full)
            with pytest.raises(FlashdeckError, match="disk is full"):
                await shelf.book.go_back("left", {"app1": [artifact("good")]}, NOTE)
        for book in (shelf.book, await shelf.load()):
            assert (book.active("left"), book.undecided_jobs("left")) == ([], [crashed])
        assert await shelf.book.go_back("left", {}, "") == []
        assert (await shelf.load()).undecided_jobs("left") == []


async def test_contents_that_could_not_be_recorded_together_are_with_the_next_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as shelf:
        both = {"app1": contents("a"), "partition2": contents("b")}
        with monkeypatch.context() as patched:
            patched.setattr(shelf.journal, "save_all_contents", full)
            await shelf.book.record_all("left", both)
        assert shelf.book.contents("left", "partition2") == both["partition2"]
        assert (await shelf.journal.load()).contents == {}
        await shelf.book.record_all("right", {"app1": contents("c")})
        book = await shelf.load()
        assert {name: book.contents("left", name) for name in both} == both
        assert book.contents("right", "app1") == contents("c")
