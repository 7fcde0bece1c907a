"""The bytes of a spooled image, piece by piece."""

from collections.abc import Awaitable, Callable

from flashdeck.api import CHUNK, ImagePiece, ReadImage
from flashdeck.errors import FlashdeckError

Ask = Callable[[ReadImage], Awaitable[ImagePiece]]
"""Asks the daemon for a piece."""


async def bytes_of(ask: Ask, sha256: str, size: int) -> bytes:
    """Return all bytes of an image; raises FlashdeckError where the daemon gives fewer, and what `ask` raises."""
    data = bytearray()
    while len(data) < size:
        piece = await ask(ReadImage(sha256=sha256, offset=len(data), size=min(CHUNK, size - len(data))))
        if not piece.data:
            raise FlashdeckError(f"the daemon gave {len(data)} of {size} bytes")
        data += piece.data
    return bytes(data)
