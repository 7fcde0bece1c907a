"""The boards that the list shows, their order, and the way to the next problem. Pure."""

from collections.abc import Iterator

from flashdeck.model import BoardState
from flashdeck.problems import condition, problems
from flashdeck.words.boards import armed_text, presence_word
from flashdeck.words.conditions import condition_word
from flashdeck.words.contents import contents_name, contents_state
from flashdeck.words.jobs import status_word
from flashdeck.words.partitions import build_state
from flashdeck_tui.store import Selection, Store


def shown_boards(store: Store, wanted: str) -> list[BoardState]:
    """Return the boards that the filter wants, those with problems first, the worst of them at the top.

    The others keep their order.
    """
    troubled = dict.fromkeys(problem.board for problem in store.problems())
    names = [*troubled, *(name for name in store.boards if name not in troubled)]
    return [store.boards[name] for name in names if matches(store, store.boards[name], wanted)]


def matches(store: Store, board: BoardState, wanted: str) -> bool:
    """Tell whether a board has what a person typed: in its name, profile or versions, or as the start of a state.

    A state counts from its start, so that "verified" finds no board that is not verified.
    """
    sought = wanted.strip().casefold()
    names = any(sought in name.casefold() for name in _names(board))
    return names or any(state.casefold().startswith(sought) for state in _states(store, board))


def next_problem(store: Store, after: Selection, wanted: str) -> Selection | None:
    """Return the first problem below `after` in the list, from its top again after the last; None without any."""
    order = list(_places(store, wanted))
    start = order.index(after) + 1 if after in order else 0
    found = {Selection(board=problem.board, partition=problem.partition) for problem in store.problems()}
    return next((place for place in (*order[start:], *order[:start]) if place in found), None)


def _places(store: Store, wanted: str) -> Iterator[Selection]:
    for board in shown_boards(store, wanted):
        yield Selection(board=board.name)
        for partition in board.partitions:
            yield Selection(board=board.name, partition=partition.name)


def _names(board: BoardState) -> Iterator[str]:
    yield board.name
    yield board.profile
    for partition in board.partitions:
        if partition.contents is not None:
            yield contents_name(partition.contents)


def _states(store: Store, board: BoardState) -> Iterator[str]:
    jobs = list(store.jobs_at(board.name))
    yield condition_word(condition(board, jobs)).text
    yield from (condition_word(problem.kind).text for problem in problems((board,), jobs))
    yield presence_word(board.presence).text
    yield armed_text(board)
    for job in jobs:
        if not job.is_settled:
            yield status_word(job.status, job.kind).text
    for partition in board.partitions:
        if not partition.protected:
            yield contents_state(partition.contents).text
            yield build_state(partition, store.artifact(board.name, partition.name)).text
