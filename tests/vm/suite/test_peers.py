"""dfu-util on the same boards: what it can do, it does, and of what is on a board it says what flashdeck says."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from flashdeck.config import UsbId
from flashdeck.job_state import Done, Phase, Verified, Waiting
from flashdeck.model import Presence
from flashdeckd.virtual.spec import PLAIN_MODELS, BoardSpec, Model, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench
from job_states import phase_of
from rig import APP1, firmware, sha256
from vm.cables import Cables
from vm.desk import board, configured, desk, enumerated, pressed, ran, slow_board

SIZE = 6_000
ONE, TWO, THREE = (firmware(version, size=SIZE, stack=0x20004000) for version in ("1.0.0", "1.0.1", "1.0.2"))
"""With a stack that the smallest of these boards has room for."""
IOERR, PROTOCOL = 74, 76
"""dfu-util's exit codes (sysexits.h): of USB, and of a device that does what it does not expect."""


@dataclass(frozen=True)
class Conduct:
    """What comes of dfu-util's three commands on a board."""

    flash: int = 0
    holds: bool = True
    """Whether the image is on the board then, whatever dfu-util says."""
    read: int = 0
    reads: bool = True
    """Whether what it read is what the board holds."""
    leave: int = 0
    starts: bool = True


GOOD = Conduct()
VANISHES = replace(GOOD, leave=IOERR)
"""The board is gone before the answer to the last question: "Error during download get_status"."""
FALSE_READS = replace(VANISHES, reads=False)
"""dfu-util takes what it is told for the contents."""
INSISTS = Conduct(PROTOCOL, holds=False, read=PROTOCOL, reads=False, leave=PROTOCOL, starts=False)
"""dfu-util wants to see dfuDNBUSY after every command, and these are done with some at once."""
CONDUCT = {
    Model.CLASSIC: VANISHES,
    Model.CLASSIC_NOREAD: Conduct(read=IOERR, reads=False, leave=IOERR, starts=False),
    Model.CLASSIC_TEMPLATE: Conduct(holds=False, read=IOERR, reads=False, leave=IOERR, starts=False),
    Model.CLASSIC_OLD: VANISHES,
    Model.CLASSIC_OLD_NOREAD: FALSE_READS,
    Model.CLASSIC_OLD_TEMPLATE: Conduct(holds=False, reads=False, leave=IOERR, starts=False),
    Model.CLASSIC_STALE: VANISHES,
    Model.CLASSIC_STALE_ERASE: VANISHES,
    Model.CLASSIC_ECHO: FALSE_READS,
    Model.CLASSIC_CONSTANT: FALSE_READS,
    Model.CLASSIC_CRASH: VANISHES,
    Model.USBX: INSISTS,
    Model.USBX_DEFAULT: INSISTS,
    Model.USBX_ASYNC: INSISTS,
    Model.TINYUSB: replace(VANISHES, flash=IOERR),
    Model.TINYUSB_ASYNC: replace(VANISHES, flash=IOERR),
    Model.ZEPHYR: Conduct(starts=False),
    Model.DAPBOOT: replace(VANISHES, flash=IOERR),
    Model.GD32: VANISHES,
    Model.GD32_SILENT: Conduct(leave=IOERR, starts=False),
    Model.ROM_RDP1_SILENT: Conduct(holds=False, read=IOERR, reads=False),
}
"""Where it is not GOOD, and why.

A STALL leaves ST's class in a state that dfu-util does not know (classic-noread, classic-template); it says nothing of
boards that say yes and do nothing; plain DFU devices start the application at the end of every download, but for
Zephyr's.
"""


