"""ELF files, as a linker writes them: the loadable segments at their physical addresses.

Only the tables that say where bytes are get read (System V ABI, chapters "Object Files" and "Program Loading"), and
the names of sections, for messages. Names, symbols and notes carry no bytes for the chip, and whatever is wrong with
them is no reason to refuse a file.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flashdeck.errors import RefusedError
from flashdeck.geometry import Range
from flashdeck.text import clean
from flashdeckd.images.segments import FileContents, Segment, bounded

_MAGIC = b"\x7fELF"
_CLASS_32, _CLASS_64 = 1, 2
_BYTE_ORDERS = {1: "<", 2: ">"}

_HEADER = "16xHHIIIIIHHHHHH"  # ident, type, machine, version, entry, then the tables as in `_tables`
_HEADER_SIZE = struct.calcsize("<" + _HEADER)
_PROGRAM_HEADER = (
    "8I"  # type, offset, virtual and physical address, bytes in the file, bytes in memory, flags, alignment
)
_SECTION_HEADER = "10I"  # name, type, flags, address, offset, size, link, info, alignment, size of an entry

_LOAD = 1
_INTERPRETER = 3
_EXECUTABLE = 2
"""e_type of a program that is linked for its addresses: no object file, library or core dump."""
_ARM = 40
_MACHINE_ENDS = 20
"""Bytes of the header up to the end of e_machine."""
_WITHOUT_BYTES = frozenset((0, 8))
"""Types of sections that have nothing in the file: SHT_NULL, SHT_NOBITS."""
_ALLOCATED = 0x2
_CODE = 0x4
"""SHF_EXECINSTR."""
_COUNTED_ELSEWHERE = 0xFFFF
"""In place of a number or index that does not fit (PN_XNUM, SHN_XINDEX): the first section header has it."""
LONGEST_NAME = 40
"""Characters of a section's name that messages have."""
_LOOK = "is this the file that the linker wrote, whole?"


@dataclass(frozen=True, slots=True)
class _Section:
    """Bytes of the file that a section covers."""

    span: Range
    """Offsets in the file."""
    name: str


@dataclass(frozen=True, slots=True)
class _Part:
    """Bytes of the file that belong to an address."""

    span: Range
    """Offsets in the file."""
    address: int
    section: str = ""


def is_in(data: bytes) -> bool:
    """Tell whether `data` is an ELF file by its first bytes."""
    return data.startswith(_MAGIC)


def may_be_firmware(head: bytes) -> bool:
    """Tell by the first 20 bytes of an ELF file whether it is a program for 32-bit Arm that is linked."""
    if len(head) < _MACHINE_ENDS or head[4] != _CLASS_32 or head[5] not in _BYTE_ORDERS:
        return False
    return struct.unpack_from(f"{_BYTE_ORDERS[head[5]]}HH", head, 16) == (_EXECUTABLE, _ARM)


def has_interpreter(data: bytes) -> bool:
    """Tell whether an operating system starts the program of an ELF file; not where that cannot be read."""
    try:
        tables = _tables("", data)
        form = struct.Struct(tables.order + _PROGRAM_HEADER)
        headers = _entries(data, form, tables.segments_at, tables.segment_size, tables.segments)
        return any(header[0] == _INTERPRETER for header in headers)
    except (RefusedError, struct.error):
        return False


def read(shown: str, data: bytes) -> FileContents:
    """Return the bytes of every PT_LOAD segment that some section covers, at their physical addresses (p_paddr).

    That is where a linker script's `AT>` puts initial values, as those of .data, in the flash; what is only zeroed at
    the start (.bss) has no bytes in the file. What a segment has between its sections is filling, and what it has
    before the first one often the header of the ELF file itself. Where a file has no section headers, or none that
    tells of what is loaded, all bytes of its segments count.

    Raises RefusedError for what is no whole 32-bit ELF file, and where the file's own header would be flashed.
    """
    tables = _tables(shown, data)
    loads = tuple(_loads(shown, data, tables))
    notes: tuple[str, ...] = ()
    try:
        sections = _sections(data, tables)
    except struct.error:
        sections = ()
        notes = (f"{shown}: the section headers are broken, so all bytes of the segments count",)
    if not any(next(_covered(load, sections), None) for load in loads):
        sections = (_Section(Range(0, len(data)), ""),)
    parts = (part for load in loads for part in _covered(load, sections))
    return FileContents(bounded(shown, _segments(shown, data, parts)), notes)


def whole_segments(shown: str, data: bytes) -> tuple[Segment, ...]:
    """Return all bytes of every PT_LOAD segment, whatever sections there are; raises RefusedError as `read` does."""
    return bounded(shown, _segments(shown, data, _loads(shown, data, _tables(shown, data))))


def code(shown: str, data: bytes) -> tuple[Segment, ...]:
    """Return those bytes of `read` that are in sections with code; all of them where no section says that it has any.

    Raises RefusedError as `read` does.
    """
    tables = _tables(shown, data)
    loads = tuple(_loads(shown, data, tables))
    try:
        sections = _sections(data, tables, _ALLOCATED | _CODE)
    except struct.error:
        sections = ()
    parts = tuple(part for load in loads for part in _covered(load, sections))
    return bounded(shown, _segments(shown, data, parts)) if parts else read(shown, data).segments


