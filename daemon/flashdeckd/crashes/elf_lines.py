"""From an address to the function and the line of the source: an ELF file's symbols, and its DWARF of versions 2 to 5.

Bytes in, values out. A file may be damaged anywhere: what cannot be read is left out, and the rest still counts.
"""

import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct import ConstructError
from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.lineprogram import LineProgram
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from flashdeck.text import clean
from flashdeckd.crashes.demangling import LONGEST_NAME, demangled
from flashdeckd.crashes.looked_up import Frame

MOST_INLINED: Final = 16
"""Frames of functions that were put into one another at one address."""
MOST_DEPTH: Final = 64
"""Blocks in blocks that are gone into."""
LONGEST_FILE: Final = 120
"""Characters of the name of a source file, its end."""
LATEST_LINES: Final = 0xFFFFFF
"""The highest number of a line that is believed."""

_SYMBOL: Final = "IIIBBH"  # name, value, size, info, other, section
_FUNCTION: Final = 2
_ARM: Final = "EM_ARM"
_MAPPING: Final = ("$t", "$a", "$d")
"""Symbols that say what follows is code or data (ELF for the Arm Architecture, 5.5.5)."""
_SCOPES: Final = frozenset(
    {
        "DW_TAG_namespace",
        "DW_TAG_module",
        "DW_TAG_structure_type",
        "DW_TAG_class_type",
        "DW_TAG_subprogram",
        "DW_TAG_lexical_block",
        "DW_TAG_inlined_subroutine",
    }
)
_HAVE_CODE: Final = frozenset({"DW_TAG_subprogram", "DW_TAG_lexical_block", "DW_TAG_inlined_subroutine"})
_CONSTANT_SIZE: Final = ("DW_FORM_data", "DW_FORM_udata", "DW_FORM_sdata", "DW_FORM_implicit_const")
_NEW_NUMBERS: Final = 5
"""From this version of DWARF on files are numbered from 0."""

_DAMAGE: Final = (
    *(ELFError, DWARFError, ConstructError, struct.error, zlib.error),
    *(LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError, RuntimeError, EOFError),
)
"""The errors of pyelftools where a file is not what it says."""


def look_up(
    data: bytes, addresses: Sequence[int], *, may_go_on: Callable[[], bool] = lambda: True
) -> list[list[Frame]]:
    """Return the functions at each address of a file, the innermost first; none where nothing is known.

    `may_go_on` is asked between two parts: once it says no, only what is known by then is returned. Raises nothing for
    whatever is in `data`.
    """
    try:
        file = ELFFile(BytesIO(data))
        functions = _Functions(file)
    except _DAMAGE:
        return [[] for _ in addresses]
    frames = {address: functions.at(address) for address in addresses}
    for address, found in _from_dwarf(file, set(addresses), may_go_on):
        frames[address] = _joined(frames[address], found)
    return [frames[address] for address in addresses]


class _Functions:
    """The functions of a file, by its symbols."""

    def __init__(self, file: ELFFile) -> None:
        thumb = 1 if file["e_machine"] == _ARM else 0
        self._found: list[tuple[int, int, str]] = []
        """Start, end and name, in ascending order."""
        try:
            self._found = sorted(_symbols(file, thumb))
        except _DAMAGE:
            self._found = []

    def at(self, address: int) -> list[Frame]:
        """Return the function at an address, as one frame; none where there is none."""
        index = bisect_right(self._found, address, key=lambda each: each[0]) - 1
        if index < 0:
            return []
        start, end, name = self._found[index]
        if end == start:  # as in assembly: it goes on to the next one
            end = self._found[index + 1][0] if index + 1 < len(self._found) else start + 1
        return [Frame(function=demangled(name), offset=address - start)] if address < max(end, start + 1) else []


