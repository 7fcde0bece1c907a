"""The boards as tiles of a wall: name, state, versions and map, each a line. Pure."""

from collections.abc import Collection, Sequence
from typing import Final

from rich.cells import cell_len

from flashdeck.words.tone import Phrase
from flashdeck_tui.board_list import Group
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.store import Selection
from flashdeck_tui.views.board_line import (
    VERIFIED_SIGN,
    map_cell,
    mark_sign,
    name_cell,
    names_by_partition,
    open_partitions,
    state_cell,
    version_cell,
)
from flashdeck_tui.views.cells import Row, Spans
from flashdeck_tui.widgets.columns import ELLIPSIS

TILE_CELLS = 19
"""Cells of a tile at the least, its gap included."""
TILE_LINES: Final = 4
MOST_TILE_CELLS = 40
"""Cells of a tile where there is more room than boards."""
_GAP: Final = 1
_PAD: Final = 3
"""Cells before the name: the cursor, the mark, and the gap."""


def tile_cells(width: int, tiles: int) -> int:
    """Return the cells of each tile, so that the width of the screen is used."""
    across = max(1, min(width // TILE_CELLS, max(1, tiles)))
    return max(1, min(width // across, MOST_TILE_CELLS))


def board_tiles(
    groups: Sequence[Group], now: float, keys: KeyNames, width: int, *, marks: Collection[Selection] = ()
) -> list[Row]:
    """Return the boards of all groups as tiles, whose cells are their lines; `width` is that of the wall."""
    boards = [each for group in groups for each in group.boards]
    room = tile_cells(width, len(boards)) - _GAP - _PAD
    names = names_by_partition(boards)
    tiles: list[Row] = []
    for each in boards:
        versions = [
            version_cell(each, partition, names[partition.name], room) for partition in open_partitions(each.board)
        ]
        lines = (
            name_cell(each),
            _versions_line(versions, room),
            map_cell(each, max(0, room)),
            state_cell(each, now, keys, names),
        )
        tiles.append(Row(each.place, lines, sign=mark_sign(each, marks), stale=each.is_stale))
    return tiles


def _versions_line(versions: Sequence[Phrase], room: int) -> Spans:
    """Return the versions of all partitions; where they have no room, without what is well, then without the last."""
    plain = [Phrase(each.text.removesuffix(f" {VERIFIED_SIGN}"), each.tone) for each in versions]
    for count in range(len(versions), 0, -1):
        for told in (versions, plain):
            line = _in_a_line(told[:count], is_all=count == len(versions))
            if cell_len(line.text) <= room:
                return line
    return Spans(tuple(plain[:1]))


def _in_a_line(versions: Sequence[Phrase], *, is_all: bool) -> Spans:
    gap, parts = Phrase("  "), list[Phrase]()
    for each in versions:
        parts += [gap, each] if parts else [each]
    return Spans((*parts, *(() if is_all else (Phrase(f" {ELLIPSIS}"),))))
