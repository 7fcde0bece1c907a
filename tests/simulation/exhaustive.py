"""Every cut, beside the random ones: each flash operation, transfer, disk operation and commit of a job, and a restart.

What follows is the same each time: the daemon is started again, the board has its power back, and in the end the image
is in the flash, whole; nothing outside of the partition has changed, in between no half image would have been started,
and journal and spool say what is so. `python -m simulation.exhaustive` does it and prints how many cuts there were.
"""

import argparse
import asyncio
import gc
import hashlib
import itertools
import logging
import os
import pickle
import random
import shutil
import sqlite3
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from flashdeck import api
from flashdeck.client import Client
from flashdeck.model import Contents, Event, JobState
from flashdeckd.host import clock, files, kernel_locks, processes, randomness, sockets, threads
from flashdeckd.host.durable import TEMPORARY
from flashdeckd.images.image import Image
from flashdeckd.service import Options
from flashdeckd.virtual.nor import NorFlash
from flashdeckd.virtual.spec import Model
from flashdeckd.virtual.virtual_bench import VirtualBench
from simulation.baton import Baton, Point
from simulation.baton_threads import BatonThreads
from simulation.cuts import NAME, At, Cut, Job, Measured, Pieces, Subject, subjects
from simulation.disk import Deed, Disk, Failure, Step
from simulation.disk_states import all_states
from simulation.life import DaemonLife
from simulation.seed_run import DISKS
from simulation.sim_clock import SimClock
from simulation.sim_process import SimProcess, SimRandomness
from simulation.story import Story
from simulation.streams import Network
from simulation.virtual_loop import VirtualLoop

REST_SECONDS = 5.0
"""Virtual seconds without anything new after which a bench is at rest."""
MOST_SECONDS = 300.0
"""Virtual seconds in which it has to come to rest."""
MOST_STATES = 24
"""States of the disk that are tried behind each of its operations."""
MOST_AT_ONCE = 256 * 1024
"""Bytes of the flash that are looked at at once."""
LOOK_SECONDS = 0.25
"""Virtual seconds between two looks at how far things are."""
WORKERS = 2
"""Processes that do it at once."""
T = TypeVar("T")


class BrokenError(Exception):
    """A rule does not hold."""


@dataclass(frozen=True)
class Before:
    """Disk and flash at the moment before the job is asked for."""

    files: dict[str, tuple[bytes, int]]
    """By path: bytes and mode."""
    flash: bytes


@dataclass
class Told:
    """All that the daemon has published."""

    jobs: dict[int, JobState] = field(default_factory=dict[int, JobState])
    last_at: float = 0.0


