"""Aligned columns for people."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from flashdeck.text import clean
from flashdeck_tui.cell_width import cell_width
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.cli.output import Colour, is_terminal, paint

_GAP = "  "
_NARROWEST = 20
"""Columns that the last column needs to stand beside the others; with fewer it goes below them."""
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell in a colour, or set to the right."""

    text: str
    colour: Colour | None = None
    right: bool = False


def table(head: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> str:
    """`rows` under `head`, as lines.

    On a terminal the last column is wrapped to what the others leave of the width, or set below them where that is too
    little. Into a pipe or a file a row is always one line.
    """
    cells = [[_cell(item) for item in row] for row in rows]
    widths = [
        max(map(cell_width, texts)) for texts in zip(head, *([c.text for c in row] for row in cells), strict=True)
    ]
    lines = [paint(_line([Cell(text) for text in head], widths), Colour.STRONG, sys.stdout)]
    if not is_terminal(sys.stdout):
        return "\n".join(lines + [_line(row, widths) for row in cells])
    width = shutil.get_terminal_size().columns
    start = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    below = start + min(widths[-1], _NARROWEST) > width
    for *first, last in cells:
        if below:
            lines.append(_line(first, widths[:-1]))
            start = _INDENT
        pieces = wrapped(last.text, width - start) if start + cell_width(last.text) > width else [last.text]
        if not below:
            lines.append(_line([*first, Cell(pieces.pop(0), last.colour, last.right)], widths))
        lines += [" " * start + paint(piece, last.colour, sys.stdout) for piece in pieces if piece]
    return "\n".join(lines)


def _cell(item: str | Cell) -> Cell:
    cell = item if isinstance(item, Cell) else Cell(item)
    return Cell(clean(cell.text), cell.colour, cell.right)


def _line(row: Sequence[Cell], widths: Sequence[int]) -> str:
    parts: list[str] = []
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        padding = " " * (width - cell_width(cell.text))
        text = paint(cell.text, cell.colour, sys.stdout)
        if cell.right:
            parts.append(padding + text)
        else:
            parts.append(text if index == len(widths) - 1 else text + padding)
    return _GAP.join(parts).rstrip()
