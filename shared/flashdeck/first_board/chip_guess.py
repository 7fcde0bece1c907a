"""The chip of a board, told from its memory map, its descriptors and the builds for it. Pure.

Where nothing narrows the chip table to a few names there is no guess, and a person types the name.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cache
from itertools import pairwise

from flashdeck.chips import Chip, alike_chips, find_chip
from flashdeck.errors import DescriptorError
from flashdeck.first_board.found import FoundBuild
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.memory_map import MemoryMap, parse_memory_map
from flashdeck.model import DeviceState
from flashdeck.text import clean, counted

MOST_GUESSES = 3
"""Chips that are named at most."""
LONGEST_SECTORS = 60
"""Characters of a memory map's sectors in a reason."""
MAX_SECTORS_TEXT = 2000
"""Characters of sectors in a configuration."""
MOST_NARROWED = 8
"""Kinds of chips among which the commonest are named; where more are possible, nothing has narrowed them."""
INTERNAL_FLASH = Range(0x08000000, 0x0C000000)
"""The addresses at which every chip of the table has its own flash."""

_WORD = re.compile(r"[A-Z]{2,4}32[A-Z0-9]{4,9}", re.ASCII)
"""The beginning of a chip's name, at least up to its product line."""
_MAKERS = {
    "STM32": re.compile(r"STM32|STMICRO", re.ASCII),
    "GD32": re.compile(r"GD32|GIGADEVICE|GDMICRO", re.ASCII),
    "AT32": re.compile(r"AT32|ARTERY", re.ASCII),
}
_VENDORS = {"0483": "STM32", "28e9": "GD32", "2e3c": "AT32"}
"""Vendor ids of USB that chip makers own (usb.ids)."""
_WRONG_MAPS = frozenset(("28e9:0189",))
"""Devices whose maps are known to be wrong: the ROM of GD32VF103, which is no chip of the table either (dfu-util)."""
_ROM = re.compile(r"STM32 +BOOTLOADER", re.ASCII)
"""The product string of the bootloader in the ROM of STM32, whose map is right."""
_NO_ROM_DFU = ("STM32F102", "STM32F103")
"""Lines with USB whose ROM does not speak DFU (AN2606)."""
_COMMON = """
STM32F103 STM32F407 STM32F411 STM32F401 STM32F405 STM32F446 STM32F429 STM32F072 STM32F303 STM32H563 STM32H743
STM32L476 STM32G474 STM32G431 STM32G0B1 STM32F746 STM32F767 STM32H750 STM32H723 STM32L432 STM32F722 STM32L496
STM32L4R5 STM32U575 STM32H503 STM32WB55 STM32L552 STM32L152 STM32L053 STM32L072 STM32F042 STM32F070 STM32F205
STM32F207 STM32F105 STM32F412 STM32F413 STM32F469 STM32C071 STM32U083 STM32U5A5 GD32F303 GD32F103 GD32F407
AT32F403A AT32F435
"""
"""Product lines by how often they are met: those of the maker's own and of well-known boards."""


@dataclass(frozen=True, slots=True)
class ChipGuess:
    """Chips that are alike in everything that flashing needs."""

    name: str
    """As the configuration takes it, with an x for the package: "STM32H563xG"."""
    alike: tuple[str, ...] = ()
    """Other product lines with the same flash and RAM: "STM32H562xG"."""
    reason: str = ""
    """The reason for it, in a sentence."""


@dataclass(frozen=True, slots=True)
class ChipGuesses:
    """The likeliest chips, best first: at most three, or none."""

    guesses: tuple[ChipGuess, ...] = ()
    note: str = ""
    """The reason why there are none, or a remark on those that there are; "" for neither."""


class _Fit(Enum):
    """The relation of a memory map to the sectors of a chip."""

    SAME = auto()
    PART = auto()
    """The map shows some of the chip's sectors, and nothing else."""
    LARGER = auto()
    """The map has all of the chip's sectors and goes on behind them, as that of a larger chip does."""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class _AlikeChips:
    """Chips that are alike in everything."""

    names: tuple[str, ...]
    """The commonest first."""
    chip: Chip
    runs: tuple[Region, ...]
    """Its sectors; those of two banks are one run where they touch and are equal."""

    @property
    def flash(self) -> tuple[Range, ...]:
        """The addresses of its flash, without holes."""
        return tuple(run.span for run in _runs(Region(r.address, 1, r.span.size) for r in self.chip.geometry.regions))


