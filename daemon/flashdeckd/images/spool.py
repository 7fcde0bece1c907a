"""Images on disk under the name of their contents, so that what is flashed is what was checked.

A file that was read once is kept here by its SHA-256; a build that overwrites its own output changes nothing here.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from flashdeck.errors import ErrorKind, HostError, RequestError
from flashdeck.text import clean
from flashdeckd.host import files, threads
from flashdeckd.host.durable import TEMPORARY, write_durably
from flashdeckd.images.image import Image

_NAME = re.compile(r"[0-9a-f]{64}")


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


class Spool:
    """The images in one directory, which is made (for its owner only) when the first one is added.

    May be used from several threads; one process at a time owns the directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writing = threads.lock()

    def add(self, image: Image, version: str = "") -> Artifact:
        """Keep `image`. On return it is on the disk, whole; adding the same again changes nothing.

        Raises HostError where the system does not let us write (disk full, no permission).
        """
        path = self._directory / image.sha256
        with self._writing:
            try:
                if not self._holds(path, image.sha256):
                    self._write(path, image.encoded)
            except OSError as error:
                raise HostError(
                    f"the image cannot be kept in {self._directory}: {error.strerror or error}",
                    hint="make room there, or make the directory writable for the daemon",
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

    def prune(self, keep: Collection[str]) -> None:
        """Removes all images but those in `keep`, and what an interrupted `add` left. Other files are left alone.

        The caller sees to it that no image is added in between that it wants to keep.
        """
        kept = frozenset(keep)
        with self._writing:
            try:
                names = files.names(self._directory)
            except (FileNotFoundError, NotADirectoryError):  # nothing was added yet
                return
            for name in names:
                ours = _NAME.fullmatch(name) is not None
                if (ours and name not in kept) or name.startswith(TEMPORARY):
                    files.remove(self._directory / name)

    @staticmethod
    def _holds(path: Path, sha256: str) -> bool:
        try:
            return hashlib.sha256(files.contents(path)).hexdigest() == sha256
        except FileNotFoundError:
            return False

    def _write(self, path: Path, data: bytes) -> None:
        files.make_directory(self._directory, 0o700)
        write_durably(path, data)


def _decoded(data: bytes) -> Image | None:
    try:
        return Image.decode(data)
    except ValueError:  # named by its hash, and so written by us: another release had another form
        return None
