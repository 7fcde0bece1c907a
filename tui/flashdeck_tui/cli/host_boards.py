"""Boards and jobs of several machines, as they are typed and printed: HOST/BOARD, names or globs on both sides. Pure.

A BOARD alone means the boards of that name on each machine.
"""

from collections.abc import Sequence

from flashdeck.errors import ErrorKind, RequestError
from flashdeck.names import few, is_meant
from flashdeck.text import clean


def machines_meant(hosts: tuple[str, ...], patterns: Sequence[str]) -> tuple[str, ...]:
    """Return those of `hosts` of which `patterns` mean boards; all of them where there are no patterns.

    Raises RequestError (`no-such-board`) where the HOST of a pattern is none of them.
    """
    for pattern in patterns:
        at, _ = _parts(pattern)
        if at and not any(is_meant(host, (at,)) for host in hosts):
            raise RequestError(
                f"'{clean(pattern)}' is on a machine that is not asked",
                kind=ErrorKind.NO_SUCH_BOARD,
                hint=f"asked: {few(hosts)}" if hosts else "name the machine, too: --host HOST",
            )
    return tuple(host for host in hosts if not patterns or boards_there(host, patterns))


def boards_there(host: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns for one of those machines, as its daemon knows its boards."""
    parts = map(_parts, patterns)
    return tuple(board for at, board in parts if not at or is_meant(host, (at,)))


def _parts(pattern: str) -> tuple[str, str]:
    """Return HOST, "" for every machine, and BOARD. A host may be ssh://user@box, and no board's name has a slash."""
    at, _, board = pattern.rpartition("/")
    return at, board
