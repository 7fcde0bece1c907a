"""The facts that an image file tells of itself, without a profile or a partition. Bytes in, values out."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flashdeck.config import Profile, UsbId
from flashdeck.first_board.found import HEADER_SIZES, MAX_PARTS, FoundImage
from flashdeck.geometry import Geometry, Range
from flashdeck.image_formats import ImageFormat
from flashdeckd.images import dfu_file, elf, mcuboot
from flashdeckd.images.formats import recognised
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.placement import whole_image
from flashdeckd.images.program import first_word
from flashdeckd.images.raw_address import linked_address, vectors_at
from flashdeckd.images.segments import FileContents

ENOUGH_TO_TELL = 64
"""Bytes at the start of a file by which most of what cannot be flashed is known."""
_FLASH = Range(0x08000000, 0x0C000000)
"""The addresses of a microcontroller's own flash; beside it a file may have option bytes, or another memory."""
_TABLE = 16 * 4


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file with its bytes."""

    found: FoundImage
    image: Image
    """At the addresses that it is linked for."""
    has_addresses: bool
    """True if the file itself says where its bytes belong."""
    is_elf: bool
    table: int = 0
    """The offset of its vector table from its start: the size of an MCUboot header, or 0."""


def may_be_firmware(name: str, head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is worth reading; host programs and object files are not.

    A file without an ending is only taken where it is an ELF file.
    """
    if elf.is_in(head):
        return elf.may_be_firmware(head)
    return "." in name


def read_image(path: Path, data: bytes, modified_at: float) -> ImageFile | None:
    """Return what a file says; None where it is nothing for a microcontroller's flash.

    Raises RefusedError for a file that is broken, or of a format that no bootloader takes over DFU.
    """
    reader = recognised(path.name, data)
    if reader.format is ImageFormat.ELF and elf.has_interpreter(data):
        return None
    read = reader.read(path.name, data, _for_any_device(data))
    image = whole_image(path.name, read) if isinstance(read, FileContents) else Image.raw(read)
    if reader.has_addresses:
        own = image.within(_FLASH)
        image = own if own.pieces else image
    else:
        whole = image.read(Range(0, image.end))
        start = linked_address(whole, _table_offset(image, 0) or _header_room(whole))
        if start is None:
            return None  # raw bytes of anything
        image = Image(tuple(Piece(start + piece.offset, piece.data) for piece in image.pieces))
    found = _found(path, data, modified_at, image, reader.format, is_guess=not reader.has_addresses)
    if not found.is_program and not image.touches(_FLASH):
        return None  # for another kind of chip
    return ImageFile(
        found=found,
        image=image,
        has_addresses=reader.has_addresses,
        is_elf=reader.format is ImageFormat.ELF,
        table=_table_offset(image, image.pieces[0].offset),
    )


def _found(
    path: Path, data: bytes, modified_at: float, image: Image, kind: ImageFormat, *, is_guess: bool
) -> FoundImage:
    start = image.pieces[0].offset
    table = Range.sized(start + _table_offset(image, start), _TABLE)
    known = image.read(table)[: max(0, image.pieces[0].end - table.start)]
    home = Range(start, image.end)
    vectors = vectors_at(known, home=home)
    has_header = table.start > start
    spans = [(piece.offset, piece.end) for piece in image.pieces]
    return FoundImage(
        path=str(path),
        format=kind.title,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        modified_at=modified_at,
        start=start,
        end=image.end,
        parts=tuple(spans[: MAX_PARTS - 1] + [(first, image.end) for first, _ in spans[MAX_PARTS - 1 : MAX_PARTS]]),
        start_is_guess=is_guess,
        is_program=vectors is not None,
        initial_stack=vectors[0] if vectors else None,
        header_room=0 if vectors or has_header else _header_room(image.pieces[0].data, home),
        has_header=has_header,
    )


def _table_offset(image: Image, start: int) -> int:
    """Return how far behind the start of an image its vector table is: behind an MCUboot header where it has one."""
    header = mcuboot.header(image.read(Range.sized(start, _TABLE)))
    return 0 if header is None else header.size


def _header_room(data: bytes, home: Range | None = None) -> int:
    """Return how many blank bytes are in front of what looks like a vector table, where a header has as many."""
    room = first_word(data)
    return room if room in HEADER_SIZES and vectors_at(data, room, home) is not None else 0


def _for_any_device(data: bytes) -> Profile:
    """Return a profile for which a DFU file is right, whichever device it is for."""
    return Profile(name="", geometry=Geometry(()), dfu=dfu_file.device_of(data) or UsbId(0, 0))
