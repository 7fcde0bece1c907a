"""One turn of the loop: build, write, wait until it has landed on every board, and look at the flash itself."""

import asyncio
import hashlib
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from flashdeck import api
from flashdeck.client import Client
from flashdeck.config import Enter
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import Running, Waiting, Written
from flashdeck.model import BoardState, Event, JobState, Presence, Snapshot
from flashdeck.words.jobs import status_word
from flashdeck_tui.cli.output import say
from flashdeck_tui.demo.demo_bench import DemoBench
from flashdeck_tui.demo.demo_report import DemoRow
from flashdeck_tui.demo.firmware import Build, link_slowly

PARTITION = "app1"
LAND_WITHIN = 100.0
"""Seconds until a build has to be on all boards."""
PAUSES = 5
"""The linker thinks this many times `settle` after each piece."""

T = TypeVar("T")


async def build_and_land(bench: DemoBench) -> tuple[DemoRow, ...]:
    """Builds what is there, lets it land, and says for each board what became of it.

    Raises FlashdeckError where the build does not get onto all boards.
    """
    boards = tuple(bench.config.boards.values())
    span = boards[0].profile.partitions[PARTITION].span
    before = {board.name: await bench.dump(board.name) for board in boards}
    erases_before = await _erases(bench.client)

    build = await bench.firmware.build()
    hands = _Operator(bench, build)
    jobs = await _with(hands.work(), write_and_wait(bench, build))

    erases = await _erases(bench.client)
    every_job = (await bench.client.call(api.GetJobs(limit=api.JOB_PAGE))).jobs
    rows: list[DemoRow] = []
    for board in boards:
        after = await bench.dump(board.name)
        base = min(region.address for region in board.profile.geometry.regions)
        start, end = span.start - base, span.end - base
        sha256 = hashlib.sha256(after[start : start + len(build.image)]).hexdigest()
        result = jobs[board.name].result
        if result is None:
            raise FlashdeckError(f"job {jobs[board.name].id} for board {board.name} ended without a result")
        rows.append(
            DemoRow(
                board=board.name,
                partition=PARTITION,
                version=build.version,
                bytes=len(build.image),
                erases=result.erases,
                erases_seen=erases[board.name] - erases_before[board.name],
                transfers=result.transfers,
                seconds=result.seconds,
                verified=result.verified,
                sha256=sha256,
                is_image=sha256 == build.sha256,
                outside_unchanged=(
                    len(after) == len(before[board.name])
                    and after[:start] == before[board.name][:start]
                    and after[end:] == before[board.name][end:]
                ),
                jobs=sum((job.board, job.partition, job.sha256) == _key(board.name, build) for job in every_job),
                pressed=board.name in hands.pressed,
            )
        )
    return tuple(rows)


def _key(board: str, build: Build) -> tuple[str, str, str]:
    return board, PARTITION, build.sha256


async def _erases(client: Client) -> Mapping[str, int]:
    """Sectors that each board has erased so far, as it counts them itself."""
    return {board.name: board.erases for board in (await client.call(api.VirtualList())).boards}


async def write_and_wait(bench: DemoBench, build: Build) -> dict[str, JobState]:
    """Writes the build where the daemon watches; the jobs that brought it onto the boards, by board."""
    partition = next(iter(bench.config.boards.values())).profile.partitions[PARTITION]
    pause = PAUSES * partition.settle
    say(f"{build.version}: {len(build.image)} bytes for {PARTITION}, written in pieces with {pause:g} s between them")
    await link_slowly(build.image, bench.firmware.output, pause)
    outcomes = (await bench.client.call(api.Wait(partition=PARTITION, sha256=build.sha256, timeout=LAND_WITHIN))).boards
    for failed in (outcome.failure for outcome in outcomes if outcome.failure is not None):
        raise FlashdeckError(failed.message, hint=failed.hint, kind=failed.kind)
    landed = {outcome.board: outcome.job for outcome in outcomes if outcome.job is not None}
    if missing := bench.config.boards.keys() - landed:
        raise FlashdeckError(f"{build.version} is said to be everywhere, but no job brought it to {', '.join(missing)}")
    return landed


async def _with(beside: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. `beside` runs for as long as that takes; where it fails, both do."""
    tasks = main, side = asyncio.ensure_future(work), asyncio.ensure_future(beside)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not main.done():
            await side
        return await main
    finally:
        main.cancel()
        side.cancel()
        await asyncio.wait(tasks)


class _Operator:
    """Whoever stands at the bench: watches a build land, tells of it, and presses where a board needs that."""

    def __init__(self, bench: DemoBench, build: Build) -> None:
        self.pressed: set[str] = set()
        """Boards whose buttons were pressed."""
        self._bench = bench
        self._build = build
        self._boards: dict[str, BoardState] = {}
        self._jobs: dict[str, JobState] = {}

    async def work(self) -> None:
        """Until it is cancelled."""
        async for news in self._bench.client.follow():
            boards, jobs = _parts(news)
            self._boards |= {board.name: board for board in boards}
            for job in jobs:
                if (job.board, job.partition, job.sha256) == _key(job.board, self._build):
                    self._tell(job)
                    self._jobs[job.board] = job
            for name in [name for name in self._jobs if self._needs_hands(name)]:
                say(f"{name}: pressing its buttons, as no other way leads into its bootloader")
                self.pressed.add(name)
                await self._bench.client.call(api.VirtualPress(boards=(name,)))

    def _tell(self, job: JobState) -> None:
        before = self._jobs.get(job.board)
        word = status_word(job.status).text
        if before is None or status_word(before.status).text != word:
            say(f"{job.board}: {word if isinstance(job.status, Running | Written) else job.text}")

    def _needs_hands(self, name: str) -> bool:
        return (
            name not in self.pressed
            and isinstance(self._jobs[name].status, Waiting)
            and self._bench.config.boards[name].profile.enter is Enter.MANUAL
            and self._boards[name].presence is not Presence.DFU
        )


def _parts(news: Snapshot | Event) -> tuple[tuple[BoardState, ...], tuple[JobState, ...]]:
    if isinstance(news, Snapshot):
        return news.boards, news.jobs
    return (news.board,) if news.board else (), (news.job,) if news.job else ()
