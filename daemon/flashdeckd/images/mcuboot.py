"""Images as MCUboot takes them: a header, the program, and behind it tagged values with its hash and signature.

The layout is that of MCUboot's `bootutil/image.h` ("Image format" in its design document); all numbers little-endian.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

_MAGIC = struct.pack("<I", 0x96F3B83D)
# magic, load address, bytes of header, of protected TLVs and of the program, flags, major, minor, revision, build
_HEADER = struct.Struct("<4sIHHIIBBHI4x")
_TLV_INFO = struct.Struct("<HH")  # magic, bytes of all TLVs, this included
_TLV = struct.Struct("<HH")  # type, bytes
_TLVS, _PROTECTED_TLVS = 0x6907, 0x6908
_HASHES = {0x10: hashlib.sha256, 0x11: hashlib.sha384, 0x12: hashlib.sha512}


class Flag(IntFlag):
    """The bits of ih_flags that matter here."""

    ENCRYPTED_AES128 = 0x04
    ENCRYPTED_AES256 = 0x08
    NON_BOOTABLE = 0x10
    RAM_LOAD = 0x20
    """It is copied to ih_load_addr, header included, and runs there."""
    LZMA1 = 0x200
    LZMA2 = 0x400


ENCRYPTED = Flag.ENCRYPTED_AES128 | Flag.ENCRYPTED_AES256
COMPRESSED = Flag.LZMA1 | Flag.LZMA2


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an image that MCUboot starts."""

    load_address: int
    size: int
    """Bytes of the header: so far behind the image's start is the vector table."""
    program: int
    """Bytes of the program."""
    protected: int
    """Bytes of the TLVs that the hash covers; they follow the program."""
    flags: Flag
    version: str
    """As imgtool shows it, `1.2.3` or `1.2.3+4`; "" for the 0.0.0 of somebody who named none."""

    @property
    def end_of_program(self) -> int:
        """Offset in the image."""
        return self.size + self.program


def header(image: bytes) -> Header | None:
    """The header that `image` begins with; None where it does not begin with one."""
    if not image.startswith(_MAGIC) or len(image) < _HEADER.size:
        return None
    _, load, size, protected, program, flags, major, minor, revision, build = _HEADER.unpack_from(image)
    number = f"{major}.{minor}.{revision}" + (f"+{build}" if build else "")
    return Header(load, size, program, protected, Flag(flags), "" if number == "0.0.0" else number)


def contradiction(image: bytes, head: Header) -> str:
    """Return the reason why this cannot be a whole image, or ""."""
    if head.size < _HEADER.size:
        return f"the MCUboot header says that it is {head.size} bytes long, and it has {_HEADER.size} at least"
    if head.end_of_program > len(image):
        return (
            f"the MCUboot header announces {head.end_of_program} bytes of header and program, and the image has "
            f"{len(image)}"
        )
    return ""


def doubt(image: bytes, head: Header) -> str:
    """Return the reason why MCUboot will not start a whole image, as far as it shows without the key, or ""."""
    hashes = [(kind, value) for kind, value in _tlvs(image, head) if kind in _HASHES]
    if not hashes:
        return "no hash follows the program: MCUboot will not start it before it was signed with imgtool"
    if head.flags & (ENCRYPTED | COMPRESSED):
        return ""  # the hash is that of the program as it was before
    covered = memoryview(image)[: head.end_of_program + head.protected]
    if any(_HASHES[kind](covered).digest() != value for kind, value in hashes):
        return (
            "its contents do not have the hash that was made when it was signed: it was changed or damaged since, and "
            "MCUboot will not start it"
        )
    return ""


def _tlvs(image: bytes, head: Header) -> Iterator[tuple[int, bytes]]:
    """Types and values of the TLVs that are not protected, as far as they make sense; the hash is one of them."""
    at = head.end_of_program + head.protected
    if head.protected and _info(image, head.end_of_program) != (_PROTECTED_TLVS, head.protected):
        return
    magic, size = _info(image, at)
    end = at + size
    at += _TLV_INFO.size
    while magic == _TLVS and at + _TLV.size <= end <= len(image):
        kind, length = _TLV.unpack_from(image, at)
        at += _TLV.size
        if at + length > end:
            return
        yield int(kind), image[at : at + length]
        at += length


def _info(image: bytes, at: int) -> tuple[int, int]:
    if at + _TLV_INFO.size > len(image):
        return 0, 0
    magic, size = _TLV_INFO.unpack_from(image, at)
    return int(magic), int(size)
