"""The command palette: Textual's, with a line to type on that waits without a byte."""

from textual.command import CommandInput, CommandPalette


class Palette(CommandPalette):
    """Finds an action by its name."""

    def on_mount(self) -> None:
        """Lets the cursor stand still, as that of every `LineInput`."""
        self.query_one(CommandInput).cursor_blink = False
