"""The maps of all boards: drawn for those who look, told when they change, and no more often than can be seen."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from flash_rig import APP1, SECTOR, image, pieces
from flashdeck.api import BoardPlan, PartitionPlace
from flashdeck.config import Board, Partition
from flashdeck.flash_map import FlashMap, SectorRun, SectorState
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Done, Failed, JobKind, Origin, Verified
from flashdeck.model import Contents, DaemonState, Event, JobState, Layer
from flashdeck.rpc import MAX_LINE
from flashdeckd.flash.engine import preview
from flashdeckd.flash.sector_events import SectorAct, SectorEvent
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.flash_maps import MAX_RUNS_AT_ONCE, FlashMaps
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.map_drawing import MAX_CELLS
from flashdeckd.jobs.sector_reports import MAP_SECONDS, SectorReports
from flashdeckd.requests.planning import MAX_MAP_RUNS, with_fitting_maps
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal, Ledger
from job_states import DONE, RUNNING
from lane_rig import PROFILE, running_lane
from set_clock import set_clock

HEAD = Range.sized(APP1.start, SECTOR)
WORK = SectorWork(7, "app1", ((HEAD, SectorState.WRITTEN),))


class Maps:
    """The maps of some boards, without lanes."""

    def __init__(self, journal: Journal, shelf: Shelf, names: tuple[str, ...] = ("left",)) -> None:
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        ledger = Ledger(jobs=(), contents={}, artifacts={}, holds={}, ports={}, histories={}, next_job=1)
        self.boards = {name: Board(name, PROFILE, serial=name) for name in names}
        self.book = JobBook(self.hub, journal, ledger, lambda _: None)
        self.shelf = shelf
        self.maps = FlashMaps(self.hub, self.book, shelf, self.boards.get)
        self.told: list[FlashMap] = []

    def look(self) -> None:
        """Somebody wants to see maps."""
        self.hub.listen(self._hear, maps=True)

    def _hear(self, event: Event) -> None:
        if event.map is not None:
            self.told.append(event.map)

    def runs(self, job: int, status: Any = RUNNING) -> None:
        made = JobState(
            id=job,
            board="left",
            partition="app1",
            sha256="",
            size=1,
            origin=Origin.HAND,
            status=status,
            created_at=0.0,
        )
        cast("dict[int, JobState]", self.book.jobs)[job] = made

    async def has(self, **fields: Any) -> None:
        known: dict[str, Any] = {"sha256": "a", "size": 1, "flashed_at": 0.0, "verified": Verified.YES, "job": 7}
        await self.book.record("left", "app1", Contents(**known | fields))

    def state(self, address: int = HEAD.start) -> SectorState:
        (drawn,) = self.maps.draw(("left",))
        (state,) = [run.state for run in drawn.runs if run.address <= address < run.end]
        return state


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[Journal]:
    made = await Journal.open(tmp_path / "journal.sqlite3")
    yield made
    await made.close()


@pytest.fixture
def maps(journal: Journal, tmp_path: Path) -> Maps:
    return Maps(journal, Shelf(Spool(tmp_path / "spool")))


async def test_nothing_is_drawn_while_nobody_looks(maps: Maps, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(maps.shelf, "image", asked.append)
    await maps.has(layers=(Layer(sha256="a"),))
    maps.maps.tell("left")
    maps.maps.note("left", WORK)
    assert asked == []
    maps.look()
    maps.maps.tell("left")
    assert asked == ["a"]
    assert len(maps.told) == 1


async def test_a_map_is_told_once_for_each_change(maps: Maps) -> None:
    maps.look()
    for _ in range(3):
        maps.maps.tell("left")
    assert len(maps.told) == 1
    maps.runs(7)
    for _ in range(3):
        maps.maps.note("left", WORK)
    assert [told.job for told in maps.told] == [0, 7]


async def test_whoever_looks_already_hears_what_a_newcomer_sees(maps: Maps) -> None:
    maps.look()
    maps.maps.tell("left")
    maps.runs(7)
    maps.maps.note("left", WORK)
    maps.runs(7, DONE)
    await maps.has()
    (drawn,) = maps.maps.draw(("left",))
    assert maps.told[-1] == drawn


async def test_the_work_of_the_last_job_stays_while_its_partition_is_as_it_left_it(maps: Maps) -> None:
    maps.maps.note("left", WORK)
    assert maps.state() is SectorState.UNTOUCHED  # nobody knows of that job
    maps.runs(7)
    assert maps.state() is SectorState.WRITTEN
    maps.runs(7, DONE)
    assert maps.state() is SectorState.UNTOUCHED  # it has changed nothing
    await maps.has(job=7)
    assert maps.state() is SectorState.WRITTEN
    await maps.has(job=7, uncertain=True)
    assert maps.state() is not SectorState.WRITTEN
    await maps.has(job=8)
    assert maps.state() is not SectorState.WRITTEN


async def test_the_map_follows_the_configuration(maps: Maps) -> None:
    assert maps.state() is SectorState.UNTOUCHED
    app1 = Partition("app1", APP1, protected=True)
    maps.boards["left"] = Board("left", replace(PROFILE, partitions={"app1": app1}), serial="A1")
    assert maps.state() is SectorState.PROTECTED


async def test_a_renamed_board_keeps_its_work(maps: Maps) -> None:
    maps.maps.note("left", WORK)
    maps.runs(7)
    maps.boards["lab"] = replace(maps.boards.pop("left"), name="lab")
    maps.maps.rename_boards({"left": "lab"})
    (drawn,) = maps.maps.draw(("lab",))
    assert (drawn.board, drawn.job) == ("lab", 7)
    maps.maps.forget("lab")
    (drawn,) = maps.maps.draw(("lab",))
    assert drawn.job == 0


async def test_all_maps_of_one_message_have_only_so_many_runs(journal: Journal, tmp_path: Path) -> None:
    names = tuple(f"board-{number:03}" for number in range(100))
    maps = Maps(journal, Shelf(Spool(tmp_path / "spool")), names)
    geometry = Geometry((Region(APP1.start, MAX_CELLS, SECTOR),))
    span = Range.sized(APP1.start, MAX_CELLS * SECTOR)
    profile = replace(PROFILE, geometry=geometry, partitions={"app1": Partition("app1", span)})
    sectors = [sector.span for sector in geometry.sectors()]
    both = (SectorState.ERASED, SectorState.EQUAL)
    work = SectorWork(7, "app1", tuple((sector, both[at % 2]) for at, sector in enumerate(sectors)))
    maps.runs(7)
    for name in names:
        maps.boards[name] = Board(name, profile, serial=name)
        maps.maps.note(name, work)
    drawn = maps.maps.draw(names)
    assert len(drawn) == MAX_RUNS_AT_ONCE // MAX_CELLS
    assert len(msgspec.json.encode(drawn)) < MAX_LINE // 2
    (one,) = maps.maps.draw(names[-1:])
    assert len(one.runs) == MAX_CELLS


# From a lane.


async def test_a_lane_tells_how_far_its_sectors_are(tmp_path: Path) -> None:
    works: list[SectorWork] = []
    async with running_lane(tmp_path) as scene:
        scene.on_work = works.append
        job = await scene.until(await scene.order(data=image(3 * SECTOR)), Done, Failed)
        assert isinstance(job.status, Done), job.text
    first, *_, last = works
    assert {state for _, state in first.states} == {SectorState.TO_ERASE}
    ends = {state for span, state in last.states if span.start < APP1.start + 3 * SECTOR}
    assert ends in ({SectorState.WRITTEN}, {SectorState.VERIFIED})
    assert (last.job, last.partition) == (job.id, "app1")


async def test_a_job_that_reads_tells_nothing_of_sectors(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        await scene.until(await scene.order(data=image(3 * SECTOR)), Done, Failed)
        works: list[SectorWork] = []
        scene.on_work = works.append
        await scene.until(await scene.ask(JobKind.VERIFY), Done, Failed)
        assert works == []


def test_the_states_are_passed_on_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = set_clock(monkeypatch)
    loop = SimpleNamespace(call_soon_threadsafe=lambda show, work: show(work))  # pyright: ignore[reportUnknownLambdaType]
    works: list[SectorWork] = []
    reports = SectorReports(
        loop=cast("asyncio.AbstractEventLoop", loop),
        job=cast("Any", SimpleNamespace(id=1, partition="app1")),
        sectors=(HEAD,),
        show=works.append,
    )
    erasing = SectorEvent(SectorAct.ERASING, HEAD)
    reports.happened(erasing)
    for after, told in ((0.0, 1), (MAP_SECONDS * 0.99, 1), (MAP_SECONDS * 1.01, 2)):
        clock.seconds = 100_000.0 + after
        reports.happened(erasing)
        assert len(works) == told
    reports.happened(SectorEvent(SectorAct.ERASED, HEAD))
    reports.catch_up()
    assert len(works) == 2
    clock.seconds += MAP_SECONDS
    reports.catch_up()
    reports.catch_up()
    assert len(works) == 3
    reports.end()
    assert len(works) == 4


def test_a_device_without_addresses_tells_nothing() -> None:
    works: list[SectorWork] = []
    reports = SectorReports(
        loop=cast("asyncio.AbstractEventLoop", None),
        job=cast("Any", SimpleNamespace(id=1, partition="app1")),
        sectors=(),
        show=works.append,
    )
    reports.happened(SectorEvent(SectorAct.ERASING, HEAD))
    reports.end()
    assert works == []


async def test_the_map_of_a_plan_shows_what_it_does_and_nobody_else_is_told(maps: Maps) -> None:
    maps.look()
    board, app1 = maps.boards["left"], PROFILE.partitions["app1"]
    plan = preview(pieces((0, image(3 * SECTOR))), target_of(board, app1), ASSUMED_FACTS)
    drawn = maps.maps.planned(board, app1, plan)
    states = {run.state for run in drawn.runs if APP1.start <= run.address < APP1.start + 3 * SECTOR}
    assert states == {SectorState.TO_ERASE}
    assert drawn.sums.to_erase.sectors == 3
    (resting,) = maps.maps.draw(("left",))
    assert sum(run.size * run.count for run in drawn.runs) == sum(run.size * run.count for run in resting.runs)
    assert drawn not in maps.told
    assert SectorState.TO_ERASE not in {run.state for run in resting.runs}


def test_maps_of_plans_never_keep_the_plans_from_travelling() -> None:
    runs = tuple(SectorRun(address=at, size=1, state=SectorState.EQUAL) for at in range(MAX_MAP_RUNS // 2))
    place = PartitionPlace(name="app1", address=0, size=1)
    plan = BoardPlan(board="left", partition="app1", sha256="", map=FlashMap(board="left", runs=runs), places=(place,))
    first, second, third = with_fitting_maps([plan] * 3)
    assert first == second == plan
    assert third == msgspec.structs.replace(plan, map=None, places=())
    assert len(msgspec.json.encode((first, second))) < MAX_LINE // 8
