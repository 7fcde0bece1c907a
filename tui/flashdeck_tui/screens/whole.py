"""A screen that covers all others and has keys of its own: nothing below it can be pressed, nor has to be drawn."""

from typing import Any, cast

from textual.app import App
from textual.screen import ModalScreen


class WholeScreen(ModalScreen[None]):
    """Base of the full log and of the history."""

    DEFAULT_CSS = """
    WholeScreen { layout: vertical; align: left top; background: $background; }
    WholeScreen:ansi { background: ansi_default; }
    """

    @property
    def application(self) -> App[int]:
        """The application that shows it; Textual knows not what it returns."""
        return cast("App[int]", cast("Any", self).app)
