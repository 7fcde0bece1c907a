"""The world of a seed: a machine with a daemon, its boards, its disk, its builds and its clients."""

import asyncio
import itertools
import logging
import os
import traceback
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import usb.backend.libusb1

from flashdeck.config import Board, Config
from flashdeck.config_record import RECORD_NAME
from flashdeck.errors import ConfigError, FlashdeckError, RequestError
from flashdeckd.host import (
    clock,
    commands,
    files,
    kernel_locks,
    processes,
    randomness,
    serial_lines,
    sockets,
    threads,
)
from flashdeckd.service import Options
from flashdeckd.virtual import serial_ports
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.virtual_bench import VirtualBench
from simulation.actors import all_actors
from simulation.actors.moments import Moments
from simulation.baton import Baton, Point
from simulation.baton_threads import BatonThreads
from simulation.bench_plan import PROJECT, BenchPlan
from simulation.confirmed import Confirmed
from simulation.disk import Deed, Disk, Failure, Step
from simulation.life import DaemonLife
from simulation.moods import Mood
from simulation.night import Night
from simulation.seen import Named, Setup
from simulation.sim_clock import SimClock
from simulation.sim_commands import SimCommands
from simulation.sim_process import SimProcess, SimRandomness
from simulation.sim_serial_lines import SimSerialLines
from simulation.story import Story
from simulation.streams import Network, SimStream
from simulation.virtual_loop import VirtualLoop
from simulation.witness import Witness

CALM_SECONDS = 120.0
"""Virtual seconds for which the world is left alone at the end."""
MOST_CALM_SECONDS = 20_000.0
"""Virtual seconds in which it has to be at rest: a board may claim hours for each step, of which a minute counts."""
PORT_LOOK_SECONDS = 0.25
"""Virtual seconds between two looks at the serial ports of applications: fewer only cost time."""
SPOOL = "state/spool"
"""The place of images, on the disk."""
RESTART_SECONDS = 0.5
"""Virtual seconds until somebody starts the daemon again."""


