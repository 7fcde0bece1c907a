"""Being the only daemon at a place: an exclusive lock on a file there, and a name that outlives the file."""

import contextlib
import hashlib
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Final

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean
from flashdeckd.host import files, kernel_locks, processes, sockets

LONGEST_LOCK: Final = 1024
"""Bytes that are read of a lock file: a pid, and the path of a socket."""
NAME_BACKLOG: Final = 64
"""Daemons that may ask who has a name until they are answered."""


class LockFile:
    """A lock file that is ours. Make it with `exclusive`."""

    def __init__(self, path: Path, descriptor: int, *, does: str, hint: str) -> None:
        self.path = path
        self._descriptor = descriptor
        self._does = does
        self._hint = hint
        self._socket = Path()
        self.say_socket(self._socket)

    @property
    def is_there(self) -> bool:
        """True if the file is still at its path: otherwise it keeps nobody out."""
        return files.is_at(self.path, self._descriptor)

    def say_socket(self, path: Path) -> None:
        """Write below our pid where we listen, for whoever looks for us."""
        self._socket = path
        said = bytes(path) + b"\n" if path.is_absolute() else b""
        files.rewrite(self._descriptor, f"{processes.own_pid()}\n".encode() + said)

    def take_again(self) -> None:
        """Lock a new file where ours was removed; raises what `exclusive` does."""
        again = _locked(self.path, does=self._does, hint=self._hint)
        files.close(self._descriptor)
        self._descriptor = again
        self.say_socket(self._socket)

    def let_go(self) -> None:
        """Remove the file, unless it is another one by now, and unlock it."""
        if self.is_there:
            with contextlib.suppress(OSError):  # where it cannot be removed it stays, and does no harm unlocked
                files.remove(self.path)
        files.close(self._descriptor)


@contextlib.contextmanager
def exclusive(path: Path, *, does: str, hint: str) -> Generator[LockFile]:
    """Locks the file `path`, with our pid in it, and removes it at the end.

    `does` says in an error what the other one does with the place. Raises FlashdeckError of kind `already-running` if
    another process has it; it is left alone then.
    """
    lock = LockFile(path, _locked(path, does=does, hint=hint), does=does, hint=hint)
    try:
        yield lock
    finally:
        lock.let_go()


class Name:
    """A name in the kernel, for one place and as long as our process lives, whatever becomes of the files there."""

    def __init__(self, holder: socket.socket | None) -> None:
        self._holder = holder

    def answer(self) -> None:
        """Let go of those who have asked who has the name."""
        with contextlib.suppress(OSError):
            while self._holder is not None:
                self._holder.accept()[0].close()


@contextlib.contextmanager
def sole(directory: Path, *, does: str, hint: str) -> Generator[Name]:
    """Take the name of a directory, which nobody can remove: a directory that is made anew has no lock in it.

    Raises FlashdeckError of kind `already-running` if another process of our user has it. Of another user, who only
    wants to keep us out, it is not believed: the lock file is what counts then.
    """
    place = hashlib.sha256(bytes(files.real_path(directory))).hexdigest()
    name = f"\0flashdeckd-{processes.own_uid()}-{place}"
    with sockets.stream() as holder:
        holder.settimeout(0)
        try:
            holder.bind(name)
            holder.listen(NAME_BACKLOG)
        except OSError as error:
            pid = _holder_of(name)
            if pid:
                who = f"flashdeckd with pid {pid}"
                raise FlashdeckError(f"{who} already {does}", hint=hint, kind=ErrorKind.ALREADY_RUNNING) from error
            yield Name(None)
        else:
            yield Name(holder)


def _holder_of(name: str) -> int:
    """Return the process of our user that has a name; 0 where nobody can say that there is one."""
    with sockets.stream() as asking:
        asking.settimeout(0)
        try:
            asking.connect(name)
            peer = sockets.peer_of(asking)
        except OSError:
            return 0
        return peer.pid if peer.uid == processes.own_uid() else 0


def _locked(path: Path, *, does: str, hint: str) -> int:
    """A descriptor of the file that is at `path`, locked."""
    while True:
        lock = _opened(path)
        try:
            kernel_locks.lock_alone(lock)
        except BlockingIOError as error:
            holder = files.read_at(lock, LONGEST_LOCK, 0).decode("utf-8", "replace").partition("\n")[0].strip()
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
