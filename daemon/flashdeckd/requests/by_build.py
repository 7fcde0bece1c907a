"""From a settled build to jobs: read once, guarded, spooled, and queued, offered or refused."""

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec.structs import replace

from flashdeck.api import BeginUpload, BuildTaken, PushBuild, UploadDone
from flashdeck.config import Board, Partition, Profile
from flashdeck.errors import ErrorKind, RefusedError, RequestError
from flashdeck.job_state import JobKind
from flashdeck.model import ArtifactState, Disposition, JobState, LogLevel, Origin
from flashdeck.text import MAX_PATH, clean, counted
from flashdeckd.boards.bench import Bench
from flashdeckd.builds.builds import Settled, Watch
from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import FileSnapshot, Unreadable, read_settled
from flashdeckd.builds.pattern import newest
from flashdeckd.host import clock, files, threads
from flashdeckd.images import guards, parsing
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.image import Image
from flashdeckd.images.parsing import Parsed
from flashdeckd.images.spool import Spool
from flashdeckd.images.version import find_version
from flashdeckd.jobs.job_images import Rebuilt
from flashdeckd.jobs.spooling import Spooling
from flashdeckd.requests.queueing import queue_build, rename_image, why_offered
from flashdeckd.state.hub import LONGEST_LINE, Hub
from flashdeckd.state.journal import Journal

MAX_NOTES = 16
"""Notes about one file that are kept with its build."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A build, judged for its partition."""

    name: str
    """The SHA-256 of its image; of the file, where that holds none."""
    size: int
    image: Image | None = None
    notes: tuple[str, ...] = ()
    version: str = ""
    refused: str = ""
    """The reason why it is not taken; "" where it is."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A build on its way to its partition."""

    build: Settled
    changed_at: float
    """The time at which its file was changed, in epoch seconds by this machine's clock."""
    boards: AbstractSet[str] | None = None
    """The boards that a client named; None where the file is watched here: all of its profile."""


