"""Compares what the sources say, part by part, and decides what the chip table has of it. Pure.

Parts that differ in their package only are one chip, and what is said of one of them is said of all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chip_table import manuals
from chip_table.claims import Claim, Layout, bank_count, erases, flash_size
from flashdeck.geometry import Range, Region

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """A chip of the table, in all its packages."""

    parts: tuple[str, ...]
    layout: Layout
    program_unit: int
    ram: tuple[Range, ...]
    option_bytes: tuple[Range, ...]
    otp: tuple[Range, ...]
    secure_alias: bool
    manual: str
    mode: str


@dataclass(slots=True)
class Result:
    """The chip table, and what is not in it."""

    rows: list[Row] = field(default_factory=list[Row])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Chips, with `?` for the letter of the package, and why they are left out."""
    corrected: dict[str, str] = field(default_factory=dict[str, str])
    """Chips, and what a manual says otherwise than a source."""
    without_usb: list[str] = field(default_factory=list[str])
    """Lines that have no USB, as STM32WBA55."""
    without_flash: list[str] = field(default_factory=list[str])
    """Lines that have no flash of their own, as STM32N657."""
    unproven: list[str] = field(default_factory=list[str])
    """Parts with USB and flash that are left out."""


class _LeftOutError(Exception):
    """The sources do not prove what a chip is like."""


def compare(claims: Iterable[Claim]) -> Result:
    """The table that the sources agree on, or manuals decide about."""
    result = Result()
    chips: dict[str, list[Claim]] = {}
    for claim in claims:
        chips.setdefault(f"{_line(claim.part)}?{claim.part[-1]}", []).append(claim)
    for name, said in sorted(chips.items()):
        part = said[0].part
        if not any(claim.usb for claim in said) and not manuals.usb_by_manual(part) and not manuals.is_kept(part):
            continue  # `_sort_lines` says why
        if not any(claim.layouts or claim.flash_size for claim in said):
            continue  # the same
        try:
            row, corrections = _row(said)
        except _LeftOutError as error:
            result.left_out[name] = str(error)
            result.unproven += sorted({claim.part for claim in said})
        else:
            result.rows.append(row)
            if corrections:
                result.corrected[name] = "; ".join(corrections)
    _sort_lines(chips.values(), result)
    return result


def _line(part: str) -> str:
    """The product line, as STM32F405: what is before the letters of package and size."""
    return part[:-2]


def _sort_lines(chips: Iterable[Sequence[Claim]], result: Result) -> None:
    """Sort the lines that have no chip in the table by the reason."""
    lines: dict[str, list[Claim]] = {}
    for said in chips:
        for claim in said:
            lines.setdefault(_line(claim.part), []).append(claim)
    known = {_line(part) for row in result.rows for part in row.parts}
    for line, said in sorted(lines.items()):
        asked = [claim.usb for claim in said if claim.usb is not None]
        if line in known or not asked:
            continue
        if not any(asked):
            result.without_usb.append(line)
        elif not any(claim.layouts or claim.flash_size or claim.erased_by for claim in said):
            result.without_flash.append(line)


def _row(said: Sequence[Claim]) -> tuple[Row, list[str]]:
    """A chip, and where manuals decided. Raises _LeftOutError where it is not proved."""
    part = said[0].part
    family = manuals.family_of(part)
    if family is None:
        raise _LeftOutError("nobody looked its manual up")
    corrections: list[str] = []
    _check_usb(said, corrections)
    layout = _layout(said, corrections)
    _check_size(said, layout, corrections)
    _check_sectors(said, layout, corrections)
    options, otp = manuals.ranges(family.option_bytes), manuals.ranges(family.otp)
    _check_starts("option bytes", (claim.option_bytes for claim in said), options)
    _check_starts("OTP", (claim.otp for claim in said), otp)
    mode = manuals.mode_of(part)
    row = Row(
        parts=tuple(sorted({claim.part for claim in said if claim.layouts} or {claim.part for claim in said})),
        layout=layout,
        program_unit=family.program_unit,
        ram=_ram(said, corrections),
        option_bytes=options,
        otp=otp,
        secure_alias=family.secure_alias,
        manual=family.manual,
        mode=mode.words if mode else "",
    )
    return row, corrections


