"""A build that was queued and never recorded as seen, and the one before it that comes back: the file decides."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench_rig import Scene, opened
from flash_rig import image
from flashdeck.errors import HostError
from flashdeck.model import ArtifactState, JobState
from flashdeckd.builds.builds import Settled, Watch
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.jobs.spooling import Spooling
from flashdeckd.requests.by_build import BuildRequests
from flashdeckd.state.health import Health
from flashdeckd.state.journal import Journal
from job_states import CANCELLED

PATH = Path("/build/APP1.bin")
WATCH = Watch(profile="product", partition="app1", pattern=str(PATH), settle=0.0)
OLD, NEW = (image(20_000, seed=seed) for seed in (1, 2))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        yield scene


async def requests_of(scene: Scene) -> BuildRequests:
    ledger = await scene.journal.load()
    for artifact in ledger.artifacts.values():
        scene.hub.publish_artifact(artifact)
    spooling = Spooling(
        scene.spool,
        book=scene.bench.book,
        hub=scene.hub,
        health=Health(scene.hub),
        ledger=ledger,
        kept=lambda: (10, 1024**3),
    )
    return BuildRequests(scene.bench, scene.hub, scene.journal, spooling, FileNotes())


async def built(requests: BuildRequests, data: bytes) -> None:
    await requests.settled(Settled(WATCH, PATH, data, first=False))


async def by_halves(requests: BuildRequests, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a build up to where it would be recorded as seen."""

    async def full(_journal: Journal, _state: ArtifactState) -> None:
        raise HostError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "save_artifact", full)
        with pytest.raises(HostError):
            await built(requests, data)


def newest_jobs(scene: Scene) -> list[JobState]:
    return [scene.bench.book.active(board)[-1] for board in ("left", "right")]


async def test_the_build_that_is_there_again_takes_the_place_of_one_that_was_taken_by_halves(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = await requests_of(scene)
    await built(requests, OLD)
    wanted = {job.sha256 for job in newest_jobs(scene)}
    await by_halves(requests, NEW, monkeypatch)
    assert wanted.isdisjoint(job.sha256 for job in newest_jobs(scene))
    await built(requests, OLD)
    assert {job.sha256 for job in newest_jobs(scene)} == wanted
    jobs = dict(scene.bench.book.jobs)
    await built(requests, OLD)
    assert dict(scene.bench.book.jobs) == jobs, "now it is nothing new any more"


async def test_it_does_so_when_another_daemon_finds_it_and_the_jobs_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as scene:
        requests = await requests_of(scene)
        await built(requests, OLD)
        wanted = {job.sha256 for job in newest_jobs(scene)}
        await by_halves(requests, NEW, monkeypatch)
        for job in newest_jobs(scene):
            await scene.bench.book.move(job, CANCELLED)
    async with opened(tmp_path) as scene:
        await built(await requests_of(scene), OLD)
        assert {job.sha256 for job in newest_jobs(scene)} == wanted


async def test_a_build_that_was_only_touched_takes_nothing_from_a_person(scene: Scene) -> None:
    requests = await requests_of(scene)
    await built(requests, OLD)
    await built(requests, NEW)
    for job in newest_jobs(scene):
        await scene.bench.book.move(job, CANCELLED)
    jobs = dict(scene.bench.book.jobs)
    await built(requests, NEW)
    assert dict(scene.bench.book.jobs) == jobs
