"""How much of a very large test runs: all of a small case in `make test`, samples of large ones in `make soak`."""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

SOAK: Final = bool(os.environ.get("FLASHDECK_SOAK"))
"""Whether this is `make soak`."""


def part(cases: Sequence[T], step: int, seed: str) -> Sequence[T]:
    """All cases, or in a soak, where they are very many, every `step`-th, so that others differ by their `seed`."""
    return cases[sum(seed.encode()) % step :: step] if SOAK else cases
