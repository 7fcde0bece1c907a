"""Randomness. A simulation sets `system` to bytes that its seed decides."""

import os
import random
import uuid
from typing import Protocol


class Randomness(Protocol):
    """A source of random bytes."""

    def urandom(self, size: int, /) -> bytes:
        """Return `size` bytes that nobody can foresee."""
        ...


system: Randomness = os


def unique_id() -> str:
    """Return a name that nothing else has: a random UUID in 32 hexadecimal digits."""
    return uuid.UUID(bytes=system.urandom(16), version=4).hex


def noise(seed: str, size: int) -> bytes:
    """Return `size` bytes that look random and are the same for the same `seed`, always and everywhere."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - nothing is kept secret with them
