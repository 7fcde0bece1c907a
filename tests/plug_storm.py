"""A plug storm: boards come and go at random moments, builds go on, and clients do what they like.

The boards live in the test's process, so that they outlive a daemon that is stopped or killed, and their flash is in
files that anybody can look into. All that is done by chance follows from one seed; how it falls out does not.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import distant_bench
from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, RemoteError
from flashdeck.job_state import Running, WaitFor
from flashdeck.model import BoardState, Event, HoldBy, JobState, Presence, Snapshot
from flashdeckd.virtual.nor import fill
from flashdeckd.virtual.virtual_bench import VirtualBench, load_bench
from job_states import waits_for
from rig import APP1, PARTITION2, WAIT_SECONDS, Rig, board, firmware, prepare, running, sha256

BASE: Final = 0x08000000
FLASH_SIZE: Final = 1024 * 1024
PARTITION_SIZE: Final = 384 * 1024
PLACES: Final = {"app1": (APP1, "APP1.bin"), "partition2": (PARTITION2, "APP2.bin")}
SMALLEST, LARGEST = 4_000, 24_000
"""Bytes of an image."""
BUILDING: Final = 0.6
"""The part of a storm in which it is built, and clients may end jobs. What is built last has to survive the rest."""
CALM_SECONDS: Final = 2 * WAIT_SECONDS
"""Bounds the time from the end of the storm until all is well."""
MOST_PRESSES: Final = 5
"""How often a board may ask for a hand after the storm: a hand that does what it is told need not do it for ever."""

PROFILE: Final = """
[profiles.{name}]
dfu = "0483:df11"
app = "0483:5740"
enter = "{enter}"
enter_hint = "press the button"
flash = "STM32H563RG"
banks = "{banks}"
[profiles.{name}.partitions.app1]
address = 0x08020000
size = "384K"
image = "build/APP1.bin"
[profiles.{name}.partitions.partition2]
address = 0x08080000
size = "384K"
image = "build/APP2.bin"
"""
PROFILES: Final = (
    PROFILE.format(name="by-hand", enter="manual", banks="check"),
    PROFILE.format(name="unreadable", enter="detach", banks="trusted"),  # nobody can see which bank it writes to
)


@dataclass(frozen=True)
class Kind:
    """One sort of board on the bench."""

    model: str = "classic"
    profile: str = "product"
    by_port: bool = False
    """Whether it is known by its port alone."""
    timing: str = "none"


KINDS: Final = (
    Kind(timing="real"),
    Kind(by_port=True),
    Kind(profile="by-hand"),
    Kind(model="usbx"),
    Kind(model="usbx", by_port=True, profile="by-hand", timing="real"),
    Kind(model="classic-noread", profile="unreadable", timing="real"),
)


@dataclass(frozen=True)
class Size:
    """How large a storm is: it ends after so many plugs and so many seconds."""

    boards: int
    clients: int
    plugs: int
    seconds: float = 0.0
    restarts: tuple[int, ...] = ()
    """The signals that end the daemon in its course, each followed by another daemon."""


class Storm:
    """One storm over one bench."""

    def __init__(self, root: Path, size: Size, seed: str, kinds: Sequence[Kind] = KINDS) -> None:
        self.root = root
        self.size = size
        self.seed = seed
        self._kinds = {f"b{number:02}": kinds[number % len(kinds)] for number in range(size.boards)}
        self._chance = random.Random(seed)  # noqa: S311 - a choice of moments, nothing secret
        self._newest: dict[str, bytes] = {}
        self._done = 0.0
        """The part of the storm that is over."""
        self._calm = asyncio.Event()
        self._meddling = asyncio.Lock()
        """Whoever ends jobs by hand, or begins them, has it, so that nobody does that to what is built last."""
        self.presses: dict[str, int] = defaultdict(int)
        """How often each board asked for a hand after the storm."""
        self._bench: VirtualBench
        self._rig: Rig

    @property
    def _is_building(self) -> bool:
        return self._done < BUILDING

    async def pass_over(self) -> None:
        """Let it pass, and wait until every board has the newest images and runs them; raises AssertionError."""
        self._prepare()
        self._bench = load_bench(self.root / "bench.toml")
        before = {name: self._flash(name) for name in self._kinds}
        async with AsyncExitStack() as stack:
            stack.enter_context(distant_bench.served(self._bench, self.root / "bench"))
            self._rig = await stack.enter_async_context(running(self.root, daemon=(distant_bench.__file__,)))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            watching = group.create_task(self._watch())
            await self._rage()
            await self._settle()
            watching.cancel()
        for name in self._kinds:
            self._check_flash(name, before[name])
        self._check_log()

    def _prepare(self) -> None:
        boards, bench = "".join(PROFILES), ""
        for number, (name, kind) in enumerate(self._kinds.items(), start=1):
            (self.root / f"{name}.flash").write_bytes(_first_contents(number))
            serial = f"STORM{number:07}"
            known_by = f'port = "1-{number}"' if kind.by_port else f'serial = "{serial}"'
            boards += f'[boards.{name}]\nprofile = "{kind.profile}"\n{known_by}\n'
            keys = {"model": kind.model, "serial": serial, "timing": kind.timing, "attach_time": 0.02}
            bench += board(name, number, flash_file=f"{name}.flash", **keys)
        prepare(self.root, boards=boards, bench=bench)

    def _flash(self, name: str) -> bytes:
        return (self.root / f"{name}.flash").read_bytes()

    # The storm.

    async def _rage(self) -> None:
        for partition in PLACES:
            self._build(partition)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_building())
            for number in range(self.size.clients):
                group.create_task(self._meddle(random.Random(f"{self.seed}/{number}")))  # noqa: S311 - as above
            await self._pull_cables()
            self._calm.set()

    async def _pull_cables(self) -> None:
        """Pulls, plugs and presses until the storm is over; ends the daemon where that is part of it."""
        loop = asyncio.get_running_loop()
        began, plugs = loop.time(), 0
        endings = list(self.size.restarts)
        while self._done < 1.0:
            name = self._chance.choice(sorted(self._kinds))
            plugs += self._touch(name)
            await asyncio.sleep(self._chance.uniform(0, 0.1))  # a moment of its own choice is the point
            by_plugs = plugs / self.size.plugs if self.size.plugs else 1.0
            by_time = (loop.time() - began) / self.size.seconds if self.size.seconds else 1.0
            self._done = min(by_plugs, by_time)
            if endings and self._done > 1 - len(endings) / (len(self.size.restarts) + 1):
                await self._rig.stop(endings.pop(0))
                await self._rig.restart()

    def _touch(self, name: str) -> bool:
        """Does something to a board; True if it was plugged or pulled."""
        plugged = self._bench.boards[name].state().plugged
        if not plugged:
            self._bench.plug(name)
        elif self._chance.random() < 0.2:
            self._bench.press(name)
            return False
        elif self._chance.random() < 0.2:
            self._bench.unplug(name)
            self._bench.plug(name)  # back before anybody noticed
        else:
            self._bench.unplug(name)
        return True

    async def _keep_building(self) -> None:
        while self._is_building:
            await self._wait_a_little(self._chance.uniform(0.2, 4.0))
            self._build(self._chance.choice(list(PLACES)))
        async with self._meddling:
            for partition in PLACES:
                self._build(partition)

    def _build(self, partition: str) -> None:
        address, file = PLACES[partition]
        number = self._chance.randrange(1 << 30)
        image = firmware(str(number), size=self._chance.randrange(SMALLEST, LARGEST, 4), base=address)
        self._rig.build(image, name=file)
        self._newest[partition] = image

    async def _wait_a_little(self, seconds: float) -> None:
        """Waits for the storm's end, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._calm.wait()

    async def _connection(self) -> Client | None:
        """A connection to the daemon that is there; None once the storm is over, and while there is no daemon."""
        try:
            return await Client.connect(self._rig.socket, client="storm")
        except ConnectionFailedError:
            assert self.size.restarts, f"the daemon is gone (seed {self.seed})"
            await self._wait_a_little(0.1)
            return None

    async def _watch(self) -> None:
        """Sees every event: no lane may run two jobs at a time."""
        while True:
            client = await self._connection()
            if client is None:
                continue
            run: dict[str, set[int]] = defaultdict(set)
            with suppress(ConnectionFailedError):
                async with client, aclosing(client.follow()) as news:
                    async for item in news:
                        if isinstance(item, Snapshot):
                            run.clear()
                        jobs = item.jobs if isinstance(item, Snapshot) else (item.job,) if item.job else ()
                        for job in jobs:
                            self._note_running(job, run[job.board])

    def _note_running(self, job: JobState, run: set[int]) -> None:
        if isinstance(job.status, Running):
            run.add(job.id)
            assert len(run) == 1, f"jobs {sorted(run)} of {job.board} run at the same time (seed {self.seed})"
        else:
            run.discard(job.id)

    # Clients.

    async def _meddle(self, chance: random.Random) -> None:
        deeds: list[Callable[[Client, random.Random], Awaitable[object]]] = [
            *(self._look, self._look, self._wait, self._wait, self._wait_for_jobs),
            *(self._cancel, self._hold, self._release, self._flash_by_hand, self._retry),
        ]
        while not self._calm.is_set():
            client = await self._connection()
            if client is None:
                continue
            try:
                async with client:
                    for _ in range(chance.randint(1, 6)):
                        with suppress(RemoteError):  # a refusal is an answer, too
                            async with asyncio.timeout(WAIT_SECONDS):
                                await chance.choice(deeds)(client, chance)
                        await self._wait_a_little(chance.uniform(0, 0.5))
            except ConnectionFailedError:
                assert self.size.restarts, f"a connection was lost (seed {self.seed})"
            except TimeoutError:
                raise AssertionError(f"a call was not answered (seed {self.seed})") from None

    async def _look(self, client: Client, chance: random.Random) -> None:
        subscription = await client.subscribe()
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0, 1)):
                async for _ in subscription:
                    pass

    async def _wait(self, client: Client, chance: random.Random) -> None:
        boards = tuple(chance.sample(sorted(self._kinds), chance.randint(1, len(self._kinds))))
        partition = chance.choice(list(PLACES))
        asked = api.Wait(partition=partition, boards=boards, timeout=chance.uniform(0.05, 2))
        rows = (await client.call(asked)).boards
        assert {row.board for row in rows} == set(boards), f"a board has no row (seed {self.seed})"
        assert all(row.is_there or row.failure is not None or row.job is not None for row in rows), self.seed

    async def _wait_for_jobs(self, client: Client, chance: random.Random) -> None:
        jobs = (await client.call(api.GetJobs(limit=50))).jobs
        ids = tuple(job.id for job in chance.sample(jobs, min(len(jobs), 3)))
        await client.call(api.WaitJobs(ids=ids, timeout=chance.uniform(0.05, 2)))

    async def _open_job(self, client: Client, chance: random.Random) -> JobState | None:
        open_ones = [job for job in (await client.call(api.GetJobs(limit=200))).jobs if not job.is_settled]
        return chance.choice(open_ones) if open_ones else None

    async def _cancel(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:
            job = await self._open_job(client, chance) if self._is_building else None
            if job is not None:
                ended = await client.call(api.Cancel(job=job.id))
                assert ended.is_settled, f"job {job.id} was cancelled and is {ended.text} (seed {self.seed})"

    async def _retry(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:  # of one that has just ended, its old image is flashed once more
            job = await self._open_job(client, chance) if self._is_building else None
            if job is not None:
                await client.call(api.Retry(job=job.id))

    async def _flash_by_hand(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:
            if self._is_building:
                flash = api.Flash(
                    partition=chance.choice(list(PLACES)),
                    boards=(chance.choice(sorted(self._kinds)),),
                    no_wait=chance.random() < 0.3,
                    cancel_on_exit=chance.random() < 0.5,
                )
                await client.call(flash)

    async def _hold(self, client: Client, chance: random.Random) -> None:
        await client.call(api.Hold(boards=(chance.choice(sorted(self._kinds)),), reason="storm"))

    async def _release(self, client: Client, chance: random.Random) -> None:
        boards = (await client.call(api.GetBoards())).boards
        held = [each.name for each in boards if each.hold is not None and each.hold.by is HoldBy.PERSON]
        if held:
            await client.call(api.Release(boards=(chance.choice(held),)))

    # The calm after it.

    async def _settle(self) -> None:
        """Plug in what is not, release what is on hold, press where a job asks for it, and see all boards come home."""
        client = self._rig.client
        for name in self._kinds:
            self._bench.plug(name)
        states = (await client.call(api.GetStatus())).boards
        for state in states:
            if state.hold is not None:
                assert state.hold.by is HoldBy.PERSON, f"{state.name}: {state.hold.reason} (seed {self.seed})"
                await client.call(api.Release(boards=(state.name,)))
        await self._until(self._is_home)
        # Whoever was pressed and had nothing to do is in DFU mode for as long as nobody plugs it in anew.
        for name in self._kinds:
            if self._bench.boards[name].state().mode != "app":
                self._bench.unplug(name)
                self._bench.plug(name)
        snapshot = await self._until(lambda snapshot: all(map(_runs, snapshot.boards)))
        for state in snapshot.boards:
            for partition in state.partitions:
                if partition.name in PLACES:
                    assert partition.current, f"{state.name} has lost {partition.name} (seed {self.seed})"

    async def _until(self, reached: Callable[[Snapshot], bool]) -> Snapshot:
        """Return the first snapshot in which something is so."""
        client = self._rig.client
        try:
            async with asyncio.timeout(CALM_SECONDS), aclosing(client.follow()) as news:
                async for item in news:
                    if isinstance(item, Event) and item.job is not None and isinstance(item.job.status, Running):
                        continue  # there are very many of them
                    snapshot = await client.call(api.GetStatus())
                    if reached(snapshot):
                        return snapshot
        except TimeoutError:
            pass
        raise AssertionError(await self._report())

    def _is_home(self, snapshot: Snapshot) -> bool:
        """Tell whether nothing is left to do; presses where a job waits for that."""
        asking = {job.board for job in snapshot.jobs if waits_for(job) is WaitFor.HAND}
        asking &= {name for name, kind in self._kinds.items() if kind.profile == "by-hand"}  # all others come alone
        for name in asking:
            if self._bench.boards[name].state().mode == "app" and _runs(_board(snapshot, name)):
                self.presses[name] += 1
                assert self.presses[name] <= MOST_PRESSES, f"{name} asks for a hand again and again (seed {self.seed})"
                self._bench.press(name)
        newest = {(each.profile, each.partition): each.sha256 for each in snapshot.artifacts}
        is_known = all(sha == sha256(self._newest[partition]) for (_, partition), sha in newest.items())
        if not is_known or any(not job.is_settled for job in snapshot.jobs):
            return False
        lacking = [
            f"{each.name}/{partition.name}"
            for each in snapshot.boards
            for partition in each.partitions
            if partition.name in PLACES and not partition.current
        ]
        assert not lacking, f"nothing will flash {lacking} (seed {self.seed}): {self._story(snapshot, lacking)}"
        return True

    async def _report(self) -> str:
        snapshot = await self._rig.client.call(api.GetStatus())
        lines = [f"not all is well (seed {self.seed})"]
        for state in snapshot.boards:
            emulated = self._bench.boards[state.name].state()
            parts = [f"{each.name} {'current' if each.current else 'old'}" for each in state.partitions]
            lines.append(f"{state.name}: {emulated.mode}, {state.text}, {parts}, pressed {self.presses[state.name]}")
        lines += [
            f"job {job.id} {job.board} {job.partition}: {job.text}" for job in snapshot.jobs if not job.is_settled
        ]
        return "\n".join(lines)

    def _story(self, snapshot: Snapshot, lacking: Sequence[str]) -> str:
        jobs = [job for job in snapshot.jobs if f"{job.board}/{job.partition}" in lacking]
        return "\n".join(f"job {job.id} {job.board} {job.partition}: {job.text}" for job in jobs)

    # What must be true in the end.

    def _check_flash(self, name: str, before: bytes) -> None:
        now = self._flash(name)
        edges = [BASE]
        for partition, (address, _) in PLACES.items():
            start, image = address - BASE, self._newest[partition]
            assert now[start:][: len(image)] == image, f"{name} has something else in {partition} (seed {self.seed})"
            edges += [address, address + PARTITION_SIZE]
        edges.append(BASE + FLASH_SIZE)
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            span = slice(start - BASE, end - BASE)
            assert now[span] == before[span], f"{name} was changed in {start:#x}..{end:#x} (seed {self.seed})"

    def _check_log(self) -> None:
        log = (self.root / "log").read_text()
        for word in ("Traceback", "fault in flashdeckd", "IllegalMoveError", "never retrieved"):
            assert word not in log, f"the daemon's log has {word!r} (seed {self.seed})"


def _first_contents(seed: int) -> bytes:
    """Return a flash that is blank where the partitions are, for a canary needs a blank sector, and full elsewhere."""
    flash = bytearray(fill(FLASH_SIZE, seed))
    for address, _ in PLACES.values():
        flash[address - BASE : address - BASE + PARTITION_SIZE] = b"\xff" * PARTITION_SIZE
    return bytes(flash)


def _board(snapshot: Snapshot, name: str) -> BoardState:
    return next(each for each in snapshot.boards if each.name == name)


def _runs(board: BoardState) -> bool:
    return board.presence is Presence.APP
