"""Reads a bench from TOML: one table a board, every key optional but `model`.

```toml
[boards.left]
model = "classic"        # whose bootloader it runs
flash = "STM32F405RG"    # whose flash it has, by the chip table; without it that of a 1 MB STM32H5
serial = "DEMO00000001"
runtime = true           # its application can be told to go to DFU mode
contents = [
  { address = 0x08000000, size = "128K", pattern = 1 },  # invented bytes
  { address = 0x08020000, file = "app.bin" },            # a file beside this one
]
flash_file = "left.flash"  # the flash outlives the daemon: it is kept here, and `contents` are what it begins with

[boards.odd]
model = "replay"
recording = "odd.jsonl"  # what `flashdeckd --record` wrote, beside this file: it answers as recorded, to nothing else
```
"""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from flashdeck.config import UsbId
from flashdeck.errors import ConfigError
from flashdeck.geometry import Range
from flashdeck.names import did_you_mean
from flashdeck.recording import read
from flashdeckd.host import files
from flashdeckd.virtual.chip_flash import ChipFlash, Family, chip_flash
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.replay import REPLAY, recorded_identity
from flashdeckd.virtual.spec import (
    CLASSIC_MODELS,
    CONSTANT_MODELS,
    FIXED_POLLS,
    PARTITIONED_MODELS,
    PARTITIONS,
    PLAIN_MODELS,
    BoardSpec,
    Content,
    Model,
    Start,
    Timing,
)

MAX_PORT = 127
Port = Annotated[int, msgspec.Meta(ge=1, le=MAX_PORT)]
Poll = Annotated[int, msgspec.Meta(ge=0, lt=1 << 24)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=60)]
_USB_ID = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})")
_SIZE = re.compile(r"(\d{1,9})\s*([KM]?)", re.ASCII)
_UNITS = {"": 1, "K": 1024, "M": 1024 * 1024}
_DEFAULT = BoardSpec(name="")
_STM32H5 = ChipFlash(FlashLayout(), Family())


class _ContentTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    address: int
    size: int | str | None = None
    pattern: int | None = None
    file: str | None = None


class _ReplayTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A board that replays: all that its recording does not say."""

    model: Literal["replay"]
    recording: str
    port: Port | None = None
    serial: str = ""
    product: str = ""
    app: str | None = None
    """What it shows once it has left DFU; None: it is off the bus."""
    timing: Timing = Timing.REAL
    attach_time: Seconds = _DEFAULT.attach_time
    plugged: bool = _DEFAULT.plugged


class _BoardTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    model: Model
    port: Port | None = None
    serial: str = ""
    product: str = _DEFAULT.product
    manufacturer: str = _DEFAULT.manufacturer
    dfu: str = str(_DEFAULT.dfu)
    app: str | None = str(_DEFAULT.app)
    runtime: bool = _DEFAULT.runtime
    map: str | None = None
    flash: str | None = None
    """A chip of the chip table; None: the flash of a 1 MB STM32H5."""
    transfer_size: Annotated[int, msgspec.Meta(ge=16, le=4096)] | None = None
    attributes: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    bcd_device: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] = _DEFAULT.bcd_device
    timing: Timing = Timing.REAL
    poll_erase: Poll | None = None
    poll_write: Poll | None = None
    erase_time: Seconds | None = None
    word_time: Seconds | None = None
    attach_time: Seconds = _DEFAULT.attach_time
    slowdown: Annotated[float, msgspec.Meta(ge=1, le=1000)] = _DEFAULT.slowdown
    plugged: bool = _DEFAULT.plugged
    start: Start = _DEFAULT.start
    app_address: int = _DEFAULT.app_address
    bad_sectors: tuple[int, ...] = ()
    contents: tuple[_ContentTable, ...] = ()
    flash_file: str | None = None
    bank_bug: bool | None = None
    leave_answers: bool | None = None
    read_constant: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None


def read_specs(path: Path) -> tuple[BoardSpec, ...]:
    """The boards of a bench file, in its order; a board without `port` gets the first free one.

    Raises ConfigError, naming file, table and key.
    """
    tables = _decode(path)
    if len(tables) > MAX_PORT:
        raise ConfigError(f"{path}: {len(tables)} boards", hint=f"a bench has {MAX_PORT} ports")
    taken = {table.port for table in tables.values()}
    free = iter(port for port in range(1, MAX_PORT + 1) if port not in taken)
    boards = [table for table in tables.values() if isinstance(table, _BoardTable)]
    files = [table.flash_file for table in boards if table.flash_file is not None]
    if shared := [file for file in files if files.count(file) > 1]:
        raise ConfigError(f"{path}: two boards keep their flash in {shared[0]}", hint="give each a file of its own")
    return tuple(_any_spec(path, name, table, table.port or next(free)) for name, table in tables.items())


def _decode(path: Path) -> dict[str, _BoardTable | _ReplayTable]:
    try:
        document = tomllib.loads(files.contents(path).decode())
    except OSError as error:
        raise ConfigError(f"the bench file {path} can not be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, arrays in arrays in arrays
        raise ConfigError(f"{path} is not TOML: {error}", hint="see the bench of the demo for an example") from error
    hint = "a bench file has one table [boards.NAME] a board, nothing else"
    if unknown := [key for key in document if key != "boards"]:
        raise ConfigError(f"{path}: unknown key {unknown[0]}", hint=hint)
    try:
        boards = msgspec.convert(document.get("boards", {}), dict[str, dict[str, object]])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}, [boards]: {error}", hint=hint) from error
    if not boards:
        raise ConfigError(f"{path}: no table [boards.NAME]", hint=hint)
    return {name: _table(f"{path}, [boards.{name}]", table) for name, table in boards.items()}


def _table(where: str, table: dict[str, object]) -> _BoardTable | _ReplayTable:
    kind = _ReplayTable if table.get("model") == REPLAY else _BoardTable
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        known = {field.name for field in msgspec.structs.fields(kind)}
        hints = (did_you_mean(key, known) for key in table if key not in known)
        listed = f"models: {', '.join((*Model, REPLAY))}; keys: {', '.join(sorted(known))}"
        raise ConfigError(f"{where}: {error}", hint=next(filter(None, hints), listed)) from error


def _any_spec(path: Path, name: str, table: _BoardTable | _ReplayTable, port: int) -> BoardSpec:
    return _spec(path, name, table, port) if isinstance(table, _BoardTable) else _replay(path, name, table, port)


def _replay(path: Path, name: str, table: _ReplayTable, port: int) -> BoardSpec:
    where = f"{path}, [boards.{name}]"
    try:
        recording = read(path.parent / table.recording)
        identity = recorded_identity(recording)
    except ConfigError as error:
        raise ConfigError(f"{where}, key recording: {error.message}", hint=error.hint) from error
    return BoardSpec(
        name=name,
        recording=recording,
        port=port,
        serial=table.serial,
        product=table.product,
        dfu=identity.usb_id,
        app=_usb_id(f"{where}, key app", table.app) if table.app else None,
        bcd_device=identity.bcd_device,
        timing=table.timing,
        attach_time=table.attach_time,
        plugged=table.plugged,
        start=Start.DFU,
    )


def _spec(path: Path, name: str, table: _BoardTable, port: int) -> BoardSpec:
    where = f"{path}, [boards.{name}]"
    _refuse_meaningless(where, table)
    flash = _flash(where, table)
    spec = BoardSpec(
        name=name,
        model=table.model,
        port=port,
        serial=table.serial,
        product=table.product,
        manufacturer=table.manufacturer,
        dfu=_usb_id(f"{where}, key dfu", table.dfu),
        app=_usb_id(f"{where}, key app", table.app) if table.app else None,
        runtime=table.runtime,
        map=table.map,
        transfer_size=table.transfer_size,
        attributes=table.attributes,
        bcd_device=table.bcd_device,
        timing=table.timing,
        poll_erase=table.poll_erase,
        poll_write=table.poll_write,
        erase_time=flash.family.erase_time if table.erase_time is None else table.erase_time,
        word_time=flash.family.word_time if table.word_time is None else table.word_time,
        attach_time=table.attach_time,
        slowdown=table.slowdown,
        plugged=table.plugged,
        start=table.start,
        app_address=table.app_address,
        layout=flash.layout,
        ram=flash.ram,
        contents=tuple(_content(path, f"{where}, key contents", item, flash.layout.size) for item in table.contents),
        flash_file=None if table.flash_file is None else path.parent / table.flash_file,
        bank_bug=bool(table.bank_bug),
        leave_answers=bool(table.leave_answers),
        read_constant=table.read_constant or 0,
    )
    try:
        spec.new_flash()
    except ValueError as error:
        raise ConfigError(f"{where}, key contents: {error}") from error
    return spec


def _flash(where: str, table: _BoardTable) -> ChipFlash:
    """The flash of a board, with its bad sectors. Raises ConfigError where it does not fit what else is said."""
    try:
        found = _STM32H5 if table.flash is None else chip_flash(table.flash)
    except ConfigError as error:
        raise ConfigError(f"{where}, key flash: {error.message}", hint=error.hint) from error
    layout = found.layout
    highest = len(layout.sectors()) - 1
    if bad := [sector for sector in table.bad_sectors if not 0 <= sector <= highest]:
        raise ConfigError(f"{where}, key bad_sectors: no sector {bad[0]}", hint=f"sectors are 0 to {highest}")
    whole = Range.sized(layout.base, layout.size)
    if not whole.start <= table.app_address < whole.end:
        raise ConfigError(f"{where}, key app_address: 0x{table.app_address:08x} is not in its flash", hint=str(whole))
    if table.model in PARTITIONED_MODELS and not all(whole.covers(span) for _, span in PARTITIONS):
        named = ", ".join(f"{name} at {span}" for name, span in PARTITIONS)
        raise ConfigError(f"{where}, key flash: too small for the partitions of this model", hint=named)
    return replace(found, layout=replace(layout, bad=frozenset(table.bad_sectors)))


def _refuse_meaningless(where: str, table: _BoardTable) -> None:
    """A key that this board could only ignore is an error, not a surprise."""
    usbx = table.model is Model.USBX
    classic = table.model in CLASSIC_MODELS
    fixed = table.model in FIXED_POLLS
    constant = table.model in CONSTANT_MODELS
    checks = (
        ("bank_bug", table.bank_bug is not None and not usbx, "only ST's USBX sample has it"),
        ("leave_answers", table.leave_answers is not None and not classic, "only ST's classic class can do either"),
        ("poll_erase", table.poll_erase is not None and usbx, "this board claims poll_write for everything"),
        ("poll_erase", table.poll_erase is not None and fixed, "its class claims the same whatever is asked"),
        ("poll_write", table.poll_write is not None and fixed, "its class claims the same whatever is asked"),
        ("slowdown", table.slowdown > 1 and fixed, "its class claims the same whatever is asked"),
        ("read_constant", table.read_constant is not None and not constant, "its reads are not constant"),
        ("map", table.map is not None and table.model in PLAIN_MODELS, "plain DFU knows no memory map"),
        ("runtime", table.runtime and not table.app, "an application without USB has no interface"),
    )
    for key, meaningless, why in checks:
        if meaningless:
            raise ConfigError(f"{where}: {key} means nothing for this board: {why}", hint="take the key out")


def _content(path: Path, where: str, table: _ContentTable, room: int) -> Content:
    if (table.file is None) == (table.size is None):
        raise ConfigError(f"{where}: needs either `file`, or `size` and `pattern`")
    if table.file is None:
        size = _size(where, table.size or 0)
        if not 0 <= size <= room:
            raise ConfigError(f"{where}: {size} bytes do not fit into the flash")
        return Content(table.address, fill(size, table.pattern or 0))
    try:
        return Content(table.address, files.contents(path.parent / table.file))
    except OSError as error:
        raise ConfigError(f"{where}: {path.parent / table.file} can not be read: {error.strerror}") from error


def _usb_id(where: str, text: str) -> UsbId:
    found = _USB_ID.fullmatch(text)
    if found is None:
        raise ConfigError(f"{where}: {text!r} is no USB id", hint="write it as 0483:df11")
    return UsbId(int(found[1], 16), int(found[2], 16))


def _size(where: str, value: int | str) -> int:
    if isinstance(value, int):
        return value
    found = _SIZE.fullmatch(value)
    if found is None:
        raise ConfigError(f"{where}: {value!r} is no size", hint='write it in bytes or as "128K" or "1M"')
    return int(found[1]) * _UNITS[found[2]]
