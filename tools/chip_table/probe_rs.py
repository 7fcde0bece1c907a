"""Reads a checkout of probe-rs/probe-rs: the sectors that the chip makers' own flash algorithms erase.

Made from CMSIS packs: the sectors are in the algorithms that the makers of the chips compiled for debuggers. The memory
maps of ST's parts are the same as in embassy's table for many of them, errors and all, and are not read here; those of
GigaDevice and Artery are from their packs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chip_table.claims import Claim, Layout, SourceError, joined, part_of
from flashdeck.geometry import Range, Region

NAME = "probe-rs/probe-rs"
_FLASH = range(0x08000000, 0x08800000)
_FILES = "probe-rs/targets/{}*_Series.yaml"
_OPTION_BYTES = re.compile(r"_(opt|usd)(_\d+)?$", re.ASCII)
_OTP = re.compile(r"_otp$", re.ASCII)
_SECTION = re.compile(r"([a-z_]+):")
_ITEM = re.compile(r"- name: (\S+)")
_KEY = re.compile(r"  ([a-z_]+):")
_MEMORY = re.compile(r"  - !(\w+)", re.ASCII)
_ALGORITHM = re.compile(r"  - (\S+)")
_START = re.compile(r"      start: (0x[0-9a-f]+)")
_END = re.compile(r"      end: (0x[0-9a-f]+)")
_SIZE = re.compile(r"    - size: (0x[0-9a-f]+)")
_ADDRESS = re.compile(r"      address: (0x[0-9a-f]+)")


@dataclass(slots=True)
class _Part:
    algorithms: list[str] = field(default_factory=list[str])
    ram: list[Range] = field(default_factory=list[Range])
    kind: str = ""
    start: int = 0

    def add_memory(self, line: str) -> None:
        """A line of its memory map: `- !Ram`, and below it where it starts and ends."""
        if match := _MEMORY.match(line):
            self.kind = match[1]
        elif match := _START.match(line):
            self.start = int(match[1], 0)
        elif self.kind == "Ram" and (match := _END.match(line)):
            self.ram.append(Range(self.start, int(match[1], 0)))


@dataclass(slots=True)
class _Algorithm:
    start: int = 0
    end: int = 0
    sizes: list[int] = field(default_factory=list[int])
    offsets: list[int] = field(default_factory=list[int])

    def layout(self, name: str) -> Layout:
        """Its sectors. Each size is valid up to where the next one starts."""
        if not self.sizes or len(self.sizes) != len(self.offsets) or self.end <= self.start:
            raise SourceError(f"the algorithm {name} is not understood")
        ends = [*self.offsets[1:], self.end - self.start]
        regions: list[Region] = []
        for offset, end, size in zip(self.offsets, ends, self.sizes, strict=True):
            count, rest = divmod(end - offset, size)
            if rest:
                raise SourceError(f"the algorithm {name} has part of a sector")
            regions.append(Region(self.start + offset, count, size))
        return tuple(regions)


def read(checkout: Path) -> Iterator[Claim]:
    """Its claims about each part."""
    files = [file for maker in ("STM32", "GD32", "AT32") for file in checkout.glob(_FILES.format(maker))]
    if not files:
        raise SourceError(f"{checkout} has no {_FILES.format('STM32')}, as a checkout of {NAME} has")
    for file in sorted(files):
        is_st = file.name.startswith("STM32")
        parts, algorithms = _parse(file.read_text())
        for number, part in parts.items():
            used = {name: algorithms[name] for name in part.algorithms if name in algorithms}
            yield Claim(
                NAME,
                part_of(number) if file.name.startswith("AT32") else number,
                erased_by=tuple(each.layout(name) for name, each in used.items() if each.start in _FLASH),
                ram=None if is_st else joined(part.ram),
                option_bytes=_ranges(used, _OPTION_BYTES),
                otp=_ranges(used, _OTP),
            )


def _ranges(algorithms: dict[str, _Algorithm], name_of: re.Pattern[str]) -> tuple[Range, ...]:
    return tuple(Range(each.start, each.end) for name, each in algorithms.items() if name_of.search(name))


def _parse(text: str) -> tuple[dict[str, _Part], dict[str, _Algorithm]]:
    """The parts, and the algorithms. These files are always indented in the same way."""
    parts: dict[str, _Part] = {}
    algorithms: dict[str, _Algorithm] = {}
    section = inner = ""
    part, algorithm = _Part(), _Algorithm()
    for line in text.splitlines():
        if match := _SECTION.match(line):
            section = match[1]
        elif match := _ITEM.match(line):
            part, algorithm = _Part(), _Algorithm()
            if section == "variants":
                parts[match[1]] = part
            elif section == "flash_algorithms":
                algorithms[match[1]] = algorithm
        elif match := _KEY.match(line):
            inner = match[1]
        elif section == "variants" and inner == "flash_algorithms" and (match := _ALGORITHM.match(line)):
            part.algorithms.append(match[1])
        elif section == "variants" and inner == "memory_map":
            part.add_memory(line)
        elif section == "flash_algorithms" and inner == "flash_properties":
            _property(algorithm, line)
    return parts, algorithms


def _property(algorithm: _Algorithm, line: str) -> None:
    if match := _START.match(line):
        algorithm.start = int(match[1], 0)
    elif match := _END.match(line):
        algorithm.end = int(match[1], 0)
    elif match := _SIZE.match(line):
        algorithm.sizes.append(int(match[1], 0))
    elif match := _ADDRESS.match(line):
        algorithm.offsets.append(int(match[1], 0))