class World:
    """Everything; made in the process of its seed, in which nothing else was made before.

    Actors use what is below "What actors do". The rules are held by `witness`.
    """

    def __init__(
        self,
        seed: int,
        root: Path,
        give_up: Callable[[], NoReturn],
        *,
        without: Collection[str] = (),
        seconds: float | None = None,
    ) -> None:
        """`root` is a directory of its own for the disk; `give_up` ends the process once a rule is broken.

        `without` are kinds of trouble that are left out; `seconds` is for how long there is trouble.
        """
        self.seed, self._without = seed, without
        self.mood = Mood(seed)
        self.night = Night.of(self.random("night"), talks=self.mood.talks)
        self._trouble_seconds = self.night.seconds if seconds is None else seconds
        self.actors: list[str] = []
        """The names of the kinds of trouble that there are."""
        self.story = Story()
        self.failures: list[str] = []
        self.give_up = give_up
        self.baton = Baton(self.random("baton"), self.random("share").choice((0.1, 0.3, 1.0)))
        self.baton.watch = self._at
        self.hearers: list[Callable[[str, str], None]] = []
        """Called with each line of the story that is told here: its kind, and its text."""
        self._watchers: dict[Callable[[Point], None], None] = {}
        self.after_cuts: list[Callable[[], None]] = []
        """Called once the disk has come up after a power cut."""
        self.disk_faults: list[Callable[[Step], Failure | None]] = []
        """Asked of each operation on the disk."""
        self.moments = Moments(self)
        self.clock = SimClock(self.baton)
        self.root = str(root)
        self.builds, self.state, self.socket = root / "build", root / "state", root / "run" / "s"
        self.config, self.project = root / "config" / "flashdeck.toml", root / "config" / PROJECT
        self.witness = Witness(self)
        self.network = Network(self.baton, self.random("network"))
        self.network.listens = self.witness.listens
        self.process = SimProcess()
        self._take_over()
        self.plan = BenchPlan.of(self.random("bench"), self.mood, self.night, self.builds, self.witness)
        self.setup = self._went_by = self.plan.setup
        """The configuration as it stands in the file, or did before somebody broke it; and what was last in force."""
        self.confirmed = Confirmed(self.state / RECORD_NAME)
        self._setups = {self.setup.spool_limit: self.setup}
        """All that were written, by the limit of the spool: each has its own, by which it is known again."""
        self._make_places()
        self.disk = Disk(
            root,
            self.clock.time,
            before=self._before_disk,
            after=self._after_disk,
            owner=lambda: self.baton.current.life,
        )
        files.system = kernel_locks.system = self.disk
        self.bench = VirtualBench(self.plan.specs)
        devices = {spec.name: self.plan.device(spec) for spec in self.plan.specs}
        self.witness.know(devices, self.bench.boards)
        logging.getLogger().handlers = [_Faults(self)]
        self.life: DaemonLife | None = None
        self.loop = VirtualLoop(self.baton, self.baton.home)
        self.is_calm = False
        self.deaths = 0
        """How often a daemon was killed, or the power has failed: what the world has open is closed then."""
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Let everything happen, and come to rest."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._run())

    # What actors do.

    def random(self, name: str) -> Random:
        """Return a generator of its own for one purpose, so that others may draw more or less."""
        return Random(f"{self.seed}/{name}")  # noqa: S311 -- nothing is kept secret with it

    def tell(self, kind: str, text: str) -> None:
        """Add a line to the story, and count its kind."""
        self.story.tell(self.baton.now, kind, text.replace(self.root, "~"))
        for hear in self.hearers:
            hear(kind, text)

    def fail(self, why: str) -> None:
        """End the seed: something is not as it must be."""
        self.failures.append(why)
        self.tell("failed", why.partition("\n")[0])
        self.give_up()

    def start(self) -> None:
        """Start a daemon, unless one runs."""
        if self.life is not None:
            return
        number = next(self._numbers)
        self.process.pid += 1
        options = Options(socket=self.socket, state_dir=self.state, config=self.config, virtual=self.config)
        self.life = DaemonLife(
            number, options, self.bench, self.baton, self.story, self.witness, self._ended, self.in_force
        )
        self.tell("start", str(number))
        self.witness.began(self.life)
        self.life.begin()

    def kill(self, why: str) -> None:
        """End the daemon at once, also from a thread of its own; somebody starts it again."""
        if (life := self.life) is not None:
            self.tell("kill", f"{life.number} {why} in {self.baton.current.name}")
            self.baton.kill(life)
            self._bury(life)
            self.deaths += 1
            self.disk.restart()

    def cut_power(self, seed: Random) -> None:
        """The machine loses its power, the boards do not; the disk comes up in one of its legal states."""
        life = self.life
        self.tell("power", f"{self.disk.steps}")
        if life is not None:
            self.baton.kill(life)
            self._bury(life)
        self.deaths += 1
        self.disk.cut(seed)
        for look in self.after_cuts:
            look()

    def stop(self) -> None:
        """Ask the daemon to end in order; somebody starts it again."""
        if self.life is not None and self.life.ask(lambda asked: asked.to_end):
            self.tell("stop", str(self.life.number))

    def configure(self, setup: Setup) -> None:
        """Write another configuration."""
        self.setup = replace(setup, spool_limit=max(self._setups) + len(self._setups))
        self._setups[self.setup.spool_limit] = self.setup
        self.confirmed.written(self.setup)
        if project := self.plan.included(self.setup):
            self.save(self.project, project.encode())
        self.save(self.config, self.plan.written(self.setup).encode())

    def in_force(self, config: Config) -> None:
        """The daemon goes by a configuration from now on; boards that wait for their new names have the old ones."""
        setup = self.confirmed.in_force(self._setups[config.daemon.spool_limit], config)
        self._went_by = self._setups[config.daemon.spool_limit]
        self.witness.took(replace(setup, boards=boards_in_force(config, setup, self.witness.seen.setup)))

    def reload(self) -> None:
        """Ask the daemon to read its configuration again."""
        if self.life is not None and self.life.ask(lambda asked: asked.to_reload):
            self.tell("reload", str(self.life.number))

    def watch(self, watcher: Callable[[Point], None], *, is_on: bool) -> None:
        """Call `watcher` at each point of the daemon's threads from now on, or not any more."""
        if is_on:
            self._watchers[watcher] = None
        else:
            self._watchers.pop(watcher, None)

    async def pause(self, seed: Random, seconds: float) -> None:
        """Let time pass until somebody does something again: so many seconds in the mean of a long night."""
        await asyncio.sleep(seed.expovariate(1 / seconds) / self.night.haste)

    def plug(self, board: VirtualBoard) -> None:
        """Connect a board."""
        board.plug()
        self.witness.look(board.spec.name)

    def unplug(self, board: VirtualBoard) -> None:
        """Pull the cable of a board: it loses its power at once."""
        board.unplug()
        self.witness.look(board.spec.name)

    def press(self, board: VirtualBoard) -> None:
        """Press the button of a board that is plugged in, which restarts it into its bootloader."""
        with suppress(RequestError):
            board.press()
            self.tell("press", board.spec.name)
        self.witness.look(board.spec.name)

    def move(self, board: VirtualBoard, port: int) -> None:
        """Plug a board into another port, the next time."""
        board.spec = replace(board.spec, port=port)
        self.witness.seen.devices[board.spec.name].port = f"1-{port}"

    def boards_of(self, name: str) -> list[VirtualBoard]:
        """Return the boards of the bench that a person would take for the configured one."""
        named = self.setup.boards.get(name)
        devices = self.witness.seen.devices
        return [
            board
            for board in self.bench.boards.values()
            if named is not None
            and (not named.serial or devices[board.spec.name].serial == named.serial)
            and (not named.port or devices[board.spec.name].port == named.port)
        ]

    def write(self, path: Path, data: bytes) -> None:
        """Write a file as a plain tool does: open, write, close. Raises OSError."""
        with self.disk.by_hand:
            descriptor = self.disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o644)
            try:
                self.disk.write(descriptor, data)
            finally:
                self.disk.close(descriptor)
        self.hint()

    def save(self, path: Path, data: bytes) -> None:
        """Write a file as a careful editor does: it is the old or the new one, whatever happens."""
        beside = path.with_name(f"{path.name}~")
        with self.disk.by_hand:
            descriptor = self.disk.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o644)
            self.disk.write(descriptor, data)
            self.disk.fsync(descriptor)
            self.disk.close(descriptor)
            self.disk.replace(beside, path)
            directory = self.disk.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            self.disk.fsync(directory)
            self.disk.close(directory)

    def hint(self) -> None:
        """The kernel tells the daemon that something in the build tree has changed."""
        if self.life is not None:
            self.life.builds.hint()

    async def connect(self) -> SimStream:
        """Open a way to the daemon for a client; raises ConnectionFailedError."""
        return await self.network.connect(str(self.socket))

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Let something go on beside everything else, to the end of the seed."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    # Inside.

    async def _run(self) -> None:
        actors = [actor for actor in all_actors(self) if type(actor).__name__ not in self._without]
        self.actors = [type(actor).__name__ for actor in actors]
        self.tell(f"mood {self.mood.name}", "")
        self.start()
        tasks = [self.spawn(actor.trouble()) for actor in actors]
        await asyncio.sleep(self._trouble_seconds)
        self.is_calm = self.witness.seen.is_calm = True
        self.tell("calm", self.mood.name)
        for task, actor in zip(tasks, actors, strict=True):
            task.cancel()
            actor.calm()
        calm_at = self.baton.now
        await asyncio.sleep(CALM_SECONDS)
        while self.witness.is_busy and self.baton.now < calm_at + MOST_CALM_SECONDS:
            self.witness.seldom()
            await asyncio.sleep(CALM_SECONDS)
        self.witness.rested()

    def _press_at(self, port: str) -> None:
        """A command brings the board at a port into DFU mode, if there is one by then."""
        for board in self.bench.boards.values():
            if f"1-{board.spec.port}" == port:
                self.press(board)

    def _touch_real(self, *_args: object, **_kwargs: object) -> None:
        """The library for real devices is asked for: there is none here, and nobody should."""
        self.witness.touched_real("libusb")

    def _at(self, point: Point) -> None:
        seen, baton = self.witness.seen, self.baton
        seen.now, seen.step = baton.now, baton.points
        if self._watchers and baton.current.life is not None:
            for watcher in tuple(self._watchers):
                watcher(point)

    def _before_disk(self, step: Step) -> Failure | None:
        if step.deed is not Deed.READ:
            self.moments.disk_step = step
            self.baton.point(Point.DISK)
        for fault in self.disk_faults:
            if (failure := fault(step)) is not None:
                self.witness.seen.disk_failed_at = self.baton.now
                return failure
        return None

    def _after_disk(self, step: Step) -> None:
        where, _, name = step.path.rpartition("/")
        if step.deed in (Deed.RENAME, Deed.UNLINK) and where == SPOOL:
            self.witness.spooled(name, is_kept=step.deed is Deed.RENAME)
        self.baton.point(Point.DISK)

    def _ended(self, life: DaemonLife, error: BaseException | None) -> None:
        """The daemon has ended by itself."""
        self.tell("end", f"{life.number} {error!r}")
        if isinstance(error, ConfigError):
            self.loop.call_soon_threadsafe(self._mend_configuration)
        elif isinstance(error, OSError | FlashdeckError) and self._disk_fails(life):
            pass  # its directories could not be used
        elif error is not None:
            self.fail("the daemon ended: " + "".join(traceback.format_exception(error)))
        self._bury(life)
        self.disk.end(life)

    def _mend_configuration(self) -> None:
        """Whoever broke the file sees that, and writes the whole one.

        Where no daemon takes that, as with the serial of a board that was adopted meanwhile, the edit is undone.
        """
        is_whole = self.config.read_text() == self.plan.written(self.setup)
        self.configure(self._went_by if is_whole else self.setup)

    def _disk_fails(self, life: DaemonLife) -> bool:
        """Tell whether the disk is full, or has failed since a life began."""
        return self.disk.room is not None or self.witness.seen.disk_failed_at >= life.begun_at

    def _bury(self, life: DaemonLife) -> None:
        self.life = None
        self.witness.died()
        self.network.end(life)
        self.lines.end_readers()
        self.loop.call_soon_threadsafe(self._start_again)

    def _start_again(self) -> None:
        self.loop.call_later(RESTART_SECONDS, self.start)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def _take_over(self) -> None:
        """From now on all of the daemon's edges but the disk are ours."""
        clock.system, randomness.system = self.clock, SimRandomness(self.random("randomness"))
        processes.system, sockets.system, threads.system = self.process, self.network, BatonThreads(self.baton)
        commands.system = SimCommands(self.random("commands"), self.witness.commanded, self._press_at)
        serial_lines.system = self.lines = SimSerialLines(self.witness.touched)
        serial_ports.LOOK_SECONDS = PORT_LOOK_SECONDS  # type: ignore[misc] -- a bench that is looked at less often
        usb.backend.libusb1.get_backend = self._touch_real

    def _make_places(self) -> None:
        for place in (self.config.parent, *(self.builds / name for name in self.plan.lines)):
            place.mkdir(parents=True)
        self.state.mkdir(mode=0o700)
        self.config.write_text(self.plan.written(self.setup))
        self.project.write_text(self.plan.included(self.setup))


def boards_in_force(config: Config, setup: Setup, before: Setup) -> dict[str, Named]:
    """Return the boards by which a daemon goes: as written in `setup`, adopted, or with a name that they had `before`.

    Those that wait for their new names are recognised as before, and are of their product as that is now.
    """
    former = {name: replace(named, product=setup.products[named.product.name]) for name, named in before.boards.items()}
    known = {**former, **setup.boards}
    return {
        name: known[name] if board.pins is None else _adopted(board, setup) for name, board in config.boards.items()
    }


def _adopted(board: Board, setup: Setup) -> Named:
    """Return a board that was adopted, by what was pinned of it."""
    _, _, port = board.port.rpartition(":")
    return Named(
        name=board.name,
        product=setup.products[board.profile.name],
        serial=board.serial,
        port=f"1-{port}" if port else "",
        release=None if board.pins is None else board.pins.bcd_device,
    )


class _Faults(logging.Handler):
    """The log of the process: a traceback in it is a fault of the product that nobody else would see."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Fail at once where an exception was logged, unless the simulation itself ends."""
        if record.exc_info and record.exc_info[1] is not None:
            error = "".join(traceback.format_exception(record.exc_info[1]))
            self._world.fail(f"{record.name} logged {record.getMessage()}: {error}")
