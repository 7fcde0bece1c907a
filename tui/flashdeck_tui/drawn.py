"""The picture that the terminal shows, so that only what differs from it is sent. Most screens are far away.

Textual sends the whole visible line of a widget where one cell of it changed. Here an update is compared, cell by cell,
with what was sent before, and what is left of it are the pieces that differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

NEAR = 6
"""Cells that are the same between two that differ, and are sent again all the same: to go there costs as much."""
_BEHIND = ""
"""The text of the second cell of a character that has two."""

_Cell = tuple[str, Style | None]


@dataclass(frozen=True, slots=True)
class CellRun:
    """A part of one line."""

    x: int
    y: int
    strip: Strip


class ChangedCells(CompositorUpdate):
    """Pieces of lines to draw."""

    def __init__(self, pieces: tuple[CellRun, ...]) -> None:
        self.pieces = pieces

    def render_segments(self, console: Console) -> str:
        """Return the text and the control sequences that draw them."""
        return "".join(
            Control.move_to(piece.x, piece.y).segment.text + piece.strip.render(console) for piece in self.pieces
        )


class Drawn:
    """The cells that were sent since the terminal was last known to be empty."""

    def __init__(self) -> None:
        self._lines: dict[int, list[_Cell | None]] = {}

    def forget(self) -> None:
        """From now on nothing is known: everything is sent again."""
        self._lines.clear()

    def changes(self, update: CompositorUpdate) -> CompositorUpdate:
        """Return what of an update the terminal does not show yet, and take it for shown.

        An update of another kind is returned as it is.
        """
        if not isinstance(update, ChopsUpdate | LayoutUpdate):
            self.forget()
            return update
        return ChangedCells(tuple(change for piece in _pieces(update) for change in self._changes_of(piece)))

    def _changes_of(self, piece: CellRun) -> Iterator[CellRun]:
        new, known = _cells(piece.strip), self._lines.setdefault(piece.y, [])
        if len(known) < piece.x + len(new):
            known += [None] * (piece.x + len(new) - len(known))
        old = known[piece.x : piece.x + len(new)]
        found = tuple(_different(old, new))
        if found and any(cell is not None and len(cell[0]) > 1 for cell in new):
            found = ((0, len(new)),)  # nobody knows on which side of a cut a terminal sees an accent
        for start, end in found:
            yield CellRun(piece.x + start, piece.y, piece.strip.crop(start, end))
        known[piece.x : piece.x + len(new)] = new


def _pieces(update: ChopsUpdate | LayoutUpdate) -> Iterator[CellRun]:
    """Yield what an update draws, as it would by itself."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield CellRun(x, y, strip)
                x += strip.cell_length
        return
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= x2 and end > x1:
                yield CellRun(x, y, strip if end <= x2 else strip.crop(0, x2 - x))


def _cells(strip: Strip) -> list[_Cell | None]:
    cells: list[_Cell | None] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            cells += [(character, style) for character in text]
            continue
        for character in text:
            width = cell_len(character)
            if width:
                cells += [(character, style), *[(_BEHIND, style)] * (width - 1)]
            elif cells and (before := cells[-1]) is not None:
                cells[-1] = (before[0] + character, before[1])
    return cells


def _different(old: list[_Cell | None], new: list[_Cell | None]) -> Iterator[tuple[int, int]]:
    """Yield where the pieces that differ start and end, none in the middle of a character."""
    if old == new:
        return
    start = end = -1
    for index, (before, now) in enumerate(zip_longest(old, new)):
        if before == now:
            continue
        if start >= 0 and index - end > NEAR:
            yield _whole(new, start, end)
            start = -1
        start, end = (index if start < 0 else start), index + 1
    yield _whole(new, start, end)


def _whole(cells: list[_Cell | None], start: int, end: int) -> tuple[int, int]:
    while start > 0 and _is_behind(cells[start]):
        start -= 1
    while end < len(cells) and _is_behind(cells[end]):
        end += 1
    return start, end


def _is_behind(cell: _Cell | None) -> bool:
    return cell is not None and cell[0] == _BEHIND
