"""Reads a checkout of probe-rs/probe-rs: the sectors that the chip makers' own flash algorithms erase.

Made from CMSIS packs: the sectors are in the algorithms that the makers of the chips compiled for debuggers. The memory maps
beside them were since copied from embassy's table for many parts, and are not read here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chip_table.claims import Claim, Layout, SourceError
from flashdeck.geometry import Range, Region

NAME = "probe-rs/probe-rs"
_FLASH = range(0x08000000, 0x08800000)
_SECTION = re.compile(r"([a-z_]+):")
_ITEM = re.compile(r"- name: (\S+)")
_ALGORITHM = re.compile(r"  - (\S+)")
_START = re.compile(r"      start: (0x[0-9a-f]+)")
_END = re.compile(r"      end: (0x[0-9a-f]+)")
_SIZE = re.compile(r"    - size: (0x[0-9a-f]+)")
_ADDRESS = re.compile(r"      address: (0x[0-9a-f]+)")


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
    """What it says of each part."""
    files = sorted(checkout.glob("probe-rs/targets/STM32*_Series.yaml"))
    if not files:
        raise SourceError(f"{checkout} has no probe-rs/targets/STM32*_Series.yaml, as a checkout of {NAME} has")
    for file in files:
        parts, algorithms = _parse(file.read_text())
        for part, names in parts.items():
            used = {name: algorithms[name] for name in names if name in algorithms}
            yield Claim(
                NAME,
                part,
                erased_by=tuple(each.layout(name) for name, each in used.items() if each.start in _FLASH),
                option_bytes=_ranges(used, "_opt"),
                otp=_ranges(used, "_otp"),
            )


def _ranges(algorithms: dict[str, _Algorithm], suffix: str) -> tuple[Range, ...]:
    return tuple(Range(each.start, each.end) for name, each in algorithms.items() if name.endswith(suffix))


def _parse(text: str) -> tuple[dict[str, list[str]], dict[str, _Algorithm]]:
    """The names of the algorithms of each part, and the algorithms. These files are always indented in the same way."""
    parts: dict[str, list[str]] = {}
    algorithms: dict[str, _Algorithm] = {}
    section = inner = ""
    names: list[str] = []
    algorithm = _Algorithm()
    for line in text.splitlines():
        if match := _SECTION.match(line):
            section = match[1]
        elif match := _ITEM.match(line):
            names, algorithm = [], _Algorithm()
            if section == "variants":
                parts[match[1]] = names
            elif section == "flash_algorithms":
                algorithms[match[1]] = algorithm
        elif match := re.match(r"  ([a-z_]+):", line):
            inner = match[1]
        elif section == "variants" and inner == "flash_algorithms" and (match := _ALGORITHM.match(line)):
            names.append(match[1])
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
