"""A lease of boards as lanes see it, and the one for whose holder the daemon acts at this moment."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from flashdeck.model import BoardLease
from flashdeckd.jobs.board_names import BoardNames


@dataclass(eq=False, slots=True)
class TakenBoards:
    """Boards that somebody has taken for as long as one connection lives. It is kept in memory only."""

    token: str
    names: BoardNames
    shown: BoardLease
    jobs: set[int] = field(default_factory=set[int])
    """The jobs that its holder has asked for."""
    lab_user: str = ""
    """The user of a lab for whom its holder speaks; "" for none."""

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards, as they are called now."""
        return self.names.now


acting_for: ContextVar[TakenBoards | None] = ContextVar("acting_for", default=None)
"""The lease of whoever asks for what is done now; None where that one has none. A request has its own context."""

lab_user: ContextVar[str] = ContextVar("lab_user", default="")
"""The user of a lab for whom whoever asks for what is done now speaks; "" for none."""


def claim(job: int) -> None:
    """Make a job one of the holder for whom the daemon acts now, if there is one."""
    lease = acting_for.get()
    if lease is not None:
        lease.jobs.add(job)
