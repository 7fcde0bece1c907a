"""Reads a checkout of embassy-rs/stm32-data-generated: the parts, their USB, their flash with banks, and their RAM.

Parts and peripherals are made from ST's CubeMX database. Sizes, banks, sectors and RAM are a table that people wrote
and maintain by hand.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from chip_table.claims import FLASH, Claim, Layout, SourceError, joined
from flashdeck.geometry import Range, Region

NAME = "embassy-rs/stm32-data-generated"
_BACKUP = ("BKP",)  # kept by a battery, too small for stacks, and a peripheral's address
_RAM = range(0x10000000, 0x40000000)  # below is what only instructions are fetched from, above are devices
_USB = ("USB", "OTG")
_DEVICELESS = "USBPD"  # power delivery: no data


class _Settings(msgspec.Struct):
    erase_size: int


class _Memory(msgspec.Struct):
    name: str
    kind: str
    address: int
    size: int
    settings: _Settings | None = None


class _Peripheral(msgspec.Struct):
    name: str


class _Core(msgspec.Struct):
    peripherals: list[_Peripheral]


class _Chip(msgspec.Struct):
    name: str
    memory: list[list[_Memory]]
    cores: list[_Core]


def read(checkout: Path) -> Iterator[Claim]:
    """Its claims about each part."""
    files = sorted(checkout.glob("data/chips/*.json"))
    if not files:
        raise SourceError(f"{checkout} has no data/chips/*.json, as a checkout of {NAME} has")
    for file in files:
        chip = msgspec.json.decode(file.read_bytes(), type=_Chip)
        names = {peripheral.name for core in chip.cores for peripheral in core.peripherals}
        yield Claim(
            NAME,
            chip.name.partition("-")[0],  # STM32L151CB-A is sold as STM32L151CBT6A
            layouts=tuple(layout for memories in chip.memory if (layout := _layout(memories))),
            ram=joined(
                Range.sized(memory.address, memory.size)
                for memory in chip.memory[0]
                if memory.kind == "ram" and memory.address in _RAM and not memory.name.startswith(_BACKUP)
            )
            if chip.memory
            else None,
            usb=any(any(word in name for word in _USB) and not name.startswith(_DEVICELESS) for name in names),
        )


def _layout(memories: list[_Memory]) -> Layout:
    """The main flash: memories named BANK_1, BANK_2, or BANK_1_REGION_2 where the sectors of a bank differ."""
    regions: list[Region] = []
    for memory in sorted(memories, key=lambda each: each.address):
        if memory.kind != "flash" or not memory.name.startswith("BANK_") or memory.settings is None:
            continue
        if not regions and memory.address != FLASH:
            return ()
        size = memory.settings.erase_size
        if size <= 0 or memory.size % size:
            return ()
        regions.append(Region(memory.address, memory.size // size, size, int(memory.name.split("_")[1]) - 1))
    return tuple(regions)
