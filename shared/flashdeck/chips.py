"""The chip table: what is known of the microcontrollers that `flash = "…"` can name.

It is the file `chips.generated.json`, which `make chips` writes from public sources (`tools/chip_table`), and is read
when the first chip is asked for: most commands never do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import msgspec

from flashdeck.errors import ConfigError
from flashdeck.geometry import Geometry, Range, Region, parse_ranges, parse_sectors
from flashdeck.names import near
from flashdeck.text import clean

_FILE = Path(__file__).with_name("chips.generated.json")
_ST = "STM32"  # people leave it out
_MAKERS = (_ST, "GD32", "AT32")
MAX_NAME = 40
"""Characters of a part number."""
NEAREST = 3
"""Names that are proposed for one that is not in the table."""
_NAMES = re.compile(r"(?P<line>\w+)\[(?P<packages>\w+)\](?P<size>\w)", re.ASCII)
_SUFFIX = re.compile(r"[A-Z](?:[0-9X][A-Z0-9]{0,4}(?:-[0-9])?)?", re.ASCII)
"""Package, temperature, options: T6, I6Q, T6TR, U7-4; Tx as in tools; T as from people in a hurry."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller, named up to the size of its flash, without what its part number says after that."""

    name: str
    geometry: Geometry
    option_bytes: tuple[Range, ...]
    """The addresses of option bytes; none where only registers show them."""
    otp: tuple[Range, ...]
    """The addresses that can be written once and never again."""
    secure_alias: bool
    """True where TrustZone shows the flash at 0x0C000000 too."""
    manual: str
    """The document of its flash."""
    mode: str
    """The mode of the flash where option bytes choose one, as the chip is delivered; "" where there is no choice."""

    @property
    def ram(self) -> tuple[Range, ...]:
        """The addresses of RAM that a stack may lie in."""
        return self.geometry.ram


class _ChipRow(msgspec.Struct, frozen=True):
    """A line of the file: parts that are alike in everything."""

    names: str
    sectors: str
    unit: int
    ram: str
    manual: str
    options: str = ""
    otp: str = ""
    secure: bool = False
    mode: str = ""


class _File(msgspec.Struct, frozen=True):
    chips: tuple[_ChipRow, ...]
    without_usb: str
    without_flash: str
    unproven: str


@dataclass(frozen=True, slots=True)
class _ChipTable:
    rows: Mapping[str, _ChipRow]
    """By name."""
    lines: Mapping[str, _ChipRow]
    """By name with an x in place of the package, which changes nothing of what the table has: "STM32H563xG"."""
    absent: Mapping[str, str]
    """The reason why lines and parts are not in the table, by the start of their names."""


def find_chip(part: str) -> Chip:
    """The chip that `part` names: a name of the table or a longer part number, as STM32H563RGT6 or h563rgt6.

    An x may stand for the package, as in STM32H563xG. Raises ConfigError where the table has no such chip.
    """
    table = _table()
    wanted = part.upper() if part.isascii() and len(part) <= MAX_NAME else ""
    for text in (wanted, _ST + wanted):
        line = f"{text[:-2]}x{text[-1:]}"
        if part[-2:-1] == "x" and line in table.lines:
            return _chip(line, table.lines[line])
        # A name ends with the letter of the flash's size, and no name begins with another.
        for name in (text[:length] for length in range(len(text), 0, -1)):
            if name in table.rows and (name == text or _SUFFIX.fullmatch(text.removeprefix(name))):
                return _chip(name, table.rows[name])
    reason = _why_absent(table, wanted)
    near = [] if reason else _nearest(table, wanted)
    raise ConfigError(
        f'the chip table has no "{clean(part, 40)}"' + (f": {reason}" if reason else ""),
        hint=(f"the nearest are {', '.join(near)}; for any other chip " if near else "")
        + 'give the sectors and the RAM of what is flashed, as sectors = "128*8K@0x08000000" and '
        'ram = "0x20000000+640K"',
    )


def chip_names() -> tuple[str, ...]:
    """The names of all chips of the table."""
    return tuple(_table().rows)


def alike_chips() -> tuple[tuple[str, ...], ...]:
    """Return product lines with their flash sizes, as "STM32H563xG", those together that are alike in everything."""
    rows: dict[_ChipRow, list[str]] = {}
    for line, row in _table().lines.items():
        rows.setdefault(row, []).append(line)
    return tuple(map(tuple, rows.values()))


def _chip(name: str, row: _ChipRow) -> Chip:
    regions: list[Region] = []
    for bank, sectors in enumerate(row.sectors.split("|")):
        regions += (replace(region, bank=bank) for region in parse_sectors(sectors.strip()).regions)
    return Chip(
        name=name,
        geometry=Geometry(tuple(regions), row.unit, parse_ranges(row.ram)),
        option_bytes=parse_ranges(row.options) if row.options else (),
        otp=parse_ranges(row.otp) if row.otp else (),
        secure_alias=row.secure,
        manual=row.manual,
        mode=row.mode,
    )


@cache
def _table() -> _ChipTable:
    file = msgspec.json.decode(_FILE.read_bytes(), type=_File)
    return _ChipTable(
        {name: row for row in file.chips for name in _expanded(row.names)},
        {f"{match['line']}x{match['size']}": row for row in file.chips for match in _NAMES.finditer(row.names)},
        {
            **{line: f"{line} has no USB" for line in file.without_usb.split()},
            **{line: f"{line} has no flash of its own" for line in file.without_flash.split()},
            **{name: _unproven(name) for name in _expanded(file.unproven)},
        },
    )


def _unproven(name: str) -> str:
    return f"what is public about {name} does not agree, or is from one source only"


def _expanded(names: str) -> Iterator[str]:
    """The names in `STM32F405[ORVZ]G STM32F415[ORVZ]G`."""
    for match in _NAMES.finditer(names):
        for package in match["packages"]:
            yield f"{match['line']}{package}{match['size']}"


def _why_absent(table: _ChipTable, wanted: str) -> str:
    for text in (wanted, _ST + wanted):
        for start, reason in table.absent.items():
            if text.startswith(start):
                return reason
    return ""


def _nearest(table: _ChipTable, wanted: str) -> list[str]:
    """Names that may have been meant: of the same line where there is one, since then only what follows is wrong."""
    if len(wanted) <= 1:
        return []
    name = wanted if wanted.startswith(_MAKERS) else _ST + wanted
    bare = name.rstrip("X")
    if of_line := [each for each in table.lines if each[:-2] == bare]:  # it has no letters for package and size
        return of_line[:NEAREST]
    if same_line := [each for each in table.rows if name.startswith(each[:-2])]:
        meant = name[len(same_line[0]) - 2 :]
        return sorted(same_line, key=lambda each: (each[-2] != meant[:1], each[-1] != meant[1:2], each))[:NEAREST]
    lines = [each for each in table.lines if each.startswith(bare[:4])]
    if len(bare) <= max(map(len, lines), default=0) - len("xG"):
        return near(bare, lines, most=NEAREST, alike=0.7)
    return near(name, table.rows, most=NEAREST, alike=0.75)
