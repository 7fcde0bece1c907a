"""This process. Others are started by `commands` (and looking for a system library may start some).

A simulation sets `system` to a process that it has made up, so that no log depends on which one it was.
"""

import os
import pwd
import resource
from collections.abc import MutableMapping
from typing import NoReturn, Protocol


class Processes(Protocol):
    """The facts of this process."""

    def getpid(self) -> int:
        """Return its number."""
        ...

    @property
    def environ(self) -> MutableMapping[str, str]:
        """The variables of its environment."""
        ...

    def geteuid(self) -> int:
        """Return the number of the user with whose rights it runs."""
        ...

    def _exit(self, code: int, /) -> NoReturn:
        """End it at once."""
        ...


system: Processes = os


def own_pid() -> int:
    """Return the number of this process."""
    return system.getpid()


def own_uid() -> int:
    """Return the number of the user with whose rights this process runs."""
    return system.geteuid()


def descriptor_limit() -> int:
    """Return how many files, sockets and devices this process may have open at once."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def limit_memory(size: int) -> None:
    """Let this process have no more than so many bytes of memory from now on: what asks for more gets MemoryError."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def account() -> str:
    """Return the name of the user with whose rights this process runs; its number where it has none."""
    uid = own_uid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container
        return str(uid)


def variable(name: str) -> str:
    """Return a variable of the environment; "" where it is not set."""
    return system.environ.get(name, "")


def environment() -> MutableMapping[str, str]:
    """Return all variables of the environment; what is taken out of it, no child gets."""
    return system.environ


def leave(code: int) -> NoReturn:
    """End this process at once: no thread is waited for, and nothing is taken down that they may hold."""
    system._exit(code)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- the system's own name for it
