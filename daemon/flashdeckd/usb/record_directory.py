"""The directory in which recordings are kept: private, bounded, with names of our own making."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from flashdeck.api import CHUNK, RecordingPiece, RecordingState
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.paths import ensure_private_dir
from flashdeck.recording import SUFFIX
from flashdeckd.host import clock, files, threads

MAX_FILES = 500
"""Recordings kept; the oldest goes for a new one."""
MAX_BYTES = 256 * 1024 * 1024
"""Bytes that they take together when a new one begins."""
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{6}\.jsonl")
"""Name of a recording: start of the session (UTC) and its number. Only such files are ever removed."""
MAX_ATTEMPTS = 1000
"""Names that are tried for a new one."""
_NUMBERS = 1_000_000  # six digits


@dataclass(frozen=True, slots=True)
class _KeptFile:
    path: Path
    size: int


class RecordDirectory:
    """Recordings by number. May be used from any thread."""

    def __init__(self, path: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        """Raises FlashdeckError (`no-permission`) where `path` cannot be a private directory of ours."""
        ensure_private_dir(path)
        self.path = path
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._lock = threads.lock()
        self._sessions = 0
        self._next = 1
        self._numbers: dict[str, int] = {}

    def create(self) -> tuple[Path, int]:
        """A new, empty file (0600) and a file descriptor to write to it; older ones make room. Raises OSError."""
        with self._lock:
            self._make_room()
            stamp = clock.stamp()
            for _ in range(MAX_ATTEMPTS):
                self._sessions = (self._sessions + 1) % _NUMBERS
                try:
                    path = self.path / f"{stamp}-{self._sessions:06}{SUFFIX}"
                    return path, files.create(path)
                except FileExistsError:
                    continue
            raise FileExistsError(f"{MAX_ATTEMPTS} recordings began in this second")

    @staticmethod
    def reopen(path: Path) -> int:
        """One that was created here, to go on with. Raises OSError where it is gone."""
        return files.open_to_append(path)

    def listing(self) -> tuple[RecordingState, ...]:
        """All recordings, the oldest first. Raises RequestError where the directory cannot be read."""
        with self._lock:
            try:
                kept = self._kept()
            except OSError as error:
                raise _unreadable(self.path, error) from error
            names = {each.path.name for each in kept}
            self._numbers = {name: number for name, number in self._numbers.items() if name in names}
            for each in kept:
                if each.path.name not in self._numbers:
                    self._numbers[each.path.name] = self._next
                    self._next += 1
            return tuple(
                RecordingState(index=self._numbers[each.path.name], name=each.path.name, size=each.size)
                for each in kept
            )

    def piece(self, index: int, offset: int, size: int) -> RecordingPiece:
        """Bytes of a recording by the number it was listed with; fewer at its end, none behind it.

        Raises RequestError where that recording is gone, or the piece is none.
        """
        if offset < 0 or not 0 < size <= CHUNK:
            raise RequestError(f"no piece of {size} bytes at {offset}", hint=f"ask for 1 to {CHUNK} bytes")
        with self._lock:
            name = next((name for name, number in self._numbers.items() if number == index), None)
        if name is None:
            raise _unknown(index)
        try:
            handle = files.open_to_read(self.path / name, follow=False)
        except OSError as error:
            raise _unknown(index) from error
        try:
            return RecordingPiece(data=files.read_at(handle, size, offset))
        except OSError as error:
            raise _unreadable(self.path / name, error) from error
        finally:
            files.close(handle)

    def _kept(self) -> list[_KeptFile]:
        paths = [self.path / name for name in files.names(self.path) if _NAME.fullmatch(name)]
        found = [(path, files.link_status(path)) for path in paths]
        return [_KeptFile(path, status.st_size) for path, status in found if stat.S_ISREG(status.st_mode)]

    def _make_room(self) -> None:
        kept = self._kept()
        total = sum(each.size for each in kept)
        while kept and (len(kept) >= self._max_files or total > self._max_bytes):
            oldest = kept.pop(0)
            files.remove(oldest.path)
            total -= oldest.size


def _unknown(index: int) -> RequestError:
    return RequestError(
        f"there is no recording {index}",
        hint="list them again: the oldest goes when a new one begins",
        kind=ErrorKind.BAD_REQUEST,
    )


def _unreadable(path: Path, error: OSError) -> RequestError:
    return RequestError(f"{path} cannot be read: {error.strerror}", hint="look at the directory that --record names")
