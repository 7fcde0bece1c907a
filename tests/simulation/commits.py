"""Commits of the journal that fail, as on a disk without room. SQLite itself is not tried: it takes all of one back."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from flashdeckd.state import journal

_commit: Callable[..., None] = journal._commit  # pyright: ignore[reportPrivateUsage] -- all that is recorded goes there


def fail_where(is_full: Callable[[], bool], hears: Callable[[Sequence[object]], None]) -> None:
    """From now on a commit fails where `is_full` says so; before each `hears` is told what is to be recorded."""

    def commit(connection: sqlite3.Connection, statements: Any) -> None:
        for _, values in statements:
            hears(values)
        if is_full():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        _commit(connection, statements)

    journal._commit = commit  # pyright: ignore[reportPrivateUsage] -- the same
