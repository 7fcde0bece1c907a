"""An open way to a daemon, which carries lines in both directions: the client's one seam to whatever is in between."""

import asyncio
import contextlib
import grp
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flashdeck.errors import ConnectionFailedError, ErrorKind
from flashdeck.text import clean
from flashdeck.whereabouts import START_HINT

HELLO_TIMEOUT = 10.0
"""Seconds that a daemon on this machine has to take a connection, and again to answer its first call."""

FULL_PAUSE = 0.02
"""Seconds until a daemon is asked again whose queue of connections is full."""


class Stream(Protocol):
    """A way to a daemon that is open. Its reader takes lines of up to `rpc.MAX_LINE` bytes."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """The lines of the daemon."""
        ...

    @property
    def writer(self) -> asyncio.StreamWriter:
        """The way to the daemon. Who closes it asks for `closed` next."""
        ...

    @property
    def where(self) -> str:
        """The name of the other end in errors, cleaned."""
        ...

    @property
    def patience(self) -> float:
        """Seconds that the first answer may take."""
        ...

    async def why(self, seen: ConnectionFailedError, *, line: bytes, greeted: bool) -> ConnectionFailedError:
        """Return why it has ended: `seen` is how that looks from this side, `line` the last that came.

        `greeted` tells if a daemon had answered before.
        """
        ...

    async def closed(self) -> None:
        """Return once nothing is left of it; in bounded time."""
        ...


@dataclass(frozen=True, slots=True)
class SocketStream:
    """A Unix socket of this machine."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    where: str

    @classmethod
    async def open(cls, path: Path, *, limit: int) -> "SocketStream":
        """Connect to the socket at `path`; raises ConnectionFailedError of kind `unreachable` or `no-permission`."""
        shown = clean(str(path))
        try:
            reader, writer = await asyncio.open_unix_connection(sock=await connected_socket(path), limit=limit)
        except BlockingIOError as error:
            raise ConnectionFailedError(
                f"the daemon at {shown} is busy: too many clients connect at once", hint="try again"
            ) from error
        except PermissionError as error:
            raise ConnectionFailedError(
                f"no permission to connect to {shown}",
                hint=_who_may(path),
                kind=ErrorKind.NO_PERMISSION,
            ) from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ConnectionFailedError(f"no flashdeckd listens on {shown}", hint=START_HINT) from error
        except OSError as error:
            raise ConnectionFailedError(f"cannot connect to {shown}: {error}", hint=START_HINT) from error
        return cls(reader, writer, shown)

    @property
    def patience(self) -> float:
        """Seconds that the first answer may take."""
        return HELLO_TIMEOUT

    async def why(self, seen: ConnectionFailedError, *, line: bytes, greeted: bool) -> ConnectionFailedError:
        """Return how it looks: a socket knows no more."""
        del line, greeted
        return seen

    async def closed(self) -> None:
        """Wait for the end of the socket."""
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def _who_may(path: Path) -> str:
    """Return who may use a socket that we may not."""
    try:
        found = path.parent.stat()
        group = grp.getgrgid(found.st_gid).gr_name if found.st_mode & stat.S_IXGRP else ""
    except (OSError, KeyError):
        group = ""
    if not group:
        return "only the user who started flashdeckd (and root) may use its socket"
    name = clean(group)
    return (
        f"only the user who started flashdeckd, root and the members of the group {name} may use its socket; ask for "
        f"`sudo usermod -aG {name} YOU`, then log in again"
    )


async def connected_socket(path: Path) -> socket.socket:
    """Return a socket that is connected to the one at `path`. Raises OSError; BlockingIOError where it stays full.

    A Unix socket that does not block answers EAGAIN where the other one's queue of connections is full. asyncio takes
    that for a connection under way, and it never comes.
    """
    connecting = socket.socket(socket.AF_UNIX)
    try:
        connecting.settimeout(0)
        latest = time.monotonic() + HELLO_TIMEOUT
        while True:
            try:
                connecting.connect(str(path))
            except BlockingIOError:
                if time.monotonic() > latest:
                    raise
                await asyncio.sleep(FULL_PAUSE)
            else:
                return connecting
    except BaseException:
        connecting.close()
        raise


def broken(where: str, error: OSError) -> ConnectionFailedError:
    """Return the error of a stream that has ended with one."""
    return ConnectionFailedError(f"the connection to {where} broke: {error}", hint=START_HINT)