class DfuUtil:
    """The program, for one board."""

    def __init__(self, spec: BoardSpec, cables: Cables, root: Path) -> None:
        self._words = ("dfu-util", "--path", cables.port(spec.name).name, "--alt", "0")
        self._plain = spec.model in PLAIN_MODELS
        self._image = root / f"{spec.name}.bin"
        self._read = root / f"{spec.name}.read"

    async def flash(self, data: bytes, *, leave: bool = False) -> int:
        """Its exit code."""
        self._image.write_bytes(data)
        at = self._at(":leave" if leave else "")
        return (await ran(*self._words, *at, "--download", str(self._image))).code

    async def read(self, size: int) -> tuple[int, bytes]:
        """Its exit code, and what it read."""
        self._read.unlink(missing_ok=True)
        code = (await ran(*self._words, *self._at(f":{size}"), "--upload", str(self._read))).code
        return code, self._read.read_bytes()[:size] if self._read.exists() else b""

    def _at(self, modifier: str) -> tuple[str, ...]:
        return () if self._plain else ("--dfuse-address", f"0x{APP1:08x}{modifier}")


def peer_board(port: int, model: Model) -> BoardSpec:
    return replace(board(model.value.replace(".", "_"), port, model), timing=Timing.REAL)


async def test_dfu_util_is_turned_away_from_a_board_that_is_being_flashed_and_harms_nothing(root: Path) -> None:
    async with desk(root, slow_board("left", 1)) as it:
        await it.plug("left")
        around = it.around("left")
        with it.slowed("left", Phase.WRITE):
            it.rig.build(ONE)
            await it.until_job("left", lambda job: phase_of(job) is Phase.WRITE)
            assert await DfuUtil(it.bench.boards["left"].spec, it.cables, root).flash(TWO) == IOERR
        await it.waited(ONE, "left")
        (job,) = await it.rig.jobs()
        assert (type(job.status), job.attempts) == (Done, 1)
        assert it.around("left") == around


async def test_a_job_waits_while_dfu_util_flashes_its_board_and_has_it_afterwards(root: Path) -> None:
    async with desk(root, slow_board("left", 1), careful=False) as it:
        await it.plug("left")
        long = firmware("2.0.0", size=7 * SIZE)
        theirs = asyncio.create_task(DfuUtil(it.bench.boards["left"].spec, it.cables, root).flash(long))
        while not it.bench.list()[0].erases:  # noqa: ASYNC110 -- an emulated board tells nobody what is done to it
            await asyncio.sleep(0.01)
        it.rig.build(ONE)
        job = await it.until_job("left", lambda job: job.is_settled or "claimed" in job.text)
        assert isinstance(job.status, Waiting), job
        assert await theirs == 0
        await it.waited(ONE, "left")
        (done,) = await it.rig.jobs()
        assert (done.id, type(done.status), done.attempts) == (job.id, Done, 1)


@pytest.mark.parametrize("half", [0, 1])
async def test_dfu_util_does_to_each_model_what_it_does_to_real_ones(root: Path, half: int) -> None:
    specs = [peer_board(port, model) for port, model in enumerate(list(Model)[half::2], start=1)]
    bench = VirtualBench(specs)
    one_a_processor = asyncio.Semaphore(2)

    async def conduct(spec: BoardSpec, cables: Cables) -> Conduct:
        def app1() -> bytes:
            return bench.dump(spec.name, APP1, SIZE).data

        async with one_a_processor:
            tool = DfuUtil(spec, cables, root)
            await enumerated(bench, cables, spec.name)
            flash = await tool.flash(ONE)
            holds = app1() == ONE
            await enumerated(bench, cables, spec.name)
            read, contents = await tool.read(SIZE)
            reads = contents == app1()
            await enumerated(bench, cables, spec.name)
            leave = await tool.flash(TWO, leave=True)
            mode = bench.boards[spec.name].state().mode
            return Conduct(flash, holds=holds, read=read, reads=reads, leave=leave, starts=mode == "app")

    with Cables(bench) as cables:
        seen = await asyncio.gather(*(conduct(spec, cables) for spec in specs))
    assert {spec.model: each for spec, each in zip(specs, seen, strict=True)} == {
        spec.model: CONDUCT.get(spec.model, GOOD) for spec in specs
    }


