"""The newest build of a file that is followed, for any number of daemons: each takes it when it can."""

import asyncio
import time
from dataclasses import dataclass
from typing import NoReturn

from flashdeck_tui.cli.followed import FollowedBuild, FollowedFile


@dataclass(frozen=True, slots=True)
class NumberedBuild:
    """A build, and which one it is since the file is followed."""

    number: int
    build: FollowedBuild
    read_at: float
    """By time.monotonic()."""

    @property
    def age(self) -> float:
        """Seconds since the file was changed."""
        return self.build.age + time.monotonic() - self.read_at


class NewestBuild:
    """Keeps one build, however many a daemon that is away misses."""

    def __init__(self) -> None:
        self._newest: NumberedBuild | None = None
        self._came = asyncio.Event()

    async def read_all(self, file: FollowedFile) -> NoReturn:
        """Take each build of a file as it comes; raises FlashdeckError where the file can no longer be followed."""
        while True:
            self.put(await file.next())
            await file.taken()

    def put(self, build: FollowedBuild) -> None:
        """Take a build in place of the one before."""
        number = 1 if self._newest is None else self._newest.number + 1
        self._newest = NumberedBuild(number, build, time.monotonic())
        came, self._came = self._came, asyncio.Event()
        came.set()

    async def after(self, number: int) -> NumberedBuild:
        """Return the newest build, once there is one that comes after that number; 0 is before the first."""
        while self._newest is None or self._newest.number <= number:
            await self._came.wait()
        return self._newest