class Bench:
    """One board, one disk and one daemon at a time, in virtual time and without chance."""

    def __init__(self, subject: Subject, root: Path, before: Before | None = None) -> None:
        self.subject = subject
        self.story = Story()
        self.baton = Baton(random.Random(1), share=0.0)  # noqa: S311 -- nobody else wants to go first
        self.clock = SimClock(self.baton)
        place = root / "disk"
        place.mkdir(mode=0o700)
        self.state, self.builds, self.config = place / "state", place / "build", place / "config" / "flashdeck.toml"
        self._lay_out(before)
        self.disk = Disk(place, self.clock.time, owner=lambda: self.baton.current.life)
        self.network = Network(self.baton, random.Random(2))  # noqa: S311 -- as above
        self.process = SimProcess()
        clock.system, files.system, kernel_locks.system = self.clock, self.disk, self.disk
        processes.system, sockets.system = self.process, self.network
        randomness.system = SimRandomness(random.Random(3))  # noqa: S311 -- as above
        threads.system = BatonThreads(self.baton)
        self.first_flash = before.flash if before is not None else subject.blank()
        self.spec = subject.spec(self.first_flash)
        self.bench = VirtualBench((self.spec,))
        self.board = self.bench.boards[NAME]
        self.loop = VirtualLoop(self.baton, self.baton.home)
        self.told = Told()
        self.life: DaemonLife | None = None
        self.error: BaseException | None = None
        self._numbers = itertools.count(1)

    def _lay_out(self, before: Before | None) -> None:
        for place in (self.builds, self.config.parent):
            place.mkdir(parents=True)
        self.state.mkdir(mode=0o700)
        self.config.write_text(self.subject.config(self.builds))
        for path, (data, mode) in (before.files if before is not None else {}).items():
            file = self.state.parent / path
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_bytes(data)
            file.chmod(mode)

    def run(self, work: Callable[["Bench"], Coroutine[Any, Any, T]]) -> T:
        """Run something in the world's loop."""
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work(self))

    @property
    def flash(self) -> bytes:
        """All that is in the flash, whatever the board does."""
        layout = self.subject.layout
        pieces = range(layout.base, layout.base + layout.size, MOST_AT_ONCE)
        return b"".join(self.board.dump(at, min(MOST_AT_ONCE, layout.base + layout.size - at)).data for at in pieces)

    # A daemon's life.

    def published(self, life: DaemonLife, event: Event) -> None:
        """The daemon has told something."""
        if life is self.life:
            self.told.last_at = self.baton.now
            if event.job is not None:
                self.told.jobs[event.job.id] = event.job

    def opened(self, device: str, *, was_dfu: bool) -> None:
        """See `Onlooker`."""

    def look(self, name: str) -> None:
        """See `Onlooker`."""

    def ended(self, life: DaemonLife, error: BaseException | None) -> None:
        """The daemon has ended by itself."""
        self.error = error
        self.network.end(life)
        self.disk.end(life)
        self.life = None

    def start(self) -> None:
        """Start a daemon."""
        self.process.pid += 1
        self.told = Told(last_at=self.baton.now)
        options = Options(socket=self.state / "s", state_dir=self.state, config=self.config, virtual=self.config)
        self.life = DaemonLife(
            next(self._numbers), options, self.bench, self.baton, self.story, self, self.ended, _nothing
        )
        self.life.begin()

    def kill(self) -> None:
        """End the daemon at once, in whichever thread it is."""
        life, self.life = self.life, None
        if life is not None:
            self.baton.kill(life)
            self.network.end(life)

    async def end(self) -> None:
        """End it in order."""
        while self.life is not None:
            self.life.ask(lambda asked: asked.to_end)
            await asyncio.sleep(LOOK_SECONDS)
        if self.error is not None:
            raise BrokenError(f"the daemon ended by {self.error!r}")

    async def rest(self, *, stops: Callable[[], bool] = lambda: False) -> None:
        """Wait until nothing happens any more, or until `stops`."""
        until = self.baton.now + MOST_SECONDS
        self.told.last_at = self.baton.now
        while not stops():
            if self.life is None:
                raise BrokenError(f"the daemon ended by {self.error!r}")
            is_at_rest = all(job.is_settled for job in self.told.jobs.values())
            if is_at_rest and self.baton.now >= self.told.last_at + REST_SECONDS:
                return
            if self.baton.now > until:
                raise BrokenError(f"no rest: {[job.text for job in self.told.jobs.values()]}")
            await asyncio.sleep(LOOK_SECONDS)

    # The job.

    def build(self, pieces: Pieces) -> None:
        """The image is built, and all of it is on the disk."""
        with self.disk.by_hand:
            self.disk.put(self.builds / self.subject.file_name, self.subject.file_of(pieces))
        self.disk.log.sync_all()
        if self.life is not None:
            self.life.builds.hint()

    async def ask(self) -> None:
        """Let the job begin."""
        if self.subject.job is not Job.ROLLBACK:
            self.build(self.subject.wanted)
            return
        with_client = asyncio.get_running_loop().create_task(self._roll_back())
        with_client.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _roll_back(self) -> None:
        client = await Client.over(await self.network.connect(str(self.state / "s")), client="exhaustive")
        try:
            await client.call(api.Rollback(partition="app1"))
        finally:
            await client.close()

    # What has to hold.

    def check_flash(self, *complete: Pieces) -> None:
        """Nothing outside has changed, and what would be started now is one of these images."""
        now = self.flash
        if self.subject.changed_outside(self.first_flash, now):
            raise BrokenError("something outside of the partition has changed")
        found = NorFlash(self.subject.layout)
        found.load(self.subject.layout.base, now)
        is_started = not self.subject.is_plain and self.spec.boots(found)
        if is_started and not any(self.subject.holds(now, each) for each in complete):
            raise BrokenError("half an image would be started")

    def check_promises(self) -> None:
        """What the journal has promised to flash is in the spool, at any moment."""
        aside = self.state.parent.parent / "aside"
        aside.mkdir(exist_ok=True)
        for path in self.state.glob("journal.sqlite3*"):
            shutil.copy(path, aside)  # whoever opens a journal writes to it
        with closing(sqlite3.connect(aside / "journal.sqlite3")) as journal:
            states = [row[0] for row in journal.execute("SELECT state FROM job WHERE NOT ended")]
        shutil.rmtree(aside)
        for name in (msgspec.json.decode(state, type=JobState).sha256 for state in states):
            image = self.state / "spool" / name
            if not image.is_file() or hashlib.sha256(image.read_bytes()).hexdigest() != name:
                raise BrokenError("the journal has a job, and the spool not its image")

    def check_books(self, wanted: Pieces) -> None:
        """Journal and spool agree with each other, and with the flash."""
        with closing(sqlite3.connect(self.state / "journal.sqlite3")) as journal:
            contents = [
                msgspec.json.decode(row[0], type=Contents) for row in journal.execute("SELECT state FROM holding")
            ]
            open_jobs = journal.execute("SELECT count(*) FROM job WHERE NOT ended").fetchone()[0]
        if open_jobs:
            raise BrokenError(f"the journal has {open_jobs} jobs that have not ended")
        if len(contents) != 1 or not contents[0].complete or contents[0].uncertain:
            raise BrokenError(f"the journal says of the contents: {contents}")
        spool = {
            path.removeprefix("state/spool/"): data for path, data in self.disk.files().items() if "/spool/" in path
        }
        for name, data in spool.items():
            if name.startswith(TEMPORARY) or hashlib.sha256(data).hexdigest() != name:
                raise BrokenError(f"the spool has {name}, which is not what it is called")
        if contents[0].sha256 not in spool:
            raise BrokenError("the spool lacks the image that the journal has as contents")
        kept = Image.decode(spool[contents[0].sha256])
        if tuple((piece.offset, bytes(piece.data)) for piece in kept.pieces) != wanted:
            raise BrokenError("the journal has another image as contents than the one that was asked for")


