"""A desk in the guest: emulated boards on a real USB, a real daemon, its command line, and the hands between them."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from cli_run import Run
from flashdeck.api import CHUNK
from flashdeck.job_state import Blocked, Phase, Waiting
from flashdeck.model import BoardState, JobState, Presence, Snapshot
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.nor import FlashLayout
from flashdeckd.virtual.spec import FIXED_POLLS, BoardSpec, Content, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench
from flashdeckd.virtual.voice import Saying
from rig import APP1, DAEMON, WAIT_SECONDS, Rig, firmware, prepare, running
from vm.cables import Cables
from vm.vhci import Port

SHORT_POLL = 5
"""Milliseconds that boards claim: what they really claim is another's measurement."""
SLOW_ERASE, SLOW_WORD = 5.0, 0.02
"""Seconds of an erase, and of a word, of a board that is slowed: it is busy with a small image for 15 s, or 25."""
_CLI = Path(sys.executable).with_name("flashdeck")
_FLASH = FlashLayout()


def board(name: str, port: int, model: Model = Model.CLASSIC, serial: str = "") -> BoardSpec:
    """A board that is not plugged in yet, and comes up in its bootloader when it is."""
    return BoardSpec(
        name=name,
        model=model,
        port=port,
        serial=serial or f"TEST{port:08}",
        runtime=True,
        plugged=False,
        start=Start.DFU,
        poll_write=None if model in FIXED_POLLS else SHORT_POLL,
    )


def board_with_port(name: str, port: int) -> BoardSpec:
    """A board whose application has a serial port that knows the touch, and nothing else to ask."""
    return replace(board(name, port), runtime=False, serial_port=AppPort.TOUCH)


def talking_board(name: str, port: int, *says: Saying, serial: str = "") -> BoardSpec:
    """A board that runs an application with a serial port as soon as it is plugged in; it may have no serial."""
    spec = replace(board(name, port), runtime=False, serial_port=AppPort.PLAIN, start=Start.BOOT)
    return replace(spec, serial=serial, says=says, contents=(Content(APP1, firmware(name)),))


def slow_board(name: str, port: int, model: Model = Model.CLASSIC) -> BoardSpec:
    """The same with a flash so slow that a cable can be pulled by hand, in whatever phase."""
    return BoardSpec(
        name=name,
        model=model,
        port=port,
        serial=f"TEST{port:08}",
        runtime=True,
        plugged=False,
        start=Start.DFU,
        timing=Timing.REAL,
        erase_time=0.5,
        word_time=0.001,
    )


class Desk:
    """What a test can do and see."""

    def __init__(self, rig: Rig, bench: VirtualBench, cables: Cables) -> None:
        self.rig = rig
        self.bench = bench
        self.cables = cables

    @contextmanager
    def slowed(self, name: str, phase: Phase) -> Generator[None]:
        """Let a board erase or write so slowly that what has yet to begin comes in the middle of it, on any machine."""
        emulated = self.bench.boards[name]
        before = emulated.spec
        times = {Phase.ERASE: {"erase_time": SLOW_ERASE}, Phase.WRITE: {"word_time": SLOW_WORD}}
        emulated.spec = replace(before, **times[phase])
        try:
            yield
        finally:
            emulated.spec = before

    async def plug(self, *names: str) -> None:
        """Plugs boards in, and waits until the daemon has each of them in DFU mode."""
        for name in names:
            self.bench.plug(name)
        await self.until_present(Presence.DFU, *names)

    async def until_present(self, presence: Presence, *names: str) -> None:
        await self.rig.until(lambda now: all(of(now, name).presence is presence for name in names))

    async def until_empty(self, *names: str) -> None:
        """Waits until the kernel has done with what was in the ports of boards."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not all(self.cables.port(name).empty for name in names):  # noqa: ASYNC110 -- as for cables
                await asyncio.sleep(0.05)

    async def tty_of(self, name: str) -> Path:
        """Waits until the kernel has a node for the serial port of a board; returns that."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = [path.name for path in self.cables.port(name).device.glob("*:*/tty/tty*")]
                if found and Path("/dev", found[0]).exists():  # noqa: ASYNC240 -- devtmpfs
                    return Path("/dev", found[0])
                await asyncio.sleep(0.05)

    async def until_job(self, name: str, reached: Callable[[JobState], bool]) -> JobState:
        """Waits for the newest job of a board to get somewhere."""
        now = await self.rig.until(lambda now: any(reached(job) for job in newest(now, name)))
        return newest(now, name)[0]

    async def flashed(self, data: bytes, *names: str) -> dict[str, JobState]:
        """Builds `data`, and waits with the command line until it is on the boards; their jobs."""
        self.rig.build(data)
        await self.waited(data, *names)
        return {job.board: job for job in await self.rig.jobs()}

    async def waited(self, data: bytes, *names: str) -> None:
        """Lets the command line wait for an image, then looks into the flash of the boards."""
        words = [word for name in names for word in ("--board", name)]
        run = await self.cli("wait", "app1", "--for", str(self.rig.image), "--timeout", str(WAIT_SECONDS), *words)
        assert run.code == 0, run
        for name in names:
            assert self.app1_of(name, len(data)) == data, name

    async def cli(self, *words: str) -> Run:
        """Runs `flashdeck`."""
        return await ran(str(_CLI), "--socket", str(self.rig.socket), *words)

    def app1_of(self, name: str, size: int) -> bytes:
        """The beginning of app1 as the emulator holds it."""
        return self.flash_of(name, APP1, size)

    def flash_of(self, name: str, address: int, size: int) -> bytes:
        """So much of a board's flash, past everything that its bootloader says."""
        pieces = [self.bench.dump(name, address + at, min(CHUNK, size - at)) for at in range(0, size, CHUNK)]
        return b"".join(piece.data for piece in pieces)

    def around(self, name: str, partition: int = APP1) -> bytes:
        """All of a board's flash that the partition at that address is no part of."""
        flash = self.flash_of(name, _FLASH.base, _FLASH.size)
        return flash[: partition - _FLASH.base] + flash[partition - _FLASH.base + 384 * 1024 :]


