"""Images go again once nobody needs them, while the daemon runs; a full disk costs what stays only for a rollback."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from flashdeck.errors import DiskFullError, FlashdeckError
from flashdeck.job_state import Done, Phase, Running, Written
from flashdeck.model import DaemonState, JobState, Origin
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs import spooling
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.spooling import CALM_SECONDS, JOURNAL_ROOM, SPARED_SECONDS, Spooling
from flashdeckd.state import journal as journal_module
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from flashdeckd.state.journal_schema import connect
from small_disk import small_disk

SIZE = 1000
PATIENCE = 30.0


def image(number: int, size: int = SIZE) -> Image:
    return Image.raw(number.to_bytes(4, "little") * (size // 4))


class Store:
    """A spool whose images are flashed at once, in words."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root = root
        self.journal = journal
        self.keep, self.limit = 10, 1024**3

    async def begin(self) -> None:
        ledger = await self.journal.load()
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.book = JobBook(self.hub, self.journal, ledger, lambda _: None)
        self.spooling = Spooling(
            Spool(self.root / "spool"),
            book=self.book,
            hub=self.hub,
            health=Health(self.hub),
            ledger=ledger,
            kept=lambda: (self.keep, self.limit),
        )

    async def queue(self, artifact: Artifact) -> JobState:
        return await self.book.create("left", "app1", artifact, Origin.BUILD)

    async def flash(self, number: int, size: int = SIZE) -> str:
        job = await self.bring(number, size)
        await self.end(job)
        return job.sha256

    async def bring(self, number: int, size: int = SIZE) -> JobState:
        """A build becomes a job, as builds do."""
        made = image(number, size)
        with self.spooling.held(made.sha256):
            return await self.queue(await self.spooling.add(made))

    async def end(self, job: JobState) -> None:
        for status in (Running(phase=Phase.OPEN, since=0.0, answered_at=0.0), Written(), Done()):
            await self.book.move(job, status)

    @property
    def names(self) -> set[str]:
        return {path.name for path in (self.root / "spool").iterdir()}

    async def until_kept(self, names: set[str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.names != names:  # noqa: ASYNC110 - nothing tells what is in a directory
                await asyncio.sleep(0.01)


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Store]:
    monkeypatch.setattr(spooling, "CALM_SECONDS", 0.01)
    monkeypatch.setattr(spooling, "SPARED_SECONDS", 0.05)
    async with opened(tmp_path) as store:
        yield store


@asynccontextmanager
async def opened(root: Path) -> AsyncGenerator[Store]:
    journal = await Journal.open(root / "journal.sqlite3")
    try:
        store = Store(root, journal)
        await store.begin()
        yield store
    finally:
        await journal.close()


@asynccontextmanager
async def pruned(store: Store) -> AsyncGenerator[None]:
    task = asyncio.create_task(store.spooling.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_old_images_go_while_the_daemon_runs(store: Store) -> None:
    store.keep = 2
    async with pruned(store):
        names = [await store.flash(number) for number in range(6)]
        await store.until_kept(set(names[-2:]))
        queued = await store.bring(7)
        names += [await store.flash(8)]
        await store.until_kept({queued.sha256, *names[-2:]})


async def test_the_next_daemon_keeps_the_same(store: Store, tmp_path: Path) -> None:
    store.keep = 2
    names = [await store.flash(number) for number in range(4)]
    await store.journal.close()
    async with opened(tmp_path) as again:
        again.keep = 2
        async with pruned(again):
            await again.until_kept(set(names[-2:]))


async def test_the_size_limit_holds_and_what_is_needed_is_said_to_be_more(store: Store) -> None:
    store.limit = 2 * SIZE
    async with pruned(store):
        names = [await store.flash(number) for number in range(4)]
        await store.until_kept(set(names[-2:]))
        queued = [await store.bring(number) for number in range(10, 13)]
        await store.flash(20)
        await store.until_kept({job.sha256 for job in queued})
        async with asyncio.timeout(PATIENCE):
            await store.hub.until(lambda: bool(store.hub.daemon.troubles))
        (trouble,) = store.hub.daemon.troubles
        assert trouble.part == "spool"
        assert "spool_limit" in trouble.text
        store.limit = 10 * SIZE
        await store.end(store.book.job(5))
        async with asyncio.timeout(PATIENCE):
            await store.hub.until(lambda: not store.hub.daemon.troubles)


async def test_on_a_full_disk_superseded_images_make_room_for_each_build(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = small_disk(monkeypatch, tmp_path / "spool", 3 * SIZE)
    names = [await store.flash(number) for number in range(12)]
    assert disk.refused
    assert store.names == set(names[-3:]), "not one more went than was necessary"


async def test_where_nothing_can_go_the_build_is_refused_and_taken_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = small_disk(monkeypatch, tmp_path / "spool", SIZE)
    await store.bring(1)
    with pytest.raises(DiskFullError):
        await store.spooling.add(image(2))
    disk.size += SIZE
    await store.spooling.add(image(2))


async def test_a_full_disk_below_the_journal_costs_what_stays_for_a_rollback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def small(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 50").fetchone()  # SQLite says the same of a disk without room
        return connection

    monkeypatch.setattr(journal_module, "connect", small)
    monkeypatch.setattr(spooling, "CALM_SECONDS", 0.01)
    monkeypatch.setattr(spooling, "SPARED_SECONDS", 0.05)
    async with opened(tmp_path) as store, pruned(store):
        store.journal.watch_room(store.spooling.make_room)
        names = [await store.flash(number, JOURNAL_ROOM // 2) for number in range(5)]
        with pytest.raises(FlashdeckError, match="full"):
            await store.journal.save_port("left", "1" * 400_000)
        await store.until_kept(set(names[2:]))
        more = image(6)
        with store.spooling.held(more.sha256):
            await store.spooling.add(more)  # which waits until no image is being removed
            assert store.names == {*names[2:], more.sha256}, "not one more went than was necessary"


async def test_nothing_is_removed_between_its_arrival_and_its_job(store: Store) -> None:
    store.keep = 0
    async with pruned(store):
        for number in range(50):
            artifact = image(number)
            with store.spooling.held(artifact.sha256):
                await store.spooling.add(artifact)
                store.spooling.make_room()
                await asyncio.sleep(0.002)
                await store.queue(Artifact.of(artifact))
            assert artifact.sha256 in store.names


async def test_what_could_not_go_goes_a_little_later(store: Store) -> None:
    store.keep = 0
    async with pruned(store):
        kept = await store.spooling.add(image(1))
        with store.spooling.held(kept.sha256):
            await store.flash(2)
            await store.until_kept({kept.sha256})
        await store.until_kept(set())


async def test_it_is_looked_at_again_so_much_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    has_looked = asyncio.Event()
    real = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        waits.append(seconds)
        if len(waits) > 1:  # what an earlier daemon left is looked for at once
            has_looked.set()
        return real(seconds)

    monkeypatch.setattr(spooling, "SPARED_SECONDS", SPARED_SECONDS)
    kept = await store.spooling.add(image(1))
    with store.spooling.held(kept.sha256):
        monkeypatch.setattr(asyncio, "timeout", timeout)
        async with pruned(store), real(PATIENCE):
            await has_looked.wait()
    assert waits == [None, SPARED_SECONDS]


async def test_many_changes_are_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await real(0.01)

    monkeypatch.setattr(spooling, "CALM_SECONDS", CALM_SECONDS)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    store.keep = 1
    names = [await store.flash(number) for number in range(3)]
    async with pruned(store):
        while store.names != set(names[-1:]):
            await real(0.01)
    assert naps == [CALM_SECONDS]
