"""A board's flash as cells of the terminal: all of it in one row, or sector by sector in lines. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flashdeck.flash_map import FlashMap, SectorRun, SectorState, most_telling
from flashdeck.model import BoardState, PartitionState
from flashdeck_tui.cell_width import cell_width
from flashdeck_tui.glyphs import FlashGlyph

MAX_LINE_CELLS = 128
"""Sectors in one line at the most, however wide the screen is: more could not be counted."""
MAX_LINES = 512
"""Lines of one map at the most."""

_GLYPHS: Final = {
    SectorState.FOREIGN: FlashGlyph.FOREIGN,
    SectorState.PROTECTED: FlashGlyph.PROTECTED,
    SectorState.UNTOUCHED: FlashGlyph.UNTOUCHED,
    SectorState.CONTENTS: FlashGlyph.CONTENTS,
    SectorState.EQUAL: FlashGlyph.EQUAL,
    SectorState.TO_ERASE: FlashGlyph.TO_ERASE,
    SectorState.ERASING: FlashGlyph.BUSY,
    SectorState.ERASED: FlashGlyph.ERASED,
    SectorState.WRITING: FlashGlyph.BUSY,
    SectorState.WRITTEN: FlashGlyph.WRITTEN,
    SectorState.VERIFIED: FlashGlyph.VERIFIED,
    SectorState.UNCERTAIN: FlashGlyph.UNCERTAIN,
    SectorState.INCOMPLETE: FlashGlyph.FAILED,
    SectorState.FAILED: FlashGlyph.FAILED,
    SectorState.OTHER: FlashGlyph.UNCERTAIN,
}
_IN_A_ROW: Final = {
    SectorState.EQUAL: FlashGlyph.CONTENTS,
    SectorState.WRITTEN: FlashGlyph.CONTENTS,
    SectorState.VERIFIED: FlashGlyph.CONTENTS,
    SectorState.ERASED: FlashGlyph.UNTOUCHED,
}
"""States that a single row does not tell apart from others: there it matters if there is something."""


_LEGEND: Final = (
    FlashGlyph.FAILED,
    FlashGlyph.BUSY,
    FlashGlyph.UNCERTAIN,
    FlashGlyph.TO_ERASE,
    FlashGlyph.PROTECTED,
    FlashGlyph.CONTENTS,
    FlashGlyph.UNTOUCHED,
    FlashGlyph.FOREIGN,
)
"""The glyphs of a row, what tells most first."""


def glyph_of(state: SectorState) -> FlashGlyph:
    """Return the glyph of a sector in the map."""
    return _GLYPHS[state]


def map_cells(shown: FlashMap, width: int) -> tuple[FlashGlyph, ...]:
    """Return the whole flash in `width` cells, each for as many bytes; nothing where there is no map.

    Where several sectors fall into one cell, the state that tells most stands for them. Holes between the runs of a
    memory take no room.
    """
    runs = _real(shown.runs)
    total = sum(run.size * run.count for run in runs)
    if not total or width <= 0:
        return ()
    places = list(_places(runs))
    parts = (
        most_telling(state for start, end, state in places if start < last and first < end)
        for first, last in _parts(total, width)
    )
    return tuple(_IN_A_ROW.get(state, _GLYPHS[state]) for state in parts)


def legend(cells: Collection[FlashGlyph], room: int) -> str:
    """Return what the glyphs of a row mean, in their order there and in at most `room` cells; "" where none has room.

    Where not all have, those that tell most come first.
    """
    kept: list[FlashGlyph] = []
    for glyph in sorted(set(cells), key=_LEGEND.index):
        tried = [each for each in dict.fromkeys(cells) if each in (*kept, glyph)]
        if cell_width(_meanings(tried)) <= room:
            kept = tried
    return _meanings(kept) if kept else ""


def _meanings(glyphs: Iterable[FlashGlyph]) -> str:
    return "map: " + "  ".join(f"{glyph.value.symbol} {glyph.value.word}" for glyph in glyphs)


def _real(runs: Iterable[SectorRun]) -> list[SectorRun]:
    """Return the runs that have any bytes: a daemon may be wrong, too."""
    return [run for run in runs if run.size > 0 and run.count > 0]


def _places(runs: Iterable[SectorRun]) -> Iterator[tuple[int, int, SectorState]]:
    """Yield where each run begins and ends, counted in bytes of memory from its start."""
    at = 0
    for run in runs:
        end = at + run.size * run.count
        yield at, end, run.state
        at = end


def _parts(total: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield `width` parts of `total` bytes; each has one at least, also where there are more parts than bytes."""
    for cell in range(width):
        begin = cell * total // width
        yield begin, max(begin + 1, (cell + 1) * total // width)


@dataclass(frozen=True, slots=True)
class MapLine:
    """One line of a map: neighbouring sectors of one size in one partition."""

    address: int
    size: int
    """Bytes of each sector."""
    cells: tuple[tuple[FlashGlyph, int], ...]
    """The glyphs, each with the number of sectors that it stands for."""
    name: str = ""
    """The partition, in the first of its lines; "" in those below it."""
    is_first: bool = False
    """True for the first line of a partition, or of memory that is in none."""
    sectors: int = 0
    """The number of sectors of the partition, or of the memory that is in none, that are of this size."""

    @property
    def count(self) -> int:
        """The number of its sectors."""
        return sum(count for _, count in self.cells)


def line_cells(room: int) -> int:
    """Return how many sectors a line has where there are `room` cells for them: a power of two, for round addresses."""
    longest = min(max(room, 1), MAX_LINE_CELLS)
    return 1 << (longest.bit_length() - 1)


def map_lines(shown: FlashMap, partitions: Sequence[PartitionState], room: int) -> list[MapLine]:
    """Return the map sector by sector, `room` cells wide: every partition, and every size of sectors, in its own lines.

    Where it has more than `MAX_LINES` lines, the rest is left out.
    """
    width = line_cells(room)
    lines: list[MapLine] = []
    for name, block in _blocks(_real(shown.runs), partitions):
        sectors = sum(run.count for run in block)
        for number, cells in enumerate(_rows(block, width)):
            if len(lines) == MAX_LINES:
                return lines
            first = not number
            address = block[0].address + number * width * block[0].size
            lines.append(MapLine(address, block[0].size, cells, name if first else "", first, sectors if first else 0))
    return lines


def _blocks(runs: Iterable[SectorRun], partitions: Sequence[PartitionState]) -> Iterator[tuple[str, list[SectorRun]]]:
    """Yield neighbouring runs of one size and one partition, with its name."""
    block: list[SectorRun] = []
    owner = ""
    for run, name in _owned(runs, partitions):
        goes_on = bool(block) and name == owner and run.size == block[-1].size and run.address == block[-1].end
        if block and not goes_on:
            yield owner, block
            block = []
        owner = name
        block.append(run)
    if block:
        yield owner, block


def _owned(runs: Iterable[SectorRun], partitions: Sequence[PartitionState]) -> Iterator[tuple[SectorRun, str]]:
    """Yield the runs with the names of their partitions, cut where one begins or ends; "" for none."""
    spans = [(each.address, each.address + each.size, each.name) for each in partitions if not each.alternate]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    for run in runs:
        for part in _cut(run, edges):
            yield part, next((name for start, end, name in spans if start <= part.address < end), "")


def _cut(run: SectorRun, edges: Iterable[int]) -> Iterator[SectorRun]:
    """Yield the parts of a run between edges that lie between two of its sectors."""
    at = run.address
    inside = (edge for edge in edges if run.address < edge < run.end and not (edge - run.address) % run.size)
    for end in (*inside, run.end):
        yield SectorRun(address=at, size=run.size, count=(end - at) // run.size, state=run.state)
        at = end


def _rows(block: Iterable[SectorRun], width: int) -> Iterator[tuple[tuple[FlashGlyph, int], ...]]:
    """Divide a block into rows of `width` sectors."""
    row: list[tuple[FlashGlyph, int]] = []
    room = width
    for run in block:
        left, glyph = run.count, glyph_of(run.state)
        while left:
            taken = min(left, room)
            if row and row[-1][0] is glyph:
                row[-1] = (glyph, row[-1][1] + taken)
            else:
                row.append((glyph, taken))
            left, room = left - taken, room - taken
            if not room:
                yield tuple(row)
                row, room = [], width
    if row:
        yield tuple(row)


def map_of_partitions(board: BoardState) -> FlashMap:
    """Return the map of a board of which its daemon tells none: its partitions, each as one."""
    placed = sorted((each for each in board.partitions if not each.alternate), key=lambda each: each.address)
    runs = tuple(SectorRun(address=each.address, size=each.size, state=_state_of(each)) for each in placed)
    return FlashMap(board=board.name, runs=runs, reason="" if runs else "no map: a plain DFU device has no addresses")


def _state_of(partition: PartitionState) -> SectorState:
    contents = partition.contents
    if partition.protected:
        return SectorState.PROTECTED
    if contents is None:
        return SectorState.UNTOUCHED
    if contents.uncertain:
        return SectorState.UNCERTAIN
    if not contents.complete:
        return SectorState.INCOMPLETE
    return SectorState.ERASED if contents.erased else SectorState.CONTENTS
