"""What a terminal would show: the updates that the application sends are drawn here, and nothing else."""

import re
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.screen import Screen

from flashdeck_tui.app import FlashdeckApp

_PARTS = re.compile(r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[[0-9;?]*[A-Za-z]|(?P<line>\n)|(?P<text>[^\x1b\n]+)")


class Glass(FlashdeckApp):
    """The application, and the lines of its screen. A part that is never drawn again keeps what it showed."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Takes what the application takes."""
        self._cells: dict[tuple[int, int], str] = {}
        super().__init__(*args, **settings)

    def glass(self) -> list[str]:
        """All lines from the top."""
        columns, lines = range(self.size.width), range(self.size.height)
        return ["".join(self._cells.get((line, column), " ") for column in columns) for line in lines]

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self._draw(renderable.render_segments(self.console))
        super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType] - Textual leaves a type open

    def _draw(self, sequence: str) -> None:
        line = column = 0
        for part in _PARTS.finditer(sequence):
            if part["row"]:
                line, column = int(part["row"]) - 1, int(part["column"]) - 1
            elif part["line"]:
                line, column = line + 1, 0
            elif part["text"]:
                for character in part["text"]:
                    self._cells[line, column] = character
                    for behind in range(1, cell_len(character)):
                        self._cells[line, column + behind] = ""
                    column += cell_len(character)
