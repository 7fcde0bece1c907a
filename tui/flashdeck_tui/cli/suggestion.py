"""Suggests configuration for devices that are plugged in and not configured. Pure."""

import glob
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from flashdeck.chips import find_chip
from flashdeck.config import Profile
from flashdeck.first_board.chip_guess import ChipGuesses, guess_chips, maps_of, sectors_shown
from flashdeck.first_board.found import FoundBuild
from flashdeck.first_board.partition_layout import PartitionLayout, PlannedPartition, lay_out
from flashdeck.first_board.profile_fit import of_its_kind, speaks_plain, with_its_sectors
from flashdeck.geometry import Geometry, Range, parse_sectors
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.memory_map import Access
from flashdeck.model import BoardState, DeviceState
from flashdeck.text import clean, format_size
from flashdeck.toml.values import header, quoted
from flashdeck_tui.cell_wrap import wrapped

NEW_PROFILE = "product"
PROGRAM: Final = ("flashdeck",)
"""The words that begin a command for the usual daemon."""
WIDTH: Final = 80
"""Columns that a comment is wrapped to."""
MOST_RUNNING: Final = 4
"""Running devices that are named where there is nothing to suggest."""
_KIB: Final = 1024
_EXAMPLE_CHIP = "STM32H563RG"
_EXAMPLE_SECTORS = "128*8K@0x08000000"
_USUAL_FILE = "~/.config/flashdeck/flashdeck.toml"
_NOTHING = "# Nothing to suggest: no DFU device is plugged in that is not configured.\n"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A configuration for one device."""

    device: DeviceState
    name: str
    """A name for the board that nothing has yet."""
    profile: str
    profiles: tuple[str, ...]
    """All profiles of the configuration that it may be of: for its USB id, and with the sectors that it shows. Where
    there are none, `profile` is to be written."""
    serial: str
    """The serial to know it by; "" where the device has none, or not for itself."""
    port: str
    """The same; set where `serial` is not."""
    chips: ChipGuesses = field(default_factory=ChipGuesses)
    """The chips that it may have; told only where `profile` is to be written."""
    layout: PartitionLayout | None = None
    """The partitions for the builds that were found; None where none were looked for, or the flash is not known."""

    program: tuple[str, ...] = PROGRAM
    """The words that begin a command for the same daemon."""

    @property
    def adopt(self) -> tuple[str, ...]:
        """The command that makes the daemon keep the board, as words."""
        return (*self.program, "adopt", self.device.port, "--profile", self.profile, "--name", self.name)


def suggestions(
    devices: Sequence[DeviceState],
    boards: Iterable[BoardState],
    profiles: Mapping[str, Profile],
    taken: Iterable[str],
    builds: Sequence[FoundBuild] | None = None,
    *,
    program: tuple[str, ...] = PROGRAM,
) -> list[Suggestion]:
    """One for each of `devices`. `boards` are the daemon's, `profiles` the configuration's, `taken` the names in it.

    `builds` are those that were found in a directory; None where none was named. `program` begins the commands.
    """
    boards = tuple(boards)
    devices = [_cleaned(device) for device in devices]
    names = {*taken, *(board.name for board in boards)}
    new_profiles = _new_profiles(devices, profiles, {board.profile for board in boards})
    serials = Counter(each.serial for each in (*devices, *boards))
    found: list[Suggestion] = []
    for device in devices:
        fitting = _fitting(device, profiles)
        profile = fitting[0] if fitting else new_profiles[_product(device)]
        name = _free(profile, names)
        names.add(name)
        serial = device.serial if serials[device.serial] == 1 and not device.serial_shared else ""
        chips = ChipGuesses() if fitting else guess_chips(device, builds or ())
        geometry = _geometry(device, chips)
        found.append(
            Suggestion(
                device=device,
                name=name,
                profile=profile,
                profiles=fitting,
                serial=serial,
                port="" if serial else device.port,
                chips=chips,
                program=program,
                layout=None
                if geometry is None or not builds or fitting
                else lay_out(builds, geometry, maps_of(device)),
            )
        )
    return found


def _fitting(device: DeviceState, profiles: Mapping[str, Profile]) -> tuple[str, ...]:
    """Return the profiles for the device's USB id; of several, those whose flash its memory map shows."""
    same_id = [profile for profile in profiles.values() if str(profile.dfu) == device.usb_id]
    fitting = of_its_kind(same_id, device.setting_names, device.usb_id, device.dfu_version)
    narrowed = with_its_sectors(fitting, device.setting_names, device.usb_id)
    return tuple(profile.name for profile in narrowed or fitting)


def _product(device: DeviceState) -> tuple[str, tuple[str, ...]]:
    """Return what devices of one product have in common."""
    return device.usb_id, device.setting_names