UNTRUE_LATER = (Model.CLASSIC_STALE, Model.CLASSIC_STALE_ERASE)
"""Read well at first, and no more once something was changed."""
READABLE = tuple(
    model
    for model, conduct in ((model, CONDUCT.get(model, GOOD)) for model in Model)
    if conduct.holds and (conduct.read, conduct.reads) == (0, True) and model not in UNTRUE_LATER
)
"""Models that dfu-util writes and reads well."""
PLAIN = """
[profiles.gadget]
dfu = "cafe:4000"
app = "cafe:4001"
enter = "detach"
[profiles.gadget.partitions.firmware]
alt = 0
size = "384K"
"""


async def test_dfu_util_and_flashdeck_agree_on_what_is_on_a_board(root: Path) -> None:
    models = [model for model in READABLE if model not in PLAIN_MODELS]
    specs = [peer_board(port, model) for port, model in enumerate(models, start=1)]
    names = [spec.name for spec in specs]
    async with desk(root, *specs, careful=False) as it:
        tools = {spec.name: DfuUtil(spec, it.cables, root) for spec in specs}
        await it.plug(*names)
        jobs = await it.flashed(ONE, *names)
        await it.until_present(Presence.APP, *(spec.name for spec in specs if CONDUCT.get(spec.model, GOOD).starts))
        verified = {name: job.result is not None and job.result.verified is Verified.YES for name, job in jobs.items()}
        for spec in specs:
            if CONDUCT.get(spec.model, GOOD).starts:
                it.bench.press(spec.name)
            else:  # it is in DFU mode still: that it is there says nothing of the one that comes
                await pressed(it.bench, it.cables, spec.name)
        await it.until_present(Presence.DFU, *names)
        for name, tool in tools.items():
            assert (verified[name], await tool.read(SIZE)) == (True, (0, ONE)), name
            assert await tool.flash(THREE) == 0, name
        image = root / "three.bin"
        image.write_bytes(THREE)
        run = await it.cli("flash", "app1", str(image), "--json")
        assert run.code == 0, run
        told = {job.board: job for job in await it.rig.jobs() if job.sha256 == sha256(THREE)}
        assert {type(job.status) for job in told.values()} == {Done}
        # It read there what dfu-util had written: nothing was left to write.
        written = {name: job.result.bytes_written for name, job in told.items() if job.result is not None}
        assert written == dict.fromkeys(names, 0), told


async def test_dfu_util_and_flashdeck_agree_on_what_is_on_a_board_without_addresses(root: Path) -> None:
    models = [model for model in READABLE if model in PLAIN_MODELS and CONDUCT.get(model, GOOD).starts]
    ids = {"dfu": UsbId(0xCAFE, 0x4000), "app": UsbId(0xCAFE, 0x4001)}
    specs = [replace(peer_board(port, model), **ids) for port, model in enumerate(models, start=1)]
    boards = configured(*specs).replace('"product"', '"gadget"')
    images = {data: root / f"{number}.bin" for number, data in enumerate((ONE, TWO))}
    for data, path in images.items():
        path.write_bytes(data)
    async with desk(root, *specs, boards=PLAIN + boards, careful=False) as it:
        await it.plug(*(spec.name for spec in specs))
        for data, path in images.items():
            run = await it.cli("flash", "firmware", str(path), "--json")
            assert run.code == 0, run
            for spec in specs:
                tool = DfuUtil(spec, it.cables, root)
                assert it.app1_of(spec.name, SIZE) == data, spec.name
                await enumerated(it.bench, it.cables, spec.name)
                assert await tool.read(SIZE) == (0, data), spec.name
                await enumerated(it.bench, it.cables, spec.name)
                assert await tool.flash(THREE) == CONDUCT.get(spec.model, GOOD).flash, spec.name
                assert it.app1_of(spec.name, SIZE) == THREE, spec.name
