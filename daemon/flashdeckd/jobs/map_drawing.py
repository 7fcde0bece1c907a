"""The map of a board's flash, from its geometry, its partitions, what these have, and the work of a job. Pure.

What a device says of its memory plays no part: the geometry is that of the configuration, and bounded here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from flashdeck.config import Partition, Profile
from flashdeck.flash_map import FlashMap, SectorRun, SectorState, most_telling
from flashdeck.geometry import Geometry, Range
from flashdeck.model import Contents
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.flash.target import Target
from flashdeckd.images.image import BLANK
from flashdeckd.jobs.contents import ImageOf, known_bytes

MAX_REGIONS = 64
"""Runs of equal sectors that a memory may be made of to be shown: more than any chip has."""
MAX_CELLS = 512
"""Sectors of one board that are told one by one; where it has more, several neighbours are told as one."""

Cell = tuple[Range, ...]
"""Neighbouring sectors of one size that are told as one: mostly a single one."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a memory, in ascending order."""

    cells: tuple[Cell, ...] = ()
    grouped: int = 1
    """Sectors in each of them; fewer at the end of a region."""
    reason: str = ""
    """The reason why there are none."""


def grid_of(profile: Profile) -> Grid:
    """Return the cells of a profile's memory, at most `MAX_CELLS`."""
    geometry = profile.geometry
    if not geometry.regions:
        return Grid(reason="no map: a plain DFU device has no addresses" if profile.is_plain else "no map: no sectors")
    if len(geometry.regions) > MAX_REGIONS:
        return Grid(reason=f"no map: the flash has more than {MAX_REGIONS} regions")
    grouped = 1
    while sum(-(-region.count // grouped) for region in geometry.regions) > MAX_CELLS:
        grouped *= 2
    return Grid(tuple(_cells(geometry, grouped)), grouped)


def _cells(geometry: Geometry, grouped: int) -> Iterator[Cell]:
    sectors = (sector.span for sector in geometry.sectors())
    for region in geometry.regions:
        left = region.count
        while left:
            yield tuple(islice(sectors, min(grouped, left)))
            left -= min(grouped, left)


def resting_states(
    profile: Profile,
    grid: Grid,
    contents_of: Callable[[str], Contents | None],
    target_of: Callable[[Partition], Target],
    image_of: ImageOf,
) -> dict[Range, SectorState]:
    """Return what is known of each sector while nothing is done to it; nothing of what is in no partition."""
    states: dict[Range, SectorState] = {}
    sectors = [sector for cell in grid.cells for sector in cell]
    for partition in profile.partitions.values() if sectors else ():
        mine = [sector for sector in sectors if sector.overlaps(partition.span)]
        contents = None if partition.protected else contents_of(partition.name)
        states |= _states_of(mine, contents, target_of(partition), image_of)
    for span in profile.protected:
        states |= {sector: SectorState.PROTECTED for sector in sectors if sector.overlaps(span)}
    return states


def _states_of(
    sectors: list[Range], contents: Contents | None, target: Target, image_of: ImageOf
) -> dict[Range, SectorState]:
    if contents is None:
        return dict.fromkeys(sectors, SectorState.UNTOUCHED)
    known, lost = known_bytes(contents, target, image_of), _lost(contents, target)

    def state_of(sector: Range) -> SectorState:
        place = Range(sector.start - target.span.start, sector.end - target.span.start)
        if any(place.overlaps(span) for span in lost):
            return SectorState.UNCERTAIN if contents.uncertain else SectorState.INCOMPLETE
        if not known.touches(place):
            return SectorState.UNTOUCHED
        if contents.uncertain:
            return SectorState.UNCERTAIN
        data = known.read(place)
        is_blank = known.covers(place) and data.count(BLANK) == len(data)
        return SectorState.ERASED if is_blank else SectorState.CONTENTS

    return {sector: state_of(sector) for sector in sectors}


def _lost(contents: Contents, target: Target) -> tuple[Range, ...]:
    """Return the places, from the partition's start, that were erased for something that did not come to its end."""
    newest = contents.layers[0] if contents.layers else None
    if newest is not None and not newest.sha256 and not newest.blank:
        return tuple(Range(start, end) for start, end in newest.erased)
    return () if contents.complete else (Range(0, target.span.size),)


def map_of(board: str, grid: Grid, resting: Mapping[Range, SectorState], work: SectorWork | None) -> FlashMap:
    """Return the map of a board at rest, or with the work of a job laid over it."""
    states = resting if work is None else {**resting, **dict(work.states)}
    shown = FlashMap(board=board, runs=tuple(_runs(grid, states)), grouped=grid.grouped, reason=grid.reason)
    if work is None:
        return shown
    return FlashMap(
        board=board,
        job=work.job,
        partition=work.partition,
        runs=shown.runs,
        grouped=shown.grouped,
        sums=work.sums,
        reason=shown.reason,
    )


def _runs(grid: Grid, states: Mapping[Range, SectorState]) -> Iterator[SectorRun]:
    run: SectorRun | None = None
    for cell in grid.cells:
        address, size = cell[0].start, cell[-1].end - cell[0].start
        state = most_telling(states.get(sector, SectorState.FOREIGN) for sector in cell)
        if run is not None and (run.end, run.size, run.state) == (address, size, state):
            run = SectorRun(address=run.address, size=size, count=run.count + 1, state=state)
            continue
        if run is not None:
            yield run
        run = SectorRun(address=address, size=size, state=state)
    if run is not None:
        yield run
