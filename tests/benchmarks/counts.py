"""What a flash costs in requests, erases and sleeps, on boards that take no time: the same on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.rows import Cost, Promise, Row
from flash_rig import APP1, BASE, FLASH_SIZE, ROOM, ROOM_TWIN, SECTOR, TARGET, Rig, blank, image
from flashdeck.config import BankPolicy
from flashdeck.geometry import Range
from flashdeckd.flash.comparing import ERASE_WORTH, WRITE_WORTH
from flashdeckd.flash.target import AddressTarget
from flashdeckd.virtual.spec import Model

FULL = "full image"
_FULL_LIMITS = {1024: 1330, 2048: 755}
"""Requests for all of app1, by bytes a block."""
_FIRST_JOB_EXTRA = 40
_CHANGED_LIMIT = 280
"""Requests, UPLOADs included, for one changed sector at 2 KiB a block."""
_PER_BLOCK, _PER_SECTOR, _AROUND = 3, 3, 34
_WHOLE_BLOCKS = 2048


@dataclass(frozen=True, slots=True)
class Case:
    """A bootloader, and what flashdeck promises for it."""

    name: str
    model: Model
    block: int
    """Bytes of a block."""
    synchronous: bool = True
    """Whether an answer means that the flash work is done, so that nothing needs to be asked twice."""
    readable: bool = True
    violations: int = 0
    """How often flashdeck may ask too early before it knows better."""
    patient: bool = False
    """Whether its claimed times have to be waited for."""
    why: str = ""
    """Why it costs more than the others."""


CASES = (
    Case("ST classic, 1 KiB", Model.CLASSIC, 1024),
    Case("ST classic, 2 KiB", Model.CLASSIC, 2048),
    Case("ST classic without Read, 1 KiB", Model.CLASSIC_NOREAD, 1024, readable=False, why="cannot be read"),
    Case("ST USBX, 1 KiB", Model.USBX, 1024, synchronous=False, why="STALLs while it is busy, and is asked again"),
    Case("ST ROM, 2 KiB", Model.ROM, 2048, synchronous=False, why="busy beside the bus, and is asked again"),
    Case(
        "strict device, 1 KiB",
        Model.STRICT,
        1024,
        synchronous=False,
        violations=1,
        patient=True,
        why="objects to an early question, so its times are waited for",
    ),
)


def rows(size: int) -> Iterator[Row]:
    """Four jobs, one after the other, on each kind of board; a full image has `size` bytes."""
    for case in CASES:
        yield from _jobs(case, size)
        if case.patient:
            yield _on_a_blank_chip(case, size)


def _jobs(case: Case, size: int) -> Iterator[Row]:
    rig = Rig(case.model, old=blank(ROOM, ROOM_TWIN), transfer_size=case.block)
    first = flashed(rig, image(size, seed=1))
    full = flashed(rig, image(size, seed=2))
    unchanged = flashed(rig, image(size, seed=2))
    changed = flashed(rig, one_sector_changed(image(size, seed=2)))
    objections = Promise("objections in all four jobs", case.violations, len(rig.board.state().violations))

    def row(job: str, cost: Cost, *promises: Promise) -> Row:
        return Row(what=f"{case.name}: {job}", cost=cost, promises=promises, remark=remark_on(case, job))

    yield row(FULL, full, *_of_a_full_image(case, full, size))
    more = Promise("requests more, for proof and canary", _FIRST_JOB_EXTRA, first.requests - full.requests)
    yield row("full image, first job of the board", first, more)
    yield row("unchanged image", unchanged, *_of_an_unchanged_image(case, unchanged))
    yield row("one sector changed", changed, *_of_a_changed_sector(case, changed), objections)


def _on_a_blank_chip(case: Case, size: int) -> Row:
    """Nothing there shows what block numbers are multiplied with, and no pace does: the job's own first blocks do."""
    rig = Rig(case.model, old=blank(Range(APP1.start, BASE + FLASH_SIZE)), transfer_size=case.block)
    target = replace(TARGET, protected=(), banks=BankPolicy.TRUSTED)
    first, full = (flashed(rig, image(size, seed=seed), target) for seed in (1, 2))
    more = Promise("requests more, for proof and block numbers", _FIRST_JOB_EXTRA, first.requests - full.requests)
    return Row(what=f"{case.name}: full image, first job on a blank chip", cost=first, promises=(more,))


def flashed(rig: Rig, data: bytes, target: AddressTarget = TARGET) -> Cost:
    """Flashes a board that is back in DFU mode; what that cost."""
    rig.back_in_dfu()
    before = rig.board.state()
    rig.flash(data, target)
    return Cost.between(before, rig.board.state())


def one_sector_changed(data: bytes) -> bytes:
    """The same but for some bytes in a sector in the middle."""
    at = len(data) // 2 // SECTOR * SECTOR + SECTOR // 2
    return data[:at] + bytes(byte ^ 0x5A for byte in data[at : at + 16]) + data[at + 16 :]


def remark_on(case: Case, job: str) -> str:
    """Why it costs more, once for each kind of board; what cannot be read cannot be skipped either."""
    return case.why if job == FULL or not case.readable else ""


def _of_a_full_image(case: Case, cost: Cost, size: int) -> Iterator[Promise]:
    if case.synchronous:
        yield Promise("requests without UPLOADs", full_limit(case.block, size), cost.requests)
        yield Promise("sleeps", 0, cost.sleeps)
    if case.readable:
        in_vain = ERASE_WORTH + WRITE_WORTH * (SECTOR // case.block)
        yield Promise("UPLOADs", size // case.block + 1 + in_vain, cost.uploads)


def full_limit(block: int, size: int) -> int:
    """Requests that a full image of `size` bytes may cost: three a block, three a sector, and those around."""
    if size == APP1.size:
        return _FULL_LIMITS[block]
    return _PER_BLOCK * (size // block) + _PER_SECTOR * (size // SECTOR) + _AROUND


def _of_an_unchanged_image(case: Case, cost: Cost) -> Iterator[Promise]:
    if case.readable:
        yield Promise("erases", 0, cost.erases)
        yield Promise("words written", 0, cost.words)


def _of_a_changed_sector(case: Case, cost: Cost) -> Iterator[Promise]:
    if not case.readable:
        return
    yield Promise("erases", 2, cost.erases)
    if case.synchronous and case.block == _WHOLE_BLOCKS:
        yield Promise("requests with UPLOADs", _CHANGED_LIMIT, cost.requests + cost.uploads)
