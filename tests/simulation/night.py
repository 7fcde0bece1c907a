"""How a seed spends its virtual time: short nights, in which much happens, and now and then a long one. Pure."""

import random
from dataclasses import dataclass
from typing import Final

LONG_SHARE: Final = 0.05
"""The share of seeds that have a long night."""


@dataclass(frozen=True, slots=True)
class Night:
    """The time in which there is trouble, and how dense it is."""

    seconds: float
    """Virtual seconds of trouble."""
    haste: float
    """Pauses between two troubles, or two builds, are shorter by this factor; those of people who talk are not."""
    lives: tuple[float, ...]
    """Virtual seconds for which a daemon lives, in the mean, before `haste`: one of these."""
    boards: tuple[int, ...]
    """How many boards there may be: one of these."""
    clients: tuple[int, ...]
    """How many clients there may be at once: one of these."""
    slowness: tuple[float, ...]
    """How much slower than usual a board may be: one of these."""
    blocks: tuple[int, ...]
    """Bytes of a transfer's data where a flash is small: one of these. The smaller, the more transfers."""
    builds: tuple[int, ...]
    """Bytes of a build, at the most: one of these, and no more than its partition has."""

    @classmethod
    def of(cls, seed: random.Random, *, talks: bool = False) -> "Night":
        """Choose one; `talks` where most of what happens is to be what people ask for."""
        if seed.random() < LONG_SHARE:
            return LONG
        return TALK if talks else SHORT


LONG: Final = Night(
    seconds=60.0,
    haste=1.0,
    lives=(8.0, 15.0, 30.0, 1000.0),
    boards=(1, 1, 1, 2, 2, 3, 4, 8),
    clients=(0, 1, 2, 4),
    slowness=(1.0,),
    blocks=(64, 128, 256, 512),
    builds=(1024, 4096, 8192),
)
"""Many boards, and clients who ask for everything: most of what happens is talk."""
SHORT: Final = Night(
    seconds=20.0,
    haste=2.0,
    lives=(3.0, 5.0, 8.0, 30.0),
    boards=(1, 1, 1, 1, 2, 3),
    clients=(0, 0, 0, 1),
    slowness=(0.5, 1.0, 1.0, 6.0),
    blocks=(16, 32, 32, 64),
    builds=(2048, 8192, 8192, 32768),
)
"""Few boards that are flashed and disturbed all the time: most of what happens are transfers."""
TALK: Final = Night(
    seconds=40.0,
    haste=1.5,
    lives=(6.0, 12.0, 30.0, 1000.0),
    boards=(1, 1, 2, 2, 3),
    clients=(1, 2, 4),
    slowness=(1.0,),
    blocks=(256, 512),
    builds=(1024, 4096, 8192),
)
"""Some boards, and people who edit, take, hold and flash by hand."""
