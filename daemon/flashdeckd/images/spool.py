"""Images on disk under the name of their contents, so that what is flashed is what was checked.

A file that was read once is kept here by its SHA-256; a build that overwrites its own output changes nothing here.
"""

import errno
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flashdeck.errors import DiskFullError, ErrorKind, HostError, RequestError
from flashdeck.text import clean
from flashdeckd.host import clock, files, threads
from flashdeckd.host.durable import TEMPORARY, write_durably
from flashdeckd.images.image import Image

SENT_SECONDS = 600.0
"""Seconds for which an image stays that a client has sent, and that nobody has asked for yet."""
SENT_LEAST_SECONDS = 30.0
"""Seconds of these that it gets where there is no room."""
_NAME = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Artifact:
    """A spooled image."""

    sha256: str
    """Lower-case hexadecimal."""
    size: int
    """Bytes that it defines."""
    version: str
    """Its own name: a version, else its build-id, "" where there is neither."""
    is_program: bool = True
    """True if it defines the partition's first word."""

    @classmethod
    def of(cls, image: Image, version: str = "") -> "Artifact":
        """Return what `image` is called here; nothing is spooled by that."""
        return cls(image.sha256, image.size, version, image.is_program)


@dataclass(frozen=True, slots=True)
class NeededImages:
    """The images that somebody needs, at one instant."""

    at: int
    """The instant, as `Spool.now` has it."""
    needed: Collection[str]
    good: Sequence[str] = ()
    """Images that stay for a rollback while there is room, the newest first."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The outcome of pruning."""

    removed: int
    """The number of images that went."""
    size: int
    """Bytes of those that stay."""
    spared: int = 0
    """The number of those that stay only because they are in use, or just were."""


