"""The daemon's place in the file system: one daemon a socket, and only its own user gets in."""

import contextlib
import socket
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Final

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.paths import SOCKET_PATH_MAX, ensure_private_dir
from flashdeck.text import clean
from flashdeckd.host import files, sockets
from flashdeckd.server.group_door import DoorGroup, ensure_group_dir, open_to_group
from flashdeckd.state.lock import LockFile, exclusive

BACKLOG: Final = 100
"""Connections that wait to be accepted; the next one has to wait to connect."""
Listener = socket.socket
"""A socket that listens."""


class Endpoint:
    """A socket path that is ours alone while the lock file beside it is locked. Make it with `claimed`."""

    def __init__(
        self, path: Path, lock: LockFile, handed: Listener | None = None, group: DoorGroup | None = None
    ) -> None:
        """`handed` is the socket that a service manager has made there; it stays when we end."""
        self.path = path
        self._group = group
        self._lock = lock
        self._handed = handed
        self._is_ours = handed is None
        """True if we made the socket's file, and remove it."""
        self._bound: tuple[int, int] | None = None
        """The identity of the socket's file."""

    @property
    def is_there(self) -> bool:
        """True if clients find our socket at its path."""
        try:
            return files.identity(files.link_status(self.path)) == self._bound
        except OSError:
            return False

    @contextlib.contextmanager
    def listening(self) -> Generator[socket.socket]:
        """A listening socket with mode 0600. A stale socket file is replaced; ours is removed at the end."""
        with self.listener() as listener:
            try:
                yield listener
            finally:
                self.close()

    def listener(self) -> socket.socket:
        """Return a listening socket with mode 0600, in a directory that only we can enter; raises FlashdeckError.

        For the members of a group they are 0660 and 0750.
        Also where the directory, or the lock file in it, was removed since: all of it is made again.
        """
        if self._handed is not None:
            listener, self._handed = self._handed, None
            self._bound = files.identity(files.link_status(self.path))
            listener.settimeout(0)
            return listener
        self._is_ours = True
        _ensure_dir(self.path, self._group)
        if not self._lock.is_there:
            self._lock.take_again()
        self._remove_stale()
        listener = sockets.stream()
        try:
            listener.bind(str(self.path))
            # Nobody can connect before listen(), so there is no moment with a looser mode.
            if self._group is None:
                files.close_to_others(self.path)
            else:
                open_to_group(self.path, self._group)
            self._bound = files.identity(files.link_status(self.path))
            listener.listen(BACKLOG)
        except FlashdeckError:
            listener.close()
            raise
        except OSError as error:
            listener.close()
            raise FlashdeckError(
                f"cannot listen on {clean(str(self.path))}: {error.strerror}",
                hint="name another place with --socket",
                kind=ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER,
            ) from error
        listener.settimeout(0)  # asyncio wants it non-blocking
        return listener

    def close(self) -> None:
        """Remove the socket's file, unless another one is in its place, or a service manager has made it."""
        if self._is_ours and self.is_there:
            files.remove(self.path)

    def _remove_stale(self) -> None:
        try:
            mode = files.link_status(self.path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise FlashdeckError(
                f"{clean(str(self.path))} is in the way: it is no socket",
                hint="remove it, or name another place with --socket",
            )
        files.remove(self.path)


@contextlib.contextmanager
def claimed(path: Path, handed: Listener | None = None, group: DoorGroup | None = None) -> Generator[Endpoint]:
    """Locks the file `<path>.lock`, which makes this the only daemon of that socket.

    `handed` is the socket itself, where a service manager has made it. Members of `group` may connect.

    Raises FlashdeckError of kind `already-running` if another daemon has it (whose socket is left alone), of kind
    `no-permission` if the directory is not ours alone.
    """
    shown = clean(str(path))
    if len(bytes(path)) > SOCKET_PATH_MAX:
        raise FlashdeckError(
            f"the socket's path is too long: {len(bytes(path))} bytes, {SOCKET_PATH_MAX} are possible: {shown}",
            hint="name a shorter one with --socket or $FLASHDECK_SOCKET",
        )
    _ensure_dir(path, group)
    hint = "use that one, stop it first, or give this one another place with --socket"
    with exclusive(path.with_name(f"{path.name}.lock"), does=f"serves {shown}", hint=hint) as lock:
        yield Endpoint(path, lock, handed, group)


def _ensure_dir(place: Path, group: DoorGroup | None) -> None:
    if group is None:
        ensure_private_dir(place.parent)
    else:
        ensure_group_dir(place, group)


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end."""
    return sockets.peer_of(connection).uid
