"""The places where a daemon of ours may be, and a connection to the first one that is there."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from flashdeck.errors import ConfigError, ConnectionFailedError, ErrorKind
from flashdeck.paths import SOCKET_VARIABLE, shared_socket, socket_places, state_dir
from flashdeck.text import clean

if TYPE_CHECKING:
    from flashdeck.client import Client
    from flashdeck.stream import SocketStream

LONGEST_LOCK: Final = 1024
"""Bytes that are read of a daemon's lock file: its pid, and its socket's path."""
START_HINT: Final = "start it: `flashdeckd`, or `systemctl --user start flashdeckd`"
"""The hint where nobody listens. A caller that knows more of the daemon gives the command that starts that one."""
VIRTUAL_START_HINT: Final = "start it: `flashdeckd --virtual FILE`"
"""The hint where no daemon of emulated boards listens."""


class Address(Protocol):
    """A daemon that can be connected to, on this machine or on another."""

    @property
    def read_only(self) -> bool:
        """True if nothing is to be changed through the connection: the daemon sees to that."""
        ...

    async def connect(self, *, client: str) -> "Client":
        """Connect to it, and say hello as `client`; raises what `Client.connect` does."""
        ...


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The sockets to try, the likeliest first."""

    places: tuple[Path, ...]
    pid: int = 0
    """The process that the lock file in the state directory names, if it is alive; 0 where there is none."""
    is_named: bool = False
    """True if somebody named the one place that counts."""
    is_virtual: bool = False
    """True if these are the places of daemons of emulated boards."""
    read_only: bool = False
    """True if nothing is to be changed through the connection: the daemon sees to that."""
    lab_user: str = ""
    """The user of a lab for whom it speaks; "" for none."""

    @classmethod
    def of(
        cls, explicit: str | None = None, *, virtual: bool = False, environ: Mapping[str, str] = os.environ
    ) -> "Whereabouts":
        """Return the places of `flashdeck.paths.socket_places`, and the one that a daemon's lock file names.

        The last is the one of a daemon for several people, where there is one.

        A place that is named (`explicit`, $FLASHDECK_SOCKET) is the only one. Raises ConfigError.
        """
        named = explicit or environ.get(SOCKET_VARIABLE)
        if named:
            return cls(socket_places(explicit, environ=environ), is_named=True)
        places = socket_places(virtual=virtual, environ=environ)
        try:
            pid, said = _read_lock(state_dir(virtual=virtual, environ=environ) / "lock")
        except ConfigError:
            pid, said = 0, None
        shared = shared_socket(virtual=virtual)
        others = (said, shared if shared.parent.is_dir() else None)
        found = dict.fromkeys((*places, *(each for each in others if each is not None)))
        return cls(tuple(found), pid, is_virtual=virtual)

    @classmethod
    def only_virtual(cls, environ: Mapping[str, str] = os.environ) -> "Whereabouts":
        """Return the places of daemons of emulated boards, whatever the environment names (safety rule 10)."""
        return cls.of(virtual=True, environ=unnamed(environ))

    async def connect(self, *, client: str) -> "Client":
        """Connect to the first daemon that is there, and say hello as `client`; raises what `Client.connect` does."""
        from flashdeck.client import Client  # noqa: PLC0415 - who only looks for places needs none of it

        stream = await self.open()
        return await Client.over(stream, client=client, read_only=self.read_only, lab_user=self.lab_user)

    async def open(self) -> "SocketStream":
        """Return a stream to the first daemon that is there; raises ConnectionFailedError."""
        from flashdeck import rpc  # noqa: PLC0415 - the same
        from flashdeck.stream import SocketStream  # noqa: PLC0415 - the same

        denied: ConnectionFailedError | None = None
        for place in self.places:
            try:
                return await SocketStream.open(place, limit=rpc.MAX_LINE)
            except ConnectionFailedError as error:
                if error.kind is ErrorKind.NO_PERMISSION:
                    denied = denied or error
                elif error.hint != START_HINT:
                    raise
                elif len(self.places) == 1:
                    raise ConnectionFailedError(error.message, hint=self._hint) from error
        if denied is not None:
            raise denied
        raise ConnectionFailedError(f"no flashdeckd listens on {self._shown}", hint=self._hint)

    def listening(self) -> tuple[Path, ...]:
        """Return those places at which somebody listens; one socket under two names is one place."""
        found: dict[tuple[int, int], Path] = {}
        for place in self.places:
            try:
                status = place.stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) not in found and _is_listened_at(place):
                found[status.st_dev, status.st_ino] = place
        return tuple(found.values())

    @property
    def elsewhere(self) -> str:
        """The other daemon of ours that runs, and how to reach it, in words; "" where none does."""
        environ = unnamed(os.environ)
        try:
            virtual, real = (Whereabouts.of(virtual=each, environ=environ).listening() for each in (True, False))
        except ConfigError:
            return ""
        if real and self.is_named:
            return f"flashdeckd listens on {clean(str(real[0]))}: leave out --socket, and unset ${SOCKET_VARIABLE}"
        if virtual and not self.is_virtual:
            return "a virtual bench runs: `flashdeck --virtual` talks to it"
        return ""

    @property
    def _shown(self) -> str:
        *others, last = [clean(str(place)) for place in self.places]
        return f"{', '.join(others)} or {last}" if others else last

    @property
    def _hint(self) -> str:
        if self.pid:
            return (
                f"flashdeckd runs with pid {self.pid}, and makes its socket again within seconds; "
                f"if it does not, restart it: kill {self.pid}, and then `flashdeckd`"
            )
        start = VIRTUAL_START_HINT if self.is_virtual else START_HINT
        if running := self.elsewhere:
            return f"{running}; or {start}"
        return start


def unnamed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that names no socket."""
    return {name: value for name, value in environ.items() if name != SOCKET_VARIABLE}


def _is_listened_at(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(0)
        try:
            connection.connect(str(place))
        except BlockingIOError:
            return True  # so many connect at once that it has not yet come to us
        except OSError:
            return False
    return True


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


def _is_ours(place: Path) -> bool:
    """Return whether nobody else can have put a socket there."""
    try:
        return place.parent.stat().st_uid == os.geteuid() and place.lstat().st_uid == os.geteuid()
    except OSError:
        return False
