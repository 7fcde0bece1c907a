"""The boards that the list shows, of all hosts: which, in which order, in which groups. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar

from flashdeck.model import BoardState
from flashdeck.problems import ProblemKind
from flashdeck.text import clean
from flashdeck.words.boards import armed_text, where_word
from flashdeck.words.conditions import condition_word
from flashdeck.words.contents import contents_name, contents_state
from flashdeck.words.jobs import status_word
from flashdeck.words.partitions import build_state
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.store import BoardHealth, Selection

E = TypeVar("E", bound=StrEnum)
_PARTS_OF_A_NAME: Final = re.compile(r"(\d+)")


class SortOrder(StrEnum):
    """The orders of the boards; the value is the word that people read."""

    WORST = "worst first"
    NAME = "name"
    STATE = "state"
    VERSION = "version"
    FLASHED = "last flash"


class Grouping(StrEnum):
    """That by which boards stand together; the value is the word that people read."""

    NONE = "none"
    PROFILE = "profile"
    HOST = "host"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The wishes of a person for the list."""

    wanted: str = ""
    """The filter; "" shows all."""
    order: SortOrder = SortOrder.WORST
    grouping: Grouping = Grouping.NONE
    folded: frozenset[str] = field(default_factory=frozenset[str])
    """The groups of which only the head is shown."""

    def next_order(self) -> "Arrangement":
        """Return it with the order that comes after this one."""
        return replace(self, order=_after(self.order))

    def next_grouping(self) -> "Arrangement":
        """Return it with the grouping that comes after this one, all groups open."""
        return replace(self, grouping=_after(self.grouping), folded=frozenset())

    def toggled(self, group: str) -> "Arrangement":
        """Return it with a group closed that was open, or open that was closed."""
        return replace(self, folded=self.folded ^ {group})


@dataclass(frozen=True, slots=True)
class ListedBoard:
    """A board of the fleet, and what the list goes by."""

    host: FleetHost
    board: BoardState
    shown: str
    """The name that it has on the screen: with that of its host, where there are several."""

    @property
    def place(self) -> Selection:
        """The board as something to point at."""
        return Selection(board=self.board.name, host=self.host.name)

    @property
    def health(self) -> BoardHealth:
        """All that is wrong with it."""
        return self.host.store.health(self.board.name)

    @property
    def is_stale(self) -> bool:
        """True if it is how things were: its host is away."""
        return self.host.link.state.status is not LinkStatus.CONNECTED

    @property
    def problem(self) -> Selection | None:
        """Its worst problem as something to point at; None without any."""
        return replace(self.place, partition=self.health.problems[0].partition) if self.health.problems else None


@dataclass(frozen=True, slots=True)
class Group:
    """Boards that stand together; the only one without grouping has no name."""

    name: str
    boards: tuple[ListedBoard, ...]
    link: LinkStatus = LinkStatus.CONNECTED
    """The connection to them, where they are those of one host."""


def boards_of(fleet: Fleet) -> list[ListedBoard]:
    """Return all boards, in the order of hosts and configurations."""
    return [
        ListedBoard(host, board, fleet.shown_name(host, board.name))
        for host in fleet
        for board in host.store.boards.values()
    ]


def groups_of(fleet: Fleet, listing: Arrangement, kept: Sequence[Selection] = ()) -> list[Group]:
    """Return the boards that are wanted, in their groups and their order.

    Boards that are among `kept` keep the order that they have there: it is that of the list a moment ago.
    """
    chosen = [each for each in boards_of(fleet) if matches(each, listing.wanted)]
    chosen.sort(key=partial(_order_key, listing.order))
    if kept:
        places = {place: at for at, place in enumerate(kept)}
        chosen.sort(key=lambda each: places.get(each.place, len(places)))
    if listing.grouping is Grouping.NONE:
        return [Group("", tuple(chosen))] if chosen else []
    if listing.grouping is Grouping.HOST:
        return list(_by_host(fleet, chosen, with_empty=len(fleet.hosts) > 1 and not listing.wanted))
    found: dict[str, list[ListedBoard]] = {}
    for each in chosen:
        found.setdefault(_group_name(each, listing.grouping), []).append(each)
    names = list(found)
    if listing.grouping is Grouping.STATE:
        names.sort(key=lambda name: min(each.health.condition.rank for each in found[name]))
    else:
        names.sort(key=_natural)
    return [Group(name, tuple(found[name])) for name in names]


def _by_host(fleet: Fleet, chosen: Sequence[ListedBoard], *, with_empty: bool) -> Iterator[Group]:
    """Yield the hosts in their order; `with_empty` also those of which nothing was seen yet."""
    for host in fleet:
        mine = tuple(each for each in chosen if each.host is host)
        if mine or with_empty:
            yield Group(_host_name(host), mine, host.link.state.status)


