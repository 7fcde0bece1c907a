"""The list of all boards as rows: a line a board, in groups, and the devices that are no board at the end. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich.cells import cell_len

from flashdeck.text import clean, counted
from flashdeck.words.conditions import condition_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.board_list import Arrangement, Group, Grouping, ListedBoard, SortOrder, boards_of
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.glyphs import MarkGlyph
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.store import NOTHING, Selection
from flashdeck_tui.views.board_line import (
    map_cell,
    mark_sign,
    name_cell,
    names_by_partition,
    open_partitions,
    partitions_cell,
    same_partitions,
    state_cell,
    version_cell,
)
from flashdeck_tui.views.cells import Cell, Row, row_widths, short_name
from flashdeck_tui.views.devices import device_row
from flashdeck_tui.views.version_names import VersionNames
from flashdeck_tui.widgets.columns import MARK, Column, board_columns

MOST_PARTITION_COLUMNS = 4
"""Partitions that have a column each; boards with more have them all in one."""
MAP_CELLS = 16
"""Cells of the map in a line ..."""
NARROW_MAP_CELLS = 12
"""... where that is too much ..."""
WIDE_MAP_CELLS = 32
"""... and where the screen has room for more."""
VERSION_CELLS = 11
"""Cells of the version of a partition, or of two with a sign between them ..."""
WIDE_VERSION_CELLS = 20
"""... and where the screen has room for more."""
_MAP = 1
"""The place of the map among the columns."""
WIDE = 110
"""Cells of a screen that has it."""


_LINKS: Final = {LinkStatus.CONNECTED: "", LinkStatus.CONNECTING: " is connecting", LinkStatus.DISCONNECTED: " is away"}
"""The words for the connection to a host, in its head."""


@dataclass(frozen=True, slots=True)
class BoardsTable:
    """The list as it is drawn."""

    columns: tuple[Column, ...]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Appearance:
    """The way in which the list is to be drawn."""

    keys: KeyNames
    """The keys as hints name them."""
    width: int = 80
    marks: Collection[Selection] = ()
    chosen: Selection = NOTHING
    """The board and the partition that the cursor is on."""

    @property
    def map_cells(self) -> tuple[int, ...]:
        """Cells that the map of a board may have, the most first."""
        return (WIDE_MAP_CELLS, MAP_CELLS) if self.width >= WIDE else (MAP_CELLS, NARROW_MAP_CELLS)

    @property
    def version_cells(self) -> int:
        """Cells of what a partition has or gets."""
        return WIDE_VERSION_CELLS if self.width >= WIDE else VERSION_CELLS


def board_table(
    fleet: Fleet, groups: Sequence[Group], listing: Arrangement, now: float, look: Appearance
) -> BoardsTable:
    """Return the columns and rows of the list; `now` is in epoch seconds.

    Where all boards have the same few partitions each of them has a column, else one column has them all. The map is
    as wide as leaves the state its room.
    """
    *wider, narrowest = look.map_cells
    for map_cells in wider:
        table = _board_table(fleet, groups, listing, now, look, map_cells)
        if row_widths(table.columns, table.rows, look.width - len(MARK))[_MAP]:
            return table
    return _board_table(fleet, groups, listing, now, look, narrowest)


def _board_table(  # noqa: PLR0917 - those of its one caller, and the width of the map
    fleet: Fleet, groups: Sequence[Group], listing: Arrangement, now: float, look: Appearance, map_cells: int
) -> BoardsTable:
    names = same_partitions([each for group in groups for each in group.boards])
    if names is not None and len(names) > MOST_PARTITION_COLUMNS:
        names = None
    versions = names_by_partition(boards_of(fleet))
    titles = None if names is None else tuple(_title(name, versions[name]) for name in names)
    several = len(fleet.hosts) > 1
    columns = board_columns(titles, map_cells, look.version_cells, with_hosts=several)
    rows: list[Row] = []
    for group in groups:
        if listing.grouping is not Grouping.NONE:
            rows.append(_head(group, listing, len(columns)))
        if group.name not in listing.folded:
            rows += [_board_row(each, names, versions, now, look, map_cells) for each in group.boards]
    if not listing.wanted:
        for host in fleet:
            stale = host.link.state.status is not LinkStatus.CONNECTED
            for device in host.store.devices:
                row = device_row(device, host.name if several else "", len(columns))
                rows.append(replace(row, key=replace(row.key, host=host.name), stale=stale))
    return BoardsTable(columns, rows)


def no_boards(fleet: Fleet, wanted: str = "") -> str:
    """Return what stands where the boards would be."""
    if all(host.store.daemon is None for host in fleet):
        return "no daemon yet, so no boards are known"
    if wanted and any(host.store.boards for host in fleet):
        return "no board matches; Esc shows all"
    return "no boards are configured; 'flashdeck suggest' shows what is plugged in"


def list_note(listing: Arrangement, shown: int, of: int, marked: Collection[Selection], hidden: int) -> str:
    """Return what the list shows and how, for its title; "" where it shows all boards in the usual order."""
    parts: list[str] = []
    if listing.wanted:
        parts.append(f"{shown} of {counted(of, 'board')}: /{clean(listing.wanted)}")
    if marked:
        parts.append(f"{counted(len(marked), 'board')} marked" + (f", {hidden} of them not shown" if hidden else ""))
    if listing.order is not SortOrder.WORST:
        parts.append(f"sorted by {listing.order}")
    if listing.grouping is not Grouping.NONE:
        parts.append(f"by {listing.grouping}")
    return "; ".join(parts)


def _title(partition: str, versions: VersionNames) -> str:
    """Return the heading of a partition's column.

    With the program whose versions stand below it, if that says more and there is room.
    """
    name = clean(partition).upper()
    program = clean(versions.program).strip()
    says_more = program.upper() not in ("", name)
    return f"{name} {program}" if says_more and cell_len(f"{name} {program}") <= VERSION_CELLS else name


def _board_row(  # noqa: PLR0917 - those of its one caller
    each: ListedBoard,
    names: Sequence[str] | None,
    versions: Mapping[str, VersionNames],
    now: float,
    look: Appearance,
    map_cells: int,
) -> Row:
    partition = look.chosen.partition if look.chosen.whole_board == each.place else ""
    cells: list[Cell] = [name_cell(each), map_cell(each, map_cells)]
    chosen = -1
    if names is None:
        cells.append(partitions_cell(each, versions, look.version_cells, partition))
    else:
        chosen = 2 + names.index(partition) if partition in names else -1
        cells += [
            version_cell(each, each_partition, versions[each_partition.name], look.version_cells)
            for each_partition in open_partitions(each.board)
        ]
    cells.append(state_cell(each, now, look.keys, versions))
    return Row(each.place, tuple(cells), sign=mark_sign(each, look.marks), chosen=chosen, stale=each.is_stale)


def _head(group: Group, listing: Arrangement, columns: int) -> Row:
    is_folded = group.name in listing.folded
    glyph = (MarkGlyph.FOLDED if is_folded else MarkGlyph.OPEN).value
    told = ", ".join(_conditions(group))
    text = f"{glyph.symbol} {short_name(group.name)}{_LINKS[group.link]}, {counted(len(group.boards), 'board')}"
    is_away = group.link is LinkStatus.DISCONNECTED
    head = Phrase(f"{text}: {told}" if told else text, Tone.BAD if is_away else Tone.STRONG)
    return Row(Selection(group=group.name), (head, *[Phrase("")] * (columns - 1)), is_head=True)


def _conditions(group: Group) -> Iterator[str]:
    found = Counter(each.health.condition for each in group.boards)
    if len(found) > 1:
        yield from (f"{found[kind]} {condition_word(kind).text}" for kind in sorted(found, key=lambda kind: kind.rank))
