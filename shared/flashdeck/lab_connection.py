"""The way from a labgrid environment to the daemon that has a board: by its socket, or through ssh.

Knows nothing of labgrid's classes.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from flashdeck.errors import ConnectionFailedError
from flashdeck.names import literal
from flashdeck.own_lab_user import labgrid_user

if TYPE_CHECKING:
    from flashdeck.sync_bench import Bench

FLASH_SECONDS: Final = 300.0
"""Seconds that a call may take, the wait for a board included, where the driver's `timeout` says nothing else."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_this_machine(host: str) -> bool:
    """Return whether a name is one of the machine that this runs on."""
    return host in _LOOPBACK or host in {socket.gethostname(), socket.getfqdn()}


@dataclass(frozen=True, slots=True)
class DaemonWay:
    """The way to a daemon: its socket on this machine, or ssh to another one."""

    socket: str = ""
    """"" for the one that the command line would find."""
    ssh: str = ""
    """The destination; "" where it is this machine."""

    @classmethod
    def of(cls, host: str, *, socket: str, ssh: str) -> Self:
        """Return the way for a resource: a socket serves on its own machine only; ssh goes to `host` without `ssh`."""
        if is_this_machine(host) and (socket or not ssh):
            return cls(socket=socket)
        return cls(ssh=ssh or host)


class LabConnection:
    """A connection to the daemon of one board, for as long as a driver needs it. It is made anew where it was lost."""

    def __init__(self, board: str, way: DaemonWay) -> None:
        """Takes the name of a board; connects once it is needed."""
        self.board: Final = literal(board)
        """A pattern that means this board alone."""
        self.number = 0
        """The connections so far: where another daemon may have answered, it is another number."""
        self._way = way
        self._bench: Bench | None = None

    @contextmanager
    def use(self) -> Generator["Bench"]:
        """Yield a connection that works. Raises what `flashdeck.connect` does, and RemoteError for an unknown board."""
        bench = self._living() or self._connected()
        try:
            yield bench
        except ConnectionFailedError:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; what was asked for with `cancel_on_exit` ends with it. A second call does nothing."""
        if self._bench is not None:
            self._bench.close()
            self._bench = None

    def _living(self) -> "Bench | None":
        if self._bench is not None:
            try:
                self._bench.boards(self.board)
            except ConnectionFailedError:
                self.close()
        return self._bench

    def _connected(self) -> "Bench":
        from flashdeck.sync_bench import connect  # noqa: PLC0415 - an environment that is only listed needs none of it

        bench = connect(self._way.socket or None, host=self._way.ssh, name="labgrid", lab_user=labgrid_user())
        try:
            bench.boards(self.board)
        except BaseException:
            bench.close()
            raise
        self._bench = bench
        self.number += 1
        return bench