def matches(each: ListedBoard, wanted: str) -> bool:
    """True if a board has all the words that a person typed: in a name, or as the start of a state.

    Names are those of the board, its host, its profile and its versions. A state counts from its start, so that
    "verified" finds no board that is not verified; a condition of several words is found by each of them.
    """
    sought = wanted.strip().casefold()
    if not sought:
        return True
    names = [name.casefold() for name in _names(each)]
    states = [state.casefold() for state in _states(each)]
    states += [part for state in _conditions(each) for part in _parts_of(state)]

    def has(word: str) -> bool:
        return any(word in name for name in names) or any(state.startswith(word) for state in states)

    return has(sought) or _all_found(sought.split(), has)


def _all_found(words: Sequence[str], has: Callable[[str], bool]) -> bool:
    """True if the words, or runs of them that are a name or a state, are all found."""
    if not words:
        return True
    return any(has(" ".join(words[:length])) and _all_found(words[length:], has) for length in range(len(words), 0, -1))


def next_problem(boards: Sequence[ListedBoard], after: Selection, step: int = 1) -> Selection | None:
    """Return the first problem below `after`, from the top again after the last; None without any.

    With `step` -1 the first one above it. Each board counts once, by the worst that is wrong with it.
    """
    places = [each.place for each in boards]
    here = after.whole_board
    start = places.index(here) if here in places else (-1 if step > 0 else 0)
    count = len(boards)
    for distance in range(1, count + 1):
        problem = boards[(start + step * distance) % count].problem
        if problem is not None:
            return problem
    return None


def kept_marks(marks: Collection[Selection], fleet: Fleet) -> frozenset[Selection]:
    """Return the marks whose boards there are."""
    there = {each.place for each in boards_of(fleet)}
    return frozenset(mark for mark in marks if mark in there)


def _after(member: E) -> E:
    members = list(type(member))
    return members[(members.index(member) + 1) % len(members)]


def _order_key(order: SortOrder, each: ListedBoard) -> tuple[object, ...]:
    match order:
        case SortOrder.WORST:
            return _urgency(each.health.condition)
        case SortOrder.NAME:
            return (_natural(each.shown),)
        case SortOrder.STATE:
            return (each.health.condition.rank,)
        case SortOrder.VERSION:
            return ([_natural(name) for name in _versions(each.board)],)
        case SortOrder.FLASHED:
            return (-flashed_at(each.board),)


def _urgency(condition: ProblemKind) -> tuple[int, int]:
    """Return the place of a condition where the worst comes first.

    First what needs a person, each kind by itself, then what is under way, then what is not as it should be. Boards
    that flash, wait and flash again keep their places among each other.
    """
    if condition.needs_person:
        return (0, condition.rank)
    return (1 if condition in _UNDER_WAY else 2 if condition in _BEHIND else 3, 0)


_UNDER_WAY: Final = frozenset(
    (ProblemKind.FLASHING, ProblemKind.BUSY, ProblemKind.TAKEN, ProblemKind.QUEUED, ProblemKind.WAITING)
)
_BEHIND: Final = frozenset((ProblemKind.ABSENT, ProblemKind.OFFERED, ProblemKind.NOT_CURRENT))


def flashed_at(board: BoardState) -> float:
    """Return when a partition of a board was flashed last; 0 where none ever was."""
    return max((p.contents.flashed_at for p in board.partitions if p.contents is not None), default=0.0)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return what a name is sorted by: numbers in it by their value."""
    parts = _PARTS_OF_A_NAME.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _group_name(each: ListedBoard, grouping: Grouping) -> str:
    match grouping:
        case Grouping.PROFILE:
            return f"profile {clean(each.board.profile)}"
        case _:
            return condition_word(each.health.condition).text


def _host_name(host: FleetHost) -> str:
    return f"host {clean(host.name)}" if host.name else "this machine"


def _versions(board: BoardState) -> Iterator[str]:
    for partition in board.partitions:
        if partition.contents is not None:
            yield contents_name(partition.contents)


def _names(each: ListedBoard) -> Iterable[str]:
    return (each.shown, each.host.name, each.board.profile, *_versions(each.board))


def _conditions(each: ListedBoard) -> Iterator[str]:
    kinds = (each.health.condition, *(problem.kind for problem in each.health.problems))
    yield from (condition_word(kind).text for kind in kinds)


def _parts_of(condition: str) -> Iterator[str]:
    """Yield a condition, as "on hold", and what follows its first words, as "hold"; but nothing that is denied."""
    words = condition.casefold().split()
    for at in range(len(words)):
        if "not" not in words[:at]:
            yield " ".join(words[at:])


def _states(each: ListedBoard) -> Iterator[str]:
    board, store = each.board, each.host.store
    yield where_word(board).text
    yield armed_text(board)
    for job in store.jobs_at(board.name):
        if not job.is_settled:
            yield status_word(job.status, job.kind).text
    for partition in board.partitions:
        if not partition.protected:
            yield contents_state(partition.contents).text
            yield build_state(partition, store.artifact(board.name, partition.name)).text
