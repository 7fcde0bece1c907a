"""The address that a raw binary was linked for, told from the pointers in it. Pure.

Its vector table alone leaves a range as wide as the image is long. The program's other pointers, to functions and to
constants, lie in the image, too, and narrow it.
"""

import struct
from typing import Final

from flashdeck.geometry import Range
from flashdeckd.images.program import LOOKED_AT, WORD, possible_starts

POINTERS_LOOKED_AT: Final = 4 * 1024 * 1024
"""Bytes at the start of an image that are looked at for pointers."""
MOST_INSIDE: Final = 0.99
"""Share of the pointers, among those that the best address has inside the image, with which a rounder one is taken."""
CODE: Final = Range(0x08000000, 0x10000000)
"""Addresses of the flash of the chips that the chip table has, and of its secure view (TrustZone)."""
STACKS: Final = Range(0x10000000, 0x40000000)
"""Addresses of RAM: of the code region above flash, and the SRAM region (Armv7-M ARM, "The system address map")."""
_USUAL_STACKS: Final = (
    Range(0x10000000, 0x10020000),
    Range(0x20000000, 0x20400000),
    Range(0x24000000, 0x24200000),
    Range(0x30000000, 0x30100000),
)
"""Addresses of the RAM of those chips."""
_VECTORS: Final = 16
_HANDLERS: Final = (2, 3, 11, 14, 15)
"""NMI, HardFault, SVCall, PendSV and SysTick: the vectors that mean the same on every Cortex-M."""


def vectors_at(data: bytes, at: int = 0, home: Range | None = None) -> tuple[int, ...] | None:
    """Return the words of what looks like a vector table at an offset, at most 16; None where it does not.

    `home` are the addresses of the image, where they are known: the reset vector is one of them. Where they are not,
    either stack and reset vector are where chips of the table have RAM and flash, or all vectors lie as near to each
    other as the image is long.
    """
    count = min(_VECTORS, (len(data) - at) // WORD.size)
    if count < LOOKED_AT:
        return None
    words: tuple[int, ...] = struct.unpack_from(f"<{count}I", data, at)
    stack, reset = words[:LOOKED_AT]
    if not STACKS.start < stack <= STACKS.end or stack % WORD.size or not reset & 1:
        return None
    if home is not None:
        return words if home.start < reset < home.end else None
    if CODE.start < reset < CODE.end and any(each.start < stack <= each.end for each in _USUAL_STACKS):
        return words
    handlers = [words[index] for index in _HANDLERS if index < count and words[index]]
    return words if handlers and all(each & 1 and abs(each - reset) <= len(data) for each in handlers) else None


def linked_address(data: bytes, table: int = 0) -> int | None:
    """Return the likeliest address of the first byte of a raw binary; `table` is the offset of its vector table.

    None where there is no vector table.
    """
    program = data.rstrip(b"\xff").rstrip(b"\0")
    vectors = vectors_at(data, table)
    if vectors is None:
        return None
    size, reset = max(len(program), table + len(vectors) * WORD.size), vectors[1]
    handlers = sorted({word - 1 for word in vectors[1:] if word & 1 and abs(word - reset) <= size})
    candidates = tuple(possible_starts(handlers, table, size))
    if not candidates:
        return None
    looked_at = program[:POINTERS_LOOKED_AT]
    words = struct.unpack_from(f"<{len(looked_at) // WORD.size}I", looked_at)
    pointers = {word for word in words if candidates[0] <= word < candidates[-1] + size}
    inside = [sum(start <= pointer < start + size for pointer in pointers) for start in candidates]
    enough = MOST_INSIDE * max(inside)
    return next(start for start, count in zip(candidates, inside, strict=True) if count >= enough)