@dataclass(slots=True)
class _Narrowing:
    """The candidates that are left, and the clues that have narrowed them."""

    left: list[_AlikeChips]
    words: frozenset[str] = frozenset()
    """Words in the strings of the device that may be names of chips."""
    reasons: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def keep(self, fits: Callable[[_AlikeChips], bool], reason: str = "", otherwise: str = "") -> bool:
        """Keep the candidates that fit and return True; where none does, keep all, and note what is odd."""
        kept = [each for each in self.left if fits(each)]
        if not kept:
            self.notes += [otherwise] if otherwise else []
            return False
        if reason and len(kept) < len(self.left):
            self.reasons.append(reason)
        self.left = kept
        return True


def maps_of(device: DeviceState | None) -> tuple[MemoryMap, ...]:
    """Return the memory maps that a device shows in the names of its alternate settings, each once."""
    return () if device is None else maps_in(device.setting_names, device.usb_id)


def maps_in(names: Iterable[str], usb_id: str) -> tuple[MemoryMap, ...]:
    """Return the memory maps in the names of alternate settings.

    Those that cannot be read are left out, and so are those of devices that are known to show wrong ones.
    """
    if usb_id in _WRONG_MAPS:
        return ()
    found: list[MemoryMap] = []
    for name in dict.fromkeys(names):
        try:
            found.append(parse_memory_map(name))
        except DescriptorError:
            continue
    return tuple(found)


def shows(maps: Iterable[MemoryMap], geometry: Geometry) -> bool:
    """Tell whether memory maps may be those of a board with a flash of that geometry; without a map nothing is told."""
    runs = _internal(maps)
    return not runs or _fit(runs, _runs(geometry.regions)) is not _Fit.OTHER


def sectors_shown(maps: Iterable[MemoryMap]) -> str:
    """Return the sectors of its own flash that a device's maps show, as `sectors` has them; "" where there are none."""
    runs = _internal(maps)
    return "" if _overlap(runs) else _in_words(runs, MAX_SECTORS_TEXT)


def guess_chips(device: DeviceState | None, builds: Iterable[FoundBuild] = ()) -> ChipGuesses:
    """Return the chips that a device may have for which `builds` were made. Without a device the builds have to do."""
    everything = list(_candidates())
    found = _Narrowing(everything)
    _by_what_it_is_called(found, device)
    pool = found.left
    runs = _map_runs(found, device)
    if runs:
        _by_map(found, runs)
    programs = [build for build in builds if build.best.is_program and _is_internal(build)]
    for build in programs:
        _by_program(found, build)
    found.left.sort(key=lambda each: _rank(each.names[0]))
    if not found.reasons:
        why = "nothing that the board shows says which chip it is" if device else "no build says which chip it is for"
        return ChipGuesses(note="; ".join(found.notes) or why)
    if len(found.left) > MOST_NARROWED:
        why = f"{counted(len(found.left), 'kind')} of chips are possible ({'; '.join(found.reasons)})"
        return ChipGuesses(note="; ".join([*found.notes, why]))
    return _told(found, _smaller(found, pool, runs, device, programs))


def _by_what_it_is_called(found: _Narrowing, device: DeviceState | None) -> None:
    """Narrow by the strings of the device, and by whose vendor id it has."""
    if device is None:
        return
    text = f"{device.manufacturer} {device.product}".upper()
    maker = next((name for name, words in _MAKERS.items() if words.search(text)), None)
    maker = maker or _VENDORS.get(device.usb_id[:4])
    if maker:
        found.keep(lambda each: each.names[0].startswith(maker))
    if _ROM.search(text):
        found.keep(lambda each: not each.names[0].startswith(_NO_ROM_DFU))
    found.words = frozenset(_WORD.findall(text))
    if found.words:
        found.keep(lambda each: any(_is_called(name, found.words) for name in each.names), "its USB strings name it")