def _geometry(device: DeviceState, chips: ChipGuesses) -> Geometry | None:
    """Return the flash of a device: that of the likeliest chip, else what its map shows; None where nobody knows."""
    if chips.guesses:
        return find_chip(chips.guesses[0].name).geometry
    sectors = sectors_shown(maps_of(device))
    return _parsed(sectors) if sectors else None


def _parsed(sectors: str) -> Geometry | None:
    try:
        return parse_sectors(sectors)
    except ValueError:
        return None  # sectors that no configuration may have


def _cleaned(device: DeviceState) -> DeviceState:
    """Whatever the daemon says, it is to be pasted."""
    return replace(
        device,
        usb_id=clean(device.usb_id),
        port=clean(device.port),
        serial=clean(device.serial),
        product=clean(device.product),
        manufacturer=clean(device.manufacturer),
        note=clean(device.note),
        setting_names=tuple(clean(name) for name in device.setting_names),
    )


def to_toml(
    found: Sequence[Suggestion],
    running: Sequence[DeviceState] = (),
    file: Path | None = None,
    program: tuple[str, ...] = PROGRAM,
) -> str:
    """The suggestions as lines for a configuration file. `running` is named where there are none.

    `file` is the configuration, where it is not the usual one, and `program` begins a command for its daemon.
    """
    if not found:
        return _NOTHING + "".join(map(_running, running[:MOST_RUNNING]))
    new: dict[str, Suggestion] = {}
    for each in found:
        if not each.profiles:
            new.setdefault(each.profile, each)
    reload = shlex.join((*program, "config", "reload"))
    title = _comment(f"For {_USUAL_FILE if file is None else _short(str(file))}; after that: {reload}")
    parts = [*map(_profile, new.values()), *map(_board, found)]
    gap = "\n\n" if len(found) > 1 else "\n"  # one board fits on a screen
    return f"{title}\n" + gap.join("\n".join(part) for part in parts) + "\n"


def _running(device: DeviceState) -> str:
    named = clean(f"{device.usb_id} at {device.port}{f', {device.product}' if device.product else ''}")
    ways = " or ".join(device.ways_into_dfu)
    return (
        _comment(f"{named} is running; bring it into DFU mode ({clean(ways)}, or by hand), and run this again") + "\n"
    )


def _new_profiles(
    devices: Iterable[DeviceState], profiles: Mapping[str, Profile], used: Iterable[str]
) -> dict[tuple[str, tuple[str, ...]], str]:
    """A name for the profile of each product."""
    taken = {*profiles, *used}
    free = (name for number in count(1) if (name := NEW_PROFILE + (f"{number}" if number > 1 else "")) not in taken)
    return {product: next(free) for product in dict.fromkeys(map(_product, devices))}


def _free(profile: str, names: set[str]) -> str:
    """A name as the daemon makes one: the profile's with a number, within the 32 characters that a name may have."""
    return next(name for number in count(1) if (name := f"{profile[:27]}-{number}") not in names)


def _profile(suggestion: Suggestion) -> Iterator[str]:
    """Yield the lines of a profile that is to be written."""
    device, table = suggestion.device, ("profiles", suggestion.profile)
    yield header(*table)
    yield f"dfu = {quoted(device.usb_id)}"
    is_plain = speaks_plain(device.setting_names, device.usb_id, device.dfu_version)
    if is_plain:
        yield _comment(_plain(device))
    else:
        yield from _flash(suggestion)
    yield '#app = "0483:5740" # its USB id while its application is running'
    yield '#enter = "detach" # or "touch-1200": from there into DFU mode'
    planned = suggestion.layout.partitions if suggestion.layout is not None else ()
    for partition in planned:
        yield from _partition(table, partition)
    if suggestion.layout is not None:
        for each in suggestion.layout.left_out:
            yield _comment(f"Left out: {each.build.best.path}: {each.reason}")
        for note in suggestion.layout.notes:
            yield _comment(note)
    if not planned:
        yield from _examples(table, () if is_plain else _example(suggestion))


def _plain(device: DeviceState) -> str:
    """Return what is known of the alternate settings of a device without addresses."""
    numbers = ", ".join(map(str, device.alternates))
    names = ", ".join(quoted(name) for name in dict.fromkeys(device.setting_names) if name.strip())
    known = [f"numbers {numbers}" if numbers else "", f"known by name: {names}" if names else ""]
    told = "; ".join(filter(None, known))
    return "It speaks plain DFU 1.1, without addresses: alternate settings instead" + (f" ({told})." if told else ".")


