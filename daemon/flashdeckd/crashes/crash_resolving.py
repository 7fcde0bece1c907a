"""From the addresses of a crash to functions and lines, with the ELF file of the very build that is on the board."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from flashdeck import own_python
from flashdeck.text import clean
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.crash import Crash, CrashAddress
from flashdeckd.crashes.elf_beside import FoundElf, NoElf, find_elf
from flashdeckd.crashes.looked_up import OTHER_FILE, Frame
from flashdeckd.host import commands, threads

FIND_SECONDS: Final = 20.0
"""Longest wait for an ELF file to be found and compared: the disk may be a slow one."""
LOOK_UP_SECONDS: Final = 20.0
"""Seconds that the process which looks addresses up may take; it is ended then."""
USEFUL_SECONDS: Final = 12.0
"""Seconds after which it begins no further part, and says what it has."""
MOST_OUTPUT: Final = 256 * 1024
"""Bytes of its answer."""
_MODULE: Final = "flashdeckd.crashes.look_up"
_RAW: Final = "addresses are not resolved"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The outcome for the addresses of a crash."""

    frames: Mapping[CrashAddress, Sequence[Frame]] = field(default_factory=dict[CrashAddress, Sequence[Frame]])
    """The functions at each address, the innermost first; an address of which nothing is known is left out."""
    notes: tuple[str, ...] = ()
    """The reasons why some, or all, are not resolved: sentences."""


async def resolve(crash: Crash, programs: Sequence[BoardProgram]) -> Resolution:
    """Return functions and lines of the addresses of a crash; `programs` are those of the board."""
    frames: dict[CrashAddress, Sequence[Frame]] = {}
    notes: list[str] = []
    for program in programs:
        addresses = [each for each in crash.addresses if _is_in(each, program)]
        if addresses:
            try:
                found = await _resolved(program, addresses)
            except TimeoutError:
                found = f"the ELF file of {program.partition} was not read within {FIND_SECONDS:g} s: {_RAW}"
            if isinstance(found, str):
                notes.append(found)
            else:
                frames.update(found)
    return Resolution(frames, tuple(dict.fromkeys(notes)))


def _is_in(address: CrashAddress, program: BoardProgram) -> bool:
    return program.span is None or program.span.start <= address.looked_up < program.span.end


async def _resolved(
    program: BoardProgram, addresses: Sequence[CrashAddress]
) -> dict[CrashAddress, Sequence[Frame]] | str:
    """Return functions and lines, or the reason why there are none. Raises TimeoutError."""
    async with asyncio.timeout(FIND_SECONDS):
        found = await threads.run(find_elf, program)
    if isinstance(found, NoElf):
        return found.reason
    return await _looked_up(found, addresses)


async def _looked_up(found: FoundElf, addresses: Sequence[CrashAddress]) -> dict[CrashAddress, Sequence[Frame]] | str:
    shown = clean(found.path.name)
    words = (str(found.path), found.sha256, f"{USEFUL_SECONDS:g}", *(f"{each.looked_up:x}" for each in addresses))
    try:
        result = await commands.run(
            (*own_python.module(_MODULE), *words), environment={}, seconds=LOOK_UP_SECONDS, most_output=MOST_OUTPUT
        )
    except OSError as error:
        return f"{shown} cannot be looked at ({clean(error.strerror or str(error))}): {_RAW}"
    if result.ending == commands.Exited(OTHER_FILE):
        return f"{shown} has just been built anew: {_RAW}"
    if not result.is_success:
        return f"{shown} cannot be made sense of (the process {result.ending.text}): {_RAW}"
    try:
        answer = msgspec.json.decode(result.output.rpartition("\n")[2], type=list[list[Frame]])
    except msgspec.DecodeError:
        return f"{shown} cannot be made sense of: {_RAW}"
    named: dict[CrashAddress, Sequence[Frame]] = {
        address: frames for address, frames in zip(addresses, answer, strict=False) if frames
    }
    return named or f"{shown} has no names for these addresses: is it stripped?"
