"""The history of a board: rows, durations, pages, the way back, and the page of a job."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.pilot import Pilot

from flashdeck import api
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.job_state import Done, HookRun, JobKind, PhaseTimes
from flashdeck.model import JobState, LogLevel, LogLine
from flashdeck_tui.app import AppContext, FlashdeckApp
from flashdeck_tui.board_history import MOST_JOBS, PAGE_JOBS, PIECES, BoardHistory
from flashdeck_tui.log_source import SourceLine
from flashdeck_tui.log_window import PAGE_LINES
from flashdeck_tui.screens.history_screen import LOOK_SECONDS as HISTORY_LOOK
from flashdeck_tui.screens.history_screen import NEAR_THE_END, HistoryScreen
from flashdeck_tui.screens.job_screen import AGE_SECONDS, LOG_PAGES, JobScreen
from flashdeck_tui.screens.job_screen import LOOK_SECONDS as JOB_LOOK
from flashdeck_tui.screens.questions import ConfirmScreen
from flashdeck_tui.sparkline import BARS, scale_text, sparkline
from flashdeck_tui.store import NOTHING, Selection, Store
from flashdeck_tui.views.history_rows import LONGEST_OUTPUT, job_page
from flashdeck_tui.way_back import way_back, why_no_way_back
from flashdeck_tui.widgets.rows import Rows
from tui_scene import BENCH, HOSTILE, KEYS, NEWEST, NOW, OLDER, RESULT, FakeLink, event, filled_store, job, make_app

LEFT_APP1 = Selection(board="left", partition="app1")


def done(number: int, seconds: float = 3.4, name: str = "left", sha256: str = OLDER, **fields: Any) -> JobState:
    status = Done(result=replace(RESULT, seconds=seconds))
    return job(number, name, status, sha256=sha256, version=f"1.0.{number}", **fields)


# Durations.


@given(st.lists(st.floats(0, 1e6, allow_nan=False), max_size=200), st.integers(0, 120))
def test_a_line_has_a_bar_for_each_of_the_newest_and_the_longest_is_the_highest(
    numbers: list[float], width: int
) -> None:
    line = sparkline(numbers, width)
    shown = numbers[len(numbers) - min(width, len(numbers)) :]
    assert len(line) == len(shown)
    if shown and max(shown) > 0:
        assert line[shown.index(max(shown))] == BARS[-1]
    for (one, low), (other, high) in zip(
        zip(shown, line, strict=True), zip(shown[1:], line[1:], strict=True), strict=False
    ):
        assert (one <= other) <= (BARS.index(low) <= BARS.index(high))


def test_bars_and_their_scale_in_words() -> None:
    assert sparkline([1, 2, 4, 8], 10) == "▁▂▄█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert scale_text([1.0, 2.0, 8.0]) == "3 flashes, 1.0 s to 8.0 s, half of them within 2.0 s"
    assert scale_text([2.0]) == "1 flash: 2.0 s"
    assert scale_text([]) == ""


# Pages.


class Journal:
    """Past jobs, of which each piece has few that are wanted."""

    def __init__(self, jobs: list[JobState], piece: int = 500) -> None:
        self.jobs = {each.id: each for each in jobs}
        self.piece = piece
        self.asked: list[api.GetHistory] = []

    async def page(self, wanted: api.GetHistory) -> api.HistoryPage:
        self.asked.append(wanted)
        end = wanted.before or max(self.jobs, default=0) + 1
        start = max(1, end - self.piece)
        found = [self.jobs[n] for n in range(end - 1, start - 1, -1) if n in self.jobs]
        found = [each for each in found if not wanted.boards or each.board in wanted.boards]
        if len(found) > wanted.limit:
            return api.HistoryPage(jobs=tuple(found[: wanted.limit]), next=found[wanted.limit - 1].id, since=NOW)
        return api.HistoryPage(jobs=tuple(found), next=start if start > 1 else 0, since=NOW)


async def test_pages_come_as_they_are_wanted_and_all_of_them_end() -> None:
    journal = Journal([done(n) for n in range(1, 2 * PAGE_JOBS + 2)])
    history = BoardHistory(journal.page, "left")
    assert await history.page_back() == PAGE_JOBS
    assert len(journal.asked) == 1
    assert journal.asked[0] == api.GetHistory(boards=("left",), limit=PAGE_JOBS)
    while not history.ended:
        await history.page_back()
    assert [each.id for each in history.jobs] == list(range(2 * PAGE_JOBS + 1, 0, -1))
    assert await history.page_back() == 0


async def test_a_board_with_few_jobs_is_looked_for_in_so_many_pieces() -> None:
    journal = Journal([done(1), done(2 * PIECES + 2, name="other")], piece=1)
    history = BoardHistory(journal.page, "left")
    assert await history.page_back() == 0
    assert len(journal.asked) == PIECES
    while not history.ended:
        await history.page_back()
    assert [each.id for each in history.jobs] == [1]


async def test_so_many_jobs_are_in_memory() -> None:
    journal = Journal([done(n) for n in range(1, MOST_JOBS + PAGE_JOBS + 1)])
    history = BoardHistory(journal.page, "left")
    while not (history.ended or history.is_full):
        await history.page_back()
    assert len(history.jobs) == MOST_JOBS
    assert history.take([done(10**6)])
    assert len(history.jobs) == MOST_JOBS
    assert history.jobs[0].id == 10**6
    assert await history.page_back() == 0


def test_what_runs_is_taken_as_the_daemon_tells_of_it_and_nothing_else() -> None:
    history = BoardHistory(Journal([]).page, "left", "app1")
    assert history.take(BENCH.jobs)
    assert not history.take(BENCH.jobs)
    assert [each.id for each in history.jobs] == [5]
    assert history.durations == [3.4]


# The way back.


def store_with(*jobs: JobState) -> Store:
    return filled_store(replace(BENCH, jobs=jobs))


@pytest.mark.parametrize(
    ("past", "why"),
    [
        (done(1), ""),
        (done(1, kind=JobKind.ERASE, sha256=""), "brought no image"),
        (done(1, name="gone"), "not in the configuration any more"),
        (done(1, partition="app9"), "has no partition app9 any more"),
        (done(1, partition="bootloader"), "is protected"),
        (done(1, sha256=NEWEST), "has 1.0.1 already"),
    ],
)
def test_why_there_is_no_way_back(past: JobState, why: str) -> None:
    found = why_no_way_back(store_with(), past)
    assert (why in found) if why else not found


class Daemon:
    """A daemon with some bytes, and an image that a rollback goes back to."""

    def __init__(self, *, has: bool = True, rollback: str = "") -> None:
        self.has, self.rollback = has, rollback

    async def call(self, params: api.Params[Any]) -> Any:
        if isinstance(params, api.ReadImage):
            if not self.has:
                raise RemoteError("no such image", kind=ErrorKind.NO_SUCH_ARTIFACT)
            return api.ImagePiece(data=b"x")
        assert isinstance(params, api.PlanRollback)
        if not self.rollback:
            raise RemoteError("nothing to go back to", kind=ErrorKind.NO_SUCH_ARTIFACT)
        return api.PlanList(plans=(api.BoardPlan(board="left", partition="app1", sha256=self.rollback),))


async def test_the_image_before_is_rolled_back_to_and_an_older_one_is_flashed() -> None:
    before = await way_back(done(1), Daemon(rollback=OLDER).call)
    assert before.call == api.Rollback(partition="app1", boards=("left",))
    older = await way_back(done(1), Daemon(rollback=NEWEST).call)
    assert older.call == api.Flash(partition="app1", sha256=OLDER, boards=("left",))
    assert (await way_back(done(1), Daemon().call)).call == older.call


async def test_bytes_that_are_gone_are_said_with_what_to_do() -> None:
    with pytest.raises(Exception, match=r"The bytes of 1\.0\.1 \(job 1\) are gone"):
        await way_back(done(1), Daemon(has=False).call)


# The screens.


class Bench:
    """The application under the hands of a test."""

    def __init__(self, app: FlashdeckApp, link: FakeLink, pilot: Pilot[int]) -> None:
        self.app, self.link, self.pilot = app, link, pilot

    @property
    def screen(self) -> HistoryScreen:
        assert isinstance(self.app.screen, HistoryScreen)
        return self.app.screen

    @property
    def rows(self) -> Rows:
        return self.screen.query_one("#history-jobs", Rows)

    @property
    def page(self) -> str:
        assert isinstance(self.app.screen, JobScreen)
        return str(cast("Any", self.app.screen.query_one("#job-lines"))._content.plain)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            for _ in range(3):
                await self.pilot.pause()


@asynccontextmanager
async def opened(*past: JobState, select: Selection = LEFT_APP1) -> AsyncGenerator[Bench]:
    app, link = make_app()
    link.history = past
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        if select.board:
            app.main.select(select)
            await pilot.pause()
        bench = Bench(app, link, pilot)
        await bench.press("h")
        yield bench


async def test_the_history_of_a_partition_of_a_board_and_of_all() -> None:
    async with opened(done(1), done(2), done(3, name="gone")) as bench:
        assert [row.key.job for row in bench.rows.rows] == [5, 2, 1]
        assert bench.link.calls[-1] == api.GetHistory(boards=("left",), partition="app1", limit=PAGE_JOBS)
        await bench.press("a")
        assert bench.link.calls[-1] == api.GetHistory(boards=("left",), limit=PAGE_JOBS)
        await bench.press("a")
        assert {row.key.board for row in bench.rows.rows} >= {"gone", "left", "right"}, "also what is gone"
        await bench.press("a", "escape")
        assert bench.app.screen is bench.app.main


async def test_it_loads_more_near_the_end_of_the_list() -> None:
    async with opened(*[done(n) for n in range(100, 160)]) as bench:
        cast("Any", bench.screen)._history.ended = False
        before = len(bench.link.calls)
        await bench.press(*["down"] * 5)
        assert len(bench.link.calls) == before
        await bench.press("end", *["up"] * (NEAR_THE_END - 2))
        assert len(bench.link.calls) > before
        for asks in (True, False):
            now = len(bench.link.calls)
            cast("Any", bench.screen)._history.ended = False
            await bench.press("up")
            assert (len(bench.link.calls) > now) is asks


async def test_back_from_there_asks_and_then_calls_what_is_possible() -> None:
    async with opened(done(1)) as bench:
        bench.link.answers[api.ReadImage] = api.ImagePiece(data=b"x")
        bench.link.answers[api.PlanRollback] = api.PlanList(plans=())
        await bench.press("down", "b")
        assert isinstance(bench.app.screen, ConfirmScreen)
        await bench.press("n")
        assert not [call for call in bench.link.calls if isinstance(call, api.Flash | api.Rollback)]
        await bench.press("b", "y")
        assert bench.link.calls[-1] == api.Flash(partition="app1", sha256=OLDER, boards=("left",))
        assert bench.screen.said.startswith("Job 11 brings it back")


async def test_where_there_is_no_way_back_it_is_said() -> None:
    async with opened(done(1)) as bench:
        await bench.press("b")
        assert "has 1.0.2 already" in bench.screen.said
        bench.link.answers[api.ReadImage] = RemoteError("gone", kind=ErrorKind.NO_SUCH_ARTIFACT)
        await bench.press("down", "b")
        assert "flashdeck flash app1 FILE --board left" in bench.screen.said


async def test_a_daemon_that_is_away_is_said() -> None:
    async with opened() as bench:
        bench.link.answers[api.GetHistory] = ConnectionFailedError("no flashdeckd listens")
        await bench.press("a")
        assert "Older jobs cannot be had now" in bench.screen.said


async def test_enter_opens_the_page_of_a_job_which_is_live_while_it_runs() -> None:
    async with opened(select=Selection(board="bench-1", partition="app1")) as bench:
        await bench.press("enter")
        assert "41 %" in bench.page
        assert "flashing 1.0.2" in bench.page
        ended = done(8, name="bench-1")
        bench.app.fleet.hosts[0].store.take(event(job=ended))
        cast("JobScreen", bench.app.screen).look()
        await bench.pilot.pause()
        assert "98 KiB in 3.4 s" in bench.page
        await bench.press("escape")
        assert isinstance(bench.app.screen, HistoryScreen)


async def test_enter_on_a_job_of_the_queue_opens_the_same_page() -> None:
    app, link = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        await pilot.pause()
        bench = Bench(app, link, pilot)
        await bench.press("2")
        jobs = app.main.query_one("#jobs", Rows)
        jobs.select(next(row.key for row in jobs.rows if row.key.job == 5))
        await pilot.pause()
        await bench.press("enter")
        assert "job 5 (1.0.2 into app1): done" in bench.page
        assert any(isinstance(call, api.GetLogs) and call.job == 5 for call in link.calls)


async def test_of_a_long_log_so_many_pages_are_fetched() -> None:
    line = LogLine(id=1, time=NOW, level=LogLevel.INFO, text="block", board="left", job=5)
    page = api.LogPage(lines=tuple(replace(line, id=number + 1) for number in range(PAGE_LINES)), next=0, before=1)
    app, link = make_app()
    link.answers[api.GetLogs] = page
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        app.main.select(Selection(job=5))
        bench = Bench(app, link, pilot)
        await bench.press("2", "enter")
        await cast("Any", app.workers).wait_for_complete()
        await pilot.pause()
        assert len([call for call in link.calls if isinstance(call, api.GetLogs)]) == LOG_PAGES
        assert "older lines: 'flashdeck logs --job'" in bench.page


def test_the_page_has_everything_and_is_harmless() -> None:
    hook = HookRun(name="done", ending="ended with 0", code=0, output=("said this", *[HOSTILE] * LONGEST_OUTPUT))
    whole = replace(
        done(7),
        times=PhaseTimes(write=2.0, verify=1.0),
        hook=hook,
        attempts=2,
        started_at=NOW - 9,
        status=Done(result=replace(RESULT, unchanged=8192, remarks=("read once more",))),
    )
    log = [SourceLine("log", 1, NOW, LogLevel.ERROR, HOSTILE, "left", 7)]
    lines = [line.text for line in job_page(store_with(), whole, log, NOW, KEYS, width=70)]
    text = "\n".join(lines)
    for said in (
        f"SHA-256: {OLDER}",
        "2 attempts",
        "420 transfers, 98 reads",
        "8 KiB of 106 KiB were right already",
        "against half an image: boot unit last",
        "read once more",
        "where the time went",
        "write",
        "hook done ended with 0",
    ):
        assert said in text, said
    assert "\x1b" not in text
    assert sum("owned" in line for line in lines) == LONGEST_OUTPUT + 2
    assert "said this" not in text


def test_screens_look_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    app, _ = make_app()
    for kind in (HistoryScreen, JobScreen):
        monkeypatch.setattr(kind, "set_interval", lambda _, seconds, __: asked.append(seconds))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        monkeypatch.setattr(kind, "run_worker", lambda _, work, **__: work.close())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]
    HistoryScreen(AppContext(app=app, selection=NOTHING, targets=())).on_mount()
    now = NOW
    page = JobScreen(app.fleet.hosts[0], job(8, "bench-1"), lambda: now, KEYS)
    page.on_mount()
    assert asked == [HISTORY_LOOK, JOB_LOOK]
    shown: list[float] = []

    def show() -> None:
        shown.append(now)
        vars(page)["_shown_at"] = now

    monkeypatch.setattr(page, "show", show)
    page.look()
    for now in (NOW + 0.99 * AGE_SECONDS, NOW + AGE_SECONDS):  # noqa: B007 - the clock reads it
        page.look()
    assert shown == [NOW, NOW + AGE_SECONDS]
