"""How long boards and builds are waited for, and how much is kept of a build: as much as the number says."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asked_times import asked_times
from flash_rig import APP1, Rig
from flashdeck.config import Board, Config, Partition
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import Verified
from flashdeck.model import Contents, DaemonState, JobState, Origin, Presence
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.sightings import RETURN_SECONDS, Sightings
from flashdeckd.boards.watched_files import WatchedFiles
from flashdeckd.builds.builds import Builds, Settled, Watch
from flashdeckd.host import clock
from flashdeckd.images import parsing
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.image import Image
from flashdeckd.images.placement import Parsed
from flashdeckd.jobs.board_names import FollowedNames
from flashdeckd.jobs.book import JobBook
from flashdeckd.requests.by_build import MAX_NOTES, BuildRequests
from flashdeckd.requests.by_hand import WRITTEN_SECONDS, HandRequests
from flashdeckd.requests.waiting import LOOK_SECONDS, WaitRequests
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from flashdeckd.usb.recognition import ABSENT, Sighting
from job_states import DONE
from lane_rig import PROFILE

BOARD = Board("left", replace(PROFILE, leave=True), serial="A1")


@pytest.fixture
def hub() -> Hub:
    return Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))


class Book:
    """A book with one job that has ended, and what it brought."""

    def __init__(self, finished_at: float) -> None:
        device = Rig().device
        self._job = JobState(
            id=1,
            board="left",
            partition="app1",
            sha256="0" * 64,
            size=1,
            origin=Origin.HAND,
            status=DONE,
            created_at=0.0,
            finished_at=finished_at,
        )
        self.jobs = {1: self._job}
        self._contents = Contents(
            sha256="0" * 64,
            size=1,
            flashed_at=finished_at,
            verified=Verified.YES,
            job=1,
            serial="A1",
            bcd_device=device.bcd_device,
        )
        self.told: list[bool | None] = []

    def active(self, _: str) -> list[JobState]:
        return []

    def contents(self, _: str, partition: str) -> Contents | None:
        return self._contents if partition == "app1" else None

    async def record(self, _board: str, _partition: str, contents: Contents) -> None:
        self.told.append(contents.started)

    def log(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.mark.parametrize(("after", "told"), [(RETURN_SECONDS * 0.99, [False]), (RETURN_SECONDS * 1.01, [])])
async def test_a_board_that_is_back_so_soon_after_a_leave_did_not_start(
    monkeypatch: pytest.MonkeyPatch, after: float, told: list[bool | None]
) -> None:
    book, device = Book(finished_at=1000.0), replace(Rig().device, serial="A1")
    monkeypatch.setattr(clock, "now", lambda: 1000.0 + after)
    seen = Sightings(cast("JobBook", book), cast("Journal", None), {"left": device.port})
    await seen.remember(BOARD, Sighting(Presence.DFU, device))
    assert book.told == told


async def test_so_many_notes_are_kept_with_a_build(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tuple(f"note {number}" for number in range(2 * MAX_NOTES + 1))

    def parsed(*_: object) -> Parsed:
        return Parsed(Image.raw(bytes(16)), notes)

    async def save(_: object) -> None:
        """No disk is needed."""

    monkeypatch.setattr(parsing, "parse_for", parsed)
    guarded = replace(PROFILE, partitions={"app1": Partition("app1", APP1)})
    bench = SimpleNamespace(
        config=Config(profiles={"product": guarded}, boards={}),
        reshaping=asyncio.Lock(),
        files=SimpleNamespace(take_from_before_move=lambda *_: False),  # pyright: ignore[reportUnknownLambdaType]
    )
    nobody = cast("Any", SimpleNamespace(save_artifact=save, held=lambda _: nullcontext()))  # pyright: ignore[reportUnknownLambdaType]
    requests = BuildRequests(cast("Bench", bench), hub, nobody, nobody, FileNotes())
    watch = Watch("product", "app1", "/build/APP1.bin", 0.0)
    await requests.settled(Settled(watch, Path("/build/APP1.bin"), b"", first=False))
    assert hub.artifacts["product", "app1"].notes == notes[:MAX_NOTES]


async def test_a_person_waits_so_long_for_a_build_that_is_being_written(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_times(monkeypatch)

    async def look(*_: object) -> None:
        raise TimeoutError

    files = WatchedFiles(hub, lambda _profile: None)
    lane = SimpleNamespace(sighting=ABSENT)
    bench = SimpleNamespace(
        select=lambda *_: [BOARD],  # pyright: ignore[reportUnknownLambdaType]
        lane=lambda _: lane,  # pyright: ignore[reportUnknownLambdaType]
        files=files,
        names=FollowedNames(),
    )
    builds = SimpleNamespace(look=look, trouble="")
    requests = HandRequests(cast("Bench", bench), cast("Builds", builds), hub, FileNotes())
    with pytest.raises(FlashdeckError, match="is still being written"):
        await requests.flash("app1", "", (), no_wait=False)
    assert asked.timeouts == [WRITTEN_SECONDS + BOARD.profile.partitions["app1"].settle]
    files.note_kept_open(BOARD.profile.name, "app1", "APP1.bin is kept open for writing by pid 123 (ld)")
    with pytest.raises(FlashdeckError, match=r"is not known: APP1\.bin is kept open for writing by pid 123"):
        await requests.flash("app1", "", (), no_wait=False)
    waits = WaitRequests(cast("Bench", bench), cast("Builds", builds), hub)
    with pytest.raises(FlashdeckError, match=r"is not known after 2 s: APP1\.bin is kept open") as caught:
        await waits.for_image("app1", "", (), 2)
    assert caught.value.hint == KEPT_OPEN_HINT
    files.note_kept_open(BOARD.profile.name, "app1", "")
    with pytest.raises(FlashdeckError, match="is not known after 2 s: its file is being written"):
        await waits.for_image("app1", "", (), 2)


@pytest.mark.parametrize("patience", [0.0, LOOK_SECONDS * 0.9, LOOK_SECONDS * 1.1])
async def test_a_look_at_the_files_has_its_time_whatever_patience_the_caller_has(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    ends: list[float | None] = []
    real = asyncio.timeout_at

    def timeout_at(when: float | None) -> asyncio.Timeout:
        ends.append(when)
        return real(when)

    monkeypatch.setattr(asyncio, "timeout_at", timeout_at)
    bench = SimpleNamespace(select=lambda *_: [], names=FollowedNames())  # pyright: ignore[reportUnknownLambdaType]
    assert await WaitRequests(cast("Bench", bench), cast("Builds", None), hub).for_image("app1", "", (), patience) == []
    look, answer = ends
    assert look is not None
    assert answer is not None
    assert look - answer == pytest.approx(max(LOOK_SECONDS - patience, 0.0))