@dataclass(frozen=True, slots=True)
class _HeaderTables:
    """The places of the headers of segments and sections."""

    order: str
    """The byte order, as `struct` has it."""
    segments_at: int
    segment_size: int
    segments: int
    sections_at: int
    section_size: int
    sections: int
    names: int
    """The index of the section with the names of sections."""


def _tables(shown: str, data: bytes) -> _HeaderTables:
    bits, order = data[4:6].ljust(2, b"\0")
    if bits == _CLASS_64:
        raise RefusedError(
            f"{shown} is an ELF file for 64-bit addresses",
            hint="is this the firmware, or a program for this computer?",
        )
    if bits != _CLASS_32 or order not in _BYTE_ORDERS:
        raise _broken(shown)
    try:
        header = struct.unpack_from(_BYTE_ORDERS[order] + _HEADER, data)
    except struct.error as error:
        raise _broken(shown) from error
    *_, segments_at, sections_at, _flags, _size, segment_size, segments, section_size, sections, names = header
    return _HeaderTables(
        _BYTE_ORDERS[order], segments_at, segment_size, segments, sections_at, section_size, sections, names
    )


def _loads(shown: str, data: bytes, tables: _HeaderTables) -> Iterator[_Part]:
    """Yield the file's PT_LOAD segments, as far as they have bytes in it."""
    form = struct.Struct(tables.order + _PROGRAM_HEADER)
    try:
        count = tables.segments
        if count == _COUNTED_ELSEWHERE:
            count = _first_section(data, tables)[7]
        for header in _entries(data, form, tables.segments_at, tables.segment_size, count):
            kind, start, _virtual, address, size, *_ = header
            if kind == _LOAD and size:
                if start + size > len(data):
                    raise RefusedError(f"{shown} ends before its segments do", hint=_LOOK)
                yield _Part(Range.sized(start, size), address)
    except struct.error as error:
        raise _broken(shown) from error


def _sections(data: bytes, tables: _HeaderTables, wanted: int = _ALLOCATED) -> tuple[_Section, ...]:
    """Return what sections with these flags have in the file, in ascending order and disjoint; raises struct.error."""
    if not tables.sections_at:
        return ()
    count = tables.sections or _first_section(data, tables)[5]
    form = struct.Struct(tables.order + _SECTION_HEADER)
    names = _names(data, tables, count)
    found: list[tuple[Range, bytes]] = []
    for header in _entries(data, form, tables.sections_at, tables.section_size, count):
        name, kind, flags, _address, start, size, *_ = header
        if flags & wanted == wanted and size and kind not in _WITHOUT_BYTES:
            found.append((Range.sized(start, size), names[name : name + LONGEST_NAME].split(b"\0", 1)[0]))
    sections: list[_Section] = []
    end = 0
    for span, name in sorted(found):
        if span.end > end:
            sections.append(_Section(Range(max(span.start, end), span.end), clean(name.decode("latin-1"))))
            end = span.end
    return tuple(sections)


def _names(data: bytes, tables: _HeaderTables, count: int) -> bytes:
    """Return the table of the names of the `count` sections; b"" where the file has none. Raises struct.error."""
    index = _first_section(data, tables)[6] if tables.names == _COUNTED_ELSEWHERE else tables.names
    if not 0 < index < count:
        return b""
    form = tables.order + _SECTION_HEADER
    start, size = struct.unpack_from(form, data, tables.sections_at + index * tables.section_size)[4:6]
    return data[start : start + size]


def _first_section(data: bytes, tables: _HeaderTables) -> tuple[int, ...]:
    return struct.unpack_from(tables.order + _SECTION_HEADER, data, tables.sections_at)


def _entries(data: bytes, form: struct.Struct, at: int, size: int, count: int) -> Iterator[tuple[int, ...]]:
    """Yield the entries of a table; raises struct.error where it is not whole or its entries are too small."""
    if count and (size < form.size or at + count * size > len(data)):
        raise struct.error("the table is not whole")
    for index in range(count):
        yield form.unpack_from(data, at + index * size)


def _covered(load: _Part, sections: tuple[_Section, ...]) -> Iterator[_Part]:
    """Yield the parts of a segment that sections cover."""
    first = bisect_right(sections, load.span.start, key=lambda each: each.span.end)
    for index in range(first, len(sections)):
        section = sections[index]
        start, end = max(section.span.start, load.span.start), min(section.span.end, load.span.end)
        if start >= end:
            return
        yield _Part(Range(start, end), load.address + start - load.span.start, section.name)


def _segments(shown: str, data: bytes, parts: Iterable[_Part]) -> Iterator[Segment]:
    whole = memoryview(data)
    for part in parts:
        if part.span.start < _HEADER_SIZE:
            raise RefusedError(
                f"the segment of {shown} at 0x{part.address:08x} begins with the header of the ELF file itself",
                hint="link with -Wl,--nmagic (or a smaller -z max-page-size), or make a raw binary with objcopy",
            )
        yield Segment(part.address, whole[part.span.start : part.span.end], part.section)


def _broken(shown: str) -> RefusedError:
    return RefusedError(f"{shown} is a broken ELF file", hint=_LOOK)
