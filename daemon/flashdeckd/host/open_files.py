"""Other processes that have a file open, as far as the kernel shows them to us: our own user's, or all to root."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from flashdeck.text import clean
from flashdeckd.host import files, processes

MAX_OPEN_FILES: Final = 50_000
"""Open files of other processes that are looked at."""
MAX_HOLDERS: Final = 4
"""Processes that are told."""
_NAME_BYTES: Final = 64
"""Bytes of a process's name; the kernel keeps 15."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open."""

    pid: int
    name: str
    """Its short name, cleaned; "" where it cannot be seen."""

    def __str__(self) -> str:
        return f"{self.name or 'a process'} (pid {self.pid})"


def holders(path: Path, *, proc: Path = Path("/proc")) -> tuple[Holder, ...]:
    """Return the other processes that have `path` open, at most `MAX_HOLDERS`. Blocks, and opens nothing of theirs."""
    found: dict[str, Holder] = {}
    for pid, descriptor in islice(_descriptors(proc), MAX_OPEN_FILES):
        if pid not in found and _target(descriptor) == str(path):
            found[pid] = Holder(int(pid), _name(proc / pid))
            if len(found) == MAX_HOLDERS:
                break
    return tuple(found.values())


def _descriptors(proc: Path) -> Iterator[tuple[str, Path]]:
    own = str(processes.own_pid())
    for pid in _names(proc):
        if pid.isdecimal() and pid != own:
            yield from ((pid, proc / pid / "fd" / number) for number in _names(proc / pid / "fd"))


def _names(directory: Path) -> list[str]:
    with suppress(OSError):  # another user's process, or one that has ended
        return files.names(directory)
    return []


def _target(link: Path) -> str:
    with suppress(OSError):
        return files.target(link)
    return ""


def _name(process: Path) -> str:
    with suppress(OSError):
        return clean(files.contents(process / "comm", _NAME_BYTES).decode(errors="replace").strip())
    return ""
