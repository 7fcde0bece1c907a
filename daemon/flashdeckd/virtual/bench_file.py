r"""Reads a bench from TOML: one table a board, every key optional but `model`.

```toml
[boards.left]
model = "classic"        # whose bootloader it runs
flash = "STM32F405RG"    # whose flash it has, by the chip table; without it that of a 1 MB STM32H5
serial = "DEMO00000001"
runtime = true           # its application can be told to go to DFU mode
serial_port = "touch-1200"  # or by its serial port, a pseudo-terminal that `flashdeck virtual list --json` names
uart = "left.tty"        # a UART that hears the bootloader, too: this link, beside the file, leads to it
says = [
  { image = "demo " },                             # the first text of its image that begins so, as a line
  { after = "1s", every = "5s", text = "adc 512\r\n" },
]
crashes = [
  { fault = "app-hang", after = "300ms", times = 2 },    # in its first two starts
]
app_serial = "APP1"      # its application has another serial than its bootloader
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

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from flashdeck.errors import ConfigError
from flashdeck.geometry import Range
from flashdeck.recording import Recording
from flashdeck.recording import read as read_recording
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.reader import read_table, read_values
from flashdeck.toml.spellings import Address, File, Name, Size, duration, read_text, wrong_type
from flashdeck.toml.tables import Mistake, Mistakes, Spelling, Table, WrongValueError, key, spelled
from flashdeck.toml.values import nearest, shown
from flashdeckd.host import files
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.chip_flash import ChipFlash, Family, chip_flash
from flashdeckd.virtual.faults import OF_APPLICATION, AppCrash, Fault
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.replay import REPLAY, recorded_identity
from flashdeckd.virtual.spec import (
    CLASSIC_MODELS,
    CONSTANT_MODELS,
    FIXED_POLLS,
    PARTITIONED_MODELS,
    PARTITIONS,
    PLAIN_MODELS,
    BenchBoardKeys,
    BoardSpec,
    Content,
    Model,
    Start,
    Timing,
)
from flashdeckd.virtual.voice import MAX_SAYING, SHORTEST_PAUSE, Saying

MAX_PORT = 127
_STM32H5 = ChipFlash(FlashLayout(), Family())
_OF_REPLAY = (
    "model",
    "recording",
    "port",
    "controller",
    "serial",
    "product",
    "app",
    "timing",
    "attach_time",
    "plugged",
)
"""Keys of a board that replays: all that its recording does not say."""


def _model(value: object, _folder: Path) -> Model | None:
    if value == REPLAY:
        return None
    for model in Model:
        if value == model.value:
            return model
    raise WrongValueError(f"{shown(value)} is no model", nearest(str(value), (*Model, REPLAY)))


def _chip_flash(value: object, _folder: Path) -> ChipFlash:
    try:
        return chip_flash(read_text(value))
    except ConfigError as error:
        raise WrongValueError(error.message, error.hint) from error


def _recording(value: object, folder: Path) -> Recording:
    try:
        recording = read_recording(folder / read_text(value, MAX_PATH))
        recorded_identity(recording)
    except ConfigError as error:
        raise WrongValueError(error.message, error.hint) from error
    return recording


def _spoken(value: object, _folder: Path) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, r'text in quotes, as "ready\r\n"')
    if not 0 < len(value.encode(errors="replace")) <= MAX_SAYING:
        raise WrongValueError("is empty or too long", f"use 1 to {MAX_SAYING} bytes")
    return value


def _raw_bytes(value: object, _folder: Path) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not 0 < len(raw) <= MAX_SAYING:
        raise WrongValueError(f"{shown(value)} is not 1 to {MAX_SAYING} bytes", 'write them in hexadecimal, as "00 ff"')
    return raw


def _crash_fault(value: object, _folder: Path) -> Fault:
    for fault in _CRASH_FAULTS:
        if value == fault.value:
            return fault
    raise WrongValueError(f"{shown(value)} is no fault of an application", nearest(str(value), _CRASH_FAULTS))


_CRASH_FAULTS = tuple(fault for fault in Fault if fault in OF_APPLICATION)
_TEXT = {"type": "string", "minLength": 1}
ModelName = Annotated[Model | None, spelled(Spelling(_model, {"enum": [*map(str, Model), REPLAY]}))]
"""None: it replays a recording."""
ChipFlashName = Annotated[ChipFlash, spelled(Spelling(_chip_flash, _TEXT))]
RecordingFile = Annotated[Recording, spelled(Spelling(_recording, _TEXT))]
Spoken = Annotated[str, spelled(Spelling(_spoken, _TEXT))]
RawBytes = Annotated[bytes, spelled(Spelling(_raw_bytes, {"type": "string", "pattern": "^([0-9a-fA-F]{2} ?)+$"}))]
CrashFault = Annotated[Fault, spelled(Spelling(_crash_fault, {"enum": [each.value for each in _CRASH_FAULTS]}))]
MAX_TIMES = 1_000_000
"""The most times that one fault may happen."""
LATEST = 3600.0
"""Seconds after its start in which an application may begin to say something, say it again, or crash."""
Moment = Annotated[float, spelled(duration(0, LATEST, bare=True))]


@dataclass(frozen=True, kw_only=True)
class ContentTable(Table):
    """Bytes that are in the flash before the board is first powered."""

    address: Annotated[Address, key("Start of them.")]
    size: Annotated[Size | None, key("Number of invented bytes.")] = None
    pattern: Annotated[int, Meta(ge=0, le=0xFFFFFFFF), key("Choice of the invented bytes.")] = 0
    file: Annotated[File | None, key("In place of `size`: the file that they are in.")] = None

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that nothing, or two things, say which bytes."""
        if self.place.mentions("file") == self.place.mentions("size"):
            yield self.place.mistake("", "needs either `file`, or `size` and `pattern`")


