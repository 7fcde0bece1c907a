"""The kernel's limits of inotify, and what it really watches for this process (inotify(7), proc(5)).

notify, the library inside watchfiles, passes over what cannot be watched, or gives all up at the first such directory.
So it is let pass over them, and the kernel is asked what came of it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum

from flashdeckd.host import files

MAX_LINES = 1 << 20
"""Bytes that are read of what the kernel says of one inotify instance; a watch has some 130."""
_ROOM = {"watches": 524_288, "instances": 512}
"""The limits that many distributions set, for a hint."""

Instances = Mapping[str, bytes]
"""The inotify instances of this process, by descriptor, each with the lines that its watches are."""


class Limit(StrEnum):
    """Things of which each user has only so many; the value ends the names of the sysctls."""

    WATCHES = "watches"
    INSTANCES = "instances"


def instances(proc: str = "/proc/self") -> Instances:
    """Return those of now; none where /proc does not say."""
    found: dict[str, bytes] = {}
    with suppress(OSError):
        for descriptor in files.names(f"{proc}/fd"):
            with suppress(OSError):  # one that was closed meanwhile
                if files.target(f"{proc}/fd/{descriptor}").endswith("inotify"):
                    found[descriptor] = files.contents(f"{proc}/fdinfo/{descriptor}", MAX_LINES)
    return found


def watched_since(before: Instances, now: Instances) -> frozenset[int] | None:
    """Return the inodes that instances watch which are new or changed since `before`; None where that cannot be told.

    Where none is, a new one has the descriptor and the watches of one that was closed meanwhile.
    """
    changed = {descriptor: lines for descriptor, lines in now.items() if before.get(descriptor) != lines}
    if not now:
        return None
    return frozenset(inode for lines in (changed or now).values() for inode in _inodes(lines))


def mend(limit: Limit, sysctls: str = "/proc/sys") -> str:
    """Return how to raise a limit: the one of the machine or of this user namespace, whichever is less."""
    values: list[tuple[int, str]] = []
    for path in (f"fs/inotify/max_user_{limit}", f"user/max_inotify_{limit}"):
        with suppress(OSError, ValueError):
            values.append((int(files.contents(f"{sysctls}/{path}")), path.replace("/", ".")))
    now, name = min(values, default=(0, f"fs.inotify.max_user_{limit}"))
    room = max(_ROOM[limit], 2 * now)
    return (
        f"{name} is {now}. Raise it: sudo sysctl {name}={room}, and write that into a file in /etc/sysctl.d to keep it"
    )


def _inodes(lines: bytes) -> Iterator[int]:
    for line in lines.splitlines():
        if line.startswith(b"inotify "):
            for field in line.split():
                if field.startswith(b"ino:"):
                    yield int(field[4:], 16)
