"""Images go into the spool, and go again once nobody needs them, for as long as the daemon runs."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from typing import Final

from flashdeck.errors import DiskFullError, HostError
from flashdeck.model import Event
from flashdeck.text import format_size
from flashdeckd.host import threads
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact, NeededImages, Pruned, Spool
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.kept_images import RecentImages, needed_images
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Ledger

CALM_SECONDS: Final = 1.0
"""Seconds between what makes an image useless and its end: a bench of boards that ends its jobs is one time."""
SPARED_SECONDS: Final = 10.0
"""Seconds after which it is looked again at images that could not go because somebody was about to need them."""
JOURNAL_ROOM: Final = 1024 * 1024
"""Bytes that are freed at a time where the journal's disk is full."""


class Spooling:
    """Adds images to the spool and prunes it. Runs in the event loop's thread only."""

    def __init__(
        self,
        spool: Spool,
        *,
        book: JobBook,
        hub: Hub,
        health: Health,
        ledger: Ledger,
        kept: Callable[[], tuple[int, int]],
    ) -> None:
        """`kept` answers how many images of each partition stay for a rollback, and how many bytes all may take."""
        self._spool = spool
        self._book = book
        self._hub = hub
        self._health = health
        self._kept = kept
        self._recent = RecentImages(ledger.good)
        self._pruning = asyncio.Lock()
        self.of_lots: Callable[[], Collection[str]] = tuple
        """Returns the images of lots that go on."""
        self._room = 0
        self._has_spared = False
        self._is_full = False
        """True if the last image found no room."""
        self._changed = asyncio.Event()
        self._changed.set()  # an earlier daemon may have left something
        hub.listen(self._hear)

    def has(self, sha256: str) -> bool:
        """Return whether an image is there; it is not read."""
        return self._spool.has(sha256)

    def held(self, sha256: str) -> AbstractContextManager[None]:
        """Keep an image for the length of a block, in which it becomes what somebody needs."""
        return self._spool.held(sha256)

    async def add(self, image: Image, version: str = "") -> Artifact:
        """Keep an image. Where the disk is full, those go first that stay only for a rollback.

        Raises HostError where it cannot be kept all the same.
        """
        with self._spool.held(image.sha256):
            while True:
                try:
                    artifact = await threads.run(self._spool.add, image, version)
                except DiskFullError as error:
                    if not (await self._prune(room=len(image.encoded))).removed:
                        self._is_full = True
                        self._health.report("spool", error.message, hint=error.hint)
                        raise
                else:
                    self._is_full = False
                    self._changed.set()
                    return artifact

    async def add_sent(self, image: Image, version: str = "") -> Artifact:
        """Keep an image that a client has sent, so that it may be asked for; raises what `add` does."""
        artifact = await self.add(image, version)
        self._spool.note_sent(image.sha256)
        return artifact

    def make_room(self) -> None:
        """The journal's disk is full: what stays only for a rollback goes, a part at a time."""
        self._room = JOURNAL_ROOM
        self._changed.set()

    async def run(self) -> None:
        """Prune whenever something has changed, until cancelled."""
        while True:
            times = [self._spool.next_expiry, SPARED_SECONDS if self._has_spared else None]
            with suppress(TimeoutError):
                async with asyncio.timeout(min((time for time in times if time is not None), default=None)):
                    await self._changed.wait()
            await asyncio.sleep(CALM_SECONDS)
            self._changed.clear()
            room, self._room = self._room, 0
            with suppress(HostError):  # it is reported, and tried again with the next change
                await self._prune(room=room)

    async def _prune(self, *, room: int = 0) -> Pruned:
        async with self._pruning:
            each, limit = self._kept()
            jobs = self._book.jobs.values()
            for job in jobs:  # not as they are told of: a job has ended before that is recorded, and told
                self._recent.note(job)
            needed = needed_images(jobs, self._book.all_contents(), self._hub.artifacts.values())
            needed |= frozenset(self.of_lots())
            needs = NeededImages(self._spool.now, needed, self._recent.newest_first(each))
            try:
                pruned = await threads.run(self._spool.prune, needs, limit, room=room)
            except HostError as error:
                self._health.report("spool", error.message, hint=error.hint)
                raise
        self._has_spared = pruned.spared > 0
        if pruned.size > limit:
            self._health.report(
                "spool",
                f"images that boards and jobs need take {format_size(pruned.size)}, and spool_limit is "
                f"{format_size(limit)}",
                hint="raise spool_limit in [daemon]; nothing that is needed is removed",
            )
        elif not self._is_full:
            self._health.report("spool", "")
        return pruned

    def _hear(self, event: Event) -> None:
        if event.artifact is not None or (event.job is not None and event.job.is_settled):
            self._changed.set()