@dataclass(frozen=True, kw_only=True)
class SayingTable(Table):
    """Something that the application, or the bootloader, says."""

    text: Annotated[Spoken | None, key(r'The text as it is, with its line end: "ready\r\n".')] = None
    bytes: Annotated[RawBytes | None, key('In place of `text`: bytes in hexadecimal, as "00 ff".')] = None
    image: Annotated[
        Spoken | None, key("In place of `text`: the first text of its image that begins so, as a line.")
    ] = None
    after: Annotated[Moment, key("Time after the start.")] = 0.0
    every: Annotated[
        Moment | None, key("It is said again and again, so long apart; 0: as fast as the port takes it. Default: once.")
    ] = None
    where: Annotated[Spoken | None, key("It is said only where the image has this text. Default: whatever it has.")] = (
        None
    )

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that nothing, or two things, are said."""
        if sum(map(self.place.mentions, ("text", "bytes", "image"))) != 1:
            yield self.place.mistake("", "needs one of `text`, `bytes` and `image`")
        if self.every is not None and 0 < self.every < SHORTEST_PAUSE:
            hint = f"use 0, as fast as the port takes it, or {SHORTEST_PAUSE * 1000:g}ms and more"
            yield self.place.mistake("every", f"{self.every:g} s is too short", hint)

    @property
    def saying(self) -> Saying:
        """Return it as the emulation takes it."""
        return Saying(
            self.bytes or (self.text or "").encode(errors="replace"),
            self.after,
            self.every,
            self.image or "",
            (self.where or "").encode(errors="replace"),
        )


@dataclass(frozen=True, kw_only=True)
class CrashTable(Table):
    """Something that happens to the application some time after it has started."""

    fault: Annotated[
        CrashFault,
        key(
            "It leaves the bus, hangs, resets the board, or starts again unseen by the bus: the same as in "
            "`flashdeck virtual fault`."
        ),
    ]
    after: Annotated[Moment, key("Time after the start of the application.")] = 0.0
    skip: Annotated[int, Meta(ge=0, le=MAX_TIMES), key("Number of starts that go well before.")] = 0
    times: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_TIMES)] | None,
        key("Number of starts in which it happens. Default: all from then on."),
    ] = None
    where: Annotated[
        Spoken | None,
        key("It happens, and starts count, only where the image has this text. Default: whatever it has."),
    ] = None

    @property
    def crash(self) -> AppCrash:
        """Return it as the emulation takes it."""
        return AppCrash(self.fault, self.after, self.skip, self.times, (self.where or "").encode(errors="replace"))


@dataclass(frozen=True, kw_only=True)
class BenchBoardTable(BenchBoardKeys, Table):
    """One emulated board."""

    model: Annotated[ModelName, key('Bootloader that it has; "replay" answers as `recording` says.')]
    port: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_PORT)] | None, key("Its port of the bench. Default: the first free one.")
    ] = None
    timing: Annotated[Timing, key("Speed of it: as a full-speed device with its flash, or as fast as Python.")] = (
        Timing.REAL
    )
    flash: Annotated[
        ChipFlashName | None, key("Chip whose flash it has, by the chip table. Default: that of a 1 MB STM32H5.")
    ] = None
    bad_sectors: Annotated[
        tuple[Annotated[int, Meta(ge=0)], ...], key("Numbers of sectors that cannot be erased.")
    ] = ()
    contents: Annotated[
        tuple[ContentTable, ...], key("Contents of its flash before it is first powered; blank elsewhere.")
    ] = ()
    says: Annotated[
        tuple[SayingTable, ...], key("Words of its application on its serial port and its UART, each with its time.")
    ] = ()
    boot_says: Annotated[tuple[SayingTable, ...], key("Words of its bootloader on its UART, each with its time.")] = ()
    crashes: Annotated[tuple[CrashTable, ...], key("Faults of its application, each so long after its start.")] = ()
    recording: Annotated[
        RecordingFile | None, key('Recording by `flashdeckd --record`: what a board with the model "replay" answers.')
    ] = None

    @cached_property
    def chip(self) -> ChipFlash:
        """Its flash, with its bad sectors."""
        found = self.flash or _STM32H5
        return replace(found, layout=replace(found.layout, bad=frozenset(self.bad_sectors)))

    @property
    def replays(self) -> bool:
        """Return whether it answers as recorded."""
        return self.model is None and "model" not in self.place.wrong

    def meaningless(self) -> Iterator[Mistake]:
        """Yield the keys that this board could only ignore."""
        usbx = self.model is Model.USBX
        fixed = self.model in FIXED_POLLS
        same = "its class claims the same whatever is asked"
        no_port = self.serial_port is AppPort.NONE and "serial_port" not in self.place.wrong
        no_uart = self.uart is None and "uart" not in self.place.wrong
        checks = (
            ("recording", not self.replays, f'only a board with model = "{REPLAY}" has it'),
            ("bank_bug", not usbx, "only ST's USBX sample has it"),
            ("leave_answers", self.model not in CLASSIC_MODELS, "only ST's classic class can do either"),
            ("poll_erase", usbx, "this board claims poll_write for everything"),
            ("poll_erase", fixed, same),
            ("poll_write", fixed, same),
            ("slowdown", self.slowdown > 1 and fixed, same),
            ("read_constant", self.model not in CONSTANT_MODELS, "its reads are not constant"),
            ("map", self.model in PLAIN_MODELS, "plain DFU knows no memory map"),
            ("runtime", self.runtime and self.app is None, "an application without USB has no interface"),
            ("serial_port", self.serial_port is not AppPort.NONE and self.app is None, "its application has no USB"),
            ("says", no_port and no_uart, 'its application has no serial port (serial_port = "plain", or uart)'),
            ("boot_says", no_uart, 'its bootloader has no port (uart = "board.tty")'),
            ("waits_for_dtr", no_port, "its application has no serial port"),
            ("keeps_unread", no_port, "its application has no serial port"),
            ("app_serial", self.app is None, "its application has no USB"),
        )
        if self.replays:
            names = [name for name in self.place.given if name not in _OF_REPLAY]
            checks = tuple((name, True, "it answers as recorded, whatever is asked") for name in sorted(names))
        for name, meaningless, why in checks if "model" not in self.place.wrong else ():
            if meaningless:
                yield self.place.mistake(name, f"means nothing for this board: {why}", "take the key out")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what does not fit into its flash."""
        if self.replays:
            if not self.place.mentions("recording"):
                yield self.place.mistake("recording", "is missing", "name the file that `flashdeckd --record` wrote")
            return
        says = (self.says, self.boot_says)
        for flood in (flood for each in says for flood in [saying for saying in each if saying.every == 0][1:2]):
            yield flood.place.mistake("every", "another one fills the port, too", "let only one have every = 0")
        if "flash" in self.place.wrong:
            return
        layout = self.chip.layout
        highest = len(layout.sectors()) - 1
        if bad := [sector for sector in self.bad_sectors if sector > highest]:
            yield self.place.mistake("bad_sectors", f"there is no sector {bad[0]}", f"sectors are 0 to {highest}")
        whole = Range.sized(layout.base, layout.size)
        if not whole.start <= self.app_address < whole.end and "app_address" not in self.place.wrong:
            yield self.place.mistake("app_address", f"0x{self.app_address:08x} is not in its flash", str(whole))
        if self.model in PARTITIONED_MODELS and not all(whole.covers(span) for _, span in PARTITIONS):
            named = ", ".join(f"{name} at {span}" for name, span in PARTITIONS)
            yield self.place.mistake("flash", "is too small for the partitions of this model", named)
        for each in self.contents:
            if (
                each.size is not None
                and not each.place.wrong
                and not whole.covers(Range.sized(each.address, each.size))
            ):
                problem = f"{each.size} bytes at 0x{each.address:08x} do not fit into the flash"
                yield each.place.mistake("size", problem, str(whole))