class _Watch:
    """Counts the places of a job, and cuts it at one of them."""

    def __init__(self, bench: Bench, cut: Cut | None) -> None:
        self.counts: Counter[At] = Counter()
        self.states: list[int] = []
        self.is_cut = False
        self._bench = bench
        self._cut = cut
        bench.baton.watch = self._point
        bench.disk.before, bench.disk.after = self._before, self._after
        if cut is not None and cut.at is At.FLASH:
            bench.bench.cut_power(NAME, cut.number - 1, 0.5)

    def stop(self) -> None:
        """Look no more."""
        self._bench.baton.watch = _nothing
        self._bench.disk.before, self._bench.disk.after = _goes_on, _nothing

    def _point(self, at: Point) -> None:
        bench = self._bench
        if bench.life is None or bench.baton.current.life is not bench.life:
            return
        if at is Point.TRANSFER:
            self._met(At.TRANSFER)
        elif at is Point.WORK and bench.baton.current.name.startswith("journal"):
            self._met(At.COMMIT)
            self._met_power()
        if self._cut is not None and self._cut.at is At.FLASH and not bench.board.state().plugged:
            self._end()

    def _before(self, step: Step) -> Failure | None:
        if step.deed is not Deed.READ:
            self._met(At.DISK_BEFORE)
            self._leave()
        return None

    def _after(self, _step: Step) -> None:
        self._met(At.DISK_AFTER)
        self._met_power()
        self._leave()

    def _met_power(self) -> None:
        if self._cut is None:
            self.states.append(len(list(all_states(self._bench.disk.log, MOST_STATES))))
        self._met(At.POWER)

    def _met(self, at: At) -> None:
        self.counts[at] += 1
        if self._cut is not None and self._cut.at is at and self.counts[at] == self._cut.number:
            self._end()

    def _end(self) -> None:
        self.is_cut = True
        self._bench.kill()
        self.stop()

    def _leave(self) -> None:
        if self.is_cut:
            self._bench.baton.point(Point.DISK)  # whose life is over gets no further


