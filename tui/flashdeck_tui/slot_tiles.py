"""The tiles of slots: as large as the screen has room for, each with its word in letters as large as the tile. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.big_letters import LETTER_LINES, SCALES, big_word, scale_for
from flashdeck_tui.cell_width import cell_width, centred, cut_at_end, padded
from flashdeck_tui.widgets.columns import ELLIPSIS

LEAST_CELLS = 14
"""Columns of a tile at the least, its gap included."""
LEAST_LINES: Final = 3
"""Lines of a tile at the least: its name, its word, and what there is to say of it."""
_AROUND: Final = 2
"""Lines of a tile besides its word."""
_GAP: Final = 1
_SQUARE: Final = 4
"""Columns that count as much as a line, where the shape of a tile is chosen."""


@dataclass(frozen=True, slots=True)
class Solid(Phrase):
    """A phrase on a ground of its tone, out of which its letters are cut."""


Line = tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class SlotTile:
    """One slot as a tile shows it."""

    name: str
    word: str
    """The word that is read from far away; in large letters if `big_letters` has them."""
    tone: Tone
    is_solid: bool = False
    """True: the unit is finished, and the word fills the tile."""
    edge: str = " "
    """The character on both sides of a word in small letters, which tells it from others without a colour."""
    serial: str = ""
    detail: str = ""
    """Progress, or the reason."""
    stale: bool = False
    """True if it is how things were."""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The places of tiles."""

    across: int
    """Tiles side by side."""
    cells: int
    """Columns of each, its gap included."""
    lines: int
    """Lines of each."""
    scale: int
    """The scale of its letters; 0 for small ones."""
    height: int
    """Lines of all tiles."""


def grid_for(count: int, word: str, width: int, height: int) -> TileGrid:
    """Return the grid for so many tiles, at least one, that has the largest letters for a word.

    Of several it is the one whose tiles are the least narrow and low. Where not all tiles have room, they have their
    least height, and there are more lines than `height`.
    """
    most = max(1, min(count, width // LEAST_CELLS))
    grids = [_grid(across, count, word, width, height) for across in range(1, most + 1)]
    with_room = [grid for grid in grids if grid.height <= height]
    if not with_room:
        return grids[-1]  # fewer side by side would need still more lines
    return max(with_room, key=lambda grid: (grid.scale, min(grid.cells, _SQUARE * grid.lines), grid.across))


def _grid(across: int, count: int, word: str, width: int, height: int) -> TileGrid:
    rows = -(-count // across)
    cells, lines = max(1, width // across), max(LEAST_LINES, height // rows)
    return TileGrid(across, cells, lines, scale_for(word, cells - _GAP, lines - _AROUND), rows * lines)


def tile_lines(tiles: Sequence[SlotTile], grid: TileGrid) -> list[Line]:
    """Return all tiles as lines."""
    drawn: list[Line] = []
    for first in range(0, len(tiles), grid.across):
        row = [_drawn(tile, grid) for tile in tiles[first : first + grid.across]]
        drawn += [
            tuple(phrase for part in parts for phrase in (*part, Phrase(" " * _GAP)))
            for parts in zip(*row, strict=True)
        ]
    return drawn


def _drawn(tile: SlotTile, grid: TileGrid) -> list[Line]:
    """Return the lines of a tile; a line below it is left blank where its word can spare one.

    Large letters are cut out of their ground only where that goes on above and below them.
    """
    room = max(0, grid.cells - _GAP)
    word_lines, letter_lines = grid.lines - _AROUND, LETTER_LINES * SCALES[grid.scale - 1][1] if grid.scale else 1
    ground_lines = _AROUND if grid.scale else 0
    has_ground = word_lines >= letter_lines + ground_lines
    spare = 1 if word_lines > letter_lines + (ground_lines if has_ground else 0) else 0
    tone = Tone.FAINT if tile.stale else tile.tone
    kind = Solid if tile.is_solid and has_ground and not tile.stale else Phrase
    detail = padded(cut_at_end(tile.detail, room, ELLIPSIS), room)
    return [
        _head(tile, room),
        *((kind(line, tone),) for line in _word(tile, room, word_lines - spare, grid.scale)),
        (Phrase(detail, tone if tile.is_solid else Tone.FAINT),),
        *[(Phrase(" " * room),)] * spare,
    ]


def _head(tile: SlotTile, room: int) -> Line:
    name = cut_at_end(tile.name, room, ELLIPSIS)
    left = room - cell_width(name)
    serial = f" {cut_at_end(tile.serial, left - 1, ELLIPSIS)}" if tile.serial and left > _AROUND else ""
    return Phrase(name, Tone.FAINT if tile.stale else Tone.STRONG), Phrase(padded(serial, left), Tone.FAINT)


def _word(tile: SlotTile, room: int, lines: int, scale: int) -> Iterator[str]:
    """Yield the word on so many lines: in large letters, or between its edges."""
    large = big_word(tile.word, scale) if scale and scale_for(tile.word, room, lines) >= scale else []
    drawn = large or [f" {tile.word} "]
    above = (lines - len(drawn)) // 2
    for at in range(lines):
        is_word = 0 <= at - above < len(drawn)
        line = drawn[at - above] if is_word else ""
        fill = tile.edge if is_word and not large else " "
        yield cut_at_end(centred(line, room, fill), room, "")
