"""The address that a raw binary was linked for, told from the pointers in it. Pure.

Its vector table alone leaves a range as wide as the image is long. The program's other pointers, to functions and to
constants, lie in the image, too, and narrow it.
"""

import struct
from typing import Final

from flashdeck.geometry import Range
from flashdeckd.images.program import WORD, possible_starts

POINTERS_LOOKED_AT: Final = 4 * 1024 * 1024
"""Bytes at the start of an image that are looked at for pointers."""
MOST_INSIDE: Final = 0.9
"""Share of the pointers, among those that the best address has inside the image, with which a rounder one is taken."""
STACKS: Final = Range(0x10000000, 0x40000000)
"""Addresses of RAM: of the code region above flash, and the SRAM region (Armv7-M ARM, "The system address map")."""
_VECTORS: Final = 16
_ALWAYS_THERE: Final = (1, 2, 3, 11, 14, 15)
"""Reset, NMI, HardFault, SVCall, PendSV and SysTick: the vectors that mean the same on every Cortex-M."""


def vectors_at(data: bytes, at: int = 0, reach: int | None = None) -> tuple[int, ...] | None:
    """Return the first 16 words at an offset where they look like a vector table; None where they do not.

    The vectors that every Cortex-M has are zero or odd, and not farther from each other than `reach` bytes: the length
    of the image, which is that of `data` where it is not given.
    """
    if at + _VECTORS * WORD.size > len(data):
        return None
    words = struct.unpack_from(f"<{_VECTORS}I", data, at)
    stack, reset = words[:2]
    if not STACKS.start < stack <= STACKS.end or stack % WORD.size or not reset & 1:
        return None
    handlers = [words[index] for index in _ALWAYS_THERE if words[index]]
    if any(not each & 1 or abs(each - reset) > (reach or len(data)) for each in handlers):
        return None
    return words


def linked_address(data: bytes, table: int = 0) -> int | None:
    """Return the likeliest address of the first byte of a raw binary; `table` is the offset of its vector table.

    None where there is no vector table.
    """
    program = data.rstrip(b"\xff").rstrip(b"\0")
    vectors = vectors_at(data, table)
    if vectors is None:
        return None
    size, reset = max(len(program), table + _VECTORS * WORD.size), vectors[1]
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