def _flash(suggestion: Suggestion) -> Iterator[str]:
    """Yield what the flash is."""
    guesses, maps = suggestion.chips.guesses, maps_of(suggestion.device)
    if guesses:
        others = ", ".join(quoted(each.name) for each in guesses[1:])
        yield f"flash = {quoted(guesses[0].name)}" + (f" # or {others}" if others else "")
        return
    note = suggestion.chips.note
    sectors = sectors_shown(maps)
    if sectors and _parsed(sectors) is not None:
        yield _comment(
            f'{note[:1].upper()}{note[1:]}. Name yours, as flash = "{_EXAMPLE_CHIP}", instead of its sectors:'
        )
        yield f"sectors = {quoted(sectors)}"
        return
    yield _comment(f"{note[:1].upper()}{note[1:]}. Its chip, by the name on it:")
    yield f"#flash = {quoted(_EXAMPLE_CHIP)}"
    yield "# or, for a chip that flashdeck does not know, its sectors and its RAM:"
    yield f"#sectors = {quoted(_EXAMPLE_SECTORS)}"
    yield '#ram = "0x20000000+640K"'


def _partition(table: tuple[str, ...], partition: PlannedPartition) -> Iterator[str]:
    yield header(*table, "partitions", partition.name)
    yield f"address = 0x{partition.span.start:08x}"
    takes = f" # its build has {format_size(partition.build_size)}" if partition.build_size else ""
    yield f"size = {quoted(_size(partition.span.size))}{takes}"
    if partition.protected:
        yield "protected = true"
    else:
        yield f"image = {quoted(_short(glob.escape(partition.image)))}"


def _example(suggestion: Suggestion) -> tuple[Range, ...]:
    """Return where a bootloader and an application might lie: what its map protects, else an eighth of the flash.

    In a flash of one sector there is only the application.
    """
    maps = maps_of(suggestion.device)
    flash = _first_run(_geometry(suggestion.device, suggestion.chips) or parse_sectors(_EXAMPLE_SECTORS))
    start, end = flash[0].start, flash[-1].end
    least = start + (end - start) // 8
    writable = next((span.start for span in flash if any(each.permits(span, Access.WRITE) for each in maps)), start)
    at = writable if writable > start else next(span.end for span in flash if span.end >= least)
    return (Range(start, at), Range(at, end)) if at < end else (Range(start, end),)


def _first_run(geometry: Geometry) -> list[Range]:
    """Return the sectors of a flash up to its first hole, in its first bank."""
    run: list[Range] = []
    for sector in geometry.sectors():
        if sector.bank or (run and run[-1].end != sector.span.start):
            break
        run.append(sector.span)
    return run


def _examples(table: tuple[str, ...], spans: tuple[Range, ...]) -> Iterator[str]:
    """Yield partitions to be filled in; `spans` end with that of an application, none is for a plain DFU device."""
    yield "# Examples: take the # from what fits, and change it. Or let it be found from"
    yield f"# builds ({SUFFIXES_IN_WORDS}): flashdeck suggest DIR"
    for span in spans[:-1]:
        yield f"#{header(*table, 'partitions', 'bootloader')}"
        yield f"#address = 0x{span.start:08x}"
        yield f"#size = {quoted(_size(span.size))}"
        yield "#protected = true"
    yield f"#{header(*table, 'partitions', 'app')}"
    yield f"#address = 0x{spans[-1].start:08x}" if spans else "#alt = 0 # number or name of the alternate setting"
    yield f"#size = {quoted(_size(spans[-1].size) if spans else '384K')}"
    yield '#image = "~/fw/app/Debug/APP.bin"'


def _board(suggestion: Suggestion) -> Iterator[str]:
    device = suggestion.device
    product = quoted(device.product) if device.product else "A device"
    yield f"# {product}, {device.usb_id} at {device.port}, serial {device.serial or 'none'}"
    if device.serial_shared:
        yield "# Two devices have shown this serial at once: only its port tells which one it is."
    if device.note and not device.note.startswith("not configured"):
        yield f"# The daemon says: {device.note}"
    yield header("boards", suggestion.name)
    others = [quoted(name) for name in suggestion.profiles if name != suggestion.profile]
    have = "have" if len(others) > 1 else "has"
    choice = f" # or {', '.join(others)}, which {have} the same USB id" if others else ""
    yield f"profile = {quoted(suggestion.profile)}{choice}"
    key, value = ("serial", suggestion.serial) if suggestion.serial else ("port", suggestion.port)
    yield f"{key} = {quoted(value)}"
    yield "# Or instead of this table, which also pins its memory map:"
    yield f"#   {shlex.join(suggestion.adopt)}"


def _comment(text: str) -> str:
    """Return a comment, in lines of at most `WIDTH` columns where its words allow that."""
    return "\n".join(wrapped(clean(text, 1000), WIDTH, first="# ", rest="# ", breaks_words=False))


def _size(size: int) -> str:
    return f"{size // _KIB}K" if size % _KIB == 0 else str(size)


def _short(path: str) -> str:
    """Return a path with ~ in place of one's own directory."""
    home = Path.home()
    whole = Path(path)
    return f"~/{whole.relative_to(home)}" if whole.is_relative_to(home) and whole != home else path
