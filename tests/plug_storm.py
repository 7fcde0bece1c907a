"""A storm on a bench: cables pulled and buttons pressed at any moment, builds, clients that meddle, and all that fails.

The boards live in the test's process, so that they outlive a daemon that is stopped or killed, and their flash is in
files that anybody can look into. All that is done by chance follows from one seed; how it falls out does not.
"""

import asyncio
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import distant_bench
from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.job_state import Blocked, Running, WaitFor, name_of
from flashdeck.model import BoardState, DaemonState, Event, HoldBy, JobState, Presence, Snapshot
from flashdeck.value import Value
from flashdeckd.host.durable import TEMPORARY
from flashdeckd.images.spool import Spool
from flashdeckd.state.journal import Journal
from flashdeckd.virtual.faults import OF_APPLICATION, Fault
from flashdeckd.virtual.nor import fill
from flashdeckd.virtual.virtual_bench import VirtualBench, load_bench
from footprint import Footprint, at_rest
from job_states import waits_for
from rig import APP1, PARTITION2, WAIT_SECONDS, Rig, board, firmware, prepare, running, sha256
from storm_tally import WHILE_BUILT, Deed, Size, Spell, Tally

R = TypeVar("R", bound=Value)

BASE: Final = 0x08000000
FLASH_SIZE: Final = 1024 * 1024
PARTITION_SIZE: Final = 384 * 1024
PLACES: Final = {"app1": (APP1, "APP1.bin"), "partition2": (PARTITION2, "APP2.bin")}
BUILDING: Final = 0.6
"""The part of a spell in which it is built, and clients may end jobs. What is built last has to survive the rest."""
TAKEN_SECONDS: Final = 2.0
"""The longest that a build mostly waits for the daemon to take the one before."""
FRAIL: Final = 3
"""Of so many boards one never has a fault: no job of it may fail."""
LATEST_FAULT: Final = 80
"""A fault happens within so many requests."""
CROWD: Final = 12
"""Connections at once, at the most, of one client in a crowd."""
MOST_TRIES: Final = 20
"""The number of times that a thing is tried which a daemon, killed meanwhile, did not show."""
CALM_SECONDS: Final = 2 * WAIT_SECONDS
"""Bounds the time from the end of the storm until all is well."""
MOST_PRESSES: Final = 5
"""The times that a board may ask for a hand after a spell: one that does what it is told need not do it for ever."""
MOST_AGAIN: Final = 2
"""The number of times that the last spell passes once more where the daemon has grown in it."""
SPOOL_IMAGES: Final = 60
"""The largest images that the spool may keep."""
MEMORY_SHARE: Final = 0.1
"""The share by which a life of the daemon may grow, of what it took when it was warm."""
MEMORY_BYTES: Final = 2048
"""What it may take besides for one job: answers, log lines and images are remembered, up to a limit each."""
JOURNAL_BYTES: Final = 8192
"""What the journal may grow by for one job."""
LOG_BEFORE: Final = 300
"""The characters of the daemon's log that are shown before a fault in it ..."""
LOG_AFTER: Final = 4000
"""... and after it began."""

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