def _symbols(file: ELFFile, thumb: int) -> Iterator[tuple[int, int, str]]:
    table = file.get_section_by_name(".symtab")
    if table is None:
        return
    names = _bytes_of(file.get_section(table["sh_link"]))
    form = struct.Struct(("<" if file.little_endian else ">") + _SYMBOL)
    data = _bytes_of(table)
    for name, value, size, info, _other, section in form.iter_unpack(data[: len(data) - len(data) % form.size]):
        if info & 0xF != _FUNCTION or not section:
            continue
        end = names.find(b"\0", name)
        shown = clean(names[name : end if end >= 0 else None].decode("utf-8", "replace"), LONGEST_NAME)
        if shown and not shown.startswith(_MAPPING):
            yield value & ~thumb, (value & ~thumb) + size, shown


def _bytes_of(section: Section) -> bytes:
    return section.data()


def _from_dwarf(file: ELFFile, wanted: set[int], may_go_on: Callable[[], bool]) -> Iterator[tuple[int, list[Frame]]]:
    """Yield what the debug information says of addresses, each once."""
    try:
        if not file.has_dwarf_info():
            return
        dwarf = file.get_dwarf_info()
    except _DAMAGE:
        return
    left = set(wanted)
    seen: set[int] = set()
    for unit in _units(dwarf, wanted):
        if not left or not may_go_on():
            return
        if unit.cu_offset in seen:
            continue
        seen.add(unit.cu_offset)
        for address, place in _lines(dwarf, unit, left):
            yield address, _frames(dwarf, unit, address, place) if may_go_on() else [place]
            left.discard(address)


def _units(dwarf: DWARFInfo, wanted: set[int]) -> Iterator[CompileUnit]:
    """Yield the compilation units that may have code at some of the addresses: first those of which a table says so."""
    try:
        ranges = dwarf.get_aranges()
        offsets = {ranges.cu_offset_at_addr(address) for address in wanted} if ranges is not None else set[int | None]()
        for offset in sorted(each for each in offsets if each is not None):
            yield dwarf.get_CU_at(offset)
    except _DAMAGE:
        pass
    try:
        for unit in dwarf.iter_CUs():
            if _may_have(dwarf, unit, wanted):
                yield unit
    except _DAMAGE:
        return


def _may_have(dwarf: DWARFInfo, unit: CompileUnit, wanted: set[int]) -> bool:
    try:
        ranges = list(_ranges(dwarf, unit.get_top_DIE()))
    except _DAMAGE:
        return True
    return not ranges or any(start <= address < end for start, end in ranges for address in wanted)


def _lines(dwarf: DWARFInfo, unit: CompileUnit, wanted: set[int]) -> list[tuple[int, Frame]]:
    """Return the lines that a unit has for addresses."""
    found: dict[int, Frame] = {}
    try:
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            return []
        directory = _text(unit.get_top_DIE(), "DW_AT_comp_dir")
        before: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and not before.end_sequence and before.address < state.address:
                for address in wanted:
                    if before.address <= address < state.address:
                        found[address] = _place(program, before.file, before.line, directory)
            before = state
    except _DAMAGE:
        pass
    return list(found.items())


def _place(program: LineProgram, number: int, line: int, directory: str) -> Frame:
    return Frame(file=_file_name(program, number, directory), line=line if 0 < line <= LATEST_LINES else 0)


def _file_name(program: LineProgram, number: int, directory: str) -> str:
    """Return the name of a source file, without the directory that it was compiled in."""
    is_new = program["version"] >= _NEW_NUMBERS
    entries = program["file_entry"]
    index = number if is_new else number - 1
    if not 0 <= index < len(entries):
        return ""
    entry = entries[index]
    name = _decoded(entry.name)
    if not name.startswith("/"):
        directories = program["include_directory"]
        at = entry.dir_index if is_new else entry.dir_index - 1
        above = _decoded(directories[at]) if 0 <= at < len(directories) else ""
        name = f"{above.rstrip('/')}/{name}" if above else name
    if directory:
        name = name.removeprefix(directory.rstrip("/") + "/")
    return clean(name.removeprefix("./")[-LONGEST_FILE:], LONGEST_FILE)


