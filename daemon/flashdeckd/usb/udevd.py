"""Looks for udevd: if it is here, and its events can reach us."""

import stat
from pathlib import Path
from typing import Final

from flashdeckd.host import files

SOCKETS = Path("/proc/net/unix")
MAX_SOCKETS: Final = 1 << 22
"""Bytes that are looked at of the list of sockets."""


def is_udevd_here(control: Path, sockets: Path = SOCKETS) -> bool:
    """Return True unless it is plain that no udevd has its control socket at `control`.

    One that was killed leaves the file, and in a container the file may be that of the host, whose events do not reach
    us: the kernel lists the sockets of our own network alone. With systemd that socket outlives udevd, which is started
    again by whoever asks.
    """
    if not files.exists(control):
        return False
    try:
        if not stat.S_ISSOCK(files.status(control).st_mode):
            return True
        listed = files.contents(sockets, MAX_SOCKETS)
    except OSError:
        return True  # it cannot be told
    return any(line.endswith(b" " + bytes(control)) for line in listed.splitlines())
