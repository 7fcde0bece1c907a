"""Reads the configuration from TOML and checks all of it, so that nothing behind it has to.

Every mistake is a ConfigError that names file, table and key, says what was seen and what to do.
"""

import glob
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path, PurePath

from flashdeck.board_tables import BOARD_FILE_KEYS, check_identities, read_adopted_board, read_board
from flashdeck.chips import Chip, find_chip
from flashdeck.config import (
    DEFAULT_SETTLE,
    BankPolicy,
    Config,
    Enter,
    ErasePolicy,
    Holds,
    MapPolicy,
    Outside,
    Partition,
    PollPolicy,
    Profile,
    UsbId,
    VerifyPolicy,
)
from flashdeck.errors import ConfigError
from flashdeck.geometry import ADDRESS_SPACE, Geometry, Range, parse_ranges, parse_sectors
from flashdeck.guard_tables import read_guards, read_vectors, read_version
from flashdeck.paths import BOARD_FILE_NAME, absolute, board_file_path, default_config_path
from flashdeck.text import clean, format_size
from flashdeck.toml_table import MAX_PATH, Table, check_name, one_of
from flashdeck.trustzone import FLASH_OFFSET, SECURE_FLASH, secure_view

MAX_FILE_SIZE = 1024 * 1024
MAX_FILES = 64

TOP_KEYS = ("include", "daemon", "profiles", "boards")
TOP_KEYS_LATER = ("hosts", "tui", "hooks")
PROFILE_KEYS = (
    *("dfu", "app", "enter", "enter_hint", "leave", "flash", "sectors", "ram", "map"),
    *("erase", "verify", "poll", "banks", "trust_cache", "partitions"),
)
PROFILE_KEYS_LATER = ("hooks",)
PARTITION_KEYS = (
    *("address", "alt", "size", "protected", "image", "auto", "holds", "guards", "vectors", "version", "settle"),
    *("outside", "base"),
)
_NOT_IF_PROTECTED = ("image", "auto", "guards", "version", "settle", "outside", "base")
_NOT_WITHOUT_ADDRESS = ("outside", "base")
"""Keys of a partition that mean nothing for an alternate setting."""
_NOT_IF_PLAIN = ("flash", "sectors", "ram", "map", "erase", "banks", "trust_cache")
"""Keys of a profile that say something about addresses."""
_GIVEN_BY_FLASH = {"sectors": "the geometry is", "ram": "the RAM is"}
_MAX_ALTERNATE = 255
"""bAlternateSetting has one byte (USB 2.0, table 9-12)."""

_USB_ID = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{1,4})", re.ASCII | re.IGNORECASE)


def load(path: Path) -> Config:
    """The configuration that `path`, the files that it includes, and the boards.toml beside it hold.

    Raises ConfigError for the first thing that is wrong.
    """
    main = absolute(path)
    if main.name == BOARD_FILE_NAME:
        raise ConfigError(
            f"{_shown(main)}: this name belongs to the file that flashdeckd writes beside the configuration",
            hint="give the configuration another name",
        )
    return _checked(_read_with_includes(main), board_file_path(main))


