"""The difference of two configurations: what came, went, was renamed, and what a person has to look at first. Pure."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from flashdeck.config_record import BoardRecord, ConfigRecord, ProfileRecord, may_be_one
from flashdeck.text import clean

FORMER_BOARDS = 1024
"""Boards of earlier configurations that are remembered, the last ones that went."""
MAX_DIFFERENCES = 8
"""Differences of one board that are told; more of them are only counted."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference of two configurations, by the names that boards have in the later one."""

    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """The later name of each board that has another one now."""
    gone: tuple[str, ...] = ()
    """Names that are no board's any more; those of renamed boards are not among them."""
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By board: partitions of which nothing is known any more, because they are at another place or gone."""
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    """By board: why a person has to look before anything starts on it."""
    mark: str = ""
    """A name for the earlier configuration, by which it is known what was renamed already since it was recorded."""


def changes(before: ConfigRecord, after: ConfigRecord) -> Changes:
    """Return what is different in a configuration from the one that was in force before it."""
    renamed = _renamed(before, after)
    earlier = {new: old for old, new in renamed.items()}
    elsewhere: dict[str, tuple[str, ...]] = {}
    held: dict[str, str] = {}
    for name, board in after.boards.items():
        known = {**before.former, **before.boards}
        old = known.get(earlier[name]) if name in earlier else None if name in renamed else known.get(name)
        if old is None:
            continue
        if moved := tuple(_elsewhere(old.profile, board.profile)):
            elsewhere[name] = moved
        if told := list(_differences(old, board)):
            more = [f"and {len(told) - MAX_DIFFERENCES} more"] if len(told) > MAX_DIFFERENCES else []
            held[name] = "the configuration has changed: " + "; ".join((*told[:MAX_DIFFERENCES], *more))
    gone = tuple(name for name in before.boards if name not in after.boards and name not in renamed)
    said = msgspec.json.encode((before.boards, before.former), order="deterministic")
    return Changes(renamed, gone, elsewhere, held, hashlib.sha256(said).hexdigest())


def succeeding(before: ConfigRecord, after: ConfigRecord, done: Changes) -> ConfigRecord:
    """Return what is to be kept once `after` is in force, with what is still known of boards that went."""
    former = {**before.former, **{name: before.boards[name] for name in done.gone}}
    left = {name: board for name, board in former.items() if name not in after.boards and name not in done.renamed}
    newest = dict(list(left.items())[-FORMER_BOARDS:])
    return ConfigRecord(
        profiles=after.profiles,
        boards=after.boards,
        former=newest,
        confirmed=before.confirmed | after.confirmed,
        hooks=before.hooks | after.hooks,
        hosts=before.hosts | after.hosts,
    )


def _renamed(before: ConfigRecord, after: ConfigRecord) -> dict[str, str]:
    """Return the new names of boards that are recognised by the same as before: by all, by most, by one thing."""
    old = {**{name: each for name, each in before.former.items() if name not in before.boards}, **before.boards}
    new = dict(after.boards)
    renamed: dict[str, str] = {}
    for identity in _IDENTITIES:
        for name in [name for name in new if name in old and identity(new[name]) == identity(old[name]) is not None]:
            del old[name], new[name]
        for was, now in _pairs(old, new, identity):
            if not may_be_one(old[was], new[now]):
                continue
            if was != now:
                renamed[was] = now
            del old[was], new[now]
    return renamed


_Identity = Callable[[BoardRecord], tuple[str, ...] | None]
_IDENTITIES: tuple[_Identity, ...] = (
    lambda board: (board.serial, board.port, board.profile.dfu) if board.serial or board.port else None,
    lambda board: (board.serial, board.port) if board.serial or board.port else None,
    lambda board: (board.serial,) if board.serial else None,
    lambda board: (board.port,) if board.port else None,
)


def _pairs(
    old: Mapping[str, BoardRecord], new: Mapping[str, BoardRecord], identity: _Identity
) -> list[tuple[str, str]]:
    """Return the names before and after of boards with one identity, where that is one board on each side."""

    def by_identity(boards: Mapping[str, BoardRecord]) -> dict[tuple[str, ...], list[str]]:
        found: dict[tuple[str, ...], list[str]] = {}
        for name, board in boards.items():
            key = identity(board)
            if key is not None:
                found.setdefault(key, []).append(name)
        return found

    olds, news = by_identity(old), by_identity(new)
    return [(olds[key][0], names[0]) for key, names in news.items() if len(names) == len(olds.get(key, ())) == 1]


def _elsewhere(old: ProfileRecord, new: ProfileRecord) -> Iterator[str]:
    for name, partition in old.partitions.items():
        if name not in new.partitions or new.partitions[name].place != partition.place:
            yield name


def _differences(old: BoardRecord, new: BoardRecord) -> Iterator[str]:
    """Yield what moves or resizes a partition, takes `protected` away, or changes how the board is recognised."""
    if old.serial or old.port:  # one that could not be recognised at all has only got a way to be
        yield from _replaced("serial", old.serial, new.serial)
        yield from _replaced("port", old.port, new.port)
        yield from _replaced("dfu", old.profile.dfu, new.profile.dfu)
        yield from _replaced("app", old.profile.app, new.profile.app)
        if old.slot is not new.slot:
            yield "it is a slot now, and was a board" if new.slot else "it is a board now, and was a slot"
        if old.pinned:
            yield from _replaced("pinned identity", old.pinned, new.pinned)
    for name, partition in new.profile.partitions.items():
        was = old.profile.partitions.get(name)
        if was is not None and (was.place, was.size) != (partition.place, partition.size):
            verb = "moved" if was.place != partition.place else "resized"
            yield clean(f"partition {name} is {verb} from {was.words} to {partition.words}")
    now = new.profile.protected
    for span in old.profile.protected:
        if not any(each.covers(span) for each in now):
            yield f"{_named(old.profile, span.start)}{span} is not protected any more"
    for alternate in sorted(map(str, old.profile.protected_alternates - new.profile.protected_alternates)):
        yield clean(f"alternate setting {alternate} is not protected any more")


def _replaced(what: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield clean(f"{what} is {new or 'not given'}, and was {old or 'not given'}")


def _named(profile: ProfileRecord, start: int) -> str:
    at = (name for name, each in profile.partitions.items() if each.protected and each.start == start)
    return "".join(f"{clean(name)}, " for name in at)
