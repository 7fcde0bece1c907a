"""The list of boards: rows, of which each has partitions to choose from."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from flashdeck_tui.widgets.rows import Rows


class BoardRows(Rows):
    """Rows of boards; left and right go through the partitions of the selected one.

    It has no scroll bar: its last line says which boards come below.
    """

    DEFAULT_CSS = """
    BoardRows { scrollbar-size-vertical: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "partition(-1)", "Partition before", show=False),
        Binding("right", "partition(1)", "Next partition", show=False),
    ]

    class PartitionWanted(Message):
        """Another partition of the selected board is to be chosen."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def action_partition(self, step: int) -> None:
        """Asks for the next partition, or the one before."""
        self.post_message(self.PartitionWanted(step))
