"""Image files in every format with addresses, written from pieces: (address, bytes) in the order of the file."""

import struct
import zlib
from collections.abc import Callable, Sequence

Pieces = Sequence[tuple[int, bytes]]

_ELF_HEADER, _PROGRAM_HEADER, _SECTION_HEADER = 52, 32, 40
_SUFFIX = 16


def elf(
    pieces: Pieces, *, zeroed: int = 0, kind: int = 1, offset: int | None = None, bits: int = 1, order: str = "<"
) -> bytes:
    """An executable with one PT_LOAD (or other `kind`) segment a piece, and no sections.

    From the second piece on it is linked to run in RAM. With `offset` all segments are from there in the file.
    """
    at = _ELF_HEADER + _PROGRAM_HEADER * len(pieces)
    headers, bodies = b"", b""
    for index, (address, data) in enumerate(pieces):
        virtual = address if index == 0 else 0x20000000
        start = at + len(bodies) if offset is None else offset
        headers += struct.pack(f"{order}8I", kind, start, virtual, address, len(data), len(data) + zeroed, 5, 4)
        bodies += data
    return _elf_header(len(pieces), 0, 0, bits=bits, order=order) + headers + bodies


def elf_with_sections(pieces: Pieces, *, table: bytes | None = None, names: int = 0) -> bytes:
    """An executable with a PT_LOAD segment and a section a piece; around sections, segments have other bytes.

    The first segment begins with the header of the file, as linkers make it where the flash does not begin at a
    multiple of the page size. `table` stands in for the section headers, `names` for the index of their names.
    """
    start = _ELF_HEADER + _PROGRAM_HEADER * len(pieces)
    at = start
    segments, sections, bodies = b"", bytes(_SECTION_HEADER), b""
    for index, (address, data) in enumerate(pieces):
        before = min(address, 4 if index else start)
        if index:
            bodies += b"FILL"[4 - before :]
        offset = start + len(bodies)
        bodies += data + b"fill"
        size = before + len(data) + 4
        segments += struct.pack("<8I", 1, offset - before, 0x20000000, address - before, size, size, 5, 4)
        sections += struct.pack("<10I", 1, 1, 2, 0x20000000, offset, len(data), 0, 0, 4, 0)
        at = start + len(bodies)
    sections = sections if table is None else table
    header = _elf_header(len(pieces), at, len(sections) // _SECTION_HEADER, names=names)
    return header + segments + bodies + sections


def _elf_header(
    segments: int, sections_at: int, sections: int, *, bits: int = 1, order: str = "<", names: int = 0
) -> bytes:
    ident = b"\x7fELF" + bytes([bits, 1 if order == "<" else 2, 1]) + bytes(9)
    segments_at = _ELF_HEADER if segments else 0
    return ident + struct.pack(
        f"{order}HHIIIIIHHHHHH",
        *(2, 40, 1, 0x08020251, segments_at, sections_at, 0x5000400, _ELF_HEADER),
        *(_PROGRAM_HEADER, segments, _SECTION_HEADER, sections, names),
    )


def hexed(pieces: Pieces, *, width: int = 16) -> bytes:
    """Intel HEX with data records of `width` bytes."""
    lines: list[bytes] = []
    upper = 0
    for address, data in pieces:
        at = 0
        while at < len(data):
            here = address + at
            if here >> 16 != upper:
                upper = here >> 16
                lines.append(hex_record(4, 0, upper.to_bytes(2)))
            part = data[at : at + min(width, 0x10000 - (here & 0xFFFF))]
            lines.append(hex_record(0, here & 0xFFFF, part))
            at += len(part)
    return b"".join((*lines, hex_record(1, 0, b"")))


def hex_record(kind: int, address: int, data: bytes) -> bytes:
    """One line of Intel HEX."""
    raw = bytes([len(data)]) + address.to_bytes(2) + bytes([kind]) + data
    return b":" + (raw + bytes([-sum(raw) & 0xFF])).hex().upper().encode() + b"\n"


def srec(pieces: Pieces, *, width: int = 16, kind: int = 3) -> bytes:
    """S-records of type `kind` with `width` bytes each, a header, a count and the record that ends them."""
    records = [
        srec_line(kind, address + at, data[at : at + width])
        for address, data in pieces
        for at in range(0, len(data), width)
    ]
    count = srec_line(5, len(records), b"") if len(records) < 1 << 16 else srec_line(6, len(records), b"")
    return b"".join((srec_line(0, 0, b"HDR"), *records, count, srec_line(10 - kind, 0, b"")))


def srec_line(kind: int, address: int, data: bytes) -> bytes:
    """One S-record."""
    width = {2: 3, 6: 3, 8: 3, 3: 4, 7: 4}.get(kind, 2)
    raw = bytes([width + len(data) + 1]) + address.to_bytes(width) + data
    return f"S{kind}".encode() + (raw + bytes([~sum(raw) & 0xFF])).hex().upper().encode() + b"\n"


def suffixed(content: bytes, *, vendor: int = 0x0483, product: int = 0xDF11) -> bytes:
    """Anything with a DFU suffix behind it."""
    whole = content + struct.pack("<HHHH3sB", 0xFFFF, product, vendor, 0x011A, b"UFD", _SUFFIX)
    return whole + struct.pack("<I", zlib.crc32(whole) ^ 0xFFFFFFFF)


def dfuse(pieces: Pieces, **ids: int) -> bytes:
    """DfuSe with one target."""
    return container([target(pieces)], **ids)


def target(pieces: Pieces, *, alternate: int = 0) -> bytes:
    """One target of a DfuSe file."""
    elements = b"".join(struct.pack("<II", address, len(data)) + data for address, data in pieces)
    return struct.pack("<6sBI255sII", b"Target", alternate, 1, b"ST...", len(elements), len(pieces)) + elements


def container(targets: Sequence[bytes], *, more: int = 0, **ids: int) -> bytes:
    """DfuSe with these targets; its header says `more` bytes than they have."""
    size = 11 + sum(map(len, targets)) + more
    return suffixed(struct.pack("<5sBIB", b"DfuSe", 1, size, len(targets)) + b"".join(targets), **ids)


def binary(pieces: Pieces, *, fill: int) -> bytes:
    """What `objcopy -O binary` makes: all gaps filled."""
    start, end = min(at for at, _ in pieces), max(at + len(data) for at, data in pieces)
    whole = bytearray([fill]) * (end - start)
    for at, data in pieces:
        whole[at - start : at - start + len(data)] = data
    return bytes(whole)


WRITERS: dict[str, Callable[[Pieces], bytes]] = {
    "APP1.elf": elf,
    "APP1.axf": elf_with_sections,
    "APP1.hex": hexed,
    "APP1.srec": srec,
    "APP1.dfu": dfuse,
}
"""By the name of a file of the format."""
