"""Rule 3: an application is only asked to come into DFU mode while it is exactly one board's."""

from flashdeck.job_state import Phase, Running
from flashdeck.model import Event, JobState, Presence
from simulation.invariants.attempts import Attempts
from simulation.invariants.identity import candidates
from simulation.invariants.rule import Rule
from simulation.seen import Opened, Seen


class WayIn(Rule):
    """The rule that what was a board's when a job's turn came, and is not when it is shown as asked, is not asked."""

    name = "3, the way in"
    sentence = (
        "The same goes for everything that is done to a board: no port is opened or touched, no command run, no power "
        "switched for a device that is not exactly one configured board."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._uncertain: dict[str, str] = {}
        """By board that is to be asked now: why nobody may ask it."""

    def began(self) -> None:
        """Nothing runs."""
        self._uncertain.clear()

    def published(self, event: Event, before: JobState | None) -> None:
        """Note a job that begins to ask while it is not clear whom."""
        job = event.job
        if job is None:
            return
        self._uncertain.pop(job.board, None)
        is_asking = isinstance(job.status, Running) and job.status.phase is Phase.DETACH
        named, board = self.seen.setup.boards.get(job.board), self.seen.shown.boards.get(job.board)
        if not is_asking or named is None or board is None:
            return
        found = len(candidates(named, self.seen.devices.values()))
        is_gone = board.presence is Presence.ABSENT and not found
        if is_gone or (board.presence is Presence.AMBIGUOUS and found > 1):
            self._uncertain[job.board] = "it is not there" if is_gone else "two devices look like it"

    def opened(self, opened: Opened) -> None:
        """Judge an application that is opened."""
        if not opened.was_dfu:
            self._judge(opened.lane, f"the application of {opened.device} is opened")

    def commanded(self, board: str) -> None:
        """Judge a command that is run, or a port that is touched."""
        self._judge(board, "its command is run, or its port touched,")

    def _judge(self, board: str, what: str) -> None:
        if board in self._uncertain:
            raise self.broken(f"{what} for {board}, and {self._uncertain[board]}")
