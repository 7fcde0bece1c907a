"""The size of a very large test: a sample in `make test`, all in `make long-test`, larger cases in `make soak`."""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

SOAK: Final = bool(os.environ.get("FLASHDECK_SOAK"))
"""True in `make soak`: samples of large cases."""
LONG: Final = not SOAK and bool(os.environ.get("FLASHDECK_LONG"))
"""True in `make long-test`: all of small cases. Where neither is true, it is `make test`."""


def sized(short: T, long: T, soak: T) -> T:
    """Return a size for `make test`, for `make long-test` or for `make soak`."""
    return soak if SOAK else long if LONG else short


def part(cases: Sequence[T], step: int, seed: str) -> Sequence[T]:
    """All cases in `make long-test`; else every `step`-th, so that cases with another `seed` have others."""
    return cases if LONG else cases[sum(seed.encode()) % step :: step]