def _frames(dwarf: DWARFInfo, unit: CompileUnit, address: int, place: Frame) -> list[Frame]:
    """Return the frames at an address whose line is known: the functions that were put into others, innermost first."""
    try:
        chain = list(_chain(dwarf, unit.get_top_DIE(), address, 0))
        program = dwarf.line_program_for_CU(unit)
        directory = _text(unit.get_top_DIE(), "DW_AT_comp_dir")
        frames: list[Frame] = []
        for die in reversed(chain):
            name = _function(die)
            if die.tag == "DW_TAG_subprogram":
                frames.append(Frame(function=name, file=place.file, line=place.line))
                return frames
            frames.append(Frame(function=name, file=place.file, line=place.line, is_inlined=True))
            number, line = _number(die, "DW_AT_call_file"), _number(die, "DW_AT_call_line")
            place = _place(program, number, line, directory) if program is not None else Frame()
            if len(frames) == MOST_INLINED:
                return frames
    except _DAMAGE:
        return [place]
    return [place]


def _chain(dwarf: DWARFInfo, die: DIE, address: int, depth: int) -> Iterator[DIE]:
    """Yield the functions around an address, the outermost first."""
    if depth > MOST_DEPTH:
        return
    for child in die.iter_children():
        if child.tag not in _SCOPES:
            continue
        if child.tag in _HAVE_CODE:
            if not any(start <= address < end for start, end in _ranges(dwarf, child)):
                continue
            if child.tag != "DW_TAG_lexical_block":
                yield child
            yield from _chain(dwarf, child, address, depth + 1)
            return
        inner = list(_chain(dwarf, child, address, depth + 1))
        if inner:
            yield from inner
            return


def _ranges(dwarf: DWARFInfo, die: DIE) -> Iterable[tuple[int, int]]:
    """Return the addresses that belong to an entry, as starts and ends."""
    attributes = die.attributes
    low = attributes.get("DW_AT_low_pc")
    high = attributes.get("DW_AT_high_pc")
    if low is not None and high is not None:
        start = int(low.value)
        end = int(high.value) + (start if high.form.startswith(_CONSTANT_SIZE) else 0)
        return [(start, end)]
    ranges = attributes.get("DW_AT_ranges")
    lists = dwarf.range_lists() if ranges is not None else None
    unit = die.cu
    if ranges is None or lists is None or not isinstance(unit, CompileUnit):
        return []
    base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    at = int(base.value) if base is not None else 0
    found: list[tuple[int, int]] = []
    for entry in lists.get_range_list_at_offset(ranges.value, cu=unit):
        if isinstance(entry, BaseAddressEntry):
            at = entry.base_address
        else:
            offset = 0 if entry.is_absolute else at
            found.append((entry.begin_offset + offset, entry.end_offset + offset))
    return found


def _function(die: DIE) -> str:
    """Return the name of a function, which may stand where it was declared."""
    for _ in range(4):
        for attribute in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
            if (linked := _text(die, attribute)) and (name := demangled(linked)) != linked:
                return clean(name, LONGEST_NAME)
        if name := _text(die, "DW_AT_name"):
            return clean(name, LONGEST_NAME)
        origin = next((each for each in ("DW_AT_abstract_origin", "DW_AT_specification") if each in die.attributes), "")
        if not origin:
            return ""
        die = die.get_DIE_from_attribute(origin)
    return ""


def _joined(by_symbol: list[Frame], by_lines: list[Frame]) -> list[Frame]:
    """Return the frames with what each source knows: the symbol has name and offset of the outermost function."""
    outermost = by_lines[-1]
    if not by_symbol:
        return by_lines
    known = by_symbol[0]
    name = known.function if not outermost.function or "::" in known.function else outermost.function
    whole = Frame(function=name, offset=known.offset, file=outermost.file, line=outermost.line)
    return [*by_lines[:-1], whole]


def _text(die: DIE, name: str) -> str:
    attribute = die.attributes.get(name)
    return _decoded(attribute.value) if attribute is not None and isinstance(attribute.value, bytes) else ""


def _number(die: DIE, name: str) -> int:
    attribute = die.attributes.get(name)
    return attribute.value if attribute is not None and isinstance(attribute.value, int) else 0


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
