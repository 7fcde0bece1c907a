"""This process. Others are started by `commands` (and looking for a system library may start some).

A simulation sets `system` to a process that it has made up, so that no log depends on which one it was.
"""

import os
from collections.abc import MutableMapping
from typing import Protocol


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


system: Processes = os


def own_pid() -> int:
    """Return the number of this process."""
    return system.getpid()


def own_uid() -> int:
    """Return the number of the user with whose rights this process runs."""
    return system.geteuid()


def variable(name: str) -> str:
    """Return a variable of the environment; "" where it is not set."""
    return system.environ.get(name, "")


def environment() -> MutableMapping[str, str]:
    """Return all variables of the environment; what is taken out of it, no child gets."""
    return system.environ
