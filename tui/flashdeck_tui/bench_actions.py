"""The hands of a screen: on a bench of their own they can build, plug and press. The daemon has none."""

from typing import Protocol

from flashdeck_tui.actions.action import Action
from flashdeck_tui.key_names import KeyNames


class BenchActions(Protocol):
    """Whoever opens the screen on a bench of its own implements this; without one, the screen has only the daemon."""

    def headline(self, keys: KeyNames) -> str:
        """One or two lines that stay on the screen, as the shell command that builds."""
        ...

    def actions(self) -> tuple[Action, ...]:
        """More entries for the registry. Their ids and keys must not be those of another action."""
        ...
