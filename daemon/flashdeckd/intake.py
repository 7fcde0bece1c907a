"""From a settled build to jobs: read once, guarded, spooled, and queued, offered or refused."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec.structs import replace

from flashdeck.api import BeginUpload, UploadDone
from flashdeck.config import Board, Partition, Profile
from flashdeck.errors import RefusedError
from flashdeck.model import ArtifactState, Disposition, LogLevel, Origin
from flashdeck.text import clean, counted
from flashdeck.toml_table import MAX_PATH
from flashdeckd.bench import Bench
from flashdeckd.builds.builds import Settled, Watch
from flashdeckd.hub import Hub
from flashdeckd.images import formats, guards
from flashdeckd.images.spool import Spool
from flashdeckd.journal import Journal


class Intake:
    """Decides what becomes of each image file that has settled."""

    def __init__(self, bench: Bench, hub: Hub, journal: Journal, spool: Spool) -> None:
        self._bench = bench
        self._hub = hub
        self._journal = journal
        self._spool = spool

    async def settled(self, build: Settled) -> None:
        """Takes one settled file. Bytes that were seen there before are nothing new (touched, or built alike).

        What was refused is looked at again: the configuration may have been mended since.
        """
        watch = build.watch
        profile = self._bench.config.profiles[watch.profile]
        partition = profile.partitions[watch.partition]
        image, refused = await asyncio.to_thread(_judge, build, profile, partition)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(image).hexdigest())
        newest = self._hub.artifacts.get((watch.profile, watch.partition))
        was_refused = newest is not None and newest.disposition is Disposition.REFUSED
        if newest is not None and newest.sha256 == digest and not was_refused:
            if not self._spool.has(digest):  # damaged, or removed: whoever asks for it is told to build it again
                await asyncio.to_thread(self._spool.add, image)
            return
        state = ArtifactState(
            sha256=digest,
            size=len(image),
            source=clean(str(build.path), MAX_PATH),  # a name that a glob found need not be UTF-8
            profile=watch.profile,
            partition=watch.partition,
            seen_at=time.time(),
            disposition=Disposition.REFUSED,
        )
        if refused:
            if newest is not None and (newest.sha256, newest.reason) == (digest, refused):
                return
            self._hub.log(f"{build.path}: refused: {refused}", level=LogLevel.ERROR)
            await self._publish(replace(state, reason=refused))
            return
        artifact = await asyncio.to_thread(self._spool.add, image)
        state = replace(state, version=artifact.version)
        what = f"{artifact.version or digest[:12]} for {partition.name} of {profile.name}"
        boards = self._boards(watch)
        first_ever = newest is None or was_refused or not _is_from(newest.source, watch.pattern)
        offered = _why_offered(build, first_ever=first_ever, auto=partition.auto)
        armed = [] if offered else [board for board in boards if self._bench.is_armed(board.name)]
        # Queued before it is recorded as seen: a daemon killed in between sees the file as new again, and the queue
        # knows the image by its hash.
        jobs = [await self._bench.enqueue(board, partition.name, artifact, Origin.BUILD) for board in armed]
        count = sum(job is not None for job in jobs)
        if count:
            self._hub.log(f"{build.path}: {what}: queued for {counted(count, 'board')}")
            state = replace(state, disposition=Disposition.QUEUED)
        elif offered or len(armed) < len(boards):
            offered = offered or "disarmed"
            self._hub.log(f"{build.path}: {what}: offered: {offered}")
            state = replace(state, disposition=Disposition.OFFERED, reason=offered)
        else:
            reason = "every board holds it already" if boards else f"no board has profile {profile.name}"
            self._hub.log(f"{build.path}: {what}: {reason}")
            state = replace(state, disposition=Disposition.UNCHANGED, reason=reason)
        await self._publish(state)
        for board in boards:
            self._bench.publish(board.name)

    async def accept(self, announced: BeginUpload, data: bytes) -> UploadDone:
        """Spools the image in a file that a client sent.

        Without the partition that it is for, only a raw binary is taken: addresses could not be checked.
        Raises RefusedError, and what `Bench.select` does.
        """
        if announced.partition:
            boards = self._bench.select(announced.partition, announced.boards)
            image = await asyncio.to_thread(_image_for, boards, announced, data)
        else:
            image = await asyncio.to_thread(formats.parse, announced.name, data)
        artifact = await asyncio.to_thread(self._spool.add, image)
        return UploadDone(sha256=artifact.sha256, size=artifact.size, version=artifact.version)

    def settling(self, watch: Watch, is_settling: bool) -> None:
        """An image file began to change, or is done with that."""
        self._bench.note_settling(watch.profile, watch.partition, settling=is_settling)

    def unreadable(self, watch: Watch, path: Path, reason: str) -> None:
        """An image file that is there and can not be read."""
        self._hub.log(f"{path} (for {watch.partition}) can not be read: {reason}", level=LogLevel.WARNING)

    def _boards(self, watch: Watch) -> list[Board]:
        return [board for board in self._bench.config.boards.values() if board.profile.name == watch.profile]

    async def _publish(self, state: ArtifactState) -> None:
        await self._journal.save_artifact(state)
        self._hub.publish_artifact(state)


def _judge(build: Settled, profile: Profile, partition: Partition) -> tuple[bytes, str]:
    """The image in a file (the file as it is where it holds none), and why it is refused ("" where it is not)."""
    image = build.data
    try:
        image = formats.parse_for(build.path.name, build.data, profile, partition)
        guards.check(image, profile, partition)
    except RefusedError as error:
        return image, error.advice
    return image, ""


def _image_for(boards: Sequence[Board], announced: BeginUpload, data: bytes) -> bytes:
    """The one image that a file is for all of the boards."""
    profiles = {board.profile.name: board.profile for board in boards}
    images: dict[str, bytes] = {}
    refusals: dict[str, RefusedError] = {}
    for name, profile in profiles.items():
        try:
            images[name] = formats.parse_for(announced.name, data, profile, profile.partitions[announced.partition])
        except RefusedError as error:
            refusals[name] = error
    if refusals:
        refused, error = next(iter(refusals.items()))
        if not images:
            raise error
        names = ", ".join(board.name for board in boards if board.profile.name == refused)
        hint = f"{error.hint} (--board names the boards that a file is for)"
        raise RefusedError(f"not for {names}: {error.message}", hint=hint, kind=error.kind)
    # An image begins where its partition does, so that all profiles that take a file get the same one out of it.
    return next(iter(images.values()))


def _is_from(source: str, pattern: str) -> bool:
    """Whether `source` is at the configured path or glob, and not at one that the configuration had before."""
    here = clean(pattern, MAX_PATH).replace("/**/", "/*")  # no directory at all is among what ** stands for
    return source == here or fnmatchcase(source, here)


def _why_offered(build: Settled, *, first_ever: bool, auto: bool) -> str:
    if not auto:
        return "auto is off for this partition"
    if build.first and first_ever:
        return "it was there before the daemon first looked"
    return ""
