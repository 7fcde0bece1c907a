"""The items of all containers that an object has, however deep: what grows with every job is seen by it."""

import asyncio
import gc
import sqlite3
from collections import Counter, deque
from collections.abc import Collection
from types import FunctionType, ModuleType
from typing import Any, cast

_NO_PART = (type, ModuleType, asyncio.AbstractEventLoop, sqlite3.Connection, str, bytes, int, float)
"""The types that everybody shares, that are cleared up now and then, or that have no parts."""


def held_items(root: object) -> Counter[str]:
    """Return the number of items in all containers that can be reached from `root`, by the first item's kind.

    What is bounded by how it was made (`maxlen`) is left out.
    """
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _NO_PART):
            continue
        seen.add(id(found))
        if isinstance(found, FunctionType):
            waiting += found.__closure__ or ()
            continue
        if isinstance(found, dict | list | set | deque):
            items = cast("Collection[Any]", found)
            if isinstance(items, deque) and items.maxlen is not None:
                continue
            if items:
                counts[f"{type(items).__name__} of {type(next(iter(items))).__name__}"] += len(items)
        waiting += gc.get_referents(found)
    return counts
