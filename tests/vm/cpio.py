"""Archives in the "newc" format, which the kernel unpacks as its first file system (cpio(5))."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_FIELDS = 13
_ALIGNMENT = 4
_END = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory, file or symbolic link: what `mode` says."""

    name: str
    mode: int
    content: bytes = b""


def directory(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def program(name: str, content: bytes) -> Entry:
    return Entry(name, stat.S_IFREG | 0o755, content)


def link(name: str, target: str) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """All entries in their order; a directory must come before what is in it."""
    return b"".join(_packed(number, entry) for number, entry in enumerate([*entries, Entry(_END, 0)], start=1))


def _packed(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = [0] * _FIELDS
    fields[0], fields[1], fields[4], fields[6], fields[11] = number, entry.mode, 1, len(entry.content), len(name)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
