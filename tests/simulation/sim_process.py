"""The simulated process: its facts are the same in every run, and its random bytes are the seed's."""

import os
import random
from collections.abc import MutableMapping
from typing import NoReturn

PID = 4000


class SimProcess:
    """See `flashdeckd.host.processes.Processes`; each life has another pid."""

    def __init__(self) -> None:
        self.pid = PID
        self.environ: MutableMapping[str, str] = {}

    def getpid(self) -> int:
        """Return its number."""
        return self.pid

    def geteuid(self) -> int:
        """Return its user, which is ours: real directories are asked for their owner."""
        return os.geteuid()

    def _exit(self, code: int, /) -> NoReturn:
        raise SystemExit(code)


class SimRandomness:
    """See `flashdeckd.host.randomness.Randomness`."""

    def __init__(self, seed: random.Random) -> None:
        self._seed = seed

    def urandom(self, size: int, /) -> bytes:
        """Return bytes that nobody but the seed can foresee."""
        return self._seed.randbytes(size)
