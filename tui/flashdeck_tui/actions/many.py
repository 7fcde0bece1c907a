"""One deed for many boards: for which it can be done, one call for each host, and one sentence that says it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.model import BoardState, PartitionState
from flashdeck.names import few, literal
from flashdeck.text import clean, counted
from flashdeck.value import Value
from flashdeck_tui.actions.action import Choice, Context
from flashdeck_tui.fleet import FleetHost

R = TypeVar("R", bound=Value)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """One board that a deed is for."""

    host: FleetHost
    board: BoardState
    shown: str
    """Its name as the list shows it."""

    @property
    def name(self) -> str:
        """The name of the board."""
        return self.board.name


@dataclass(frozen=True, slots=True)
class NotDone:
    """A deed that could not be done."""

    what: str
    error: FlashdeckError


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """The answers of hosts, or about jobs."""

    given: tuple[tuple[FleetHost, T], ...]
    failed: tuple[NotDone, ...]


WhyNotTarget = Callable[[Target], str | None]


def targets(context: Context) -> list[Target]:
    """Return the boards that a deed is for, as they are now."""
    places = ((context.fleet.host_of(place), place.board) for place in context.targets)
    return [target_of(context, host, host.store.boards[board]) for host, board in places if board in host.store.boards]


def target_of(context: Context, host: FleetHost, board: BoardState) -> Target:
    """Return a board as what a deed is for."""
    return Target(host, board, context.fleet.shown_name(host, board.name))


def able(context: Context, why_not: WhyNotTarget) -> list[Target]:
    """Return those boards for which it can be done."""
    return [target for target in targets(context) if why_not(target) is None]


def none_of(why_not: WhyNotTarget) -> Callable[[Context], str | None]:
    """Return the check of an action that runs where it can be done for one board at least."""

    def check(context: Context) -> str | None:
        reasons = [why_not(target) for target in targets(context)]
        if not reasons or None in reasons:
            return None
        first = str(reasons[0])
        return first if len(reasons) == 1 else f"None of the {len(reasons)} marked boards: {first}"

    return check


def boards_text(boards: Sequence[Target]) -> str:
    """Return boards in words: "left", or "3 boards (left, right, lab)"."""
    if len(boards) == 1:
        return clean(boards[0].shown)
    return f"{counted(len(boards), 'board')} ({few([board.shown for board in boards])})"


def are(boards: Sequence[Target]) -> str:
    """Return the verb for so many boards."""
    return "is" if len(boards) == 1 else "are"


def literals(boards: Iterable[Target]) -> tuple[str, ...]:
    """Return the patterns that mean exactly these boards."""
    return tuple(literal(board.name) for board in boards)


def by_host(boards: Iterable[Target]) -> dict[str, list[Target]]:
    """Return boards by the name of their host."""
    found: dict[str, list[Target]] = {}
    for board in boards:
        found.setdefault(board.host.name, []).append(board)
    return found


async def on_each_host(
    context: Context, boards: Sequence[Target], ask: Callable[[list[Target]], api.Params[R]]
) -> Answers[R]:
    """Ask each host once, for all of its boards, at the same time; raises the error where there is no answer at all."""

    async def one(mine: list[Target]) -> R:
        return await context.call(ask(mine), host=mine[0].host)

    return await gathered([(mine[0].host, boards_text(mine), one(mine)) for mine in by_host(boards).values()])


async def gathered(asked: Sequence[tuple[FleetHost, str, Awaitable[T]]]) -> Answers[T]:
    """Return what was answered, and what failed, each by its host and what it was about.

    Raises the error where all failed for the same reason.
    """
    outcomes = await asyncio.gather(*(answer for _, _, answer in asked), return_exceptions=True)
    given: list[tuple[FleetHost, T]] = []
    failed: list[NotDone] = []
    for (host, what, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, FlashdeckError):
            failed.append(NotDone(what, outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            given.append((host, outcome))
    if failed and not given and len({each.error.message for each in failed}) == 1:
        raise failed[0].error
    return Answers(tuple(given), tuple(failed))


def tell(context: Context, done: str, answers: Answers[T], details: Sequence[str] = ()) -> None:
    """Say what was done, and what was not, with the reason for each in the list of messages."""
    if not answers.failed:
        context.tell(done, details)
        return
    failures = tuple(f"{each.what}: {each.error.advice}" for each in answers.failed)
    text = f"{counted(len(failures), 'failure')}: {failures[0]}" if len(failures) == 1 else f"{len(failures)} failures"
    context.tell(f"{done} {text}" if answers.given else text, (*failures, *details), is_error=True)


def why_not_flashed(partition: PartitionState) -> str | None:
    """Return why nothing is done to a partition; None where it is a target."""
    return f"{partition.name} is protected: it is never touched." if partition.protected else None


def with_partition(boards: Sequence[Target], name: str) -> list[Target]:
    """Return the boards that have a partition of this name that is no protected one."""
    return [
        board for board in boards if any(part.name == name and not part.protected for part in board.board.partitions)
    ]


def all_protected(context: Context) -> str | None:
    """Return why no partition of the selection can be a target; None where one can."""
    partition = context.store.partition(context.selection.board, context.selection.partition)
    if partition is not None and context.targets == (context.selection.whole_board,):
        return why_not_flashed(partition)
    return none_of(_all_protected_on)(context)


def _all_protected_on(target: Target) -> str | None:
    is_open = any(not partition.protected for partition in target.board.partitions)
    return None if is_open else f"Every partition of {target.shown} is protected."


async def choose_partition(context: Context, verb: str, boards: Sequence[Target]) -> str | None:
    """Return the partition that is meant: the selected one, the only one, else the one that the person chooses."""
    if context.selection.partition and context.targets == (context.selection.whole_board,):
        return context.selection.partition
    names: dict[str, int] = {}
    for target in boards:
        for partition in target.board.partitions:
            if not partition.protected:
                names[partition.name] = names.get(partition.name, 0) + 1
    if len(names) == 1:
        return next(iter(names))
    choices = [
        Choice(name, name, f"{count} of {len(boards)} boards have it" if count < len(boards) else "")
        for name, count in names.items()
    ]
    return await context.choose(f"{verb} which partition of {boards_text(boards)}?", choices)
