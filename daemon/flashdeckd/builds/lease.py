"""Reads a file whole, and only when nobody has it open for writing.

A read lease (fcntl(2), F_SETLEASE) is granted only while no one has the file open for writing. Who opens it for writing
while we have the lease waits until we let go, so we keep it for the reading alone, never while waiting for anything,
and is given up between two pieces as soon as a writer knocks. Where there are no leases worth having (another
user's file, network file systems) the settle rule alone must do.
"""

import contextlib
import signal
import stat
from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum, auto

from flashdeck.image_formats import MAX_IMAGE
from flashdeckd.builds.filesystem import LEASES, filesystem_type
from flashdeckd.builds.gate import Fingerprint
from flashdeckd.host import files, kernel_locks, threads

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """One consistent state of a file."""

    fingerprint: Fingerprint
    data: bytes
    leased: bool
    """True: a lease proves that nobody had it open for writing."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody writes to it, or it changed while it was read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """It is there and cannot be read."""

    path: str
    reason: str


class Writing(Enum):
    """The state of a file, as far as writers go."""

    OPEN = auto()
    """Somebody has it open for writing, or has a shared mapping of it."""
    CLOSED = auto()
    """A lease proves that nobody has, and so that its file system is one of this machine."""
    UNKNOWN = auto()
    """Nobody can say: another user's file, or a file system without leases."""


def install_sigio() -> bool:
    """Sees to it that SIGIO, which the kernel sends when a lease is to be given up, does not end the process.

    Works in the main thread only (a rule of Python's) and for the rest of the process's life: a thread may still be
    reading when the loop is done. Returns whether leases can be taken; without the handler none is.
    """
    if _sigio_is_harmless():
        return True
    if not threads.is_main():
        return False
    # A handler that does nothing, not SIG_IGN: children would inherit that. Whether a writer waits is asked of the
    # lease itself.
    signal.signal(signal.SIGIO, lambda _signal, _frame: None)
    signal.siginterrupt(signal.SIGIO, False)  # noqa: FBT003 - the signature is the standard library's
    return True


def ask_writing(path: str) -> Writing:
    """Return whether somebody has the file open for writing. CLOSED where it cannot be opened: reading says why."""
    try:
        with _opened(path) as descriptor:
            return _take_lease(descriptor)
    except BlockingIOError:
        return Writing.OPEN
    except OSError:
        return Writing.CLOSED


def read_settled(path: str) -> FileSnapshot | Busy | Unreadable | None:
    """Reads the file if nobody writes to it; None where there is none. Blocks on the disk only: call it in a thread."""
    try:
        mode = files.status(path).st_mode
        if not stat.S_ISREG(mode):  # before opening: that alone has effects on a FIFO or a device
            return Unreadable(path, not_a_file(mode))
        with _opened(path) as descriptor:
            return _read(path, descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BlockingIOError:  # somebody holds a write lease on it
        return Busy()
    except OSError as error:
        return Unreadable(path, error.strerror or str(error))


def not_a_file(mode: int) -> str:
    """Return the name of what has this `st_mode` instead of a regular file's."""
    kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    return f"it is a {kinds.get(stat.S_IFMT(mode), 'device')}, not a file"


def _sigio_is_harmless() -> bool:
    return signal.getsignal(signal.SIGIO) is not signal.SIG_DFL


@contextlib.contextmanager
def _opened(path: str) -> Generator[int]:
    descriptor = files.open_to_read(path)
    try:
        yield descriptor
    finally:
        files.close(descriptor)  # gives up the lease, too


def _take_lease(descriptor: int) -> Writing:
    if not _sigio_is_harmless() or filesystem_type(descriptor) not in LEASES:
        return Writing.UNKNOWN
    try:
        kernel_locks.take_read_lease(descriptor)
    except BlockingIOError:
        return Writing.OPEN
    except OSError:  # EACCES: another user's file; EINVAL and others: no leases here
        return Writing.UNKNOWN
    return Writing.CLOSED


def _writer_waits(descriptor: int) -> bool:
    return not kernel_locks.has_read_lease(descriptor)


def _read(path: str, descriptor: int) -> FileSnapshot | Busy | Unreadable:
    lease = _take_lease(descriptor)
    if lease is Writing.OPEN:
        return Busy()
    status = files.open_status(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(path, not_a_file(status.st_mode))
    if status.st_size > MAX_IMAGE:
        return Unreadable(path, f"it has {status.st_size} bytes; more than {MAX_IMAGE} are no firmware image")
    leased = lease is Writing.CLOSED
    data = _contents(descriptor, status.st_size, leased=leased)
    fingerprint = Fingerprint.of(path, status)
    # The lease is on the file, not on its name: by now the name may stand for the next build.
    undisturbed = (
        fingerprint == Fingerprint.of(path, files.open_status(descriptor)) == Fingerprint.of(path, files.status(path))
    )
    return FileSnapshot(fingerprint, data, leased) if data is not None and undisturbed else Busy()


def _contents(descriptor: int, size: int, *, leased: bool) -> bytes | None:
    """All `size` bytes, or None when it turns out that there are more or fewer, or when a writer waits for us."""
    data = bytearray()
    while piece := files.read(descriptor, _PIECE):
        data += piece
        if len(data) > size or (leased and _writer_waits(descriptor)):
            return None
    return bytes(data) if len(data) == size and not (leased and _writer_waits(descriptor)) else None