@dataclass(frozen=True, kw_only=True)
class BenchTable(Table):
    """A bench of emulated boards, for `flashdeckd --virtual`."""

    boards: Annotated[dict[Name, BenchBoardTable], key("The boards, by names of yours.")] = field(
        default_factory=dict[Name, BenchBoardTable]
    )

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that there is no board or too many, or two where one can be."""
        if not self.boards and "boards" not in self.place.wrong:
            hint = "a bench file has one table [boards.NAME] a board, nothing else"
            yield self.place.mistake("", "no table [boards.NAME]", hint)
        if len(self.boards) > MAX_PORT:
            yield self.place.mistake("boards", f"{len(self.boards)} boards", f"a bench has {MAX_PORT} ports")
        for (one_name, one), (_, other) in combinations(self.boards.items(), 2):
            if one.port is not None and one.port == other.port:
                problem = f"board {one_name} is in port {other.port}, too"
                yield other.place.mistake("port", problem, "a port of the bench takes one board")
            if one.uart is not None and one.uart == other.uart:
                problem = f"the UART of board {one_name} is there, too"
                yield other.place.mistake("uart", problem, "give each a link of its own")
            if one.flash_file is not None and one.flash_file == other.flash_file:
                problem = f"board {one_name} keeps its flash there, too"
                yield other.place.mistake("flash_file", problem, "give each a file of its own")


def read_specs(path: Path) -> tuple[BoardSpec, ...]:
    """Return the boards of a bench file, in its order; a board without `port` gets the first free one.

    Raises ConfigError that names, for each mistake, file, table and key.
    """
    mistakes = Mistakes()
    bench = read_table(BenchTable, *read_values(path), mistakes)
    mistakes.refuse()
    taken = {table.port for table in bench.boards.values()}
    free = iter(port for port in range(1, MAX_PORT + 1) if port not in taken)
    specs = tuple(_spec(name, table, table.port or next(free), mistakes) for name, table in bench.boards.items())
    mistakes.refuse()
    return specs


def _spec(name: str, table: BenchBoardTable, port: int, mistakes: Mistakes) -> BoardSpec:
    keys: dict[str, Any] = {each.name: getattr(table, each.name) for each in fields(BenchBoardKeys)}
    if table.recording is not None:
        return _replaying(BoardSpec(name=name, port=port, timing=table.timing, **keys), table)
    if "erase_time" not in table.place.given:
        keys["erase_time"] = table.chip.family.erase_time
    if "word_time" not in table.place.given:
        keys["word_time"] = table.chip.family.word_time
    spec = BoardSpec(
        name=name,
        model=table.model or Model.CLASSIC,
        port=port,
        timing=table.timing,
        layout=table.chip.layout,
        ram=table.chip.ram,
        contents=tuple(_contents(table, mistakes)),
        says=tuple(each.saying for each in table.says),
        boot_says=tuple(each.saying for each in table.boot_says),
        crashes=tuple(each.crash for each in table.crashes),
        **keys,
    )
    try:
        spec.new_flash()
    except ValueError as error:
        mistakes.append(table.place.mistake("contents", str(error)))
    except ConfigError as error:
        mistakes.append(table.place.mistake("flash_file", error.message, error.hint))
    return spec


def _replaying(spec: BoardSpec, table: BenchBoardTable) -> BoardSpec:
    assert table.recording is not None  # noqa: S101 - it is what makes the board replay
    identity = recorded_identity(table.recording)
    return replace(
        spec,
        recording=table.recording,
        product=table.product if "product" in table.place.given else "",
        dfu=identity.usb_id,
        app=table.app if "app" in table.place.given else None,
        bcd_device=identity.bcd_device,
        start=Start.DFU,
    )


def _contents(table: BenchBoardTable, mistakes: Mistakes) -> Iterator[Content]:
    for each in table.contents:
        if each.file is None:
            yield Content(each.address, fill(each.size or 0, each.pattern))
            continue
        try:
            yield Content(each.address, files.contents(each.file))
        except OSError as error:
            problem = f"{clean(str(each.file), MAX_PATH)} cannot be read: {error.strerror}"
            mistakes.append(each.place.mistake("file", problem))
