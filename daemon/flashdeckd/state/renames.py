"""The renamings of boards that the journal has seen, so that one that was cut short is found again. Pure.

The journal gives boards their new names before the configuration that has them is recorded. A daemon that is killed
between the two leaves a journal that is ahead of the record; by the time of the next start the file may have the former
names again, or others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from flashdeck.value import Value

KEPT_RENAMES: Final = 16
"""Renamings that are remembered, the last ones: so many may go unrecorded in a row, as while a disk is full."""


class Renaming(Value, frozen=True, kw_only=True):
    """Boards that got other names at once."""

    since: str
    """A name for the configuration that was recorded then; see `flashdeck.config_change.Changes.mark`."""
    names: dict[str, str]
    """The later name of each, by the one before."""


def renamings_from(text: str) -> tuple[Renaming, ...]:
    """Return what the journal has; nothing where an older release wrote it."""
    try:
        return msgspec.json.decode(text, type=tuple[Renaming, ...])
    except msgspec.DecodeError:
        return ()


def text_of(renamings: Sequence[Renaming]) -> str:
    """Return what the journal is to have, the last ones of these."""
    return msgspec.json.encode(renamings[-KEPT_RENAMES:]).decode()


def to_be_done(known: Sequence[Renaming], since: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what is left to rename, so that boards have the `names` that they have now, by those recorded as `since`.

    What was done since that record is known: it is not done a second time, and taken back where the file has.
    """
    first = next((at for at in reversed(range(len(known))) if known[at].since == since), len(known))
    while first and known[first - 1].since == since:
        first -= 1
    done = _joined(each.names for each in known[first:])
    wanted = {done.get(board, board): names.get(board, board) for board in (*done, *names)}
    return {before: after for before, after in wanted.items() if before != after}


def _joined(steps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the last name of each board, by its first, after several renamings."""
    joined: dict[str, str] = {}
    for names in steps:
        there = set(joined.values())
        new = {before: after for before, after in names.items() if before not in there and before not in joined}
        joined = {first: names.get(last, last) for first, last in joined.items()} | new
    return joined
