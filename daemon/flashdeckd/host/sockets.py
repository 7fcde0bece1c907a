"""Unix sockets of this machine. A simulation sets `system` to sockets that lead to clients of its own."""

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Final, Protocol

_UCRED: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


LOOPBACK_BACKLOG: Final = 64
"""Connections at a port that wait to be accepted."""


class Sockets(Protocol):
    """A maker of sockets."""

    def stream(self) -> socket.socket:
        """Return a new Unix stream socket."""
        ...


class _Kernel:
    """The sockets of the operating system."""

    @staticmethod
    def stream() -> socket.socket:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


system: Sockets = _Kernel()


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a connection."""

    pid: int
    uid: int


def stream() -> socket.socket:
    """Return a new Unix stream socket. Raises OSError where no more files may be open."""
    return system.stream()


def peer_of(connection: socket.socket) -> Peer:
    """Return who is at the other end, as the kernel recorded it when the connection was made (SO_PEERCRED, unix(7))."""
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)


def loopback_listener(address: str, port: int) -> socket.socket:
    """Return a socket that listens at a port of the loopback. Raises OSError where it cannot be had.

    No simulation has one: none of its configurations asks for a port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that end are no listener
        listener.bind((address, port))
        listener.listen(LOOPBACK_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.settimeout(0)  # asyncio wants it non-blocking
    return listener


async def readable(listener: socket.socket) -> None:
    """Return when a connection waits; unlike `loop.sock_accept`, being cancelled cannot lose one."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(listener, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(listener)
