"""`make bench`: what flashdeck costs, measured here and now. A Markdown table on stdout, and the same in a JSON file.

Ends with 1 where a count exceeds what flashdeck promises, or the virtual machine did not get to its end; times are
only shown.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from benchmarks import (
    counts,
    crowd,
    first_paint,
    idleness,
    line_of_slots,
    reaction,
    readiness,
    screen_costs,
    subscriber,
    to_runs,
    wall,
)
from benchmarks.guest import Round
from benchmarks.machine import this_machine
from benchmarks.markdown import rendered
from benchmarks.peers import Comparison, compared
from benchmarks.rows import Report, Row
from benchmarks.stands import CLASSIC, PATIENT, ROM, USBX
from flash_rig import APP1
from vm.tree import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    image: int
    """Bytes of a full image."""
    walls: int
    """Measurements of one job on boards at their own speed."""
    crowds: tuple[int, ...]
    """Boards at once."""
    slots: int
    """Slots at once."""
    repeats: int
    """Measurements of what is short."""
    idle: float
    """Seconds."""
    keys: int
    """Keys that are pressed on each screen."""
    rounds: tuple[Round, ...]
    """What is measured in the virtual machine."""


_STANDS = (CLASSIC, USBX, ROM)
_SMALL = 16 * 1024
_EVERYBODY = ("dfu-util", "pydfuutil")
_BESIDE_PEERS = (
    *(Round(stand=stand, boards=1, size=APP1.size, slowdown=4) for stand in _STANDS),
    Round(stand=PATIENT, boards=1, size=64 * 1024, slowdown=4),
    *(
        Round(stand=stand, boards=boards, size=_SMALL, slowdown=slowdown, peers=_EVERYBODY)
        for boards, slowdown in ((1, 20), (4, 20), (8, 40))
        for stand in _STANDS
    ),
)
"""Peers sleep as long as a board claims, slowed down like all of it: the factors bound the length of a run."""
_GUEST_SECONDS = 3600
_JSON = ROOT / "build" / "bench" / "bench.json"

EXTENSIVE = Extent(
    image=APP1.size, walls=3, crowds=(1, 4, 8, 32), slots=24, repeats=11, idle=60, keys=200, rounds=_BESIDE_PEERS
)
QUICK = Extent(image=64 * 1024, walls=1, crowds=(1, 32), slots=4, repeats=3, idle=5, keys=40, rounds=())

_NOTES = (
    "Rows without seconds are counts, on boards that take no time: they are the same on every machine.",
    "Seconds over the time of the device (x) is what a program adds to what the bus and the flash need in any case.",
)
_NOTES_ON_PEERS = (
    "Beside dfu-util it is an emulated machine, many times slower than a real one, so the boards are slowed down, too.",
    "Their seconds are divided by the factor in the row; what a program needs itself is not made faster by that.",
    "Sleeps there are all long pauses that the board sees, and may be the slow machine's own.",
    "Costs of several boards at once are those of the first.",
)


def main() -> int:
    options = _arguments()
    extent = QUICK if options.quick else EXTENSIVE
    machine = this_machine()
    comparison = _beside_peers(extent)
    rows = [*_on_boards(extent), *asyncio.run(_around(extent))]
    report = Report(
        machine=replace(machine, versions=machine.versions | dict(comparison.versions)),
        command="make bench QUICK=1" if options.quick else "make bench",
        image=extent.image,
        rows=(*rows, *comparison.rows),
        notes=(*_NOTES, *(_NOTES_ON_PEERS if comparison.rows else ()), *comparison.missing),
    )
    tell(report, options.json)
    for sentence in report.broken:
        _say(f"broken promise: {sentence}")
    return 1 if report.broken or not comparison.complete else 0


def tell(report: Report, file: Path) -> None:
    """The table on stdout, and all of the report in a JSON file."""
    sys.stdout.write(rendered(report))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    _say(f"the same as JSON: {file}")


def _beside_peers(extent: Extent) -> Comparison:
    if not extent.rounds:
        return Comparison(missing=("No rows beside dfu-util: they take a virtual machine and long, see `make bench`.",))
    _say("flashdeck beside its peers, in the virtual machine")
    return compared(extent.rounds, _GUEST_SECONDS)


def _on_boards(extent: Extent) -> Iterator[Row]:
    _say("counts on every model")
    yield from counts.rows(extent.image)
    _say("times on every model")
    yield from wall.rows(extent.image, extent.walls)


async def _around(extent: Extent) -> list[Row]:
    """What needs a daemon; one after the other, so that nothing else runs while something is measured."""
    _say("many boards at once")
    rows = [row async for row in crowd.rows(extent.crowds)]
    _say("slots")
    rows.append(await line_of_slots.row(extent.slots))
    _say("a daemon, a screen and a subscriber")
    rows += [row async for row in reaction.rows(extent.repeats)]
    rows.append(await to_runs.row(extent.repeats))
    rows.append(await readiness.row(extent.repeats))
    rows += [row async for row in idleness.rows(extent.idle)]
    rows.append(await first_paint.row(extent.repeats))
    rows += screen_costs.rows(extent.keys)
    rows.append(await subscriber.row(extent.repeats))
    return rows


class _Arguments(argparse.Namespace):
    quick: bool
    json: Path


def _arguments() -> _Arguments:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller image, less of everything")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=_JSON, help="where the same goes as JSON (default: %(default)s)"
    )
    return parser.parse_args(namespace=_Arguments())


def _say(sentence: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
