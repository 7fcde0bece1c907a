"""The load of each host controller: its boards, how many are busy or wait for their turn, and how fast bytes go. Pure.

All of it follows from the states of boards and jobs, so it costs no transfer, and everybody who has those can tell.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from flashdeck.job_state import Phase, Running, WaitFor, Waiting, Written
from flashdeck.model import BoardState, ControllerState, JobState

MOVES_BYTES: Final = frozenset((Phase.COMPARE, Phase.WRITE, Phase.VERIFY, Phase.READ, Phase.BOOT_UNIT))
"""The phases whose progress is bytes that go over the bus."""
SHORTEST_RATE: Final = 0.5
"""Seconds of a phase from which on its bytes make a rate: before that, one block would make it anything."""


def controller_states(
    boards: Iterable[BoardState], jobs: Iterable[JobState], limit: int | None
) -> tuple[ControllerState, ...]:
    """Return the load of each controller that has a board, by name."""
    at: dict[str, list[str]] = {}
    for board in boards:
        if board.controller:
            at.setdefault(board.controller, []).append(board.name)
    active: dict[str, list[JobState]] = {}
    for job in jobs:
        if not job.is_settled:
            active.setdefault(job.board, []).append(job)
    return tuple(
        ControllerState(
            name=name,
            boards=tuple(names),
            busy=tuple(board for board in names if any(map(_talks, active.get(board, ())))),
            waiting=tuple(board for board in names if any(map(_waits, active.get(board, ())))),
            limit=limit,
            bytes_per_second=round(sum(map(_rate, (job for board in names for job in active.get(board, ()))))),
        )
        for name, names in sorted(at.items())
    )


def is_worth_a_line(states: Sequence[ControllerState]) -> bool:
    """Tell whether there is anything to say of controllers: a limit, or more than one of them."""
    return len(states) > 1 or any(state.limit is not None for state in states)


def controller_lines(states: Sequence[ControllerState]) -> Iterator[str]:
    """Yield a line in words for each controller, where there is anything to say."""
    for state in states if is_worth_a_line(states) else ():
        yield f"controller {state.name}: {controller_text(state)}"


def controller_text(state: ControllerState) -> str:
    """Return the load of a controller in words."""
    count = len(state.boards)
    of = "" if state.limit is None else f" of at most {state.limit}"
    parts = [f"{count} board{'' if count == 1 else 's'}", f"{len(state.busy)}{of} busy"]
    if state.waiting:
        parts.append(f"{len(state.waiting)} waiting")
    if state.bytes_per_second:
        parts.append(f"{state.bytes_per_second / 1024:.1f} KiB/s")
    return ", ".join(parts)


def _talks(job: JobState) -> bool:
    status = job.status
    if isinstance(status, Running):
        return status.phase is not Phase.DETACH
    return isinstance(status, Written) and status.phase is Phase.LEAVE


def _waits(job: JobState) -> bool:
    return isinstance(job.status, Waiting) and job.status.for_ is WaitFor.CONTROLLER


def _rate(job: JobState) -> float:
    status = job.status
    if not isinstance(status, Running) or status.phase not in MOVES_BYTES:
        return 0.0
    seconds = status.answered_at - status.since
    return status.done / seconds if seconds >= SHORTEST_RATE else 0.0
