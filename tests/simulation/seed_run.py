"""One seed in a process of its own, forked from one that has imported everything and started no thread."""

import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

from flashdeck.config_file import proposed
from flashdeckd.builds.lease import install_sigio
from simulation.reached import Lines, Tracer
from simulation.world import World

DISKS = Path("/dev/shm")
MOST_SECONDS = 300
"""Real seconds that a seed may take."""
STORY_LINES = 200
"""Lines of the story of a seed that failed."""
_CONFIGURATION = """
[daemon]
settle = "50ms"
[profiles.product1]
dfu = "0483:df11"
enter = "manual"
flash = "STM32H563RG"
[profiles.product1.partitions.app1]
address = 0x08020000
size = "384K"
image = "app1.bin"
[boards.board1]
profile = "product1"
serial = "1"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a seed."""

    seed: int
    digest: str = ""
    failures: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    story: list[str] = field(default_factory=list[str])
    """The last lines, of a seed that failed."""
    seconds: float = 0.0
    """Processor time."""
    reached: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Lines of the daemon that have run and were not known, by module, where somebody asks for them."""
    actors: list[str] = field(default_factory=list[str])
    """The kinds of trouble that there were."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A seed, or less of it."""

    seed: int
    without: tuple[str, ...] = ()
    """Kinds of trouble that are left out, by the names of their classes."""
    seconds: float | None = None
    """Virtual seconds of trouble; None: as usual."""

    def text(self) -> str:
        """Return what is left out, in words; "" for a whole seed."""
        said = [f"without {', '.join(self.without)}"] if self.without else []
        return "; ".join((*said, *([] if self.seconds is None else [f"{self.seconds:g} s of trouble"])))


class Begun:
    """A seed that runs in a process of its own."""

    def __init__(self, trial: Trial, pid: int, pipe: int, root: Path, cpu: int) -> None:
        self.cpu = cpu
        self._root = root
        self._trial = trial
        self._pid = pid
        self._pipe = pipe
        self._text = b""

    @staticmethod
    def first_done(running: "list[Begun]") -> "Begun":
        """Return the first that ends."""
        by_pipe = {each._pipe: each for each in running}
        while True:
            ready, _, _ = select.select(list(by_pipe), [], [])
            for pipe in ready:
                data = os.read(pipe, 1 << 20)
                by_pipe[pipe]._text += data
                if not data:
                    return by_pipe[pipe]

    def outcome(self) -> Outcome:
        """Wait for its end, and return what has become of it."""
        while data := os.read(self._pipe, 1 << 20):
            self._text += data
        os.close(self._pipe)
        os.waitpid(self._pid, 0)
        shutil.rmtree(self._root, ignore_errors=True)
        if not self._text:
            return Outcome(self._trial.seed, failures=["the process of the seed died"])
        return Outcome(**json.loads(self._text))


def begin(trial: Trial, known: Lines | None = None, cpu: int = -1) -> Begun:
    """Begin a seed in a child of this process, on one processor where one is given.

    Where `known` lines are given, it tells of all others that it reaches.
    """
    _read_one_configuration()
    install_sigio()  # as the daemon does in its main thread, which a child's is not
    gc.freeze()
    root = Path(tempfile.mkdtemp(prefix="flashdeck-sim-", dir=DISKS if DISKS.is_dir() else None))
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        if cpu >= 0:
            os.sched_setaffinity(0, {cpu})
        _run_and_leave(trial, root, write_end, None if known is None else Tracer(known))
    os.close(write_end)
    return Begun(trial, child, read_end, root, cpu)


@cache
def _read_one_configuration() -> None:
    """Read one, so that what is learned from the models once is learned here, and not in each seed's process."""
    proposed(Path("/never/flashdeck.toml"), Path("/never/flashdeck.toml"), _CONFIGURATION)


def run_trial(trial: Trial) -> Outcome:
    """Run a seed, or less of it, in a child of this process."""
    return begin(trial).outcome()


def run_forked(seed: int, known: Lines | None = None) -> Outcome:
    """Run a seed in a child of this process; where `known` lines are given, tell of all others that it reaches."""
    return begin(Trial(seed), known).outcome()


def _run_and_leave(trial: Trial, root: Path, tell: int, tracer: Tracer | None) -> NoReturn:
    """Run a seed in this process, and end it, from whatever thread: nothing is taken down."""
    signal.alarm(MOST_SECONDS)  # one that turns on the spot is a failure, too
    gc.disable()  # what it finds, as a generator that nobody has, would end once as much was made: no seed decides that
    disk = root / "disk"
    disk.mkdir()
    began = time.process_time()

    def leave() -> NoReturn:
        outcome = Outcome(
            trial.seed,
            world.story.digest(),
            world.failures,
            {**world.story.counts, "points": world.baton.points},
            [line[:400] for line in world.story.last][-STORY_LINES:] if world.failures else [],
            time.process_time() - began,
            {} if tracer is None else tracer.reached,
            world.actors,
        )
        text = json.dumps(asdict(outcome)).encode(errors="replace")
        while text:
            text = text[os.write(tell, text) :]
        sys.stdout.flush()
        os._exit(0)

    if tracer is not None:
        tracer.begin()
    try:
        world = World(trial.seed, disk, leave, without=trial.without, seconds=trial.seconds)
    except BaseException:  # noqa: BLE001 -- told to whoever runs the seed
        os.write(tell, json.dumps({"seed": trial.seed, "failures": [traceback.format_exc()]}).encode())
        os._exit(1)
    try:
        world.run()
    except BaseException:  # noqa: BLE001 -- the same
        world.failures.append(traceback.format_exc())
    leave()
