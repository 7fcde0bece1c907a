"""The base of every kind of trouble."""

from typing import Protocol


class Actor(Protocol):
    """Somebody in the world. It draws from a generator of its own, `world.random(NAME)`, and counts what it does."""

    async def trouble(self) -> None:
        """Do one's worst in the phase of trouble, until cancelled."""
        ...

    def calm(self) -> None:
        """From now on do nothing more, and take back what is still to happen: the world is to come to rest."""
        ...
