"""The guards of a partition, and what else tells how to look at its images, read from the configuration."""

from flashdeck.config import DEFAULT_GUARDS, AnyGuard, ByteOrder, Crc, CrcField, CrcGuard, Guard, Holds
from flashdeck.geometry import Range
from flashdeck.patterns import MAX_PATTERN, Pattern, parse_pattern
from flashdeck.text import parse_size
from flashdeck.toml_table import Table

_CRC_KEYS = ("crc", "at", "from", "to", "length", "order", "field")
_WORD = 4
_VECTORS = 8
"""Bytes of a vector table that are looked at: initial stack pointer and reset vector."""
_LENGTH = 4
"""Bytes of the number that says how much a CRC covers."""
_END = "end"
_NEED_ADDRESS = (Guard.RESET, Guard.STACK)
"""Guards that look at addresses in the image; alternate settings have none."""
MAX_GUARDS = 16


def read_guards(table: Table, size: int, holds: Holds, *, has_ram: bool, is_plain: bool) -> frozenset[AnyGuard]:
    """Return the guards of the partition of `size` bytes that `table` describes.

    The default is every guard that can be applied: none but `fits` for data and alternate settings, and no `stack`
    where no RAM is known. Raises ConfigError.
    """
    if "guards" not in table:
        if is_plain or holds is Holds.DATA:
            return frozenset((Guard.FITS,))
        return DEFAULT_GUARDS if has_ram else DEFAULT_GUARDS - {Guard.STACK}
    found = table.items("guards", 'an array, as ["fits", "stack", "reset"]')
    if len(found) > MAX_GUARDS:
        raise table.error("guards", f"has {len(found)} guards", hint=f"use at most {MAX_GUARDS}")
    guards = frozenset(_guard(table, each, size) for each in found)
    for guard in _NEED_ADDRESS:
        if guard in guards and is_plain:
            raise table.error(
                "guards",
                f'"{guard}" needs an address, and a partition with alt has none',
                hint='"fits", "mcuboot" and a CRC can be checked here',
            )
        if guard in guards and holds is Holds.DATA:
            raise table.error(
                "guards",
                f'"{guard}" looks for a program, and holds = "data" says that there is none',
                hint=f'take "{guard}" or holds out',
            )
    if Guard.STACK in guards and not has_ram:
        raise table.error(
            "guards",
            'there is no "stack" guard where nothing says where the RAM is',
            hint='add it beside sectors, as ram = "0x20000000+640K", or take "stack" out',
        )
    return guards


def read_vectors(table: Table, size: int, holds: Holds, *, is_plain: bool) -> int | None:
    """Return the offset of the vector table in the partition of `size` bytes; None where it is not said."""
    if "vectors" not in table:
        return None
    if is_plain or holds is Holds.DATA:
        why = "a partition with alt has no address" if is_plain else 'holds = "data" says that there is no program'
        raise table.error("vectors", f"tells where the vector table is, and {why}", hint="take it out")
    offset = _offset(table, "vectors")
    if offset % _WORD:
        raise table.error(
            "vectors", f"+0x{offset:x} is not a multiple of {_WORD}", hint="is it the size of the header?"
        )
    if offset + _VECTORS > size:
        raise table.error(
            "vectors",
            f"+0x{offset:x} is not inside the partition, which has 0x{size:x} bytes",
            hint='give the distance from the partition\'s start, as vectors = "+0x200"',
        )
    return offset


def read_version(table: Table) -> Pattern | None:
    """Return the pattern of versions that `table` gives; None where it gives none."""
    if "version" not in table:
        return None
    try:
        return parse_pattern(table.text("version", limit=MAX_PATTERN))
    except ValueError as error:
        raise table.error("version", str(error), hint=r"as version = 'fw (?P<version>\S+)'") from error


def _guard(table: Table, item: str | Table, size: int) -> AnyGuard:
    return _crc(item, size) if isinstance(item, Table) else table.member("guards", item, Guard)


def _crc(table: Table, size: int) -> CrcGuard:
    table.check_keys(_CRC_KEYS)
    if "crc" not in table:
        raise table.error("crc", "is missing", hint='name the kind, as { crc = "crc32", at = "end" }')
    guard = CrcGuard(
        crc=table.member("crc", table.values["crc"], Crc),
        at=_end_or_offset(table, "at"),
        start=_offset(table, "from") if "from" in table else 0,
        end=_end_or_offset(table, "to"),
        length=_offset(table, "length") if "length" in table else None,
        order=table.choice("order", ByteOrder.LITTLE),
        field=table.member("field", table.values["field"], CrcField) if "field" in table else None,
    )
    _check_places(table, guard, size)
    return guard


def _check_inside(table: Table, guard: CrcGuard, size: int) -> None:
    """Raise ConfigError where a place that the guard names is outside a partition of `size` bytes."""
    ends = {
        "at": (guard.at or 0) + guard.crc.size,
        "from": guard.start + 1,
        "to": guard.end or 0,
        "length": 0 if guard.length is None else guard.length + _LENGTH,
    }
    for key, end in ends.items():
        if end > size:
            raise table.error(
                key,
                f"is not inside the partition, which has 0x{size:x} bytes",
                hint="all places are distances from the partition's start",
            )


def _check_places(table: Table, guard: CrcGuard, size: int) -> None:
    """Raise ConfigError where the CRC, and what it covers, do not go together in a partition of `size` bytes."""
    _check_inside(table, guard, size)
    if guard.end is not None and guard.end <= guard.start:
        raise table.error("to", f"+0x{guard.end:x} is not behind from (+0x{guard.start:x})", hint="nothing is covered")
    if guard.at is None:
        for key in ("to", "length", "field"):
            if key in table:
                raise table.error(key, 'with at = "end", what is covered ends at the CRC', hint=f"take {key} out")
        return
    if guard.length is not None:
        if "to" in table:
            raise table.error("to", "how much is covered is already given by length", hint="keep one of the two")
        return  # where the CRC lies is seen in each image
    field = Range.sized(guard.at, guard.crc.size)
    covered = Range(guard.start, size if guard.end is None else guard.end)
    open_end = guard.end is None and "to" not in table and guard.field is None  # ends at the CRC, if that is behind
    if guard.field is None and field.overlaps(covered) and not (open_end and field.start > covered.start):
        raise table.error(
            "at",
            f"the CRC (+0x{field.start:x}) lies in what it covers",
            hint='say how its bytes counted when it was made, as field = "zeros", "ones" or "skipped"; or change from',
        )
    if guard.field is not None and not covered.covers(field):
        raise table.error(
            "field", "is for a CRC that lies in what it covers, and this one does not", hint="take it out"
        )


def _end_or_offset(table: Table, key: str) -> int | None:
    """Return the offset under `key`; None for "end" and where it is missing."""
    return None if table.values.get(key, _END) == _END else _offset(table, key, more=' or "end"')


def _offset(table: Table, key: str, *, more: str = "") -> int:
    """Return a distance from the partition's start: a number, or text as "+0x200"."""
    value = table.values[key]
    if not isinstance(value, str):
        return table.number(key)
    text = table.text(key)
    try:
        return parse_size(text.removeprefix("+"))
    except ValueError as error:
        problem = f'"{text[:40]}" is no distance from the partition\'s start'
        raise table.error(key, problem, hint=f'write "+0x200"{more}') from error
