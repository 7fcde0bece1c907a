"""Image files as tools write them, made of pieces of bytes at addresses: what several tests share."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence

from intelhex import IntelHex

Pieces = Sequence[tuple[int, bytes]]


def elf(pieces: Pieces, *, zeroed: int = 0, kind: int = 1, offset: int | None = None, bits: int = 1) -> bytes:
    """An executable with one PT_LOAD (or other `kind`) segment a piece, linked to run in RAM from the second on."""
    at = 52 + 32 * len(pieces)
    headers, bodies = b"", b""
    for index, (address, data) in enumerate(pieces):
        virtual = address if index == 0 else 0x20000000
        start = at + len(bodies) if offset is None else offset
        headers += struct.pack("<8I", kind, start, virtual, address, len(data), len(data) + zeroed, 5, 4)
        bodies += data
    ident = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    header = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0x08020251, 52, 0, 0x5000400, 52, 32, len(pieces), 40, 0, 0)
    return ident + header + headers + bodies


def hexed(pieces: Pieces) -> bytes:
    """Intel HEX."""
    image = IntelHex()
    for address, data in pieces:
        image.frombytes(data, offset=address)
    text = io.StringIO()
    image.write_hex_file(text)
    return text.getvalue().encode()


def srec(pieces: Pieces) -> bytes:
    """Motorola S-records with addresses of 32 bits."""
    lines = [_record(0, 2, 0, b"test")]
    for address, data in pieces:
        lines += [_record(3, 4, address + at, data[at : at + 32]) for at in range(0, len(data), 32)]
    return b"".join((*lines, _record(7, 4, 0, b"")))


def _record(kind: int, width: int, address: int, data: bytes) -> bytes:
    body = bytes([width + len(data) + 1]) + address.to_bytes(width, "big") + data
    return f"S{kind}{(body + bytes([~sum(body) & 0xFF])).hex().upper()}\n".encode()


def suffixed(content: bytes, *, vendor: int = 0x0483, product: int = 0xDF11) -> bytes:
    """Any content with a DFU suffix behind it."""
    whole = content + struct.pack("<HHHH3sB", 0xFFFF, product, vendor, 0x011A, b"UFD", 16)
    return whole + struct.pack("<I", zlib.crc32(whole) ^ 0xFFFFFFFF)


def dfuse(pieces: Pieces, **ids: int) -> bytes:
    """A DfuSe file of one target."""
    return container([target(pieces)], **ids)


def target(pieces: Pieces, *, alternate: int = 0) -> bytes:
    """One target of a DfuSe file."""
    elements = b"".join(struct.pack("<II", address, len(data)) + data for address, data in pieces)
    return struct.pack("<6sBI255sII", b"Target", alternate, 1, b"ST...", len(elements), len(pieces)) + elements


def container(targets: list[bytes], **ids: int) -> bytes:
    """A DfuSe file of these targets."""
    size = 11 + sum(map(len, targets))
    return suffixed(struct.pack("<5sBIB", b"DfuSe", 1, size, len(targets)) + b"".join(targets), **ids)


def binary(pieces: Pieces, *, fill: int) -> bytes:
    """What `objcopy -O binary` makes: all gaps filled."""
    start, end = min(at for at, _ in pieces), max(at + len(data) for at, data in pieces)
    whole = bytearray([fill]) * (end - start)
    for at, data in pieces:
        whole[at - start : at - start + len(data)] = data
    return bytes(whole)


WITH_ADDRESSES: dict[str, Callable[[Pieces], bytes]] = {"elf": elf, "hex": hexed, "srec": srec, "dfu": dfuse}
"""Writers of formats that say where their bytes belong, by the usual ending."""
