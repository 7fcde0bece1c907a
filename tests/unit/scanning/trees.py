"""Build trees as tools leave them: directories, and files in them."""

import os
import struct
from pathlib import Path

import image_writers
from rig import firmware

APP1, APP2 = 0x08020000, 0x08080000
HOST_PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(200)
"""The header of an x86-64 executable."""
OBJECT_FILE = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\x00\x28\x00" + bytes(200)
"""The header of an object file for Arm."""


def write(root: Path, files: dict[str, bytes | str], *, at: float = 1000.0) -> None:
    """Write files below `root`, each a second younger than the one before."""
    for index, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (at + index, at + index))


def elf(version: str = "1.0", base: int = APP1, size: int = 4096) -> bytes:
    """A linked program."""
    return image_writers.elf([(base, firmware(version, base=base, size=size))])


def hexed(version: str = "1.0", base: int = APP1, size: int = 4096) -> bytes:
    """The same as Intel HEX."""
    return image_writers.hexed([(base, firmware(version, base=base, size=size))])


def raw(version: str = "1.0", base: int = APP1, size: int = 4096, *, stack: int = 0x20030000) -> bytes:
    """The same as a raw binary."""
    return firmware(version, base=base, size=size, stack=stack)


HEADER = 0x200


def signed(body: bytes) -> bytes:
    """A program as imgtool signs it: a header that MCUboot knows, and behind it what stands in for a signature."""
    head = struct.pack("<IIHHIIBBHI4x", 0x96F3B83D, 0, HEADER, 0, len(body), 0, 1, 2, 3, 0)
    return head.ljust(HEADER, b"\0") + body + struct.pack("<HH", 0x6907, 40) + b"\x22" * 36
