"""The maps of all boards' flashes: drawn when somebody wants to see one, and told again when something has changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from flashdeck.config import Board, Partition, Profile
from flashdeck.flash_map import FlashMap, SectorState
from flashdeck.geometry import Range
from flashdeck.job_state import Running
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.sector_states import SectorStates, SectorWork
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.map_drawing import Grid, grid_of, map_of, resting_states
from flashdeckd.state.hub import Hub

MAX_RUNS_AT_ONCE = 4096
"""Runs of all maps in one message: some 256 KiB, so that it stays far below the longest line of the protocol."""


class FlashMaps:
    """The maps of the boards of one bench. Runs in the event loop's thread only.

    Nothing is drawn while nobody looks, for that may read images from the disk.
    """

    def __init__(self, hub: Hub, book: JobBook, shelf: Shelf, board_of: Callable[[str], Board | None]) -> None:
        """`board_of` returns a board as the configuration has it now."""
        self._hub = hub
        self._book = book
        self._shelf = shelf
        self._board_of = board_of
        self._works: dict[str, SectorWork] = {}
        """The work of the last job of each board."""
        self._grids: dict[str, tuple[Profile, Grid]] = {}
        self._resting: dict[str, tuple[object, dict[Range, SectorState]]] = {}
        """The states at rest of each board, and what they were made of."""
        self._told: dict[str, FlashMap] = {}

    def note(self, board: str, work: SectorWork) -> None:
        """Take how far a job is with its sectors."""
        self._works[board] = work
        self.tell(board)

    def tell(self, board: str) -> None:
        """Tell those who look that the map of a board may have changed."""
        known = self._board_of(board)
        if self._hub.has_map_readers and known is not None:
            self._draw(known)

    def draw(self, names: Iterable[str]) -> tuple[FlashMap, ...]:
        """Return the maps of boards, as many as fit into one message: at least that of the first."""
        boards = (self._board_of(name) for name in names)
        return tuple(self._fitting(board for board in boards if board is not None))

    def planned(self, board: Board, partition: Partition, plan: FlashPlan) -> FlashMap:
        """Return the map of a board with what a plan does to its sectors; nobody else is told of it."""
        grid = self._grid(board.profile)
        sectors = SectorStates(target_of(board, partition).sectors)
        sectors.plan(plan)
        return map_of(board.name, grid, self._states(board, grid), sectors.work(0, partition.name))

    def rename_boards(self, names: Mapping[str, str]) -> None:
        """Let what is known of boards be known of their new names."""
        self._works = {names.get(board, board): work for board, work in self._works.items()}
        self._resting.clear()
        self._told.clear()

    def forget(self, board: str) -> None:
        """Forget a board that the configuration has no more."""
        for kept in (self._works, self._resting, self._told):
            kept.pop(board, None)

    def _draw(self, board: Board) -> FlashMap:
        """Return the map of a board, which all who look have from now on."""
        grid = self._grid(board.profile)
        drawn = map_of(board.name, grid, self._states(board, grid), self._shown_work(board))
        if self._told.get(board.name) != drawn:
            self._told[board.name] = drawn
            self._hub.publish_map(drawn)
        return drawn

    def _fitting(self, boards: Iterable[Board]) -> Iterator[FlashMap]:
        runs = 0
        for board in boards:
            drawn = self._draw(board)
            runs += len(drawn.runs)
            if runs > MAX_RUNS_AT_ONCE:
                return
            yield drawn

    def _grid(self, profile: Profile) -> Grid:
        known = self._grids.get(profile.name)
        if known is None or known[0] != profile:
            known = self._grids[profile.name] = (profile, grid_of(profile))
        return known[1]

    def _states(self, board: Board, grid: Grid) -> dict[Range, SectorState]:
        """Return the states at rest; they are made again only where something of them is different."""
        partitions = board.profile.partitions
        contents = {name: self._book.contents(board.name, name) for name in partitions}
        made_of = (board.profile, contents)
        known = self._resting.get(board.name)
        if known is None or known[0] != made_of:
            states = resting_states(
                board.profile,
                grid,
                contents.get,
                lambda partition: target_of(board, partition),
                self._shelf.image,
            )
            known = self._resting[board.name] = (made_of, states)
        return known[1]

    def _shown_work(self, board: Board) -> SectorWork | None:
        """Return the work of the last job while it runs, and afterwards as long as its partition is as it left it."""
        work = self._works.get(board.name)
        if work is None or work.partition not in board.profile.partitions:
            return None
        job = self._book.jobs.get(work.job)
        if job is not None and isinstance(job.status, Running):
            return work
        contents = self._book.contents(board.name, work.partition)
        if contents is None or contents.uncertain:
            return None
        return work if work.job in (contents.job, *(patch.job for patch in contents.patches)) else None
