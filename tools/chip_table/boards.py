"""Reads the boards of a PlatformIO platform: how much flash and RAM each part of GigaDevice or Artery has.

CommunityGD32Cores/platform-gd32 is made by its users from GigaDevice's product selection guide and data sheets,
ArteryTek/platform-arterytekat32 by Artery from its own.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from chip_table.claims import RAM, Claim, SourceError, part_of
from flashdeck.geometry import Range

GD32 = "CommunityGD32Cores/platform-gd32"
AT32 = "ArteryTek/platform-arterytekat32"


class _Build(msgspec.Struct):
    mcu: str = ""


class _Upload(msgspec.Struct):
    maximum_size: int = 0
    maximum_ram_size: int = 0


class _Board(msgspec.Struct):
    build: _Build
    upload: _Upload


def read(checkout: Path, name: str) -> Iterator[Claim]:
    """The claims of the platform `name` about each part that is on a board of it: generic boards have every part."""
    files = sorted(checkout.glob("boards/*.json"))
    if not files:
        raise SourceError(f"{checkout} has no boards/*.json, as a checkout of {name} has")
    for file in files:
        board = msgspec.json.decode(file.read_bytes(), type=_Board)
        part = part_of(board.build.mcu)
        if part and board.upload.maximum_size and board.upload.maximum_ram_size:
            yield Claim(
                name,
                part,
                flash_size=board.upload.maximum_size,
                ram=(Range.sized(RAM, board.upload.maximum_ram_size),),
            )
