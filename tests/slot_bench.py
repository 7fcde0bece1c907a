"""A daemon on a bench of slots: what its tests share."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flashdeck import api
from flashdeck.model import Snapshot
from flashdeck.slot_condition import SlotCondition
from flashdeck.slot_state import LotState, SlotState, UnitRecord, UnitResult
from rig import Rig, board, firmware, prepare, running, sha256

GOOD, NEXT = (firmware(version) for version in ("1.0.0", "1.0.1"))
SERIAL = "TEST00000001"


def slots_of(count: int) -> str:
    """Tables of slots `s1`, `s2` … at the ports of the emulated units `u1`, `u2` …"""
    return "".join(
        f'[slots.s{number}]\nprofile = "product"\nport = "virtual-bench-usb-0:{number}"\n'
        for number in range(1, count + 1)
    )


def prepare_slots(
    root: Path, count: int = 1, *, boards: str = "", extra: str = "", keys: dict[str, object] | None = None
) -> None:
    """Write a configuration with slots, whose profile has one image, and a bench of as many units, none plugged in."""
    units = "".join(board(f"u{number}", number, plugged=False, **(keys or {})) for number in range(1, count + 1))
    prepare(root, boards=slots_of(count) + boards, bench=units + extra)
    config = root / "config.toml"
    config.write_text(config.read_text().replace('image = "build/APP2.bin"\n', ""))


@asynccontextmanager
async def slots_running(
    count: int = 1, *, boards: str = "", extra: str = "", keys: dict[str, object] | None = None
) -> AsyncGenerator[Rig]:
    """A daemon with so many empty slots, and no build."""
    with TemporaryDirectory(prefix="fd") as directory:
        root = Path(directory)
        prepare_slots(root, count, boards=boards, extra=extra, keys=keys)
        async with running(root) as rig:
            yield rig


def slot(snapshot: Snapshot, name: str = "s1") -> SlotState:
    return next(each for each in snapshot.slots if each.name == name)


async def until_slot(rig: Rig, kind: type[SlotCondition], name: str = "s1") -> SlotState:
    """The state of a slot once it is in a condition."""
    snapshot = await rig.until(lambda now: isinstance(slot(now, name).condition, kind))
    return slot(snapshot, name)


async def until_unit(rig: Rig, result: UnitResult, number: int, name: str = "s1") -> UnitRecord:
    """The unit of that number once it has a result and is in the slot."""

    def has(now: Snapshot) -> bool:
        unit = slot(now, name).unit
        return unit is not None and unit.id == number and unit.result is result

    unit = slot(await rig.until(has), name).unit
    assert unit is not None
    return unit


async def swap(rig: Rig, unit: str = "u1", serial: str | None = None, fault: str = "") -> None:
    await rig.client.call(api.VirtualSwap(board=unit, serial=serial, fault=fault))


async def units(rig: Rig, lot: str = "") -> Sequence[UnitRecord]:
    """All records, the oldest first."""
    return (await rig.client.call(api.GetUnits(lot=lot))).units[::-1]


async def begin_lot(
    rig: Rig, image: bytes, *, name: str = "lot1", count: int = 2, slots: Sequence[str] = ("*",)
) -> LotState:
    """Send an image, and begin a lot with it."""
    names = tuple(each.name for each in (await rig.client.call(api.GetStatus())).slots)
    handle = await rig.client.call(api.BeginUpload(name="APP1.bin", size=len(image), partition="app1", boards=names))
    await rig.client.call(api.UploadChunk(upload=handle.upload, data=image))
    sent = await rig.client.call(api.CommitUpload(upload=handle.upload))
    assert sent.sha256 == sha256(image)
    return await rig.client.call(
        api.BeginLot(name=name, sha256=sent.sha256, partition="app1", count=count, slots=tuple(slots), image="APP1.bin")
    )