def default_config(*, virtual: bool = False, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration at its default place; where there is no file, an empty one with what boards.toml has."""
    path = default_config_path(virtual=virtual, environ=environ)
    return _checked([], board_file_path(path)) if _is_absent(path) else load(path)


def _checked(files: Sequence[Table], board_file: Path) -> Config:
    settle = _default_settle(files[0]) if files else DEFAULT_SETTLE
    profiles = {name: _profile(name, table, settle) for name, table in _merged(files, "profiles").items()}
    tables = _merged(files, "boards")
    boards = {name: read_board(name, table, profiles) for name, table in tables.items()}
    adopted = None if _is_absent(board_file) else _read_board_file(board_file)
    for name, table in adopted.tables("boards") if adopted else ():
        boards[name] = read_adopted_board(name, table, profiles, boards.get(name), tables.get(name))
        tables[name] = table
    check_identities(boards, tables)
    return Config(
        profiles,
        boards,
        tuple(table.file for table in (*files, *([adopted] if adopted else []))),
        frozenset(adopted.texts("disarmed")) if adopted else frozenset(),
    )


def _default_settle(main: Table) -> float:
    daemon = main.table("daemon")
    daemon.check_keys(("settle",))
    return _settle(daemon, DEFAULT_SETTLE)


# Files


def _is_absent(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # something is there, and `load` says what is wrong with it
    return False


def _read_with_includes(main: Path) -> list[Table]:
    """The top tables of all files, the main one first, each before what it includes."""
    board_file = os.path.realpath(board_file_path(main))
    found: dict[str, Table] = {}  # by real path: two names of one file are a repeat as well

    def read(path: Path, including: tuple[Table, ...]) -> None:
        real = os.path.realpath(path)
        parent = including[-1] if including else None
        if parent is not None:
            if any(os.path.realpath(table.file) == real for table in including):
                raise parent.error("include", f"{_shown(path)} is included by itself", hint="take it out")
            if real in found:
                raise parent.error("include", f"{_shown(path)} is included a second time", hint="include it once")
            if real == board_file:
                raise parent.error("include", f"{_shown(path)} is always read", hint="take it out")
            if len(found) >= MAX_FILES:
                raise parent.error("include", f"more than {MAX_FILES} files")
        top = _read_file(path, parent)
        found[real] = top
        for text in top.texts("include"):
            read(_expand(top, "include", text), (*including, top))

    read(main, ())
    return list(found.values())


def _read_file(path: Path, parent: Table | None) -> Table:
    """The top table of a file that people write."""
    top = Table(path, "", _values(path, parent))
    top.check_keys(TOP_KEYS, TOP_KEYS_LATER)
    if parent is not None and "daemon" in top:
        raise top.error("daemon", "only the main file may have this table", hint="move it there")
    return top


def _read_board_file(path: Path) -> Table:
    """The top table of boards.toml."""
    top = Table(path, "", _values(path, None, broken="move it away; its boards must then be adopted again"))
    top.check_keys(BOARD_FILE_KEYS)
    return top


def _values(path: Path, parent: Table | None, *, broken: str = "") -> dict[str, object]:
    """What TOML makes of a file. `parent` includes it; `broken` is a hint for one that is not TOML."""

    def refuse(problem: str, hint: str = "") -> ConfigError:
        what = f"{_shown(path)}: {problem}"
        return ConfigError(what, hint=hint) if parent is None else parent.error("include", what, hint=hint)

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refuse("is not a file", broken)
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as error:
        raise refuse("there is no such file", "check the path, or write the file") from error
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_SIZE:
        raise refuse(f"is larger than {format_size(MAX_FILE_SIZE)}", broken or "is this a configuration file?")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
        raise refuse(problem, broken or "is this a configuration file?") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, arrays in arrays in arrays
        raise refuse(f"is not valid TOML: {clean(str(error))}", broken) from error


def _merged(files: Iterable[Table], key: str) -> dict[str, Table]:
    """The named tables under `key` of all files."""
    merged: dict[str, Table] = {}
    for file in files:
        for name, table in file.tables(key):
            check_name(name, table)
            if name in merged:
                raise table.error("", f"is also in {_shown(merged[name].file)}", hint="rename one of the two")
            merged[name] = table
    return merged


def _expand(table: Table, key: str, text: str) -> Path:
    """An absolute path: `~` is a home directory, anything relative is relative to the file that it stands in."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise table.error(key, f'"{text}": there is no such home directory') from error
    return Path(os.path.normpath(table.file.parent / path))


# Profiles


def _profile(name: str, table: Table, settle: float) -> Profile:
    table.check_keys(PROFILE_KEYS, PROFILE_KEYS_LATER)
    is_plain = _is_plain(table)
    chip = None if is_plain else _chip(table)
    geometry = Geometry(()) if is_plain else _chip_geometry(table, chip) if chip else _geometry(table)
    dfu = _usb_id(table, "dfu")
    app = _usb_id(table, "app") if "app" in table else None
    if app == dfu:
        raise table.error(
            "app",
            f"{app} is also what dfu says, so the two modes can not be told apart",
            hint="give the application a product id of its own, or leave app out",
        )
    return Profile(
        name=name,
        dfu=dfu,
        geometry=geometry,
        chip=chip.name if chip else "",
        option_bytes=chip.option_bytes if chip else (),
        otp=chip.otp if chip else (),
        secure_alias=chip.secure_alias if chip else False,
        app=app,
        enter=_enter(table, app),
        enter_hint=table.text("enter_hint") if "enter_hint" in table else "",
        leave=table.flag("leave", default=True),
        map=table.choice("map", MapPolicy.CHECK),
        erase=table.choice("erase", ErasePolicy.NEEDED),
        verify=table.choice("verify", VerifyPolicy.AUTO),
        poll=table.choice("poll", PollPolicy.SPEC if is_plain else PollPolicy.AUTO),
        banks=table.choice("banks", BankPolicy.CHECK),
        trust_cache=table.flag("trust_cache", default=False),
        partitions=_alternates(table, settle) if is_plain else _partitions(table, geometry, settle),
    )


def _is_plain(profile: Table) -> bool:
    """Whether it is for plain DFU 1.1 devices: all partitions name an alternate setting, or none does."""
    partitions = [table for _, table in profile.tables("partitions")]
    if all("alt" not in table for table in partitions):
        return False
    for table in partitions:
        if "address" in table:
            raise table.error(
                "address",
                "a device takes either addresses (DfuSe) or alternate settings (plain DFU 1.1), and alt is used here",
                hint="keep the one that the device knows: bcdDFUVersion is 0x011a for DfuSe",
            )
    for key in _NOT_IF_PLAIN:
        if key in profile:
            raise profile.error(
                key, "means nothing for partitions with alt: plain DFU 1.1 has no addresses", hint="take it out"
            )
    if profile.values.get("poll") == PollPolicy.AUTO:
        raise profile.error(
            "poll",
            '"auto" learns from an erase, and plain DFU 1.1 has none',
            hint="take it out: such a device is always given the time that it claims",
        )
    return True


def _chip(table: Table) -> Chip | None:
    """The chip that `flash` names; None where there is no `flash`."""
    if "flash" not in table:
        return None
    for key in ("sectors", "ram"):
        if key in table:
            raise table.error(key, f"{_GIVEN_BY_FLASH[key]} already given by flash", hint="keep one of the two")
    try:
        return find_chip(table.text("flash"))
    except ConfigError as error:
        raise table.error("flash", error.message, hint=error.hint) from error


def _chip_geometry(table: Table, chip: Chip) -> Geometry:
    """Return the geometry of `chip` at the addresses that the partitions have: secure ones, or those of all chips.

    One profile has one kind, so that two partitions, one of them protected, never name the same flash in two ways.
    """
    partitions = [partition for _, partition in table.tables("partitions") if "address" in partition]
    secure = [each for each in partitions if SECURE_FLASH.start <= each.number("address") < SECURE_FLASH.end]
    if not chip.secure_alias or not secure:
        return chip.geometry
    for partition in partitions:
        address = partition.number("address")
        if partition not in secure and chip.geometry.sectors_in(Range.sized(address, 1)):
            raise partition.error(
                "address",
                f"0x{address:08x} is not secure, and {secure[0].name} has a secure address: both name the same flash",
                hint=f"use one kind in a profile: 0x{address + FLASH_OFFSET:08x} is the secure address of this one",
            )
    return secure_view(chip.geometry)


def _geometry(table: Table) -> Geometry:
    """The geometry that `sectors` and `ram` describe."""
    if "sectors" not in table:
        raise table.error(
            "flash",
            "is missing",
            hint='name the chip, as flash = "STM32H563RG", or give its sectors, as sectors = "128*8K@0x08000000"',
        )
    try:
        geometry = parse_sectors(table.text("sectors", limit=2000))
    except ValueError as error:
        raise table.error("sectors", str(error)) from error
    return replace(geometry, ram=_ram(table, geometry)) if "ram" in table else geometry


def _ram(table: Table, geometry: Geometry) -> tuple[Range, ...]:
    try:
        ram = parse_ranges(table.text("ram", limit=1000))
    except ValueError as error:
        raise table.error("ram", str(error)) from error
    for area in ram:
        for region in geometry.regions:
            if area.overlaps(region.span):
                raise table.error(
                    "ram",
                    f"{area} is flash by sectors ({region.span})",
                    hint="give the addresses of the RAM, as 0x20000000+640K",
                )
    return ram


def _enter(table: Table, app: UsbId | None) -> Enter:
    value = table.values.get("enter")
    if isinstance(value, dict) and "command" in value:
        raise table.unsupported("enter", hint=one_of(Enter))
    enter = table.choice("enter", Enter.MANUAL, later=("touch-1200",))
    if enter is Enter.DETACH and app is None:
        raise table.error(
            "enter",
            '"detach" asks the running application, and there is no app to know it by',
            hint='add its USB id, as app = "0483:5740", or use enter = "manual"',
        )
    return enter


def _usb_id(table: Table, key: str) -> UsbId:
    text = table.text(key)
    match = _USB_ID.fullmatch(text)
    if match is None:
        raise table.error(
            key, f'"{clean(text, 40)}" is not a USB id', hint='write vendor and product in hex, as "0483:df11"'
        )
    return UsbId(int(match[1], 16), int(match[2], 16))


# Partitions


def _partitions(profile: Table, geometry: Geometry, settle: float) -> dict[str, Partition]:
    partitions = {name: _partition(name, table, geometry, settle) for name, table in profile.tables("partitions")}
    for one, other in combinations(partitions.values(), 2):
        if one.span.overlaps(other.span):
            raise (
                profile.table("partitions")
                .table(other.name)
                .error(
                    "address",
                    f"{other.name} ({other.span}) overlaps {one.name} ({one.span})",
                    hint="move or shorten one of the two",
                )
            )
    return partitions


def _alternates(profile: Table, settle: float) -> dict[str, Partition]:
    """The partitions of a plain DFU 1.1 device."""
    partitions: dict[str, Partition] = {}
    for name, table in profile.tables("partitions"):
        alternate = _alternate(table)
        for other in partitions.values():
            if other.alternate == alternate:
                raise table.error("alt", f"{other.name} is this alternate setting, too", hint="change one of the two")
            if isinstance(other.alternate, int) is not isinstance(alternate, int):
                raise table.error(
                    "alt",
                    f"is {_words(alternate)} here and {_words(other.alternate)} for {other.name}: nobody could see "
                    "that they are the same",
                    hint="use either numbers or names in one profile",
                )
        partitions[name] = _partition(name, table, Geometry(()), settle, alternate=alternate)
    return partitions


def _alternate(table: Table) -> int | str:
    """An alternate setting, by its number or its name."""
    if isinstance(table.values.get("alt"), str):
        name = table.text("alt").strip()
        if not name:
            raise table.error("alt", "is blank", hint='write the number or the name, as alt = 0 or alt = "app1"')
        return name
    number = table.number("alt")
    if number > _MAX_ALTERNATE:
        raise table.error("alt", f"{number} is no number of an alternate setting", hint=f"use 0 to {_MAX_ALTERNATE}")
    return number


def _words(alternate: int | str | None) -> str:
    return "a number" if isinstance(alternate, int) else "a name"


def _partition(
    name: str, table: Table, geometry: Geometry, settle: float, *, alternate: int | str | None = None
) -> Partition:
    check_name(name, table)
    table.check_keys(PARTITION_KEYS)
    protected = table.flag("protected", default=False)
    for key in _NOT_IF_PROTECTED:
        if protected and key in table:
            raise table.error(key, "this partition is protected and never written", hint=f"remove {key} or protected")
    is_plain = alternate is not None
    for key in _NOT_WITHOUT_ADDRESS:
        if is_plain and key in table:
            raise table.error(key, "is about addresses, and a partition with alt has none", hint=f"remove {key}")
    span = Range.sized(0, _positive_size(table)) if is_plain else _span(table, geometry)
    holds = table.choice("holds", Holds.PROGRAM)
    return Partition(
        name=name,
        span=span,
        protected=protected,
        image=_image(table) if "image" in table else "",
        auto=table.flag("auto", default=True),
        guards=read_guards(table, span.size, holds, has_ram=bool(geometry.ram), is_plain=is_plain),
        holds=holds,
        outside=table.choice("outside", Outside.REFUSE),
        base=_base(table) if "base" in table else None,
        vectors=read_vectors(table, span.size, holds, is_plain=is_plain),
        version=read_version(table),
        settle=_settle(table, settle),
        alternate=alternate,
    )


def _span(table: Table, geometry: Geometry) -> Range:
    address, size = table.number("address"), _positive_size(table)
    if address + size > ADDRESS_SPACE:
        raise table.error("address", f"the partition would end at 0x{address + size:x}, outside 32-bit addresses")
    span = Range.sized(address, size)
    if geometry.is_whole_sectors(span):
        return span
    first, last = (_sector_at(geometry, at) for at in (span.start, span.end - 1))
    if first is None:
        raise table.error("address", f"0x{address:08x} is not in the flash", hint=_flash_hint(geometry))
    if last is None:
        raise table.error("size", f"{span} goes beyond the flash", hint=_flash_hint(geometry))
    if first.start != span.start:
        raise table.error(
            "address",
            f"0x{address:08x} is inside the sector {first}, and a partition is whole sectors",
            hint=f"start at 0x{first.start:08x} or 0x{first.end:08x}",
        )
    if last.end != span.end:
        shorter, longer = last.start - span.start, last.end - span.start
        raise table.error(
            "size",
            f"{span} ends inside the sector {last}, and a partition is whole sectors",
            hint=f"use {f'{_in_file(shorter)} or ' if shorter else ''}{_in_file(longer)}",
        )
    raise table.error("size", f"{span} goes across a hole in the flash", hint=_flash_hint(geometry))


def _positive_size(table: Table) -> int:
    size = table.size("size")
    if not size:
        raise table.error("size", "is 0")
    return size


def _sector_at(geometry: Geometry, address: int) -> Range | None:
    sectors = geometry.sectors_in(Range.sized(address, 1))
    return sectors[0].span if sectors else None


def _flash_hint(geometry: Geometry) -> str:
    return "the flash is " + ", ".join(f"{region.span}" for region in geometry.regions[:8])


def _in_file(size: int) -> str:
    """A size as one writes it in the file."""
    return f'"{size // 1024}K"' if size % 1024 == 0 else str(size)


def _image(table: Table) -> str:
    """An absolute path or glob. Only what the file says is a pattern; a directory put before it is literal."""
    text = table.text("image", limit=MAX_PATH)
    if PurePath(text).name in {"", "..", "~"} or text.endswith(("/", "/.")):
        raise table.error(
            "image",
            f'"{clean(text, 60)}" is a directory',
            hint='name the file that the build writes, or a pattern, as "~/fw/build/*.elf"',
        )
    head, tail = text.split("/", 1) if text.startswith("~") and "/" in text else ("", text)
    base = glob.escape(str(_expand(table, "image", head)))
    # Two slashes behind a home directory are one; alone, what begins with a slash is a path of its own.
    return os.path.normpath(PurePath(base) / (tail.lstrip("/") if head else tail))


def _base(table: Table) -> int:
    """The address of the first byte of a raw binary."""
    base = table.number("base")
    if base >= ADDRESS_SPACE:
        raise table.error("base", f"0x{base:x} is outside 32-bit addresses", hint="write it as 0x08000000")
    return base


def _settle(table: Table, default: float) -> float:
    return table.duration("settle", default=default, shortest=0.001, longest=600)


def _shown(path: Path) -> str:
    return clean(str(path), MAX_PATH)
