"""The chip table as a file: a line for each chip, so that a change can be read in a diff."""

import json
import re
from collections.abc import Iterable, Iterator

from chip_table.claims import Layout
from chip_table.compare import Result, Row
from flashdeck.geometry import format_ranges

_KIB = 1024
_FAMILY = re.compile(r"[A-Z]+32[A-Z]+\d", re.ASCII)


def to_json(result: Result) -> str:
    """The whole file."""
    alike: dict[str, list[Row]] = {}
    for row in result.rows:
        alike.setdefault(json.dumps(_facts(row)), []).append(row)
    merged = sorted((_names(part for row in rows for part in row.parts), rows[0]) for rows in alike.values())
    chips = ",\n".join(f"  {json.dumps({'names': names, **_facts(row)})}" for names, row in merged)
    absent = {
        "without_usb": " ".join(result.without_usb),
        "without_flash": " ".join(result.without_flash),
        "unproven": _names(result.unproven),
    }
    rest = ",\n".join(f"{json.dumps(key)}: {json.dumps(names)}" for key, names in absent.items())
    return f'{{"chips": [\n{chips}\n],\n{rest}}}\n'


def _facts(row: Row) -> dict[str, str | int | bool]:
    """All but the names, without what is empty."""
    facts: dict[str, str | int | bool] = {
        "sectors": _layout(row.layout),
        "unit": row.program_unit,
        "ram": format_ranges(row.ram),
        "options": format_ranges(row.option_bytes),
        "otp": format_ranges(row.otp),
        "secure": row.secure_alias,
        "manual": row.manual,
        "mode": row.mode,
    }
    return {key: value for key, value in facts.items() if value}


def _names(parts: Iterable[str]) -> str:
    """Names that differ in the letter of the package are one: STM32F405[ORVZ]G."""
    packages: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        packages.setdefault((part[:-2], part[-1]), set()).add(part[-2])
    return " ".join(f"{line}[{''.join(sorted(letters))}]{size}" for (line, size), letters in sorted(packages.items()))


def _layout(layout: Layout) -> str:
    """The sectors as in a configuration, with `|` between banks."""
    banks: dict[int, list[str]] = {}
    for region in layout:
        run = f"{region.count}*{_size(region.sector_size)}"
        bank = banks.setdefault(region.bank, [])
        bank.append(run if bank else f"{run}@0x{region.address:08x}")
    return " | ".join(", ".join(runs) for runs in banks.values())


def _size(size: int) -> str:
    return f"{size // _KIB}K" if size % _KIB == 0 else str(size)


def family_name(part: str) -> str:
    """The family of a part, as STM32F4 or AT32F4."""
    match = _FAMILY.match(part)
    return match[0] if match else part


def sums(result: Result) -> Iterator[str]:
    """The number of parts of each family, and their flash together, a line each."""
    families: dict[str, tuple[int, int]] = {}
    for row in result.rows:
        flash = sum(region.span.size for region in row.layout) // _KIB
        for part in row.parts:
            family = family_name(part)
            count, total = families.get(family, (0, 0))
            families[family] = (count + 1, total + flash)
    for family, (count, total) in families.items():
        yield f"{family}: {count} parts, {total} KiB"