class BuildRequests:
    """Decides what becomes of each image file that has settled, and takes those that clients send."""

    def __init__(self, bench: Bench, hub: Hub, journal: Journal, spooling: Spooling, notes: FileNotes) -> None:
        self._bench = bench
        self._hub = hub
        self._journal = journal
        self._spooling = spooling
        self._notes = notes

    async def settled(self, build: Settled) -> None:
        """Take one settled file. Bytes that were seen there before are nothing new (touched, or built alike).

        What was refused is looked at again: the configuration may have been mended since.
        """
        await self._judged(_Arrival(build, await threads.run(_changed_at, build.path)))

    async def pushed(self, announced: BeginUpload, data: bytes, push: PushBuild) -> BuildTaken:
        """Take a build that a client sent: the same as of a file that is watched here, for the boards that it names.

        Raises RequestError where it names none that has the partition, or no partition.
        """
        if not announced.partition:
            raise RequestError("a build is for a partition", hint="name it when the upload begins")
        boards = self._bench.select(announced.partition, announced.boards)
        chosen = frozenset(board.name for board in boards)
        source = clean(push.source, MAX_PATH) or announced.name
        changed_at = clock.now() - max(0.0, push.age)
        builds: list[ArtifactState] = []
        jobs: list[JobState] = []
        for profile in dict.fromkeys(board.profile.name for board in boards):
            watch = Watch(profile=profile, partition=announced.partition, pattern=source, settle=0.0)
            path = _found_at(source, announced.name)
            jobs += await self._judged(_Arrival(Settled(watch, path, data, push.first), changed_at, chosen))
            known = self._hub.artifacts.get((profile, announced.partition))
            builds += [known] if known is not None else []
        return BuildTaken(builds=tuple(builds), jobs=tuple(jobs))

    async def _judged(self, arrival: _Arrival) -> list[JobState]:
        """Judge a build and do what follows; return the jobs."""
        build = arrival.build
        while True:
            profile = self._bench.config.profiles.get(build.watch.profile)
            partition = None if profile is None else profile.partitions.get(build.watch.partition)
            if profile is None or partition is None or partition.protected:
                return []  # the configuration has no such target any more
            judged = await threads.run(_judge, build, profile, partition)
            async with self._bench.reshaping:
                if self._bench.config.profiles.get(profile.name) is profile:
                    with self._spooling.held(judged.name):
                        return await self._take(arrival, profile, partition, judged)

    async def _take(self, arrival: _Arrival, profile: Profile, partition: Partition, judged: _Judged) -> list[JobState]:
        build, chosen = arrival.build, arrival.boards
        watch = build.watch
        latest = self._hub.artifacts.get((watch.profile, watch.partition))
        if latest is not None and latest.flattened:
            latest = await self._named_anew(latest, build, judged, profile, partition)
        was_refused = latest is not None and latest.disposition is Disposition.REFUSED
        is_known = latest is not None and latest.sha256 == judged.name and not self._is_outrun(latest)
        if latest is not None and is_known and not was_refused and not judged.refused:
            if judged.image is not None and not self._spooling.has(judged.name):
                # It was damaged, or removed: whoever asks for it is told to build it again.
                await self._spooling.add(judged.image)
            if chosen is None and not _is_from(latest.source, watch.pattern):
                # Seen at another path than before: what is built there later is nothing that nobody saw.
                await self._publish(replace(latest, source=clean(str(build.path), MAX_PATH)))
            return []
        state = ArtifactState(
            sha256=judged.name,
            size=judged.size,
            source=clean(str(build.path), MAX_PATH),  # a name that a glob found need not be UTF-8
            profile=watch.profile,
            partition=watch.partition,
            seen_at=clock.now(),
            disposition=Disposition.REFUSED,
            notes=tuple(clean(note, LONGEST_LINE) for note in judged.notes[:MAX_NOTES]),
        )
        if judged.image is None or judged.refused:
            if latest is not None and (latest.sha256, latest.reason) == (judged.name, judged.refused):
                return []
            self._hub.log(f"{build.path}: refused: {judged.refused}", level=LogLevel.ERROR)
            await self._publish(replace(state, reason=judged.refused))
            return []
        artifact = await self._spooling.add(judged.image, judged.version)
        state = replace(state, version=artifact.version, patch=not artifact.is_program)
        what = f"{artifact.version or artifact.sha256[:12]} for {partition.name} of {watch.profile}"
        for note in state.notes:
            self._hub.log(f"{build.path}: {note}")
        meant = [board for board in self._boards(watch) if chosen is None or board.name in chosen]
        slots, boards = ([board for board in meant if (board.slot is not None) is is_slot] for is_slot in (True, False))
        first_ever = latest is None or was_refused or not _is_from(latest.source, watch.pattern)
        is_for_former = self._bench.files.take_from_before_move(profile.name, partition.name, arrival.changed_at)
        offered = _why_offered(arrival, first_ever=first_ever, auto=partition.auto, is_for_former=is_for_former)
        reasons = {b.name: offered or why_offered(self._bench, b, partition.name, artifact) for b in boards}
        armed = [board for board in boards if not reasons[board.name]]
        # Queued before it is recorded as seen: a daemon killed in between sees the file as new again, and the queue
        # knows the image by its hash.
        queued = [await queue_build(self._bench, board, partition.name, artifact) for board in armed]
        jobs = [job for job in queued if job is not None]
        if jobs:
            self._hub.log(f"{build.path}: {what}: queued for {counted(len(jobs), 'board')}")
            state = replace(state, disposition=Disposition.QUEUED)
        elif slots and not offered:
            self._hub.log(f"{build.path}: {what}: for the next units in {counted(len(slots), 'slot')}")
            state = replace(state, disposition=Disposition.QUEUED)
        else:
            is_offered = offered or len(armed) < len(boards)
            why = next(filter(None, reasons.values()), offered)
            reason = why if is_offered else self._why_not_needed(boards, watch, partition, judged.name)
            self._hub.log(f"{build.path}: {what}: {'offered: ' if is_offered else ''}{reason}")
            disposition = Disposition.OFFERED if is_offered else Disposition.UNCHANGED
            state = replace(state, disposition=disposition, reason=reason)
        await self._publish(state)
        return jobs

    def _is_outrun(self, latest: ArtifactState) -> bool:
        """Return whether the newest job of a build is for another one, which was never recorded as seen.

        A full disk, or the end of a daemon, came between the two. What comes back behind it is new, though it was seen.
        """
        names = {board.name for board in self._bench.config.boards.values() if board.profile.name == latest.profile}
        of_builds = [
            job
            for job in self._bench.book.jobs.values()
            if (job.partition, job.origin, job.kind) == (latest.partition, Origin.BUILD, JobKind.FLASH)
            and job.board in names
        ]
        newest = max(of_builds, key=lambda job: job.id, default=None)
        of_others = {each.sha256 for each in self._hub.artifacts.values() if each.profile != latest.profile}
        if newest is None or newest.sha256 == latest.sha256 or newest.sha256 in of_others:
            return False
        # No clock tells which of the two came later, for somebody may have set it. A build that was queued has jobs of
        # its own, which were the newest then; one that all boards had left none that waits.
        if latest.disposition is Disposition.QUEUED:
            return any(job.sha256 == latest.sha256 for job in of_builds)
        return latest.disposition is Disposition.UNCHANGED and not newest.is_settled

    def _why_not_needed(self, boards: Sequence[Board], watch: Watch, partition: Partition, sha256: str) -> str:
        """Return why a build was queued for none of these boards."""
        if not boards:
            return f"no board has profile {watch.profile}"
        has = self._bench.satisfaction.has
        if all(has(board, board.profile.partitions[partition.name], sha256) for board in boards):
            return "every board has it already"
        return "every board has it already, or a job that brings it"

    async def _named_anew(
        self, newest: ArtifactState, build: Settled, judged: _Judged, profile: Profile, partition: Partition
    ) -> ArtifactState:
        """Give a build that an older release has seen the name that its image has now.

        It had the hash of the bytes with all gaps filled. A file that still makes the same bytes that way was not built
        anew, and what was to be done with it stays so.
        """
        flattened = await threads.run(parsing.flattened_before, build.path.name, build.data, profile, partition)
        was_named = judged.name if flattened is None else await threads.run(_hash, flattened)
        if judged.image is None or judged.refused or newest.sha256 != was_named:
            return newest
        artifact = await self._spooling.add(judged.image, judged.version)
        renamed = replace(
            newest, sha256=artifact.sha256, size=artifact.size, patch=not artifact.is_program, flattened=False
        )
        await rename_image(self._bench, newest, artifact)
        await self._publish(renamed)
        return renamed

    async def accept(self, announced: BeginUpload, data: bytes) -> UploadDone:
        """Spool the image in a file that a client sent.

        Without the partition that it is for, only a raw binary is taken: addresses could not be checked.
        Raises RefusedError, and what `Bench.select` does.
        """
        if not announced.partition:
            image = await threads.run(parsing.parse, announced.name, data)
            artifact = await self._spooling.add_sent(image)
            return UploadDone(sha256=artifact.sha256, size=artifact.size, version=artifact.version)
        boards = self._bench.select(announced.partition, announced.boards)
        parsed = await threads.run(_image_for, boards, announced, data)
        partition = boards[0].profile.partitions[announced.partition]
        version = await threads.run(find_version, parsed.image, partition)
        artifact = await self._spooling.add_sent(parsed.image, version)
        self._notes.keep(announced.partition, artifact.sha256, parsed.notes)
        return UploadDone(sha256=artifact.sha256, size=artifact.size, version=version, notes=parsed.notes)

    async def offer_again(self, profile: str, partition: str) -> None:
        """Let the newest build for a partition that was moved be offered only: it was made for the former place."""
        newest = self._hub.artifacts.get((profile, partition))
        if newest is not None and newest.disposition is not Disposition.REFUSED:
            reason = "it was built before its partition was moved"
            await self._publish(replace(newest, disposition=Disposition.OFFERED, reason=reason))

    def being_written(self, watch: Watch, is_being_written: bool) -> None:
        """Note that an image file began to change, or is done with that."""
        self._bench.files.note_being_written(watch.profile, watch.partition, being_written=is_being_written)

    def kept_open(self, watch: Watch, who: str) -> None:
        """Note who has had an image file open for writing for long, in a sentence; "" once that is over."""
        if who:
            self._hub.log(f"{who}: it is taken once it is closed (for {watch.partition})", level=LogLevel.WARNING)
        self._bench.files.note_kept_open(watch.profile, watch.partition, who)

    def unreadable(self, watch: Watch, file: Unreadable | None) -> None:
        """Note that an image file is there and cannot be read; None: it can, or is not there any more."""
        if file is None:
            self._bench.files.note_untaken(watch.profile, watch.partition, "")
            return
        mend = "it is taken once it can be read; is this the file that the build writes?"
        reason = clean(f"{file.path} cannot be read: {file.reason}: {mend}", LONGEST_LINE)
        self._hub.log(f"{reason} (for {watch.partition})", level=LogLevel.WARNING)
        self._bench.files.note_untaken(watch.profile, watch.partition, reason)

    def _boards(self, watch: Watch) -> list[Board]:
        return [board for board in self._bench.config.boards.values() if board.profile.name == watch.profile]

    async def _publish(self, state: ArtifactState) -> None:
        await self._journal.save_artifact(state)
        self._hub.publish_artifact(state)