def _nothing(_: object) -> None:
    """Nobody looks."""


def _goes_on(_step: Step) -> Failure | None:
    return None


# Runs, each in a process of its own.


def prepared(subject: Subject) -> Before:
    """Return disk and flash with a board that has the image that is there before the job."""
    with _place() as root:
        bench = Bench(subject, root)
        bench.run(_prepare)
        kept = {
            path: (data, (bench.state.parent / path).stat().st_mode & 0o777)
            for path, data in bench.disk.files().items()
            if not path.startswith("config/")
        }
        return Before(kept, bench.flash)


async def _prepare(bench: Bench) -> None:
    bench.start()
    await bench.rest()
    for pieces in bench.subject.built:
        bench.build(pieces)
        await bench.rest()
        if not bench.subject.holds(bench.flash, pieces):
            raise BrokenError(f"it was not flashed: {[job.text for job in bench.told.jobs.values()]}")
    await bench.end()


def measured(subject: Subject, before: Before) -> Measured:
    """Return what the job does when nothing happens."""
    with _place() as root:
        bench = Bench(subject, root, before)
        watch, steps = bench.run(_undisturbed)
        counts = {at.name: count for at, count in watch.counts.items()}
        return Measured(bench.flash, counts | {At.FLASH.name: steps}, watch.states)


async def _undisturbed(bench: Bench) -> tuple[_Watch, int]:
    bench.start()
    await bench.rest()
    before = bench.board.state()
    watch = _Watch(bench, None)
    await bench.ask()
    await bench.rest()
    watch.stop()
    after = bench.board.state()
    await bench.end()
    bench.check_flash(bench.subject.wanted)
    if not bench.subject.holds(bench.flash, bench.subject.wanted):
        raise BrokenError(f"the job does not do it: {[job.text for job in bench.told.jobs.values()]}")
    bench.check_books(bench.subject.wanted)
    return watch, after.erases - before.erases + after.words - before.words


def cut(subject: Subject, before: Before, wanted: bytes, where: Cut) -> bool:
    """Cut the job there, start again, and look at everything; return whether the place was met. Raises BrokenError."""
    with _place() as root:
        bench = Bench(subject, root, before)
        return bench.run(partial(_cut, wanted=wanted, where=where))


async def _cut(bench: Bench, *, wanted: bytes, where: Cut) -> bool:
    subject = bench.subject
    bench.start()
    await bench.rest()
    last = max(bench.told.jobs)
    watch = _Watch(bench, where)
    await bench.ask()
    await bench.rest(stops=lambda: watch.is_cut)
    watch.stop()
    if not watch.is_cut:
        return False
    bench.check_flash(subject.before, subject.wanted)
    _come_up(bench, where)
    bench.check_promises()
    bench.start()
    await bench.rest()
    was_promised = max(bench.told.jobs) > last
    await bench.end()
    bench.check_flash(subject.before, subject.wanted)
    goal = subject.wanted
    if subject.job is Job.ROLLBACK and not subject.holds(bench.flash, goal):
        # It was cut before the daemon had said that it will: then nothing has changed.
        if bench.flash != bench.first_flash or was_promised:
            raise BrokenError(f"the rollback was lost: {[job.text for job in bench.told.jobs.values()]}")
        goal = subject.before
    elif bench.flash != wanted:
        raise BrokenError(f"it was not recovered: {[job.text for job in bench.told.jobs.values()]}")
    bench.check_books(goal)
    return True


def _come_up(bench: Bench, where: Cut) -> None:
    match where.at:
        case At.FLASH:
            bench.disk.cut(random.Random(where.number))  # noqa: S311 -- another state each time
            bench.bench.plug(NAME)
        case At.POWER:
            bench.disk.cut(list(all_states(bench.disk.log, MOST_STATES))[where.state])
        case _:
            bench.disk.restart()


