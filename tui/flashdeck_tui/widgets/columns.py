"""The columns of the lists, their widths, and the heights of panels. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from flashdeck_tui.glyphs import MarkGlyph

ELLIPSIS = "…"
MARK = f"{MarkGlyph.CURSOR.value.symbol} "
"""Before the row that the cursor is on, so that it is seen without colour."""
MAP = "MAP"
"""The title of the column with the map of a board."""
GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list. The last one takes what the others leave."""

    title: str
    most: int = 80
    """Cells at the most."""
    least: int = 0
    """Cells that it shrinks to where the last column lacks room, 0 for never. Of the last column: what it needs."""
    drop: int = 0
    """If shrinking is not enough, columns go in the order of this number, the highest first; 0 never goes."""
    is_prose: bool = False
    """True: its texts are sentences. One that is too long ends between two clauses."""


JOB_VERSION_CELLS = 16
"""Cells of the version of a job."""
JOB_COLUMNS = (
    Column("#", most=3),
    Column("JOB", most=6, drop=2),
    Column("BOARD", most=16),
    Column("PARTITION", most=14, drop=3),
    Column("VERSION", most=JOB_VERSION_CELLS, drop=1),
    Column("STATUS", most=16, least=10),
    Column("PROGRESS, REASON", least=29, is_prose=True),
)


def board_columns(
    partitions: Sequence[str] | None, map_cells: int, version_cells: int, *, with_hosts: bool = False
) -> tuple[Column, ...]:
    """Return the columns of the list of boards: one for each of `partitions`, or one for all where that is None.

    Where room is short the map goes first, then the partitions, the last one first; never the name or the state. Names
    `with_hosts` before them differ at their ends, and so need more room.
    """
    last = len(partitions) + 1 if partitions is not None else 2
    of_partitions = (
        (Column("PARTITIONS", most=40, least=14, drop=1),)
        if partitions is None
        else tuple(
            Column(fit_title(title, version_cells), most=version_cells, drop=place)
            for place, title in enumerate(partitions, 1)
        )
    )
    return (
        Column("  BOARD", most=24, least=18 if with_hosts else 12),
        Column(MAP, most=map_cells, drop=last),
        *of_partitions,
        Column("STATE", least=24, is_prose=True),
    )


def fit_title(title: str, width: int) -> str:
    """Return a title that makes no column wider than its cells may be."""
    return fit(title, width).rstrip()


def widths(columns: Sequence[Column], cells: Iterable[Sequence[str]], available: int) -> list[int]:
    """The width of each column, 0 for one that is dropped, so that all and their gaps fit into `available` cells."""
    if not columns:  # a list that nothing was shown in yet
        return []
    natural = [cell_len(column.title) for column in columns]
    for row in cells:
        natural = [max(width, cell_len(text)) for width, text in zip(natural, row, strict=True)]
    found = [min(width, column.most) for width, column in zip(natural[:-1], columns[:-1], strict=True)]

    def lacking() -> int:
        return columns[-1].least - (available - sum(width + GAP for width in found if width))

    for i, column in reversed(tuple(enumerate(columns[:-1]))):  # the name, which comes first, shrinks last
        if column.least and lacking() > 0:
            found[i] = max(min(found[i], column.least), found[i] - lacking())
    for i in sorted((i for i, column in enumerate(columns[:-1]) if column.drop), key=lambda i: -columns[i].drop):
        if lacking() > 0:
            found[i] = 0
    return [*found, max(columns[-1].least - lacking(), 0)]


def long_first(columns: Sequence[Column], found: Sequence[int], needs: int) -> list[int]:
    """Return the widths for a row whose first cell has the room of all but the last, where it `needs` so many cells.

    Where that is too little, the last one gives what it can spare, in this row alone.
    """
    *others, last = found
    together = max(0, sum(width + GAP for width in others if width) - GAP)
    more = max(0, min(needs - together, last - columns[-1].least))
    return [together + more, *[0] * (len(others) - 1), last - more]


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells, ended by an ellipsis where it does not fit."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip() + ELLIPSIS, width) if width > 0 else ""


@dataclass(frozen=True, slots=True)
class Want:
    """Lines that a panel needs, and those that it can use."""

    least: int
    most: int


def allot(space: int, wants: Sequence[Want]) -> list[int]:
    """Shares `space` lines out: first to each its least, then to each what it can use, in order.

    Where even the least is too much, the last ones go short first. What nobody can use goes to the last.
    """
    given: list[int] = []
    for want in wants:
        given.append(min(want.least, max(0, space - sum(given))))
    for i, want in enumerate(wants):
        given[i] += max(0, min(want.most - given[i], space - sum(given)))
    given[-1] += max(0, space - sum(given))
    return given