def _check_usb(said: Sequence[Claim], corrections: list[str]) -> None:
    if len({claim.usb for claim in said} - {None}) > 1:
        manual = manuals.usb_by_manual(said[0].part)
        if manual is None:
            raise _LeftOutError("one source has USB and one has not")
        corrections.append(f"USB ({manual})")


def _layout(said: Sequence[Claim], corrections: list[str]) -> Layout:
    """The mode that the chip is delivered in, of all that the sources have."""
    modes = {claim.layouts for claim in said if claim.layouts}
    if not modes:
        if looked_up := manuals.layout_of(said[0].part):
            return looked_up
        raise _LeftOutError("no source has its banks")
    if len(modes) != 1:
        raise _LeftOutError("a source says different things of its packages")
    mode = manuals.mode_of(said[0].part)
    banks = mode.banks if mode else 1
    (layouts,) = modes
    fitting = [layout for layout in layouts if bank_count(layout) == banks]
    if len(fitting) == 1:
        return fitting[0]
    if mode and mode.halved and len(layouts) == 1 and (halves := _halved(layouts[0])):
        corrections.append(f"two banks ({mode.halved})")
        return halves
    raise _LeftOutError(f"a source does not have the mode that it is delivered in, which has {banks} bank(s)")


def _halved(layout: Layout) -> Layout:
    """The same sectors in two banks; () where that is not possible."""
    if len(layout) != 1 or layout[0].count % 2:
        return ()
    whole = layout[0]
    half = whole.count // 2
    return (
        Region(whole.address, half, whole.sector_size, 0),
        Region(whole.address + half * whole.sector_size, half, whole.sector_size, 1),
    )


def _check_size(said: Sequence[Claim], layout: Layout, corrections: list[str]) -> None:
    size, part = flash_size(layout), said[0].part
    if size != (manuals.size_by_name(part) or 0) * _KIB:
        raise _LeftOutError(f"{size // _KIB} KiB is not what its name says")
    wrong = {claim.source: claim.flash_size for claim in said if claim.flash_size not in (None, size)}
    for source, other in wrong.items():
        if not manuals.is_corrected(part, source):
            raise _LeftOutError(f"the flash has {size // _KIB} KiB, and {(other or 0) // _KIB} in {source}")
        corrections.append(f"flash of {size // _KIB} KiB by its name")


def _check_sectors(said: Sequence[Claim], layout: Layout, corrections: list[str]) -> None:
    erasers = [eraser for claim in said for eraser in claim.erased_by]
    if not erasers:
        raise _LeftOutError("one source has its sectors")
    if not any(erases(eraser, layout) for eraser in erasers):
        manual = manuals.sectors_by_manual(said[0].part)
        if manual is None:
            raise _LeftOutError("the sectors differ")
        corrections.append(f"sectors ({manual})")


def _check_starts(what: str, said: Iterable[Sequence[Range]], known: Sequence[Range]) -> None:
    """Algorithms write less than is there, or more than is documented; where it starts is what they agree in."""
    starts = {each.start for claimed in said for each in claimed}
    if not starts <= {each.start for each in known}:
        raise _LeftOutError(f"{what}: 0x{min(starts):08x} is not what its manual says")


def _ram(said: Sequence[Claim], corrections: list[str]) -> tuple[Range, ...]:
    claimed = {(claim.source, claim.ram) for claim in said if claim.ram is not None}
    values = {ram for _, ram in claimed}
    manual = manuals.ram_of(said[0].part)
    if manual is not None:
        ram = manuals.ranges(manual.ranges)
        if values != {ram}:
            corrections.append(f"RAM {manual.ranges} ({manual.manual}: {manual.reason})")
        return ram
    if len(values) != 1:
        raise _LeftOutError("RAM: " + ", or ".join(sorted(" and ".join(map(str, ram)) for ram in values)))
    if len(claimed) == 1:
        raise _LeftOutError("one source has its RAM")
    return values.pop()


def problems(result: Result) -> Iterator[str]:
    """The decisions, a line each, for whoever makes the table."""
    for name, words in result.corrected.items():
        yield f"{name}: corrected: {words}"
    for name, words in result.left_out.items():
        yield f"{name}: left out: {words}"