@contextmanager
def _place() -> Generator[Path]:
    """Make a directory for the length of the block: one of the same name for all that this process's children do.

    A build that lies elsewhere than the daemon has seen one is another one.
    """
    root = (DISKS if DISKS.is_dir() else Path(tempfile.gettempdir())) / f"flashdeck-cut-{os.getppid()}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(mode=0o700)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Failed:
    why: str


def forked(work: Callable[[], T]) -> T:
    """Return what `work` returns in a child of this process; its exceptions are raised here as BrokenError."""
    return begun(work)()


def begun(work: Callable[[], T]) -> Callable[[], T]:
    """Begin `work` in a child of this process; what is returned waits for its end, as `forked` does."""
    gc.freeze()
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        gc.disable()  # it lives for a moment, and would copy all of its parent's pages
        os.close(read_end)
        try:
            answer = pickle.dumps(work())
        except BrokenError as error:
            answer = pickle.dumps(_Failed(str(error)))
        except BaseException:  # noqa: BLE001 -- the child must not go on
            answer = pickle.dumps(_Failed(traceback.format_exc()))
        while answer:
            answer = answer[os.write(write_end, answer) :]
        os._exit(0)
    os.close(write_end)

    def ended() -> T:
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        result: T | _Failed = pickle.loads(answer) if answer else _Failed("the process died")  # noqa: S301 -- ours
        if isinstance(result, _Failed):
            raise BrokenError(result.why)
        return result

    return ended


@dataclass
class Tally:
    """The thing that was cut."""

    places: int = 0
    """All places at which it could have been."""
    cuts: Counter[At] = field(default_factory=Counter[At])
    missed: int = 0
    """Places that were not met again."""
    broken: list[str] = field(default_factory=list[str])

    def add(self, other: "Tally") -> None:
        """Add what another one has."""
        self.places += other.places
        self.cuts += other.cuts
        self.missed += other.missed
        self.broken += other.broken

    def __str__(self) -> str:
        return (
            f"{self.cuts.total()} cuts at {self.places} places, {len(self.broken)} not recovered, {self.missed} not met"
        )


def examine(subject: Subject, every: int = 1, first: int = 0) -> Tally:
    """Cut a job at each of its places, or at every so-many-th."""
    tally = Tally()
    try:
        before = forked(partial(prepared, subject))
        undisturbed = forked(partial(measured, subject, before))
    except BrokenError as error:
        tally.broken.append(f"{subject}: {error}")
        return tally
    places = list(undisturbed.cuts())
    tally.places = len(places)
    for where in places[first % every :: every]:
        try:
            met = forked(partial(cut, subject, before, undisturbed.flash, where))
        except BrokenError as error:
            tally.broken.append(f"{subject}, {where}: {error}")
            met = True
        tally.cuts[where.at] += met
        tally.missed += not met
    return tally


def _examine_all(chosen: Sequence[Subject], every: int) -> Tally:
    whole = Tally()
    for number, subject in enumerate(chosen):
        tally = examine(subject, every, number)
        whole.add(tally)
        print("\n".join((f"{subject}: {tally}", *tally.broken)), flush=True)
    return whole


def main() -> None:
    """Cut every job everywhere, or at every so-many-th place, and print how often that was."""
    parser = argparse.ArgumentParser(prog="python -m simulation.exhaustive", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th place of each job")
    parser.add_argument("--model", type=Model, action="append", help="only this bootloader")
    options = parser.parse_args()
    logging.disable()
    chosen = [subject for subject in subjects() if not options.model or subject.model in options.model]
    workers = [begun(partial(_examine_all, chosen[number::WORKERS], options.every)) for number in range(WORKERS)]
    whole = Tally()
    for worker in workers:
        whole.add(worker())
    for at in At:
        print(f"{whole.cuts[at]:>7} {at.value}")
    print(f"{len(chosen)} jobs: {whole}")
    sys.exit(1 if whole.broken or whole.missed else 0)


if __name__ == "__main__":
    main()
