"""What a life of the daemon tells to whoever runs it."""

from typing import TYPE_CHECKING, Protocol

from flashdeck.model import Event

if TYPE_CHECKING:
    from simulation.life import DaemonLife


class Onlooker(Protocol):
    """Who is told: the world of a seed, or a bench of which every operation is cut."""

    def published(self, life: "DaemonLife", event: Event) -> None:
        """The hub of the daemon has published something."""
        ...

    def opened(self, device: str, *, was_dfu: bool) -> None:
        """The daemon has opened a device."""
        ...

    def look(self, name: str) -> None:
        """Something may have happened to a board."""
        ...
