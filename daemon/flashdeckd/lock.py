"""Being the only daemon at a place: an exclusive lock on a file there."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean


@contextlib.contextmanager
def exclusive(path: Path, *, does: str, hint: str) -> Generator[None, None, None]:
    """Holds the lock file `path`, with our pid in it. `does` says in an error what the other one does with the place.

    Raises FlashdeckError of kind `already-running` if another process holds it; it is left alone then.
    """
    shown = clean(str(path))
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FlashdeckError(
            f"cannot open the lock file {shown}: {error.strerror}",
            hint="remove it if no flashdeckd runs, or name another place with --socket",
            kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            who = f"flashdeckd with pid {holder}" if holder.isdigit() else "another flashdeckd"
            raise FlashdeckError(f"{who} already {does}", hint=hint, kind=ErrorKind.ALREADY_RUNNING) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        # The file stays when we end: removing it would let two daemons hold locks on two files of one name.
        yield
    finally:
        os.close(lock)
