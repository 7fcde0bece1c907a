"""Inside the virtual machine: flashdeck and its peers on the same emulated boards, one tool after the other.

`python -m benchmarks.guest FILE PLAN` writes rows as JSON; the plan is a `Plan`, as JSON.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.counts import FULL, one_sector_changed
from benchmarks.rows import FLASHDECK, Cost, Row
from benchmarks.stands import EVERY_JOB, Failure, Result, Stand, side_by_side
from flashdeck.model import Presence
from rig import APP1, firmware
from vm.desk import Desk, desk, pressed, ran, rests
from vm.vhci import Port

UNCHANGED = "unchanged image"
CHANGED = "one sector changed"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that understands dfu-util's options."""

    name: str
    program: str
    counts_devices: bool = False
    """Whether its --path is bus, number of the device, and port (1-7.2), not bus and port (1-2)."""

    def path(self, port: Port) -> str:
        """How it calls the device in that port."""
        if not self.counts_devices:
            return port.name
        bus, number = ((port.device / name).read_text().strip() for name in ("busnum", "devnum"))
        return f"{bus}-{number}.{port.hub_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is measured on one kind of board."""

    stand: Stand
    boards: int
    size: int
    """Bytes of a full image."""
    slowdown: float
    """How many times slower than real ones the boards are, so that an emulated machine keeps up."""
    jobs: tuple[str, ...] = (FULL, UNCHANGED, CHANGED)
    peers: tuple[str, ...] = ("dfu-util",)
    """By their names; those that are installed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one guest measures."""

    rounds: tuple[Round, ...]
    peers: tuple[Peer, ...]


async def main(file: Path, plan: Plan) -> None:
    """Every round; the rows that there are so far are written after each."""
    rows: list[Row] = []
    for each in plan.rounds:
        sys.stdout.write(f"{each}\n")
        rows += await _measured(each, plan.peers)
        file.write_bytes(msgspec.json.encode(rows))  # noqa: ASYNC240 -- nothing runs meanwhile


async def _measured(each: Round, peers: Sequence[Peer]) -> list[Row]:
    stand = each.stand
    specs = [stand.spec(port, each.slowdown) for port in range(1, each.boards + 1)]
    full = firmware("bench", size=each.size)
    images = {FULL: full, UNCHANGED: full, CHANGED: one_sector_changed(full)}
    with tempfile.TemporaryDirectory(prefix="fd-") as directory:
        async with desk(Path(directory), *specs, careful=False) as it:
            boards = Boards(it, [spec.name for spec in specs], each.slowdown)
            await it.plug(*boards.names)
            await it.flashed(firmware("first", size=each.size), *boards.names)  # proves reading, finds out the pace
            ours = [await boards.result(FLASHDECK, job, boards.flashdeck, images[job]) for job in each.jobs]
            data = firmware("peer", size=each.size)
            theirs = [await boards.attempt(peer, data) for peer in peers if peer.name in each.peers]
    count = "1 board" if each.boards == 1 else f"{each.boards} boards at once"
    what = f"{stand.name}; {each.size // 1024} KiB, {count}, slowed down by {each.slowdown:g}"
    return list(side_by_side(what, ours, theirs))


class Boards:
    """Boards of one kind, flashed by one tool after the other."""

    def __init__(self, it: Desk, names: Sequence[str], slowdown: float) -> None:
        self.names = names
        self._it = it
        self._slowdown = slowdown

    async def attempt(self, peer: Peer, data: bytes) -> Result | Failure:
        """What a peer needs, or why it could not do it."""

        async def flash(image: Path) -> None:
            await self._peer(peer, image)

        try:
            return await self.result(peer.name, EVERY_JOB, flash, data)
        except PeerError as error:
            return Failure(peer.name, str(error))

    async def result(self, tool: str, job: str, flash: Callable[[Path], Awaitable[None]], data: bytes) -> Result:
        """Lets a tool flash the boards, which are back in their bootloaders, and looks into their flash."""
        it = self._it
        # Where a tool has failed, a board is in its bootloader already, and restarts there.
        await asyncio.gather(*(pressed(it.bench, it.cables, name) for name in self.names))
        await it.until_present(Presence.DFU, *self.names)
        tallies = [it.cables.tallies[name] for name in self.names]
        for tally in tallies:
            tally.first = None
        before = it.bench.boards[self.names[0]].state()
        image = _written(it.rig.root / "bench.bin", data)
        await flash(image)
        for name in self.names:
            if it.app1_of(name, len(data)) != data:
                raise PeerError(f"{tool} left something else on {name}")
        cost = Cost.between(before, it.bench.boards[self.names[0]].state(), slowdown=self._slowdown)
        first = min(tally.first for tally in tallies if tally.first is not None)
        return Result(tool, job, cost, (max(tally.last for tally in tallies) - first) / self._slowdown)

    async def flashdeck(self, image: Path) -> None:
        """By hand, because an unchanged image would not be flashed by itself."""
        run = await self._it.cli("flash", "app1", str(image))
        if run.code:
            raise RuntimeError(f"flashdeck: {run}")
        await self._it.rig.until(lambda now: all(rests(job) for job in now.jobs))
        await self._it.until_present(Presence.APP, *self.names)

    async def _peer(self, peer: Peer, image: Path) -> None:
        """One process a board, all at once."""
        words = ("-a", "0", "-s", f"{APP1:#x}:leave", "-D", str(image))
        paths = [peer.path(self._it.cables.port(name)) for name in self.names]
        runs = await asyncio.gather(*(ran(peer.program, "--path", path, *words) for path in paths))
        # Their exit codes say nothing: with `leave` the device is gone before they have had its last answer.
        if any(self._it.bench.boards[name].state().mode != "app" for name in self.names):
            raise PeerError((runs[0].err or runs[0].out).strip().rpartition("\n")[2][:200])
        await self._it.until_present(Presence.APP, *self.names)


class PeerError(Exception):
    """A tool did not do its job; the message is its own last line, or what was seen."""


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Plan)))
