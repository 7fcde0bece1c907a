"""The spelling of sizes, addresses, durations, names and paths, the same in every TOML file. Pure, but for `~`."""

import glob
import os
from decimal import Decimal
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Annotated, cast

from flashdeck.chips import Chip, find_chip
from flashdeck.errors import ConfigError
from flashdeck.geometry import (
    ADDRESS_SPACE,
    Geometry,
    Range,
    format_ranges,
    format_sectors,
    parse_ranges,
    parse_sectors,
)
from flashdeck.text import MAX_PATH, NAME, clean, is_name, parse_duration, parse_size
from flashdeck.toml.tables import Spelling, WrongValueError, spelled
from flashdeck.toml.values import MAX_NUMBER, kind, shown

MAX_TEXT = 200
"""Characters of a text, where nothing else is said."""
MAX_WORDS = 64
"""Words of a command: the program and its arguments."""
_END = "end"
_PATHS = ("./", "../", "~/")
"""Beginnings by which an argument of a command is known to be a path."""
NAME_RULE = "use up to 32 letters, digits, dots, dashes and underscores, a letter or digit first"


def wrong_type(value: object, wanted: str) -> WrongValueError:
    """Return the error of a value that is of another type than the `wanted` one."""
    return WrongValueError(f"{shown(value)} is {kind(value)}", f"write {wanted}")


def read_text(value: object, limit: int = MAX_TEXT) -> str:
    """Return printable text of 1 to `limit` characters."""
    if not isinstance(value, str):
        raise wrong_type(value, "text in quotes")
    if not value:
        raise WrongValueError("is empty", "leave it out, or give it a value")
    if len(value) > limit:
        raise WrongValueError(f"has {len(value)} characters", f"use at most {limit}")
    if clean(value, limit) != value:
        raise WrongValueError(f"{shown(value)} has characters that cannot be printed")
    return value


def read_number(
    value: object,
    least: int = 0,
    most: int = MAX_NUMBER,
    *,
    wanted: str = "a whole number without quotes, as 0x08020000",
) -> int:
    """Return a whole number, decimal or hexadecimal, from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or (value < 0 <= least):
        raise wrong_type(value, wanted)
    if value > MAX_NUMBER:
        raise WrongValueError(f"{shown(value)} has more than 64 bits")
    if not least <= value <= most:
        raise WrongValueError(f"{value} is not between {least} and {most}")
    return value


def _size(value: object, _folder: Path) -> int:
    return parse_size(value) if isinstance(value, str) else read_number(value, wanted='a size, as 0x60000 or "384K"')


def _size_above_0(value: object, folder: Path) -> int:
    size = _size(value, folder)
    if not size:
        raise WrongValueError("is 0")
    return size


def in_file(size: int) -> str:
    """Return a size as one writes it in a file."""
    return f'"{size // 1024}K"' if size % 1024 == 0 else str(size)


def _address(value: object, _folder: Path) -> int:
    address = read_number(value)
    if address >= ADDRESS_SPACE:
        raise WrongValueError(f"0x{address:x} is outside 32-bit addresses", "write it as 0x08000000")
    return address


def _offset(value: object, _folder: Path) -> int:
    if not isinstance(value, str):
        return read_number(value)
    try:
        return parse_size(read_text(value).removeprefix("+"))
    except ValueError as error:
        raise WrongValueError(f'"{value[:40]}" is no distance from the partition\'s start', 'write "+0x200"') from error


def _offset_or_end(value: object, folder: Path) -> int | None:
    if value == _END:
        return None
    try:
        return _offset(value, folder)
    except WrongValueError as error:
        raise WrongValueError(
            str(error), f'{error.hint} or "{_END}"' if isinstance(value, str) else error.hint
        ) from error


def _word16(value: object, _folder: Path) -> int:
    number = read_number(value)
    if number > 0xFFFF:  # noqa: PLR2004 - its name says it
        raise WrongValueError(f"{number} has more than 16 bits", "write it as 0x0200")
    return number


def _written_offset(offset: int | None) -> str:
    return _END if offset is None else f"+0x{offset:x}"


def _written_duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    # Whole milliseconds are what people write; anything finer keeps all its digits.
    return f"{milliseconds}ms" if milliseconds / 1000 == seconds else f"{Decimal(repr(seconds)):f}s"


def duration(shortest: float, longest: float, *, bare: bool = False) -> Spelling:
    """Return the spelling of a length of time in seconds; `bare` numbers of seconds are only taken where asked for."""

    def read(value: object, _folder: Path) -> float:
        is_bare = bare and isinstance(value, int | float) and not isinstance(value, bool)
        if not is_bare and not isinstance(value, str):
            raise wrong_type(value, 'a duration in quotes with its unit, as "50ms"')
        seconds = parse_duration(value) if isinstance(value, str) else float(cast("float", value))
        if not shortest <= seconds <= longest:
            raise WrongValueError(f"{shown(value)} is not between {shortest:g} s and {longest:g} s")
        return seconds

    text = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|min)$"}
    number = {"type": "number", "minimum": shortest, "maximum": longest}
    return Spelling(read, {"anyOf": [text, number]} if bare else text, _written_duration)


def _name(value: object, _folder: Path) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise WrongValueError(f'"{clean(str(value), 40)}" cannot be a name', NAME_RULE)
    return value


def expanded(text: str, folder: Path) -> Path:
    """Return an absolute path: `~` is a home directory, anything relative is relative to `folder`."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise WrongValueError(f'"{text}": there is no such home directory') from error
    return Path(os.path.normpath(folder / path))


