"""The doctor on host controllers: what each carries, and if fewer boards at once may serve it better. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from flashdeck.controller_load import controller_text, is_worth_a_line
from flashdeck.diagnosis import Finding, Severity
from flashdeck.model import ControllerState, JobState
from flashdeck.names import few

CROWD: Final = 3
"""Boards of one controller that were interrupted, from which on it is less likely their cables."""
SETTLED_ON: Final = 4
"""The number of boards at once on which a rig of 27 boards settled."""


def findings(controllers: Sequence[ControllerState], jobs: Iterable[JobState]) -> Iterator[Finding]:
    """Yield what each controller carries, where there is anything to say, and what may be too much for one."""
    again = _begun_again(jobs)
    for state in controllers:
        if is_worth_a_line(controllers):
            yield Finding(
                code="controller-load",
                severity=Severity.NOTE,
                seen=f"controller {state.name}: {controller_text(state)}",
                means="its boards share its bandwidth, and what it can keep track of",
            )
        cut = {board: again[board] for board in state.boards if board in again}
        if state.limit is None and len(cut) >= CROWD:
            yield Finding(
                code="controller-crowded",
                severity=Severity.NOTE,
                seen=f"the last jobs of {len(cut)} boards of controller {state.name} needed {sum(cut.values())} more "
                f"attempts ({few(list(cut))})",
                means="many boards that are lost or stop answering in turn are more often the controller, a hub or its "
                "power than so many cables",
                mend=f"set max_per_controller = {SETTLED_ON} under [daemon], and see if that ends",
            )


def _begun_again(jobs: Iterable[JobState]) -> Mapping[str, int]:
    """Return how many attempts more than one the known jobs of each board needed."""
    again: dict[str, int] = {}
    for job in jobs:
        if job.attempts > 1:
            again[job.board] = again.get(job.board, 0) + job.attempts - 1
    return again
