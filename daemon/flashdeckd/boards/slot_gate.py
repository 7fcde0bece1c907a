"""The bench's side of slots: who says which unit is in one, before its lane sees anything."""

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from flashdeckd.usb.recognition import Roster, Sighting


class SlotGate(Protocol):
    """Whoever knows which unit is in each slot."""

    @property
    def with_units(self) -> Collection[str]:
        """Return the slots in which a unit is, also while it restarts."""
        ...

    def look(self, roster: Roster) -> None:
        """Take note of all that is on the bus, before each slot is asked about."""
        ...

    def admit(self, name: str, sighting: Sighting) -> Sighting:
        """Return what the lane of a slot may see of what is there."""
        ...

    def still(self, names: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Let no unit of these slots begin or end for as long as the context is open, which waits for those that do."""
        ...

    async def retire(self, name: str, why: str) -> None:
        """Close the record of the unit in a slot that the configuration has no more, and whose lane has ended.

        Raises FlashdeckError where that cannot be recorded.
        """
        ...

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Take over other names of slots, of which none begins or ends a unit."""
        ...


class OpenGate:
    """The gate of a bench of which nobody keeps the units: a slot is a board by its port."""

    with_units: Collection[str] = ()

    def look(self, roster: Roster) -> None:
        """See the base."""

    def admit(self, name: str, sighting: Sighting) -> Sighting:  # noqa: ARG002 - every slot is open
        """Return all that is there."""
        return sighting

    @asynccontextmanager
    async def still(self, names: Iterable[str]) -> AsyncGenerator[None]:  # noqa: ARG002 - nothing begins or ends
        """See the base."""
        yield

    async def retire(self, name: str, why: str) -> None:
        """See the base."""

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """See the base."""
