"""Users who acquire and release at random while builds come: nobody else reaches the board that one of them holds."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import flashdeck
from flashdeck import AsyncBench, api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done
from lab.lab_daemon import LabDaemon
from lab.pool import Path, PoolUser, pool_user
from rig import APP1, WAIT_SECONDS, firmware, sha256

SIZE: Final = 4000
"""Bytes of an image: what counts is which one it is."""
USERS: Final = 8
PAUSE: Final = 0.05
"""Seconds that bound each pause of a user, drawn at random."""
BUILD_PAUSE: Final = 4.0
"""The same between two builds of a daemon."""
REFUSALS: Final = frozenset({ErrorKind.BLOCKED, ErrorKind.SUPERSEDED, ErrorKind.CANCELLED, ErrorKind.TIMEOUT})
"""The ends of a call for a board that is somebody else's."""


def image(version: str) -> bytes:
    return firmware(version, size=SIZE)


@dataclass
class LabUser:
    """A user, with a session at the coordinator and a connection to each daemon."""

    pool: PoolUser
    benches: dict[str, AsyncBench]
    """By the name of the daemon."""


@dataclass
class LabStorm:
    """The storm as it goes on, and what was seen."""

    daemons: dict[str, LabDaemon]
    users: list[LabUser]
    strangers: dict[str, AsyncBench]
    """Connections, by daemon, that belong to nobody of the lab."""
    chance: random.Random
    deeds: int
    """So many times a place is acquired."""
    seen: Counter[str] = field(default_factory=Counter[str])
    held: set[Path] = field(default_factory=set[Path])
    """The boards that somebody has for certain: from after the acquisition to before the release."""
    intruding: tuple[str, Path] | None = None
    """The user of the lab who tries to flash a board of somebody else's, and that board."""
    wanted: set[tuple[str, Path]] = field(default_factory=set[tuple[str, Path]])
    """Who has a board, or is about to: no intruder there."""
    wrong: list[str] = field(default_factory=list[str])

    @property
    def boards(self) -> list[Path]:
        return sorted(path for path in self.users[0].pool.boards)

    async def passes(self) -> None:
        """Let it pass."""
        around = [asyncio.create_task(each) for each in (*map(self._builds, self.daemons.values()), self._intrudes())]
        try:
            async with asyncio.TaskGroup() as group:
                for user in self.users:
                    group.create_task(self._uses(user))
        finally:
            for each in around:
                each.cancel()
            ended = await asyncio.gather(*around, return_exceptions=True)
        assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []
        assert self.wrong == []

    async def _uses(self, user: LabUser) -> None:
        while self.seen["acquired"] < self.deeds:
            await self._pause()
            board = self.chance.choice(self.boards)
            if self.intruding == (user.pool.name, board):
                continue  # what it has asked for as an intruder would be the holder's
            self.wanted.add((user.pool.name, board))
            try:
                await self._acquires(user, board)
            finally:
                self.wanted.discard((user.pool.name, board))

    async def _acquires(self, user: LabUser, board: Path) -> None:
        if not await user.pool.acquire(board[1]):
            self.seen["refused by the coordinator"] += 1
            return
        self.seen["acquired"] += 1
        began = time.time()
        try:
            await self._has(user, board, began)
        finally:
            self.held.discard(board)
            await user.pool.release(board[1])

    async def _has(self, user: LabUser, board: Path, began: float) -> None:
        """Have a board for a while, and look whether anybody else reaches it."""
        self.held.add(board)
        bench = user.benches[board[0]]
        expected, own = await self._contents(bench, board), ""
        await self._pause()
        if self.chance.random() < 1 / 2:
            data = image(f"{user.pool.name} {self.seen['acquired']}")
            await bench.flash("app1", data, boards=board[1], timeout=WAIT_SECONDS)
            expected, own = data, sha256(data)
            self.seen["flashed by the holder"] += 1
        await self._pause()
        if (found := await self._contents(bench, board)) != expected:
            self.wrong.append(f"{user.pool.name} has {board}, where {_version(found)} is and not {_version(expected)}")
        jobs = await bench.jobs(board[1])
        foreign = [job for job in jobs if (job.started_at or 0.0) >= began and job.sha256 != own]
        self.wrong += [
            f"{user.pool.name} has {board}, and job {job.id} for {job.lab_user or 'nobody'} ran: {job.text}"
            for job in foreign
        ]

    async def _intrudes(self) -> None:
        """Try to flash boards that others hold."""
        number = 0
        while True:
            await self._pause()
            if not self.held:
                continue
            board = self.chance.choice(sorted(self.held))
            others = [user for user in self.users if (user.pool.name, board) not in self.wanted]
            intruder = self.chance.choice([*others, None])
            bench = self.strangers[board[0]] if intruder is None else intruder.benches[board[0]]
            self.intruding = None if intruder is None else (intruder.pool.name, board)
            number += 1
            try:
                await bench.flash(
                    "app1", image(f"intruder {number}"), boards=board[1], no_wait=True, cancel_on_exit=True, timeout=5.0
                )
            except FlashdeckError as error:
                if error.kind not in REFUSALS:
                    raise
                self.seen["intruders refused"] += 1
            else:
                self.seen["intruders who came after the release"] += 1

    async def _builds(self, daemon: LabDaemon) -> None:
        while True:
            self.seen["builds"] += 1
            data = image(f"{daemon.name} build {self.seen['builds']}")
            await asyncio.to_thread(daemon.build, data)
            await asyncio.sleep(self.chance.uniform(0.0, BUILD_PAUSE))

    async def _contents(self, bench: AsyncBench, board: Path) -> bytes:
        return (await bench.call(api.VirtualDump(board=board[1], address=APP1, size=SIZE))).data

    async def _pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, PAUSE))

    async def calms_down(self) -> None:
        """Everything is given back: the last build of each daemon comes to all its boards, which anybody can have."""
        pool = self.users[0].pool
        await pool.until(lambda now: set(now.holders.values()) == {""})
        for name, daemon in self.daemons.items():
            last = image(f"{name} last build")
            await asyncio.to_thread(daemon.build, last)
            done = await self.strangers[name].wait("app1", last, timeout=WAIT_SECONDS)
            assert all(row.is_done for row in done.rows)
            boards = await self.strangers[name].boards()
            assert [board.name for board in boards if board.lease is not None] == []
            for board in boards:
                assert await self._contents(self.strangers[name], (name, board.name)) == last
            jobs = await self.strangers[name].jobs(limit=500)
            self.seen["jobs done"] += sum(isinstance(job.status, Done) for job in jobs)
        assert all(board.is_available and not board.place for board in pool.boards.values())


def _version(data: bytes) -> str:
    """Return the version in an image, for a message."""
    return data[9:60].partition(b"\0")[0].decode(errors="replace")


@asynccontextmanager
async def lab_storm(address: str, daemons: Sequence[LabDaemon], *, seed: int, deeds: int) -> AsyncGenerator[LabStorm]:
    """Users and strangers, connected for the length of a block."""
    async with AsyncExitStack() as open_:

        async def connected(daemon: LabDaemon, user: str) -> AsyncBench:
            return await open_.enter_async_context(flashdeck.connect_async(daemon.socket, lab_user=user))

        users: list[LabUser] = []
        for number in range(USERS):
            name = f"desk-{number % 3}/user-{number}"
            pool = await open_.enter_async_context(pool_user(address, name))
            users.append(LabUser(pool, {each.name: await connected(each, name) for each in daemons}))
        strangers = {each.name: await connected(each, "") for each in daemons}
        yield LabStorm({each.name: each for each in daemons}, users, strangers, random.Random(seed), deeds)  # noqa: S311 - nothing is kept secret with it