def _image(value: object, folder: Path) -> str:
    """Return an absolute path or glob. Only what the file says is a pattern; a directory put before it is literal."""
    text = read_text(value, MAX_PATH)
    if PurePath(text).name in {"", "..", "~"} or text.endswith(("/", "/.")):
        raise WrongValueError(
            f'"{clean(text, 60)}" is a directory',
            'name the file that the build writes, or a pattern, as "~/fw/build/*.elf"',
        )
    head, tail = text.split("/", 1) if text.startswith("~") and "/" in text else ("", text)
    base = glob.escape(str(expanded(head, folder)))
    # Two slashes behind a home directory are one; alone, what begins with a slash is a path of its own.
    return os.path.normpath(PurePath(base) / (tail.lstrip("/") if head else tail))


def _argv(value: object, folder: Path) -> tuple[str, ...]:
    """Return a program and its arguments. Those that begin as a path of the file does are absolute afterwards."""
    words = cast("list[object]", value) if isinstance(value, list) else []
    if not words or not all(isinstance(word, str) for word in words):
        raise wrong_type(
            cast("object", value), 'program and arguments as an array of texts, as ["program", "--option", "./file"]'
        )
    if len(words) > MAX_WORDS:
        raise WrongValueError(f"has {len(words)} words", f"use at most {MAX_WORDS}, or a script")
    program, *arguments = (read_text(word, MAX_PATH) for word in words)
    if program.startswith("-"):
        raise WrongValueError(f"{shown(program)} is no program", "name the program first, and then its options")
    if "/" in program or program.startswith("~"):
        program = str(expanded(program, folder))
    return (program, *(str(expanded(each, folder)) if each.startswith(_PATHS) else each for each in arguments))


def _chip(value: object, _folder: Path) -> Chip:
    try:
        return find_chip(read_text(value))
    except ConfigError as error:
        raise WrongValueError(error.message, error.hint) from error


def _any_text(value: object, _folder: Path) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, "text in quotes")
    return value


_QUANTITY = r"(0x[0-9a-fA-F]+|[0-9]+) ?([kKmM]?)([iI]?[bB])?$"
_WHOLE = {"type": "integer", "minimum": 0}
_SIZE = {"anyOf": [_WHOLE, {"type": "string", "pattern": f"^{_QUANTITY}"}]}
_OFFSET = [_WHOLE, {"type": "string", "pattern": rf"^\+?{_QUANTITY}"}]
_TEXT = {"type": "string", "minLength": 1}
_ARGV = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_WORDS}

Size = Annotated[int, spelled(Spelling(_size, _SIZE, literal=in_file))]
"""Bytes: a whole number, or text as "384K" and "1M"."""
SizeAbove0 = Annotated[int, spelled(Spelling(_size_above_0, _SIZE, literal=in_file))]
Address = Annotated[
    int, spelled(Spelling(_address, {**_WHOLE, "maximum": ADDRESS_SPACE - 1}, literal="0x{:08x}".format))
]
Offset = Annotated[int, spelled(Spelling(_offset, {"anyOf": _OFFSET}, _written_offset))]
"""A distance from the partition's start: a number, or text as "+0x200"."""
OffsetOrEnd = Annotated[
    int | None, spelled(Spelling(_offset_or_end, {"anyOf": [{"enum": [_END]}, *_OFFSET]}, _written_offset))
]
"""The same, or "end", which is None."""
Word16 = Annotated[int, spelled(Spelling(_word16, {**_WHOLE, "maximum": 0xFFFF}, literal="0x{:04x}".format))]
Name = Annotated[str, spelled(Spelling(_name, {"type": "string", "pattern": f"^{NAME.pattern}$"}))]
Image = Annotated[str, spelled(Spelling(_image, _TEXT))]
"""The absolute path or glob of an image file; `~` is a home directory, anything relative is beside the file."""
File = Annotated[
    Path, spelled(Spelling(lambda value, folder: expanded(read_text(value, MAX_PATH), folder), _TEXT, str))
]
"""The absolute path of a file, given in the same way."""
Argv = Annotated[tuple[str, ...], spelled(Spelling(_argv, _ARGV, list))]
"""A program and its arguments. A program with a slash in it is a path as any other here, and so is an argument that
begins with ./, ../ or ~/; any other program is looked for in PATH."""
AnyText = Annotated[str, spelled(Spelling(_any_text, {"type": "string"}))]
"""Text that need not be printable, nor be there at all: what an emulated board says of itself."""
ChipName = Annotated[Chip, spelled(Spelling(_chip, _TEXT, attrgetter("name")))]
"""A chip of the chip table, by its name or a longer part number."""
Sectors = Annotated[
    Geometry, spelled(Spelling(lambda value, _: parse_sectors(read_text(value, 2000)), _TEXT, format_sectors))
]
"""Runs of sectors, as COUNT*SIZE@ADDRESS."""
Ranges = Annotated[
    tuple[Range, ...], spelled(Spelling(lambda value, _: parse_ranges(read_text(value, 1000)), _TEXT, format_ranges))
]
"""Ranges of addresses, as START+SIZE."""
