"""How much of a very large test runs: a part of it in `make test`, all of it in `make soak`."""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

SOAK: Final = bool(os.environ.get("FLASHDECK_SOAK"))
"""Whether this is `make soak`."""


def part(cases: Sequence[T], step: int, seed: str) -> Sequence[T]:
    """Every `step`-th case, in a soak every one. Which it begins with follows from `seed`, so that others differ."""
    return cases if SOAK else cases[sum(seed.encode()) % step :: step]