def _is_called(line: str, words: Iterable[str]) -> bool:
    """Tell whether one of `words` is the name of a chip of that line, or begins it; "STM32H563xG" for any package."""
    stem, size = line[:-2], line[-1]
    for word in words:
        if len(word) <= len(stem):
            if stem.startswith(word):
                return True
        elif word.startswith(stem) and (len(word) < len(stem) + 2 or word[len(stem) + 1] == size):
            return True
    return False


def _map_runs(found: _Narrowing, device: DeviceState | None) -> tuple[Region, ...]:
    """Return the sectors of its own flash that the device's maps show; none where they cannot be used."""
    if device is None:
        return ()
    if device.usb_id in _WRONG_MAPS:
        found.notes.append("the memory map of this bootloader is known to be wrong")
        return ()
    maps = maps_of(device)
    if not maps and any("/0x" in name.lower() for name in device.setting_names):
        found.notes.append(f"its memory map cannot be read ({clean(device.setting_names[0], 60)})")
    runs = _internal(maps)
    if _overlap(runs):
        found.notes.append("its memory map contradicts itself")
        return ()
    return runs


def _internal(maps: Iterable[MemoryMap]) -> tuple[Region, ...]:
    """Return the sectors of the chip's own flash in memory maps."""
    segments = (each for memory_map in maps for each in memory_map.segments if INTERNAL_FLASH.covers(each.span))
    return _runs({Region(each.span.start, each.span.size // each.sector_size, each.sector_size) for each in segments})


def _overlap(runs: Iterable[Region]) -> bool:
    return any(one.span.overlaps(other.span) for one, other in pairwise(runs))


def _by_map(found: _Narrowing, runs: tuple[Region, ...]) -> None:
    shown = _in_words(runs, LONGEST_SECTORS)
    fits = {each.names: _fit(runs, each.runs) for each in found.left}
    if found.keep(lambda each: fits[each.names] is _Fit.SAME, f"its memory map shows {shown}"):
        return
    if found.keep(lambda each: fits[each.names] is _Fit.PART, f"its memory map shows {shown} of it"):
        # Bootloaders that show only what they write show it to the end.
        found.keep(lambda each: _ends_with(each, runs))
        return
    found.keep(
        lambda each: fits[each.names] is _Fit.LARGER,
        f"its memory map shows {shown}, more than it has",
        f"no chip that is known has the sectors of its memory map ({shown})",
    )


def _by_program(found: _Narrowing, build: FoundBuild) -> None:
    """Narrow by where a program lies and by its stack, which usually begins at the end of RAM."""
    stack, name = build.best.initial_stack or 0, clean(build.name)
    shown = f"the stack of {name} begins at 0x{stack:08x}"
    before = len(found.left)
    if not found.keep(
        lambda each: _has_room(each, build), "", f"{name} fits none of the chips that the board may have"
    ):
        return
    ends = found.keep(lambda each: any(stack == ram.end for ram in each.chip.ram))
    if len(found.left) < before:
        found.reasons.append(f"{shown}, the end of its RAM" if ends else f"{shown}, in its RAM")


def _has_room(candidate: _AlikeChips, build: FoundBuild) -> bool:
    stack = build.best.initial_stack or 0
    if not any(ram.start < stack <= ram.end for ram in candidate.chip.ram):
        return False
    start, end = build.best.start, build.best.end
    return start is None or end is None or any(span.covers(Range(start, end)) for span in candidate.flash)


def _is_internal(build: FoundBuild) -> bool:
    start = build.best.start
    return build.best.initial_stack is not None and (
        start is None or INTERNAL_FLASH.start <= start < INTERNAL_FLASH.end
    )


def _smaller(
    found: _Narrowing,
    pool: Sequence[_AlikeChips],
    runs: tuple[Region, ...],
    device: DeviceState | None,
    programs: Sequence[FoundBuild],
) -> _AlikeChips | None:
    """Return the next smaller chip of the likeliest line, where the map may be that of the largest of its line."""
    best = found.left[0]
    if device is None or _ROM.search(device.product.upper()) or len(found.left) >= MOST_GUESSES:
        return None
    if not best.names[0].startswith("STM32") or _fit(runs, best.runs) is not _Fit.SAME:
        return None
    line = best.names[0][:-1]
    smaller = [
        each
        for each in pool
        if any(name.startswith(line) for name in each.names)
        and _fit(runs, each.runs) is _Fit.LARGER
        and all(_has_room(each, build) for build in programs if _has_room(best, build))
    ]
    return max(smaller, key=lambda each: sum(span.size for span in each.flash), default=None)


def _told(found: _Narrowing, smaller: _AlikeChips | None) -> ChipGuesses:
    reason = "; ".join(dict.fromkeys(found.reasons))
    guesses = [_guess(each, found.words, reason) for each in found.left[:MOST_GUESSES]]
    if smaller is not None:
        why = "the same line with less flash: some bootloaders show the map of the largest chip"
        guesses.append(_guess(smaller, frozenset((found.left[0].names[0][:-2],)), why))
    more = len(found.left) - MOST_GUESSES
    notes = [*found.notes, *([f"{counted(more, 'other kind')} of chips would fit too"] if more > 0 else [])]
    return ChipGuesses(tuple(guesses), "; ".join(notes))


def _in_words(runs: Sequence[Region], longest: int) -> str:
    """Return sectors as the configuration writes them."""
    text, end = "", -1
    for run in runs:
        size = f"{run.sector_size // 1024}K" if run.sector_size % 1024 == 0 else str(run.sector_size)
        text += f"{', ' if text else ''}{run.count}*{size}" + ("" if run.address == end else f"@0x{run.address:08x}")
        end = run.span.end
    return clean(text, longest)


def _guess(candidate: _AlikeChips, words: frozenset[str], reason: str) -> ChipGuess:
    """Return the guess under the name that `words` have for it, else under the commonest."""
    name = next((each for each in candidate.names if _is_called(each, words)), candidate.names[0])
    return ChipGuess(name, tuple(each for each in candidate.names if each != name), reason)


def _fit(shown: Sequence[Region], own: Sequence[Region]) -> _Fit:
    """Return how the sectors that a map shows are related to those of a chip.

    What it shows apart from the chip's flash is another memory, as the EEPROM of STM32L0.
    """
    common = 0
    for one in shown:
        for other in own:
            start, end = max(one.address, other.address), min(one.span.end, other.span.end)
            if start < end:
                if one.sector_size != other.sector_size or (one.address - other.address) % one.sector_size:
                    return _Fit.OTHER
                common += end - start
    ends = {run.span.end for run in own}
    goes_on = any(run.address <= end < run.span.end and end == max(ends) for run in shown for end in ends)
    if not common:
        return _Fit.OTHER
    if common == sum(run.span.size for run in own):
        return _Fit.LARGER if goes_on else _Fit.SAME
    return _Fit.OTHER if goes_on else _Fit.PART


def _ends_with(candidate: _AlikeChips, runs: Sequence[Region]) -> bool:
    return candidate.runs[-1].span.end == runs[-1].span.end


def _runs(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Return runs of sectors in ascending order, whatever their bank, those that touch and are equal as one."""
    runs: list[Region] = []
    for region in sorted(regions, key=lambda each: (each.address, each.count, each.sector_size)):
        last = runs[-1] if runs else None
        if last and last.span.end == region.address and last.sector_size == region.sector_size:
            runs[-1] = replace(last, count=last.count + region.count)
        else:
            runs.append(replace(region, bank=0))
    return tuple(runs)


def _rank(name: str) -> tuple[int, str]:
    """Return the place of a chip by how often it is met."""
    return _places().get(name[:-2], len(_COMMON)), name


@cache
def _places() -> dict[str, int]:
    return {line: place for place, line in enumerate(_COMMON.split())}


@cache
def _candidates() -> tuple[_AlikeChips, ...]:
    found: list[_AlikeChips] = []
    for names in alike_chips():
        chip = find_chip(names[0])
        found.append(_AlikeChips(tuple(sorted(names, key=_rank)), chip, _runs(chip.geometry.regions)))
    return tuple(found)
