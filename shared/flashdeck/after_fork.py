"""Connections in a process that forks: the child lets go of them.

A daemon takes the end of a connection for the end of whoever holds a lease, or wants its jobs cancelled then. A forked
child with a copy of the socket would keep that end from coming. Programs that are run by exec get no copy.
"""

import asyncio
import os
import weakref
from typing import Any

_open: "weakref.WeakSet[asyncio.WriteTransport]" = weakref.WeakSet()


def leave_to_parent(writer: asyncio.StreamWriter) -> None:
    """Keep the socket or pipe of `writer` to this process: a forked child has a file that says nothing in its place."""
    _open.add(writer.transport)


def _let_go() -> None:
    for transport in tuple(_open):
        file: Any = transport.get_extra_info("socket") or transport.get_extra_info("pipe")
        descriptor = -1 if file is None or getattr(file, "closed", False) else file.fileno()
        if descriptor < 0:
            continue
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        # In its place, not closed: the transport still has the number, and would close what gets it next.
        os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)


os.register_at_fork(after_in_child=_let_go)
