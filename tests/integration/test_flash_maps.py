"""The flash map of a board on a real daemon: seen by a client that asks for it, and by nobody else."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.flash_map import FlashMap, SectorState
from flashdeck.job_state import Done
from flashdeck.model import Event, Snapshot
from rig import APP1, PARTITION2, WAIT_SECONDS, Rig, board, firmware, prepare, running

SECTOR = 8192
SECTORS = 4
"""Sectors of the images."""
ONE, TWO = (firmware(version, size=SECTORS * SECTOR) for version in ("1.0.0", "1.0.1"))
WAY: Final = (
    SectorState.TO_ERASE,
    SectorState.ERASING,
    SectorState.ERASED,
    SectorState.WRITING,
    SectorState.WRITTEN,
    SectorState.VERIFIED,
)


@asynccontextmanager
async def bench(bench: str, boards: str) -> AsyncGenerator[Rig]:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as name:
        root = Path(name)
        prepare(root, boards=boards, bench=bench)
        async with running(root) as rig:
            yield rig


@pytest.fixture
async def slow() -> AsyncGenerator[Rig]:
    """A board whose sectors take long enough to be seen."""
    slow = board("left", timing="real", attach_time=0, erase_time=0.1, word_time=0.0005)
    async with bench(slow, '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n') as rig:
        yield rig


def states(shown: FlashMap, start: int, count: int) -> list[SectorState]:
    """The states of so many sectors."""
    every = [(run.address + at * run.size, run.state) for run in shown.runs for at in range(run.count)]
    return [state for address, state in every if start <= address < start + count * SECTOR]


class Seen:
    """All that one client hears."""

    def __init__(self, client: Client, *, maps: bool) -> None:
        self.maps: list[FlashMap] = []
        self.events = 0
        self._changes = client.follow(maps=maps)

    async def until_done(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(self._changes) as changes:
            is_done = False
            async for change in changes:
                self._take(change)
                job = change.job if isinstance(change, Event) else None
                is_done |= job is not None and isinstance(job.status, Done)
                if is_done and (not self.maps or SectorState.VERIFIED in states(self.maps[-1], APP1, SECTORS)):
                    return

    def _take(self, change: Snapshot | Event) -> None:
        self.events += 1
        if isinstance(change, Snapshot):
            self.maps += change.maps
        elif change.map is not None:
            self.maps.append(change.map)


async def test_sectors_are_seen_to_be_erased_written_and_verified(slow: Rig) -> None:
    async with await Client.connect(slow.socket, client="plain") as other:
        seeing, blind = Seen(slow.client, maps=True), Seen(other, maps=False)
        both = asyncio.gather(seeing.until_done(), blind.until_done())
        slow.build(ONE)
        await both
    assert blind.events > 0
    assert blind.maps == []
    assert len(seeing.maps) > 5
    for sector in range(SECTORS):
        seen = list(dict.fromkeys(states(shown, APP1, SECTORS)[sector] for shown in seeing.maps))
        way = [state for state in seen if state in WAY]
        assert way == sorted(way, key=WAY.index)
        assert way[-1] is SectorState.VERIFIED
    every = {state for shown in seeing.maps for state in states(shown, APP1, SECTORS)}
    assert {SectorState.TO_ERASE, SectorState.ERASING, SectorState.WRITING, SectorState.VERIFIED} <= every
    for shown in seeing.maps:
        assert set(states(shown, 0x08000000, 16)) == {SectorState.PROTECTED}
        assert set(states(shown, PARTITION2, 48)) == {SectorState.UNTOUCHED}
        assert set(states(shown, 0x080E0000, 16)) == {SectorState.FOREIGN}
    last = seeing.maps[-1]
    assert (last.job, last.partition, last.sums.verified.sectors) == (1, "app1", SECTORS)


async def test_what_a_job_changed_stays_to_be_seen_and_the_next_one_says_what_it_saved(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    (shown,) = (await rig.client.call(api.GetMaps())).maps
    assert set(states(shown, APP1, SECTORS)) == {SectorState.VERIFIED}
    one_more = ONE[:-4] + b"next"
    rig.build(one_more)
    await rig.wait(data=one_more)
    (shown,) = (await rig.client.call(api.GetMaps(boards=("l*",)))).maps
    equal = [state for state in states(shown, APP1, SECTORS) if state is SectorState.EQUAL]
    assert len(equal) == shown.sums.equal.sectors == SECTORS - 2  # the boot unit's sector is written with any change
    assert shown.sums.bytes_saved == len(equal) * SECTOR


async def test_after_a_restart_the_contents_are_still_seen(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.stop()
    await rig.restart()
    (shown,) = (await rig.client.call(api.GetMaps())).maps
    assert states(shown, APP1, SECTORS + 1) == [SectorState.CONTENTS] * SECTORS + [SectorState.UNTOUCHED]
    assert shown.job == 0
    with pytest.raises(RemoteError) as refused:
        await rig.client.call(api.GetMaps(boards=("nope",)))
    assert refused.value.kind is ErrorKind.NO_SUCH_BOARD