class Spool:
    """The images in one directory, which is made (for its owner only) when the first one is added.

    May be used from several threads; one process at a time owns the directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writing = threads.lock()
        self._is_synced = False
        """True if all that is there is on the disk; an earlier daemon may have been killed before that."""
        self._now = 0
        self._held: Counter[str] = Counter()
        self._released: dict[str, int] = {}
        """Images that were in use until an instant: whoever listed what is needed before may not know of them."""
        self._sent: dict[str, float] = {}
        """Images that clients sent, and when, by the monotonic clock."""

    @property
    def now(self) -> int:
        """Return this instant, for `NeededImages`."""
        with self._writing:
            self._now += 1
            return self._now

    @property
    def next_expiry(self) -> float | None:
        """Return in how many seconds the first image that was sent may go; None where there is none."""
        with self._writing:
            return None if not self._sent else max(0.0, min(self._sent.values()) + SENT_SECONDS - clock.monotonic())

    @contextmanager
    def held(self, sha256: str) -> Generator[None]:
        """Keep an image from being pruned for the length of the block, in which it becomes what somebody needs."""
        with self._writing:
            self._held[sha256] += 1
        try:
            yield
        finally:
            with self._writing:
                self._held[sha256] -= 1
                if not self._held[sha256]:
                    del self._held[sha256]
                self._now += 1
                self._released[sha256] = self._now

    def note_sent(self, sha256: str) -> None:
        """A client has sent an image: it stays for a while, so that somebody may ask for it."""
        with self._writing:
            self._sent[sha256] = clock.monotonic()

    def add(self, image: Image, version: str = "") -> Artifact:
        """Keep `image`. On return it is on the disk, whole; adding the same again changes nothing.

        Raises DiskFullError, and HostError where the system does not let us write for another reason.
        """
        path = self._directory / image.sha256
        with self._writing:
            try:
                if not self._holds(path, image.sha256):
                    self._is_synced = False
                    self._write(path, image.encoded)
                elif not self._is_synced:
                    files.sync_directory(self._directory)
                self._is_synced = True
            except OSError as error:
                is_full = error.errno in _FULL
                raise (DiskFullError if is_full else HostError)(
                    f"the image cannot be kept in {self._directory}: {error.strerror or error}",
                    hint="make room there" if is_full else "let the daemon write there, as its owner",
                ) from error
        return Artifact.of(image, version)

    def read(self, sha256: str) -> Image:
        """Return the image called `sha256`, its hash checked.

        Raises RequestError (kind `no-such-artifact`) where there is none; one that was damaged on the disk is removed.
        Raises HostError where the system does not let us read it.
        """
        if not _NAME.fullmatch(sha256):
            raise RequestError(
                f"{clean(sha256, 80)!r} is not the name of an image",
                hint="images are named by their SHA-256, in 64 lower-case hexadecimal digits",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
            )
        path = self._directory / sha256
        try:
            data = files.contents(path)
        except FileNotFoundError:
            raise RequestError(
                f"there is no image {sha256[:12]} here (any more)",
                hint="build it again, or name its file: flashdeck flash PARTITION FILE",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
            ) from None
        except OSError as error:
            raise HostError(
                f"the image {sha256[:12]} cannot be read: {error.strerror or error}", hint=f"look at {path}"
            ) from error
        found = hashlib.sha256(data).hexdigest()
        image = _decoded(data) if found == sha256 else None
        if image is None:
            files.remove(path)
            raise RequestError(
                f"the image {sha256[:12]} was damaged on the disk ({len(data)} bytes with the hash {found[:12]}) "
                f"and has been removed from {self._directory}",
                hint="build it again; if this happens again, look at the disk",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
            )
        return image

    def has(self, sha256: str) -> bool:
        """Return whether there is an image of that name; it is not read."""
        return _NAME.fullmatch(sha256) is not None and files.is_file(self._directory / sha256)

    def prune(self, needs: NeededImages, limit: int, *, room: int = 0) -> Pruned:
        """Remove the images that nobody needs, and what an interrupted `add` left. Other files are left alone.

        Those that stay take `limit` bytes at the most, and `room` bytes fewer than before, as far as that can be: what
        stays for a rollback goes for it, the oldest first, and then what was sent. What is needed never goes, nor what
        is in use, or was since the needs were listed. Raises HostError where the system does not let us remove them.
        """
        with self._writing:
            try:
                pruned = self._prune(needs, limit, room)
            except OSError as error:
                raise HostError(
                    f"old images cannot be removed from {self._directory}: {error.strerror or error}",
                    hint="let the daemon write there, as its owner",
                ) from error
            self._released = {name: at for name, at in self._released.items() if at > needs.at}
            return pruned

    def _prune(self, needs: NeededImages, limit: int, room: int) -> Pruned:
        now = clock.monotonic()
        self._sent = {name: at for name, at in self._sent.items() if now - at < SENT_SECONDS}
        good = [name for name in reversed(needs.good) if not self._is_needed(name, needs)]
        sent = [name for name in sorted(self._sent, key=self._sent.__getitem__) if not self._is_needed(name, needs)]
        wanted = {*good, *sent}
        sizes = self._sizes()
        spared = sum(name not in needs.needed and self._is_needed(name, needs) for name in sizes)
        total, removed = sum(sizes.values()), 0
        most = min(limit, total - room) if room else limit
        useless = [name for name in sizes if name not in wanted and not self._is_needed(name, needs)]
        early = [name for name in sent if now - self._sent[name] >= SENT_LEAST_SECONDS]
        for name in (*useless, *good, *early):
            if name in sizes and (total > most or name not in wanted):
                files.remove(self._directory / name)
                total -= sizes.pop(name)
                removed += 1
        return Pruned(removed, total, spared)

    def _sizes(self) -> dict[str, int]:
        """Return the size of each image; what an interrupted `add` left is removed."""
        try:
            names = files.names(self._directory)
        except (FileNotFoundError, NotADirectoryError):  # nothing was added yet
            return {}
        for name in names:
            if name.startswith(TEMPORARY):
                files.remove(self._directory / name)
        return {name: files.link_status(self._directory / name).st_size for name in names if _NAME.fullmatch(name)}

    def _is_needed(self, name: str, needs: NeededImages) -> bool:
        """Return whether an image must stay: it is needed, in use, or may have become needed while it was in use."""
        return name in needs.needed or name in self._held or self._released.get(name, needs.at) > needs.at

    @staticmethod
    def _holds(path: Path, sha256: str) -> bool:
        try:
            return hashlib.sha256(files.contents(path)).hexdigest() == sha256
        except FileNotFoundError:
            return False

    def _write(self, path: Path, data: bytes) -> None:
        files.make_directory(self._directory, 0o700, parents=False)  # a state directory that is gone stays so
        write_durably(path, data)


def _decoded(data: bytes) -> Image | None:
    try:
        return Image.decode(data)
    except ValueError:  # named by its hash, and so written by us: another release had another form
        return None