class Storm:
    """One storm over one bench."""

    def __init__(self, root: Path, size: Size, seed: str, kinds: Sequence[Kind] = KINDS) -> None:
        self.root = root
        self.size = size
        self.seed = seed
        self.tally = Tally()
        self._kinds = {f"b{number:02}": kinds[number % len(kinds)] for number in range(size.boards)}
        self._chance = random.Random(seed)  # noqa: S311 - a choice of moments, nothing secret
        self._newest: dict[str, bytes] = {}
        self._spell = size.spells[0]
        self._deeds = Counter[Deed]()
        """All that has happened in this spell."""
        self._done = 0.0
        """The part of this spell that is over."""
        self._calm = asyncio.Event()
        """Set once this spell is over."""
        self._meddling = asyncio.Lock()
        """Whoever ends jobs by hand, or begins them, has it, so that nobody does that to what is built last."""
        self.presses: dict[str, int] = defaultdict(int)
        """How often each board asked for a hand after a spell."""
        self._frail = self._some_boards() if size.has(Deed.FAULT) else frozenset[str]()
        """The boards that may have faults."""
        self._mended_at = 0.0
        """The time from which on no board has a fault."""
        self._built: set[str] = set()
        self._taken: set[str] = set()
        """The builds that the daemon has told of."""
        self._daemon: DaemonState | None = None
        """The daemon as it was last told of."""
        self._news = asyncio.Event()
        """Set whenever something is heard."""
        self._ending = asyncio.Lock()
        """Locked while the daemon is ended and begun anew, and while its disk becomes full or its journal locked."""
        self._lock_on_journal: sqlite3.Connection | None = None
        self._rests: list[tuple[Footprint, int]] = []
        """The memory and the like that the daemon took after each spell, and the jobs until then."""
        self._bench: VirtualBench
        self._rig: Rig

    def _some_boards(self) -> frozenset[str]:
        return frozenset(name for number, name in enumerate(self._kinds) if number % FRAIL)

    @property
    def _is_building(self) -> bool:
        return self._done < BUILDING or any(self._lacks(deed) for deed in WHILE_BUILT)

    @property
    def _spool_limit(self) -> int:
        return SPOOL_IMAGES * self.size.images[1]

    def _lacks(self, deed: Deed) -> bool:
        return self._spell.lacks(deed, self._deeds)

    def _note(self, deed: Deed, count: int = 1) -> None:
        self._deeds[deed] += count
        self.tally.deeds[deed] += count

    async def pass_over(self) -> None:
        """Let it pass, and wait until every board has the newest images and runs them; raises AssertionError.

        The last spell of several must leave the daemon no larger than the one before, in the same life.
        """
        self._prepare()
        self._bench = load_bench(self.root / "bench.toml")
        before = {name: self._flash(name) for name in self._kinds}
        with distant_bench.served(self._bench, self.root / "bench"):
            async with running(self.root, daemon=(distant_bench.__file__,)) as self._rig, asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                for partition in PLACES:
                    self._build(partition)
                await self._until(self._is_home)  # what a bootloader can is known from now on, and that all start
                for spell in self.size.spells:
                    await self._pass(spell)
                for _ in range(MOST_AGAIN):  # a leak goes on; what is begun as it is needed comes to an end
                    if self._growth():
                        await self._pass(self.size.spells[-1])
                assert not self._growth(), f"{self._growth()} (seed {self.seed})"
                watching.cancel()
        for name in self._kinds:
            self._check_flash(name, before[name])
        await self._check_records()
        self._check_log()

    async def _pass(self, spell: Spell) -> None:
        self._spell, self._done = spell, 0.0
        self._deeds.clear()
        self.presses.clear()
        self._calm.clear()
        await self._rage()
        await self._settle()
        if len(self.size.spells) > 1:
            await self._measure()

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
        written = self.root / "config.toml"
        self._config = written.read_text().replace("[daemon]\n", f'[daemon]\nspool_limit = "{self._spool_limit}"\n')
        written.write_text(self._config)

    def _flash(self, name: str) -> bytes:
        return (self.root / f"{name}.flash").read_bytes()

    # The storm.

    async def _rage(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_building())
            for hazard in (self._break_boards, self._fill_disk, self._lock_journal, self._reconfigure):
                group.create_task(hazard())
            for number in range(self.size.clients):
                group.create_task(self._meddle(random.Random(f"{self.seed}/{number}")))  # noqa: S311 - as above
            await self._pull_cables()
            self._calm.set()

    async def _pull_cables(self) -> None:
        """Pulls, plugs and presses until the spell is over; ends the daemon where that is part of it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        restarts = self._spell.restarts
        endings = list(restarts)
        while self._done < 1.0 or endings:
            name = self._chance.choice(sorted(self._kinds))
            self._note(Deed.PLUG if self._touch(name) else Deed.PRESS)
            pause = self._chance.uniform(0, self._spell.plug_pause)
            await asyncio.sleep(pause)  # a moment of its own choice is the point
            self._done = self._spell.share(self._deeds, loop.time() - began)
            if endings and self._done > 1 - len(endings) / (len(restarts) + 1):
                await self._end_daemon(endings.pop(0))

    async def _end_daemon(self, number: int) -> None:
        async with self._ending:
            self._make_room()
            self._unlock_journal()
            await self._rig.stop(number)
            await self._rig.restart()
        self._note(Deed.KILL if number == signal.SIGKILL else Deed.STOP)

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
            await self._wait_a_little(self._chance.uniform(*self._spell.build_pause))
            name = self._build(self._chance.choice(list(PLACES)))
            if self._chance.random() < 0.8:
                await self._heard(partial(self._taken.__contains__, name), TAKEN_SECONDS)
        async with self._meddling:
            for name in self._frail:
                self._bench.boards[name].faults.disarm()
            self._mended_at = time.time()
            for partition in PLACES:
                self._build(partition)

    def _build(self, partition: str) -> str:
        address, file = PLACES[partition]
        number = self._chance.randrange(1 << 30)
        image = firmware(str(number), size=self._chance.randrange(*self.size.images, 4), base=address)
        name = sha256(image)
        self._built.add(name)
        self._rig.build(image, name=file)
        self._newest[partition] = image
        return name

    # What fails.

    async def _break_boards(self) -> None:
        struck = self._struck()
        while self._lacks(Deed.FAULT):
            faults = self._bench.boards[self._chance.choice(sorted(self._frail))].faults
            if not faults.armed:
                fault = self._chance.choice([each for each in Fault if each not in OF_APPLICATION])
                faults.arm(fault, self._chance.randrange(1, LATEST_FAULT), times=self._chance.choice((1, 1, 2)))
            await self._wait_a_little(self._chance.uniform(0, 0.3))
            before, struck = struck, self._struck()
            self.tally.faults += struck - before
            self._note(Deed.FAULT, struck.total() - before.total())

    def _struck(self) -> Counter[str]:
        struck = Counter[str]()
        for name in self._frail:
            struck.update(self._bench.boards[name].faults.struck)
        return struck

    async def _fill_disk(self) -> None:
        await self._trouble(Deed.FULL_DISK, (self.root / "full").touch, self._make_room, ("spool", "build for"))

    async def _lock_journal(self) -> None:
        await self._trouble(Deed.LOCKED_JOURNAL, self._take_journal, self._unlock_journal, ("journal",))

    async def _trouble(
        self, deed: Deed, begin: Callable[[], object], end: Callable[[], object], parts: tuple[str, ...]
    ) -> None:
        """Lets something fail until the daemon says so, and go until it says that all works again; as often as needed.

        It says so in the troubles of parts whose names begin so.
        """

        def told() -> set[str]:
            return {part for part in self._troubles() if part.startswith(parts)}

        for _ in range(MOST_TRIES * self._spell.needs.get(deed, 0)):
            if not self._lacks(deed):
                return
            await self._wait_a_little(self._chance.uniform(0.2, 2.0))
            async with self._ending:
                begin()
            if await self._heard(lambda: bool(told()), WAIT_SECONDS):
                self.tally.troubles.update(told())
                self._note(deed)
            end()
            is_over = await self._heard(lambda: not told(), WAIT_SECONDS)
            assert is_over, f"{sorted(told())} stays after {deed} (seed {self.seed})"
        assert not self._lacks(deed), f"too few {deed} (seed {self.seed})"

    def _troubles(self) -> set[str]:
        return set() if self._daemon is None else {trouble.part for trouble in self._daemon.troubles}

    def _make_room(self) -> None:
        (self.root / "full").unlink(missing_ok=True)

    def _take_journal(self) -> None:
        self._lock_on_journal = sqlite3.connect(self.root / "state" / "journal.sqlite3", isolation_level=None)
        self._lock_on_journal.execute("BEGIN IMMEDIATE")

    def _unlock_journal(self) -> None:
        if self._lock_on_journal is not None:
            with closing(self._lock_on_journal):
                self._lock_on_journal.execute("ROLLBACK")
            self._lock_on_journal = None

    async def _reconfigure(self) -> None:
        for _ in range(self._spell.needs.get(Deed.RELOAD, 0)):
            await self._wait_a_little(self._chance.uniform(0.2, 2.0))
            async with self._meddling, self._ending:  # with a bad configuration no daemon would start
                if self._chance.random() < 0.5:
                    self._configure(self._config + "[nonsense]\n")
                    is_refused = await self._heard(self._is_refused, WAIT_SECONDS)
                    assert is_refused, f"a bad configuration was taken (seed {self.seed})"
                    self._note(Deed.BAD_RELOAD)
                await self._reconfigure_once()

    async def _reconfigure_once(self) -> None:
        """Another time to settle, and another pattern for the same files."""
        before = self._read_at()
        pattern = self._chance.choice(("build/APP{}.bin", "build/APP{}.b*", "build/[A]PP{}.bin"))
        text = self._config.replace('"50ms"', f'"{self._chance.randrange(20, 90)}ms"')
        for number in (1, 2):
            text = text.replace(f"build/APP{number}.bin", pattern.format(number))
        self._configure(text)
        if self._chance.random() < 0.7:  # else it is seen by itself
            self._rig.send_signal(signal.SIGHUP)
        is_read = await self._heard(lambda: self._read_at() > before and not self._is_refused(), WAIT_SECONDS)
        assert is_read, f"a configuration was not taken over (seed {self.seed})"
        self._note(Deed.RELOAD)

    def _configure(self, text: str) -> None:
        new = self.root / "config.new"
        new.write_text(text)
        new.replace(self.root / "config.toml")

    def _read_at(self) -> float:
        state = None if self._daemon is None else self._daemon.configuration
        return 0.0 if state is None else state.read_at

    def _is_refused(self) -> bool:
        return "configuration" in self._troubles()

    # What is heard of it.

    async def _heard(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Waits until something is so by what the daemon tells; returns whether it is, after so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not reached():
                    self._news.clear()
                    await self._news.wait()
        return reached()

    async def _wait_a_little(self, seconds: float) -> None:
        """Waits for the spell's end, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._calm.wait()

    async def _connection(self) -> Client | None:
        """A connection to the daemon that is there; None while there is none. On a busy machine it may be slow."""
        end = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            try:
                return await Client.connect(self._rig.socket, client="storm")
            except ConnectionFailedError:
                if self.size.has_restarts:
                    await asyncio.sleep(0.1)  # nobody tells that it is back
                    return None
                assert self._rig.process.returncode is None, f"the daemon is gone (seed {self.seed})"
                assert asyncio.get_running_loop().time() < end, f"no answer to hello (seed {self.seed})"

    async def _watch(self) -> None:
        """Sees every event: no lane may run two jobs at a time. Does what a person is asked for after a fault."""
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
                        self._note_news(item, run)
                        await self._release_after_faults(client, _asking(item))
            self._daemon = None
            self._news.set()

    def _note_news(self, item: Snapshot | Event, run: dict[str, set[int]]) -> None:
        for job in item.jobs if isinstance(item, Snapshot) else (item.job,) if item.job else ():
            self._note_running(job, run[job.board])
            self.tally.jobs[job.id] = name_of(job.status)
        for build in item.artifacts if isinstance(item, Snapshot) else (item.artifact,) if item.artifact else ():
            if build.sha256 in self._built - self._taken:
                self._taken.add(build.sha256)
                self._note(Deed.BUILD)
        self._daemon = item.daemon or self._daemon
        self._news.set()

    def _note_running(self, job: JobState, run: set[int]) -> None:
        if isinstance(job.status, Running):
            run.add(job.id)
            assert len(run) == 1, f"jobs {sorted(run)} of {job.board} run at the same time (seed {self.seed})"
        else:
            run.discard(job.id)

    async def _release_after_faults(self, client: Client, boards: set[str]) -> None:
        for name in sorted(boards & self._frail):
            with suppress(RemoteError):  # the journal may be locked; what is left is released in the calm
                await client.call(api.Release(boards=(name,)))
                self._note(Deed.RELEASE)

    # Clients.

    async def _meddle(self, chance: random.Random) -> None:
        deeds: list[Callable[[Client, random.Random], Awaitable[object]]] = [
            *(self._look, self._look, self._wait, self._wait, self._wait_for_jobs),
            *(self._cancel, self._hold, self._release, self._flash_by_hand, self._retry, self._crowd),
        ]
        while not self._calm.is_set():
            client = await self._connection()
            if client is None:
                continue
            try:
                async with client:
                    for _ in range(chance.randint(1, 6)):
                        with suppress(RemoteError):  # a refusal is an answer, too
                            await chance.choice(deeds)(client, chance)
                        self._note(Deed.CALL)
                        await self._wait_a_little(chance.uniform(0, 0.5))
            except ConnectionFailedError:
                assert self.size.has_restarts, f"a connection was lost (seed {self.seed})"

    async def _answer(self, client: Client, params: api.Params[R]) -> R:
        """Return the answer to one call: each has its own time, for some deeds wait for those of other clients."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await client.call(params)
        except TimeoutError:
            raise AssertionError(f"no answer to {params} (seed {self.seed})") from None

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
        rows = (await self._answer(client, asked)).boards
        assert {row.board for row in rows} == set(boards), f"a board has no row (seed {self.seed})"
        assert all(row.is_there or row.failure is not None or row.job is not None for row in rows), self.seed

    async def _wait_for_jobs(self, client: Client, chance: random.Random) -> None:
        jobs = (await self._answer(client, api.GetJobs(limit=50))).jobs
        ids = tuple(job.id for job in chance.sample(jobs, min(len(jobs), 3)))
        await self._answer(client, api.WaitJobs(ids=ids, timeout=chance.uniform(0.05, 2)))

    async def _open_job(self, client: Client, chance: random.Random) -> JobState | None:
        open_ones = [job for job in (await self._answer(client, api.GetJobs(limit=200))).jobs if not job.is_settled]
        return chance.choice(open_ones) if open_ones else None

    async def _cancel(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:
            job = await self._open_job(client, chance) if self._is_building else None
            if job is not None:
                ended = await self._answer(client, api.Cancel(job=job.id))
                assert ended.is_settled, f"job {job.id} was cancelled and is {ended.text} (seed {self.seed})"

    async def _retry(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:  # of one that has just ended, its old image is flashed once more
            job = await self._open_job(client, chance) if self._is_building else None
            if job is not None:
                await self._answer(client, api.Retry(job=job.id))

    async def _flash_by_hand(self, client: Client, chance: random.Random) -> None:
        async with self._meddling:
            if self._is_building:
                flash = api.Flash(
                    partition=chance.choice(list(PLACES)),
                    boards=(chance.choice(sorted(self._kinds)),),
                    no_wait=chance.random() < 0.3,
                    cancel_on_exit=chance.random() < 0.5,
                )
                await self._answer(client, flash)

    async def _hold(self, client: Client, chance: random.Random) -> None:
        await self._answer(client, api.Hold(boards=(chance.choice(sorted(self._kinds)),), reason="storm"))

    async def _release(self, client: Client, chance: random.Random) -> None:
        boards = (await self._answer(client, api.GetBoards())).boards
        held = [each.name for each in boards if each.hold is not None and each.hold.by is HoldBy.PERSON]
        if held:
            await self._answer(client, api.Release(boards=(chance.choice(held),)))

    async def _crowd(self, _: Client, chance: random.Random) -> None:
        async with AsyncExitStack() as stack:
            found = await asyncio.gather(*(self._connection() for _ in range(chance.randint(2, CROWD))))
            clients = [await stack.enter_async_context(client) for client in found if client is not None]
            await asyncio.gather(*(self._answer(client, api.GetStatus()) for client in clients))
            self._note(Deed.CALL, len(clients))

    # The calm after it.

    async def _settle(self) -> None:
        """Plug in what is not, release what is on hold, press where a job asks for it, and see all boards come home."""
        client = self._rig.client
        for name in self._kinds:
            self._bench.plug(name)
        states = (await client.call(api.GetStatus())).boards
        for state in states:
            if state.hold is not None:
                is_expected = state.hold.by is HoldBy.PERSON or state.name in self._frail
                assert is_expected, f"{state.name}: {state.hold.reason} (seed {self.seed})"
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
                self.presses[name] += self._calm.is_set()
                assert self.presses[name] <= MOST_PRESSES, f"{name} asks for a hand again and again (seed {self.seed})"
                self._bench.press(name)
        odd = [job for job in snapshot.jobs if job.failure and not self._may_fail(job, job.failure.kind)]
        assert not odd, f"pulled cables have failed jobs (seed {self.seed}): {_told(odd)}"
        newest = {(each.profile, each.partition): each.sha256 for each in snapshot.artifacts}
        wanted = {
            (kind.profile, place): sha256(self._newest[place]) for kind in self._kinds.values() for place in PLACES
        }
        is_known = all(newest.get(place) == sha for place, sha in wanted.items())
        if not is_known or any(not job.is_settled for job in snapshot.jobs):
            return False
        lacking = [
            f"{each.name}/{partition.name}"
            for each in snapshot.boards
            for partition in each.partitions
            if partition.name in PLACES and not partition.current
        ]
        assert not lacking, f"nothing will flash {lacking} (seed {self.seed}): {_told(snapshot.jobs)}"
        return True

    def _may_fail(self, job: JobState, kind: ErrorKind) -> bool:
        has_fault = job.board in self._frail and job.created_at <= self._mended_at
        return has_fault or kind is ErrorKind.NOT_ACCEPTED

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

    async def _check_records(self) -> None:
        """Journal and spool agree with the boards, and nothing lies there half-written."""
        state = self.root / "state"
        journal = await Journal.open(state / "journal.sqlite3")
        try:
            ledger = await journal.load()
        finally:
            await journal.close()
        assert not journal.trouble, f"{journal.trouble} (seed {self.seed})"
        spool = Spool(state / "spool")
        for name, kind in self._kinds.items():
            flash = self._flash(name)
            for partition, (address, _) in PLACES.items():
                contents = ledger.contents[name, partition]
                image = spool.read(contents.sha256)
                start, where = address - BASE, f"{partition} of {name} (seed {self.seed})"
                assert contents.sha256 == sha256(flash[start:][: image.size]), f"the journal is wrong about {where}"
                assert contents.sha256 == ledger.artifacts[kind.profile, partition].sha256, (
                    f"an old build is in {where}"
                )
        open_jobs = [job for job in ledger.jobs if not job.is_settled]
        assert not open_jobs, f"the journal has open jobs (seed {self.seed}): {_told(open_jobs)}"
        assert not ledger.holds, f"the journal has holds: {ledger.holds} (seed {self.seed})"
        for path in sorted(each for each in state.rglob("*") if each.is_file()):
            is_odd = path.name.startswith(TEMPORARY) or ".kept-" in path.name
            assert not is_odd, f"{path} was left behind (seed {self.seed})"
        for path in (state / "spool").iterdir():
            assert path.name == sha256(path.read_bytes()), f"{path} is not what its name says (seed {self.seed})"

    async def _measure(self) -> None:
        below = self._rests[-1][0] if len(self._rests) > 1 else None
        state = self.root / "state"
        now = await at_rest(self._rig.process.pid, state, spool=self._spool_limit, below=below)
        self._rests.append((now, len(self.tally.jobs)))
        self.tally.calm.append(now.text())

    def _growth(self) -> str:
        """Return what one life of the daemon takes more after the last spell than after the one before; "" for none."""
        if len(self._rests) < 2:
            return ""
        (warm, jobs_before), (now, jobs) = self._rests[-2:]
        memory = warm.memory * (1 + MEMORY_SHARE) + MEMORY_BYTES * (jobs - jobs_before)
        is_flat = (
            now.pid == warm.pid
            and now.descriptors <= warm.descriptors
            and now.threads <= warm.threads
            and now.memory <= memory
            and now.journal <= warm.journal + JOURNAL_BYTES * (jobs - jobs_before)
            and now.spool <= self._spool_limit
        )
        return "" if is_flat else f"{now.text()}, after {jobs - jobs_before} jobs; it was {warm.text()}"

    def _check_log(self) -> None:
        log = (self.root / "log").read_text()
        for word in ("Traceback", "fault in flashdeckd", "IllegalMoveError", "never retrieved"):
            before, _, after = log.partition(word)
            said = f"{before[-LOG_BEFORE:]}{word}{after[:LOG_AFTER]}"
            assert word not in log, f"the daemon's log has {word!r} (seed {self.seed}):\n{said}"


def _first_contents(seed: int) -> bytes:
    """Return a flash that is blank where the partitions are, for a canary needs a blank sector, and full elsewhere."""
    flash = bytearray(fill(FLASH_SIZE, seed))
    for address, _ in PLACES.values():
        flash[address - BASE : address - BASE + PARTITION_SIZE] = b"\xff" * PARTITION_SIZE
    return bytes(flash)


def _told(jobs: Iterable[JobState]) -> str:
    return "\n".join(f"job {job.id} {job.board} {job.partition}: {job.text}" for job in jobs)


def _board(snapshot: Snapshot, name: str) -> BoardState:
    return next(each for each in snapshot.boards if each.name == name)


def _asking(item: Snapshot | Event) -> set[str]:
    """Return the boards of which flashdeck asks a person something."""
    boards = item.boards if isinstance(item, Snapshot) else (item.board,) if item.board else ()
    jobs = item.jobs if isinstance(item, Snapshot) else (item.job,) if item.job else ()
    held = {each.name for each in boards if each.hold is not None and each.hold.by is HoldBy.FLASHDECK}
    return held | {job.board for job in jobs if isinstance(job.status, Blocked)}


def _runs(board: BoardState) -> bool:
    return board.presence is Presence.APP
