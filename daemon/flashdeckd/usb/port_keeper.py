"""The part of this daemon that keeps the serial port of a board open, and lets others have it for a while."""

from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol


class PortKeeper(Protocol):
    """The keeper of the ports of one board."""

    def has(self, node: Path, /) -> bool:
        """Return whether it has a port open now. May be called in any thread."""
        ...

    def lent(self) -> AbstractAsyncContextManager[None]:
        """Have its port closed for the length of the block, and a moment longer; for the event loop."""
        ...


class _Nobody:
    """The keeper of the ports of a board without a console."""

    @staticmethod
    def has(_node: Path, /) -> bool:
        """Return that nobody has it."""
        return False

    @staticmethod
    def lent() -> AbstractAsyncContextManager[None]:
        """Wait for nobody."""
        return nullcontext()


NOBODY: Final[PortKeeper] = _Nobody()
"""Nobody has a port open."""