def of(now: Snapshot, name: str) -> BoardState:
    (found,) = [each for each in now.boards if each.name == name]
    return found


def newest(now: Snapshot, name: str) -> list[JobState]:
    """The newest job of a board, if it has any."""
    return sorted((job for job in now.jobs if job.board == name), key=lambda job: job.id)[-1:]


def rests(job: JobState) -> bool:
    """Whether nothing happens to a job until somebody does something."""
    return job.is_settled or isinstance(job.status, Blocked | Waiting)


def configured(*specs: BoardSpec, by_port: bool = False) -> str:
    """The boards of a configuration, known by their serials, or by the ports that they are in, too."""
    tables = [
        f'[boards.{spec.name}]\nprofile = "product"\nserial = "{spec.serial}"\n'
        + (f'port = "{Port(spec.port).path}"\n' if by_port else "")
        for spec in specs
    ]
    return "".join(tables)


@asynccontextmanager
async def desk(
    root: Path,
    *specs: BoardSpec,
    boards: str | None = None,
    careful: bool = True,
    daemon: tuple[str, ...] = DAEMON,
    enter: str = '"detach"',
    profile: str = "",
) -> AsyncGenerator[Desk]:
    """A daemon for these boards, none of them plugged in yet; `boards` are the configured ones, otherwise all.

    At the end no board may have noted anything that a `careful` host does not do. `daemon` is what Python runs, `enter`
    the way into DFU mode, `profile` what else the boards' profile has.
    """
    prepare(root, boards=configured(*specs) if boards is None else boards, bench="", enter=enter, profile=profile)
    bench = VirtualBench(specs)
    with Cables(bench) as cables:
        async with running(root, virtual=False, daemon=daemon) as rig:
            yield Desk(rig, bench, cables)
    violations = {state.name: state.violations for state in bench.list() if state.violations}
    if careful:
        assert violations == {}


async def enumerated(bench: VirtualBench, cables: Cables, name: str) -> None:
    """Brings a board into its bootloader where it is not, and waits until the kernel has it there."""
    state = bench.boards[name].state()
    if not state.plugged:
        bench.plug(name)
    elif state.mode != "dfu":
        bench.press(name)
    usb_id, product = bench.boards[name].spec.dfu, cables.port(name).device / "idProduct"
    async with asyncio.timeout(WAIT_SECONDS):
        while _attribute(product) != f"{usb_id.product:04x}":  # noqa: ASYNC110 -- as for cables
            await asyncio.sleep(0.05)


async def pressed(bench: VirtualBench, cables: Cables, name: str) -> None:
    """Press a board's button, and wait until the kernel has it anew in its bootloader."""
    device, product = cables.port(name).device, f"{bench.boards[name].spec.dfu.product:04x}"
    before = _attribute(device / "devnum")
    bench.press(name)
    async with asyncio.timeout(WAIT_SECONDS):
        while _attribute(device / "devnum") in ("", before) or _attribute(device / "idProduct") != product:  # noqa: ASYNC110 -- as for cables
            await asyncio.sleep(0.05)


def _attribute(path: Path) -> str:
    """An attribute in sysfs; "" where the device has gone, or is not there yet."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


async def ran(*words: str) -> Run:
    """Runs a program to its end, within bounds."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise AssertionError(f"{words} did not end") from None
    assert process.returncode is not None
    return Run(process.returncode, out.decode(), err.decode())
