"""The user at the other end of a connection over the loopback, as the kernel has it: the socket's own check for TCP."""

import asyncio
import ipaddress
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

_TABLES: Final = {4: Path("/proc/net/tcp"), 6: Path("/proc/net/tcp6")}
_ESTABLISHED: Final = "01"
"""The one state in which the kernel still knows whose it is: it names root for those that nobody has any more."""
_LOCAL, _REMOTE, _STATE, _UID = 1, 2, 3, 7
"""Columns of the table."""

End = tuple[str, int]
"""An address and a port."""


def is_ours(transport: asyncio.BaseTransport) -> bool:
    """Return whether a process of this user, or of root, is at the other end, as the daemon's socket wants it."""
    here, there = _end(transport.get_extra_info("sockname")), _end(transport.get_extra_info("peername"))
    table = _TABLES[ipaddress.ip_address(here[0]).version]
    try:
        with table.open(encoding="ascii") as lines:
            return owner(lines, at=there, towards=here) in (0, os.geteuid())
    except OSError:
        return False


def owner(lines: Iterable[str], *, at: End, towards: End) -> int | None:
    """Return the uid of the socket at one end of a connection; None where there is none. Pure.

    `lines` are those of /proc/net/tcp or tcp6.
    """
    wanted = (_spelled(at), _spelled(towards), _ESTABLISHED)
    for line in lines:
        cells = line.split()
        if len(cells) > _UID and (cells[_LOCAL], cells[_REMOTE], cells[_STATE]) == wanted:
            return int(cells[_UID])
    return None


def _end(name: Any) -> End:
    return str(name[0]), int(name[1])


def _spelled(end: End) -> str:
    """Return an end as the table has it: each four bytes of the address as a number of this machine, in hex."""
    packed = ipaddress.ip_address(end[0]).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"
