"""From a settled build to jobs: read once, guarded, spooled, and queued, offered or refused."""

import asyncio
import hashlib
import time
from pathlib import Path

from msgspec.structs import replace

from flashdeck.api import UploadDone
from flashdeck.config import Board, Config
from flashdeck.errors import RefusedError
from flashdeck.model import ArtifactState, Disposition, LogLevel, Origin
from flashdeckd.bench import Bench
from flashdeckd.builds.builds import Settled, Watch
from flashdeckd.hub import Hub
from flashdeckd.images import formats, guards
from flashdeckd.images.spool import Spool
from flashdeckd.journal import Journal


class Intake:
    """Decides what becomes of each image file that has settled."""

    def __init__(self, config: Config, bench: Bench, hub: Hub, journal: Journal, spool: Spool) -> None:
        self._config = config
        self._bench = bench
        self._hub = hub
        self._journal = journal
        self._spool = spool

    async def settled(self, build: Settled) -> None:
        """Takes one settled file. Bytes that were seen there before are nothing new (touched, or built alike)."""
        watch = build.watch
        digest = await asyncio.to_thread(lambda: hashlib.sha256(build.data).hexdigest())
        newest = self._hub.artifacts.get((watch.profile, watch.partition))
        if newest is not None and newest.sha256 == digest:
            return
        profile = self._config.profiles[watch.profile]
        partition = profile.partitions[watch.partition]
        state = ArtifactState(
            sha256=digest,
            size=len(build.data),
            source=str(build.path),
            profile=watch.profile,
            partition=watch.partition,
            seen_at=time.time(),
            disposition=Disposition.REFUSED,
        )
        try:
            image = formats.parse(build.path.name, build.data)
            guards.check(image, profile, partition)
        except RefusedError as error:
            reason = f"{error.message}: {error.hint}" if error.hint else error.message
            self._hub.log(f"{build.path}: refused: {reason}", level=LogLevel.ERROR)
            await self._publish(replace(state, reason=reason))
            return
        artifact = await asyncio.to_thread(self._spool.add, image)
        state = replace(state, version=artifact.version)
        what = f"{artifact.version or digest[:12]} for {partition.name} of {profile.name}"
        offered = _why_offered(build, first_ever=newest is None, auto=partition.auto)
        if offered:
            self._hub.log(f"{build.path}: {what}: offered: {offered}")
            await self._publish(replace(state, disposition=Disposition.OFFERED, reason=offered))
            for board in self._boards(watch):
                self._bench.publish(board.name)
            return
        # Queued before it is recorded as seen: a daemon killed in between sees the file as new again, and the queue
        # knows the image by its hash.
        boards = self._boards(watch)
        jobs = [await self._bench.enqueue(board, partition.name, artifact, Origin.BUILD) for board in boards]
        count = sum(job is not None for job in jobs)
        self._hub.log(f"{build.path}: {what}: {count} jobs queued")
        if count:
            await self._publish(replace(state, disposition=Disposition.QUEUED))
        else:
            reason = "every board holds it already" if boards else f"no board has profile {profile.name}"
            await self._publish(replace(state, disposition=Disposition.UNCHANGED, reason=reason))

    async def accept(self, name: str, data: bytes) -> UploadDone:
        """Takes an image that a client sent; raises RefusedError when it is none."""
        image = formats.parse(name, data)
        artifact = await asyncio.to_thread(self._spool.add, image)
        return UploadDone(sha256=artifact.sha256, size=artifact.size, version=artifact.version)

    def unreadable(self, watch: Watch, path: Path, reason: str) -> None:
        """An image file that is there and can not be read."""
        self._hub.log(f"{path} (for {watch.partition}) can not be read: {reason}", level=LogLevel.WARNING)

    def _boards(self, watch: Watch) -> list[Board]:
        return [board for board in self._config.boards.values() if board.profile.name == watch.profile]

    async def _publish(self, state: ArtifactState) -> None:
        await self._journal.save_artifact(state)
        self._hub.publish_artifact(state)


def _why_offered(build: Settled, *, first_ever: bool, auto: bool) -> str:
    if not auto:
        return "auto is off for this partition"
    if build.first and first_ever:
        return "it was there before the daemon first looked"
    return ""
