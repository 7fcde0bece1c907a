"""The places where a daemon of ours may be, and a connection to the first one that is there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flashdeck import rpc
from flashdeck.client import Client
from flashdeck.errors import ConfigError, ConnectionFailedError, ErrorKind
from flashdeck.paths import SOCKET_VARIABLE, socket_places, state_dir
from flashdeck.stream import START_HINT, SocketStream
from flashdeck.text import clean

LONGEST_LOCK: Final = 1024
"""Bytes that are read of a daemon's lock file: its pid, and its socket's path."""


class Address(Protocol):
    """A daemon that can be connected to, on this machine or on another."""

    async def connect(self, *, client: str) -> Client:
        """Connect to it, and say hello as `client`; raises what `Client.connect` does."""
        ...


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The sockets to try, the likeliest first."""

    places: tuple[Path, ...]
    pid: int = 0
    """The process that the lock file in the state directory names, if it is alive; 0 where there is none."""

    @classmethod
    def of(
        cls, explicit: str | None = None, *, virtual: bool = False, environ: Mapping[str, str] = os.environ
    ) -> "Whereabouts":
        """Return the places of `flashdeck.paths.socket_places`, and the one that a daemon's lock file names.

        A place that is named (`explicit`, $FLASHDECK_SOCKET) is the only one. Raises ConfigError.
        """
        named = explicit or environ.get(SOCKET_VARIABLE)
        is_virtual = virtual and not named
        places = socket_places(explicit, virtual=is_virtual, environ=environ)
        if named:
            return cls(places)
        try:
            pid, said = _read_lock(state_dir(virtual=is_virtual, environ=environ) / "lock")
        except ConfigError:
            pid, said = 0, None
        return cls(tuple(dict.fromkeys((*places, *([said] if said is not None else [])))), pid)

    async def connect(self, *, client: str) -> Client:
        """Connect to the first daemon that is there, and say hello as `client`; raises what `Client.connect` does."""
        return await Client.over(await self.open(), client=client)

    async def open(self) -> SocketStream:
        """Return a stream to the first daemon that is there; raises ConnectionFailedError."""
        denied: ConnectionFailedError | None = None
        for place in self.places:
            try:
                return await SocketStream.open(place, limit=rpc.MAX_LINE)
            except ConnectionFailedError as error:
                if error.kind is ErrorKind.NO_PERMISSION:
                    denied = denied or error
                elif error.hint != START_HINT or len(self.places) == 1:
                    raise
        if denied is not None:
            raise denied
        raise ConnectionFailedError(f"no flashdeckd listens on {self._shown}", hint=self._hint)

    @property
    def _shown(self) -> str:
        *others, last = [clean(str(place)) for place in self.places]
        return f"{', '.join(others)} or {last}" if others else last

    @property
    def _hint(self) -> str:
        if not self.pid:
            return START_HINT
        return (
            f"flashdeckd runs with pid {self.pid}, and makes its socket again within seconds; "
            f"if it does not, restart it: kill {self.pid}, and then `flashdeckd`"
        )


def _read_lock(path: Path) -> tuple[int, Path | None]:
    """Return what a lock file of ours says: a process that is alive, and its socket; 0 and None where it does not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0, None
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return 0, None
        lines = os.read(descriptor, LONGEST_LOCK).decode(errors="replace").splitlines()
    except OSError:
        return 0, None
    finally:
        os.close(descriptor)
    pid = int(lines[0]) if lines and lines[0].isascii() and lines[0].isdigit() else 0
    if not pid or not _is_alive(pid):
        return 0, None
    said = Path(lines[1]) if len(lines) > 1 and lines[1].startswith("/") else None
    return pid, said if said is not None and _is_ours(said) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def _is_ours(socket: Path) -> bool:
    """Return whether nobody else can have put a socket there."""
    try:
        return socket.parent.stat().st_uid == os.geteuid() and socket.lstat().st_uid == os.geteuid()
    except OSError:
        return False
