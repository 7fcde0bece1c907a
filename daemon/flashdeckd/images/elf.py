"""ELF files, as a linker writes them: the loadable segments at their physical addresses."""

import io
from collections.abc import Iterator

from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile

from flashdeck.errors import RefusedError
from flashdeckd.images.segments import MAX_SEGMENTS, Segment

FILL = 0x00
"""What lies between segments: as `objcopy -O binary` has it, so that an .elf and its .bin are the same image."""

_LOOK = "is this the file that the linker wrote, whole?"


def segments(shown: str, data: bytes) -> tuple[Segment, ...]:
    """The bytes of every PT_LOAD segment that has any in the file (p_filesz), at its p_paddr.

    The physical address is where a linker script's `AT>` puts initial values, as those of .data, in the flash; what is
    only zeroed at the start (.bss) has no bytes. Raises RefusedError for what is no whole 32-bit ELF file.
    """
    try:
        found = tuple(_load(shown, data))
    except RefusedError:
        raise
    except Exception as error:  # a parser of foreign bytes: pyelftools raises whatever a malformed file makes it
        raise RefusedError(f"{shown} is a broken ELF file", hint=_LOOK) from error
    for each in found:
        if data[:4] == bytes(each.data[:4]):
            raise RefusedError(
                f"the segment of {shown} at 0x{each.address:08x} begins with the header of the ELF file itself",
                hint="link with -Wl,--nmagic (or a smaller -z max-page-size), or make a raw binary with objcopy",
            )
    return found


def _load(shown: str, data: bytes) -> Iterator[Segment]:
    stream = io.BytesIO(data)
    elf = ELFFile(stream)
    if elf.elfclass != 32:  # noqa: PLR2004 -- bits
        raise RefusedError(
            f"{shown} is an ELF file for 64-bit addresses",
            hint="is this the firmware, or a program for this computer?",
        )
    count = int(elf["e_phnum"])
    if count > MAX_SEGMENTS:
        raise RefusedError(f"{shown} has {count} segments, more than {MAX_SEGMENTS}", hint=_LOOK)
    whole = memoryview(data)
    # Headers only: the objects that pyelftools makes of other kinds of segments look through all sections of the file.
    for index in range(count):
        header = struct_parse(elf.structs.Elf_Phdr, stream, stream_pos=elf["e_phoff"] + index * elf["e_phentsize"])
        if header["p_type"] != "PT_LOAD":
            continue
        start, size = int(header["p_offset"]), int(header["p_filesz"])
        if start + size > len(data):
            raise RefusedError(f"{shown} ends before its segments do", hint=_LOOK)
        yield Segment(int(header["p_paddr"]), whole[start : start + size])
