"""The names of exporters at a real coordinator: one that is taken, and who says it first."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from flashdeck import AsyncBench
from flashdeckd.lab.lab_exporter import LabExporter
from flashdeckd.lab.lab_lines import FromLab, LabBoards, LabSettings, LabState, OfferedBoard
from lab.lab_daemon import lab_daemon
from lab.lab_rig import lab_site
from lab.pool import in_pool, pool_user
from rig import WAIT_SECONDS

BOARD = OfferedBoard(name="left", group="left", params={}, available=True)


async def until_degraded(bench: AsyncBench, reached: Callable[[str], bool]) -> None:
    """Return once what a daemon says of its parts that do not work is so."""
    async with asyncio.timeout(WAIT_SECONDS), aclosing(bench.events()) as changes:
        async for change in changes:
            if change.daemon is not None and reached(" ".join(change.daemon.degraded)):
                return


async def test_a_name_that_is_taken_is_told_and_is_had_once_it_is_free() -> None:
    with (
        lab_site("left", "right") as site,
        lab_daemon("rack", ["left"], site) as first,
    ):
        await asyncio.to_thread(in_pool, site.address, {("rack", "left")})
        with lab_daemon("rack", ["right"], site) as second:
            async with second.connected() as bench, pool_user(site.address, "desk/observer") as pool:
                await until_degraded(
                    bench,
                    lambda told: "an exporter called rack is in the pool already" in told and "another name" in told,
                )
                assert pool.available == {("rack", "left")}
                await asyncio.to_thread(first.stop)
                await pool.until(lambda now: now.available == {("rack", "right")})
                await until_degraded(bench, lambda told: not told)


async def test_a_board_that_comes_while_a_connection_begins_does_not_come_before_its_name() -> None:
    told: asyncio.Queue[FromLab] = asyncio.Queue()
    with lab_site("left") as site:
        exporter = LabExporter(LabSettings(coordinator=site.address, name="rack"), told.put_nowait)
        running = asyncio.create_task(exporter.run())
        try:
            await asyncio.sleep(0)  # as far as it gets by itself: it has a connection, and has said nothing yet
            exporter.hear(LabBoards(boards=(BOARD,)))
            async with asyncio.timeout(WAIT_SECONDS):
                assert isinstance(await told.get(), LabState)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
