"""The programs that a board may be running, as far as a crash needs to know them."""

from collections.abc import Callable
from dataclasses import dataclass

from flashdeck.geometry import Range
from flashdeckd.images.image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardProgram:
    """A partition of a board, what is in it, and where its builds come from."""

    partition: str
    span: Range | None
    """Its addresses; None for an alternate setting, which has none."""
    image: str
    """The path, or the glob, of its image file; "" where none is configured."""
    unknown: str = ""
    """The reason why nobody knows what is in it; "" where that is known."""
    read: Callable[[], Image]
    """Returns the bytes that are known to be in it, by their offsets from its start. Blocks."""
