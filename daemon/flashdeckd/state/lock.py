"""Being the only daemon at a place: an exclusive lock on a file there."""

import contextlib
import fcntl
from collections.abc import Generator
from pathlib import Path

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean
from flashdeckd.host import files, processes


@contextlib.contextmanager
def exclusive(path: Path, *, does: str, hint: str) -> Generator[None, None, None]:
    """Locks the file `path`, with our pid in it, and removes it at the end.

    `does` says in an error what the other one does with the place. Raises FlashdeckError of kind `already-running` if
    another process has it; it is left alone then.
    """
    lock = _locked(path, does=does, hint=hint)
    try:
        files.rewrite(lock, f"{processes.own_pid()}\n".encode())
        yield
    finally:
        if files.is_at(path, lock):
            with contextlib.suppress(OSError):  # where it cannot be removed it stays, and does no harm unlocked
                files.remove(path)
        files.close(lock)


def _locked(path: Path, *, does: str, hint: str) -> int:
    """A descriptor of the file that is at `path`, locked."""
    while True:
        lock = _opened(path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = files.read_at(lock, 32, 0).decode("ascii", "replace").strip()
            files.close(lock)
            who = f"flashdeckd with pid {holder}" if holder.isdigit() else "another flashdeckd"
            raise FlashdeckError(f"{who} already {does}", hint=hint, kind=ErrorKind.ALREADY_RUNNING) from error
        if files.is_at(path, lock):
            return lock
        files.close(lock)  # its holder has removed it, and ended, since we opened it: a lock on it keeps nobody out


def _opened(path: Path) -> int:
    try:
        return files.open_to_change(path, follow=False)
    except OSError as error:
        raise FlashdeckError(
            f"cannot open the lock file {clean(str(path))}: {error.strerror}",
            hint="remove it if no flashdeckd runs, or name another place with --socket",
            kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
        ) from error
