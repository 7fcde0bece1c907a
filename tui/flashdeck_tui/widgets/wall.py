"""The boards as tiles, for a screen that many look at. It draws again only the tiles that changed."""

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from flashdeck_tui.views.tiles import TILE_LINES, tile_cells
from flashdeck_tui.widgets.columns import MARK, fit
from flashdeck_tui.widgets.rows import Rows

_GAP = 1


class Wall(Rows):
    """Shows rows as tiles, of which each cell is a line, with a cursor that moves in both directions."""

    DEFAULT_CSS = """
    Wall { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move_lines(-1)", "Up", show=False),
        Binding("down,j", "move_lines(1)", "Down", show=False),
        Binding("left", "move(-1)", "Left", show=False),
        Binding("right", "move(1)", "Right", show=False),
    ]

    def __init__(self, more: str, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        """Takes what stands behind a state of which only the head has room."""
        super().__init__((), empty="", more=more, id=id)

    def action_move_lines(self, lines: int) -> None:
        """Moves the cursor by lines of tiles."""
        to = self._cursor + lines * self._across
        if 0 <= to < len(self._rows):
            self._move_to(to)

    def action_page(self, pages: float) -> None:
        """Moves the cursor by what is visible, or by a part of it."""
        lines = int(pages * max(2, self.size.height // TILE_LINES))
        self._move_to(self._cursor + lines * self._across)

    def _index_at(self, x: int, y: int) -> int | None:
        line = (y + self.scroll_offset.y) // TILE_LINES
        across = x // self._cells
        index = line * self._across + across
        return index if across < self._across and index < len(self._rows) else None

    def _measure(self) -> list[int]:
        return []

    def _whole_size(self) -> Size:
        return Size(self.size.width, -(-len(self._rows) // self._across) * TILE_LINES)

    @property
    def _follows(self) -> bool:
        return True

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the same line of several tiles."""
        width = self.size.width
        line, part = divmod(y + self.scroll_offset.y, TILE_LINES)
        first = line * self._across
        segments: list[Segment] = []
        for index in range(first, min(first + self._across, len(self._rows))):
            segments += self._tile_segments(index, part)
        return Strip(segments).adjust_cell_length(width, self.drawn_style())

    def _tile_segments(self, index: int, part: int) -> list[Segment]:
        tile = self._rows[index]
        over = ("rows--cursor",) if index == self._cursor else ()
        blank = self.drawn_style(*over)
        mark = f"{MARK[0] if over else ' '}{tile.sign or ' '} " if not part else "   "
        room = self._cells - _GAP - len(mark)
        if room <= 0:
            return [Segment(fit(mark, self._cells), blank)]
        cell = tile.cells[part]
        if part == TILE_LINES - 1:  # the state
            cell = self._in_clauses(cell, room)
        cells = self._cell_segments(cell, room, over, is_stale=tile.stale)
        return [Segment(mark, blank), *cells, Segment(" " * _GAP, self.drawn_style())]

    @property
    def _cells(self) -> int:
        return tile_cells(max(1, self.size.width - 1), len(self._rows))

    @property
    def _across(self) -> int:
        return max(1, (self.size.width - 1) // self._cells)

    def _scroll_to_cursor(self) -> None:
        first = self._cursor // self._across * TILE_LINES
        top = self.scroll_offset.y
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif first + TILE_LINES > top + self.size.height > TILE_LINES:
            self.scroll_to(y=first + TILE_LINES - self.size.height, animate=False)

    def _refresh_row(self, index: int) -> None:
        line, across = divmod(index, self._across)
        y = line * TILE_LINES - self.scroll_offset.y
        if -TILE_LINES < y < self.size.height:
            self.refresh(Region(across * self._cells, max(0, y), self._cells, TILE_LINES))