def _changed_at(path: Path) -> float:
    """Return when a file was last changed, in epoch seconds; 0 where it is gone, for then it was before anything."""
    try:
        return files.status(path).st_ctime
    except OSError:
        return 0.0


def _judge(build: Settled, profile: Profile, partition: Partition) -> _Judged:
    try:
        parsed = parsing.parse_for(build.path.name, build.data, profile, partition)
    except RefusedError as error:
        return _Judged(_hash(build.data), len(build.data), refused=error.advice)
    image = parsed.image
    refused = ""
    try:
        guards.check(image, profile, partition)
    except RefusedError as error:
        refused = error.advice
    version = find_version(image, partition)
    return _Judged(image.sha256, image.size, image, parsed.notes, version, refused)


def rebuilt_into(spool: Spool) -> Rebuilt:
    """Return what puts a lost image back into the spool, where the file that lies there still makes it."""

    async def rebuilt(profile: Profile, partition: Partition, sha256: str) -> bool:
        return await threads.run(_spool_again, spool, profile, partition, sha256)

    return rebuilt


def _spool_again(spool: Spool, profile: Profile, partition: Partition, sha256: str) -> bool:
    found = newest(partition.image) if partition.image else None
    file = read_settled(found.path) if isinstance(found, Fingerprint) else None
    if not isinstance(file, FileSnapshot):
        return False
    try:
        image = parsing.parse_for(Path(file.fingerprint.path).name, file.data, profile, partition).image
    except RefusedError:
        return False
    if image.sha256 == sha256:
        spool.add(image)
    return image.sha256 == sha256


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _image_for(boards: Sequence[Board], announced: BeginUpload, data: bytes) -> Parsed:
    """Return the one image that a file is for all of the boards."""
    profiles = {board.profile.name: board.profile for board in boards}
    found: dict[str, Parsed] = {}
    refusals: dict[str, RefusedError] = {}
    for name, profile in profiles.items():
        try:
            found[name] = parsing.parse_for(announced.name, data, profile, profile.partitions[announced.partition])
        except RefusedError as error:
            refusals[name] = error
    if refusals:
        refused, error = next(iter(refusals.items()))
        if not found:
            raise error
        names = ", ".join(board.name for board in boards if board.profile.name == refused)
        hint = f"{error.hint} (--board names the boards that a file is for)"
        raise RefusedError(f"not for {names}: {error.message}", hint=hint, kind=error.kind)
    first, *others = found.values()
    if any(other.image != first.image for other in others):
        raise RefusedError(
            f"{clean(announced.name)} makes different images for the profiles {', '.join(found)}",
            hint="name boards of one profile with --board, once for each profile",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )
    return first


def _found_at(source: str, name: str) -> Path:
    """Return the path of a file that a client sent: with its own name, where the client follows a glob."""
    pattern = Path(source)
    is_found = name not in ("", ".", "..") and "/" not in name and fnmatchcase(name, pattern.name)
    return pattern.with_name(name) if is_found else pattern


def _is_from(source: str, pattern: str) -> bool:
    """Return whether `source` is at the configured path or glob, and not at one of an earlier configuration."""
    here = clean(pattern, MAX_PATH).replace("/**/", "/*")  # no directory at all is among what ** stands for
    return source == here or fnmatchcase(source, here)


def _why_offered(arrival: _Arrival, *, first_ever: bool, auto: bool, is_for_former: bool) -> str:
    if is_for_former:
        return "it was built before its partition was moved"
    if not auto:
        return "auto is off for this partition"
    if arrival.build.first and first_ever:
        return f"it was there before {'the daemon first looked' if arrival.boards is None else 'it was followed'}"
    return ""
