"""A production line: slots into which hands put units and take them out at any moment, and what is true of each unit.

The serials of the units collide, some units are broken, some are pulled in the middle of a flash. What became of each
is read from its own flash once it is unplugged. All that is done by chance follows from one seed.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flashdeck import api
from flashdeck.job_state import Verified
from flashdeck.model import Snapshot
from flashdeck.slot_condition import SlotCondition, SlotEmpty, SlotFailed, SlotPassed
from flashdeck.slot_state import LotState, SlotState, UnitRecord, UnitResult
from rig import APP1, SLOW, WAIT_SECONDS, Rig, board, firmware, prepare, sha256

BASE: Final = 0x08000000
PARTITION_SIZE: Final = 384 * 1024
SLOTS: Final = 24
LOT_SLOTS: Final = 12
"""The first slots have a lot; the others get the newest build."""
SERIALS: Final = ("336E36833233", "336E36833233", "336E36833233", "0001", "")
"""The serials that units have: one in five has none."""
BROKEN: Final = ("error-erase", "error-write", "corrupt", "silent-write")
BROKEN_SHARE: Final = 0.15
PULLED_SHARE: Final = 0.2
STAYING_SHARE: Final = 0.2
"""The share of units that stay until a further build has come."""
DOUBT: Final = "does not tell if it is still the same unit"
"""The reason of a good unit that restarted so slowly, on a busy machine, that it may have been swapped by hand."""
LATEST_PULL: Final = 160
"""A unit is pulled in one of so many requests, or not at all where it needs fewer."""
PLUGS: Final = 4
"""Of so many boards one is slow."""


@dataclass(slots=True)
class Unit:
    """One unit as the hands know it."""

    slot: str
    serial: str
    fault: str
    pulled: bool
    """True if its cable was to be pulled in the middle."""
    seen: SlotCondition | None = None
    """The result that the slot showed while the unit was there."""
    flash: bytes = b""
    """All that it had when it was taken out."""
    done_words: int = 0
    """The words that the port had written when its result was seen ..."""
    last_words: int = 0
    """... and when it was taken out."""


@dataclass(slots=True)
class Line:
    """The line while it runs."""

    rig: Rig
    count: int
    """Units that are put in, all slots together."""
    seed: int
    units: list[Unit] = field(default_factory=list[Unit])
    images: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """All images that there ever were, by hash."""
    fresh: bytes = b""
    """All that a unit has that comes from its maker: its bootloader."""
    lot_image: str = ""
    _slots: dict[str, SlotState] = field(default_factory=dict[str, SlotState])
    _newest: dict[str, int] = field(default_factory=dict[str, int])
    """The number of the last unit that each slot was seen to have, also for a moment."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _begun: int = 0

    async def begin(self, count: int) -> LotState:
        """Begin the lot of the first slots with an image of its own."""
        data = self._image("lot")
        self.lot_image = sha256(data)
        slots = tuple(slot_name(number) for number in range(1, LOT_SLOTS + 1))
        await self.rig.client.upload("LOT.bin", data, partition="app1", boards=slots)
        asked = api.BeginLot(
            name="lot-1", sha256=self.lot_image, partition="app1", count=count, slots=slots, image="LOT.bin"
        )
        return await self.rig.client.call(asked)

    async def run(self) -> None:
        """Let all units go through."""
        self.fresh = await self.rig.flash_of(port_name(1))
        self._build(0)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            async with asyncio.TaskGroup() as hands:
                for number in range(1, SLOTS + 1):
                    hands.create_task(self._work(number))
            watching.cancel()

    async def records(self) -> list[UnitRecord]:
        """Return all records, the oldest first."""
        found: list[UnitRecord] = []
        before = 0
        while True:
            page = await self.rig.client.call(api.GetUnits(before=before))
            found += page.units
            before = page.next
            if not before:
                return found[::-1]

    def _build(self, number: int) -> None:
        self.rig.build(self._image(f"build {number}"))

    def _image(self, version: str) -> bytes:
        data = firmware(version)
        self.images[sha256(data)] = data
        return data

    async def _watch(self) -> None:
        async with aclosing(self.rig.client.follow()) as changes:
            async for change in changes:
                if isinstance(change, Snapshot):
                    await self._take(change.slots)
                elif change.slot is not None:
                    await self._take((change.slot,))

    async def _take(self, slots: Sequence[SlotState]) -> None:
        async with self._news:
            self._slots |= {slot.name: slot for slot in slots}
            self._newest |= {slot.name: slot.unit.id for slot in slots if slot.unit is not None}
            self._news.notify_all()

    async def _until(self, slot: str, reached: Callable[[SlotState], bool]) -> SlotState:
        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(lambda: slot in self._slots and reached(self._slots[slot]))
            return self._slots[slot]

    async def _work(self, number: int) -> None:
        """Hands at one slot: units in and out until the line has had enough of them."""
        slot, port = slot_name(number), port_name(number)
        chance = random.Random(f"{self.seed}/{number}")  # noqa: S311 - a choice of deeds, nothing secret
        last = 0
        while self._begun < self.count:
            self._begun += 1
            if self._begun % (self.count // 3) == 0:
                self._build(self._begun)
            pulled = chance.random() < PULLED_SHARE
            broken = not pulled and chance.random() < BROKEN_SHARE
            unit = Unit(slot, chance.choice(SERIALS), chance.choice(BROKEN) if broken else "", pulled)
            self.units.append(unit)
            await self.rig.client.call(api.VirtualSwap(board=port, serial=unit.serial, fault=unit.fault))
            if pulled:
                after = chance.randrange(1, LATEST_PULL)
                await self.rig.client.call(api.VirtualFault(board=port, fault="unplug", after=after))
            await self._until(slot, lambda _, last=last: self._newest.get(slot, 0) > last)
            last = self._newest[slot]
            await self._see_to_its_end(unit, last, stays=chance.random() < STAYING_SHARE)
            await self.rig.unplug(port)
            unit.last_words = (await self.rig.emulated(port)).words
            unit.flash = await self.rig.flash_of(port)
            await self._until(slot, lambda state: isinstance(state.condition, SlotEmpty))

    async def _see_to_its_end(self, unit: Unit, number: int, *, stays: bool) -> None:
        """Wait until the slot shows what became of a unit, or it is gone."""

        def is_over(state: SlotState) -> bool:
            is_gone = state.unit is None or state.unit.id != number
            return is_gone or isinstance(state.condition, SlotPassed | SlotFailed)

        state = await self._until(unit.slot, is_over)
        if state.unit is None or state.unit.id != number:
            return
        unit.seen = state.condition
        unit.done_words = (await self.rig.emulated(port_of(unit.slot))).words
        if stays:
            self._build(1000 + number)  # a unit that is done has no use for it
            await self.rig.client.call(api.GetUnits(limit=1))


def slot_name(number: int) -> str:
    return f"jig-{number:02}"


def port_name(number: int) -> str:
    return f"port-{number:02}"


def port_of(slot: str) -> str:
    return slot.replace("jig", "port")


def prepare_line(root: Path) -> None:
    """Write the configuration of the slots, and a bench whose ports are empty."""
    slots = "".join(
        f'[slots.{slot_name(number)}]\nprofile = "product"\nport = "1-{number}"\n' for number in range(1, SLOTS + 1)
    )
    bench = "".join(
        board(port_name(number), number, plugged=False, **(SLOW if number % PLUGS == 0 else {}))
        for number in range(1, SLOTS + 1)
    )
    prepare(root, boards=slots, bench=bench, profile='verify = "always"')
    only_app1(root)


def only_app1(root: Path) -> None:
    """Leave app1 alone to the units: what their slots wait for is one build."""
    config = (root / "config.toml").read_text()
    app1, _, rest = config.partition("[profiles.product.partitions.partition2]")
    (root / "config.toml").write_text(app1 + rest[rest.index("[slots.") :])


def check_unit(unit: Unit, record: UnitRecord, line: Line) -> None:
    """Raise AssertionError where what is recorded of a unit is not what is true of it."""
    start, end = APP1 - BASE, APP1 - BASE + PARTITION_SIZE
    assert (record.slot, record.serial) == (unit.slot, unit.serial)
    assert record.left_at is not None, "it was taken out"
    outside = unit.flash[:start] + unit.flash[end:]
    assert outside == line.fresh[:start] + line.fresh[end:], "nothing but its partition was touched"
    if record.result is UnitResult.PASSED:
        (image,) = record.images
        assert not unit.fault, "a broken unit never passes"
        assert record.verified is Verified.YES
        assert unit.flash[start:end] == line.images[image.sha256].ljust(PARTITION_SIZE, b"\xff")
        assert unit.seen is None or isinstance(unit.seen, SlotPassed)
    elif record.result is UnitResult.FAILED:
        assert record.failure is not None
        assert record.failure.message
        assert unit.fault or unit.pulled or DOUBT in record.failure.message, record.failure
    else:
        assert record.result is UnitResult.LEFT
        assert unit.pulled
        assert unit.flash == line.fresh, "nothing was begun on it"
    if unit.seen is not None:
        assert unit.done_words == unit.last_words, "a unit that is done is not done again"
        assert isinstance(unit.seen, SlotPassed) is (record.result is UnitResult.PASSED)
