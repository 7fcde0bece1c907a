"""The facts that each board's state is made of, gathered from its lane, the book of jobs, and the newest builds."""

from collections.abc import Callable, Mapping

from flashdeck.config import Board, Partition
from flashdeck.model import BoardState, ConsoleState
from flashdeckd.boards.board_state import PartitionFacts, board_state
from flashdeckd.boards.watched_files import WatchedFiles
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import doubts
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.satisfaction import Satisfaction
from flashdeckd.state.hub import Hub


class BoardFacts:
    """The facts behind the states of all boards. Runs in the event loop's thread only."""

    def __init__(
        self,
        hub: Hub,
        lanes: Mapping[str, Lane],
        book: JobBook,
        satisfaction: Satisfaction,
        files: WatchedFiles,
        *,
        away: Callable[[str], str],
        console: Callable[[str], ConsoleState | None],
    ) -> None:
        """`away` returns why a board is off the bus for a moment, `console` the condition of its console."""
        self._hub = hub
        self._lanes = lanes
        self._book = book
        self._satisfaction = satisfaction
        self._files = files
        self._away = away
        self._console = console

    def state_of(self, name: str) -> BoardState:
        """Return the state of a board as it is now."""
        lane = self._lanes[name]
        board = lane.board
        facts = {partition.name: self._of(board, partition) for partition in board.profile.partitions.values()}
        noted = tuple(doubts(lane.history))
        return board_state(
            board,
            lane.sighting,
            facts,
            hold=lane.hold,
            lease=lane.shown_lease,
            armed=lane.armed,
            once=lane.once,
            doubts=noted,
            away=self._away(name),
            controller=lane.shown_controller,
            console=self._console(name),
        )

    def _of(self, board: Board, partition: Partition) -> PartitionFacts:
        place = (board.profile.name, partition.name)
        newest = self._hub.artifacts.get(place)
        sha256 = newest.sha256 if newest is not None else ""
        contents = self._book.contents(board.name, partition.name)
        job = self._satisfaction.job_of(board, partition, newest) if newest is not None else None
        was_erased = contents is not None and contents.erased
        was_undone = was_erased or (newest is not None and self._satisfaction.went_back(board, partition, sha256))
        return PartitionFacts(
            contents=contents,
            newest=newest,
            is_current=newest is not None and self._satisfaction.has(board, partition, sha256),
            has_job=job is not None and not (was_undone and job.is_settled),
            is_being_written=self._files.is_being_written(*place),
            kept_open=self._files.kept_open(*place),
            trouble=self._files.untaken(*place),
        )
