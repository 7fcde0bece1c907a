"""The kernel's locks and leases on open files (flock(2), and F_SETLEASE of fcntl(2)).

A simulation sets `system` to one that knows its own files. All functions raise OSError.
"""

import fcntl
from typing import Protocol


class KernelLocks(Protocol):
    """The system calls of the same names."""

    def flock(self, fd: int, operation: int, /) -> None:
        """Lock an open file."""
        ...

    def fcntl(self, fd: int, cmd: int, arg: int = ..., /) -> int:
        """Take a lease on an open file, or ask for it."""
        ...


system: KernelLocks = fcntl


def lock_alone(descriptor: int) -> None:
    """Lock an open file, until it is closed; raises BlockingIOError where somebody else has locked it."""
    system.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def take_read_lease(descriptor: int) -> None:
    """Take a lease that whoever opens the file for writing has to wait for; closing the file gives it back.

    Raises BlockingIOError where somebody has it open for writing.
    """
    system.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)


def has_read_lease(descriptor: int) -> bool:
    """Return whether nobody waits for the end of our lease."""
    return system.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK
