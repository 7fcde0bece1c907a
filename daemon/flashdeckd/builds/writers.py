"""The program that has a file open for writing, as far as /proc shows it (proc(5)): one's own; all of them to root.

Only asked where a lease cannot tell, and to name who keeps a file open for long. It finds what it can: that nothing
is found proves nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath

from flashdeck.text import clean
from flashdeckd.builds.gate import Fingerprint
from flashdeckd.host import files

MAX_PROCESSES = 2048
"""Processes that are looked at, the newest first: those of a build are new."""
MAX_OPEN_FILES = 256
"""Open files that are looked at of one process."""
MAX_FACTS = 4096
"""Bytes that are read of what the kernel says of one open file."""
MAX_MAPS = 1 << 20
"""Bytes that are read of the list of one process's mappings."""
_WRITES = 0o3
"""The part of the flags of an open file that says how it was opened; 0 is for reading only (open(2))."""
_MAX_NAME = 32


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that can write into a file at this moment."""

    pid: int
    program: str
    mapped: bool = False
    """True: through a shared mapping, which outlives the open file."""

    def __str__(self) -> str:
        """Return it in words, after "is kept open"."""
        return f"{'by a writable mapping of' if self.mapped else 'for writing by'} pid {self.pid} ({self.program})"


def find_writer(file: Fingerprint, *, proc: str = "/proc") -> Writer | None:
    """Return one that has the file open or mapped for writing; None where none can be seen. Blocks."""
    with suppress(OSError):
        pids = sorted((int(name) for name in files.names(proc) if name.isdecimal()), reverse=True)
        real = str(files.real_path(file.path))
        for pid in pids[:MAX_PROCESSES]:
            # Another user's process, or one that has ended.
            with suppress(OSError):
                if _has_open(f"{proc}/{pid}", file, real):
                    return Writer(pid, _program(f"{proc}/{pid}"))
                if _has_mapped(f"{proc}/{pid}", file, real):
                    return Writer(pid, _program(f"{proc}/{pid}"), mapped=True)
    return None


def _has_open(process: str, file: Fingerprint, real: str) -> bool:
    for number in files.names(f"{process}/fd")[:MAX_OPEN_FILES]:
        with suppress(OSError):
            target = files.target(f"{process}/fd/{number}")
            if target.startswith("/") and _is_writable(f"{process}/fdinfo/{number}", file, target == real):
                # By now it is most probably the file, and to ask its file system about it does no harm.
                status = files.status(f"{process}/fd/{number}")
                if (status.st_dev, status.st_ino) == (file.device, file.inode):
                    return True
    return False


def _is_writable(fdinfo: str, file: Fingerprint, is_named_so: bool) -> bool:
    """Tell whether an open file can be written to, and is most probably this one. Its file system is not asked."""
    facts = dict(_facts(files.contents(fdinfo, MAX_FACTS)))
    if not int(facts.get("flags", "0"), 8) & _WRITES:
        return False
    inode = facts.get("ino")  # since Linux 5.14
    return is_named_so if inode is None else inode == str(file.inode)


def _facts(text: bytes) -> Iterator[tuple[str, str]]:
    for line in text.decode("ascii", "replace").splitlines():
        name, _, value = line.partition(":")
        yield name, value.strip()


def _has_mapped(process: str, file: Fingerprint, real: str) -> bool:
    """Tell whether the process has a shared, writable mapping of it.

    The device that stands there is not always the one that stat() says (btrfs, overlay): inode and name do instead.
    """
    for line in files.contents(f"{process}/maps", MAX_MAPS).decode("utf-8", "replace").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6:  # noqa: PLR2004 - address, permissions, offset, device, inode, path
            continue
        permissions, inode, path = fields[1], fields[4], fields[5]
        is_shared = permissions[1:2] == "w" and permissions[3:4] == "s"
        if is_shared and inode == str(file.inode) and PurePath(path).name == PurePath(real).name:
            return True
    return False


def _program(process: str) -> str:
    return clean(files.contents(f"{process}/comm", _MAX_NAME).decode("utf-8", "replace").strip()) or "?"
