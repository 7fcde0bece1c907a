"""The service manager that started this process, where one did: what it is told, and the socket that it hands over.

The protocol is that of sd_notify(3) and sd_listen_fds(3), and needs no library: one datagram each, and two variables.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import MutableMapping
from typing import Final

FIRST_INHERITED: Final = 3
"""The number of the first descriptor that is handed over (sd_listen_fds(3))."""
LONGEST_STATUS = 500
"""Characters of a status; `systemctl status` shows one line."""


class ServiceManager:
    """The way to the service manager; without one, nothing is said to anybody."""

    def __init__(self, address: str = "", *, watchdog: float = 0.0) -> None:
        """`address` is the path of its datagram socket, or begins with "@" in the abstract namespace; "" for none.

        `watchdog` is the time in seconds in which it wants a sign of life; 0 where it wants none.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog if address else 0.0
        self._status = ""

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "ServiceManager":
        """Return the one that the environment names; its variables are taken out, so that no child speaks for us."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        wanted = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        seconds = int(microseconds) / 1_000_000 if wanted and microseconds.isascii() and microseconds.isdigit() else 0.0
        return cls(address if address.startswith(("/", "@")) else "", watchdog=seconds)

    def ready(self) -> None:
        """All is up: those that wait for us may go on."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Say how things are, in one line; saying the same again costs nothing."""
        line = " ".join(text.split())[:LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def alive(self) -> None:
        """Give the sign of life that the watchdog waits for."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        # A manager that is gone, or does not listen, must not cost us anything.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to,
        ):
            to.connect(self._address)
            to.send(text.encode())


def inherited_socket(environment: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening Unix socket that was handed over; None where there is none.

    Its variables are taken out of the environment. Raises OSError where what was handed over is something else.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not (count.isascii() and count.isdigit()) or int(count) < 1:
        return None
    if int(count) > 1:
        raise OSError(f"{count} sockets were handed over, and flashdeckd listens on one")
    number = FIRST_INHERITED
    fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    handed = socket.socket(fileno=number)
    listens = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if handed.family != socket.AF_UNIX or handed.type != socket.SOCK_STREAM or not listens:
        handed.close()
        raise OSError("what was handed over as descriptor 3 is no listening Unix stream socket")
    return handed
