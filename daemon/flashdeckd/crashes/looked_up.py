"""The answer of the process that looks addresses up."""

from typing import Final

from msgspec import Struct

OTHER_FILE: Final = 3
"""Exit code: the file is not the one that was asked for any more."""


class Frame(Struct, frozen=True, kw_only=True):
    """One function that was running at an address."""

    function: str = ""
    """Its name; "" where nobody knows."""
    offset: int = 0
    """Bytes from its start; for a function that was put into another one, 0."""
    file: str = ""
    line: int = 0
    """0 where nobody knows."""
    is_inlined: bool = False
    """True for a function that was put into the next frame's."""
