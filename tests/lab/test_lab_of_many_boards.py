"""64 boards on 4 daemons under one coordinator, each with its own state: who holds one has it alone."""

import asyncio
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack

import pytest

from lab.lab_daemon import LabDaemon, lab_daemon
from lab.lab_rig import LabSite, lab_site
from lab.lab_storm import lab_storm
from lab.pool import Path, PoolUser, in_pool, pool_user
from rig import WAIT_SECONDS, firmware
from soaking import sized
from storm_tally import SHOWN

RACKS = {f"rack{rack}": [f"b{rack}{number:02}" for number in range(16)] for rack in range(4)}
BOARDS = {(rack, board) for rack, boards in RACKS.items() for board in boards}
DEEDS = sized(300, 300, 10_000)
"""Acquisitions, each with its release."""
PROMISED = 2.0
"""Seconds after which the boards of a daemon that died can no longer be had."""
BEAT = 0.05
"""Seconds of one beat, by which that is counted: a machine that is too busy for it is too busy for the rest, too."""
ONE, TWO = (firmware(version) for version in ("1.0.0", "2.0.0"))


@pytest.fixture(scope="module")
def site() -> Generator[LabSite]:
    with lab_site(*sorted(board for _, board in BOARDS)) as made:
        yield made


@pytest.fixture(scope="module")
def racks(site: LabSite) -> Generator[list[LabDaemon]]:
    with ExitStack() as open_:
        made = [open_.enter_context(lab_daemon(rack, boards, site)) for rack, boards in RACKS.items()]
        in_pool(site.address, BOARDS)
        yield made


@pytest.mark.soak
async def test_nobody_reaches_a_board_that_another_holds(
    site: LabSite, racks: Sequence[LabDaemon], record_property: Callable[[str, object], None]
) -> None:
    seed = sized(1, 1, time.time_ns() % 1_000_000)
    async with lab_storm(site.address, racks, seed=seed, deeds=DEEDS) as storm:
        try:
            await storm.passes()
            await storm.calms_down()
        finally:
            counted = ", ".join(f"{count} {what}" for what, count in sorted(storm.seen.items()))
            record_property(SHOWN, f"lab of {len(BOARDS)} boards, seed {seed}: {counted}")
    assert storm.seen["acquired"] >= DEEDS
    for what in ("flashed by the holder", "intruders refused", "builds", "jobs done"):
        assert storm.seen[what] > DEEDS / 50, storm.seen


async def beats(user: PoolUser, wanted: set[Path]) -> tuple[int, float]:
    """Return the beats, and the seconds, until exactly these boards can be had."""
    count, began = 0, time.monotonic()
    reached = asyncio.create_task(user.until(lambda now: now.available == wanted))
    while not reached.done():
        await asyncio.wait((reached,), timeout=BEAT)
        count += 1
    await reached
    return count, time.monotonic() - began


async def test_a_daemon_that_is_killed_takes_its_boards_out_of_the_pool_and_brings_them_back(
    site: LabSite, racks: Sequence[LabDaemon], record_property: Callable[[str, object], None]
) -> None:
    victim, *others = racks
    kept = RACKS[victim.name][3]
    async with pool_user(site.address, "desk/ann") as ann:
        assert await ann.acquire(kept)
        victim.process.send_signal(signal.SIGKILL)
        count, seconds = await beats(ann, {path for path in BOARDS if path[0] != victim.name})
        record_property(SHOWN, f"16 boards of a killed daemon left the pool within {seconds:.2f} s, {count} beats")
        assert count <= PROMISED / BEAT
        assert all(each.process.poll() is None for each in others)
        await asyncio.to_thread(victim.process.wait, WAIT_SECONDS)
        victim.build(TWO)
        await asyncio.to_thread(victim.start)
        await ann.until(lambda now: now.available == BOARDS)
        assert ann.holders[kept] == "desk/ann"
        async with victim.connected() as bench:
            free = [board for board in RACKS[victim.name] if board != kept]
            await bench.flash("app1", TWO, boards=free, timeout=WAIT_SECONDS)
            (held,) = await bench.boards(kept)
        assert held.lease is not None
        assert "desk/ann" in held.lease.by
        await ann.release(kept)


async def test_a_coordinator_that_is_killed_and_comes_back_loses_nothing(
    site: LabSite, racks: Sequence[LabDaemon]
) -> None:
    rack = racks[1]
    held, *free = RACKS[rack.name]
    async with pool_user(site.address, "desk/ann") as ann, rack.connected() as bench:
        assert await ann.acquire(held)
        (before,) = await bench.boards(held)
        assert before.lease is not None
        site.stop(signal.SIGKILL)
        await ann.until(lambda now: now.is_lost)
        await bench.flash("app1", ONE, boards=free, timeout=WAIT_SECONDS)
        (meanwhile,) = await bench.boards(held)
        assert meanwhile.lease is not None, "nobody knows that it was released"
        await asyncio.to_thread(site.start)
    async with pool_user(site.address, "desk/bob") as bob, rack.connected("desk/bob") as bench:
        await bob.until(lambda now: now.available == BOARDS)
        assert set(bob.holders) == {board for _, board in BOARDS}
        assert bob.holders[held] == "", "labgrid's own coordinator forgets who had what"
        assert await bob.acquire(held)
        await bench.flash("app1", TWO, boards=held, timeout=WAIT_SECONDS)
        await bob.release(held)
    async with rack.connected() as bench:
        await bench.flash("app1", ONE, boards=held, timeout=WAIT_SECONDS)
