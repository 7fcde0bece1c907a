"""The configuration as the rest of the program sees it: checked, resolved, immutable.

A key that both a file and the program have is a field of one of the `…Keys`, and nowhere else: name, type, range,
default and description. `flashdeck.config_tables` adds the keys that only a file has, `flashdeck.config_file` reads it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from flashdeck.config_labgrid import LabgridTable
from flashdeck.config_screen import ScreenTable
from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Geometry, Range
from flashdeck.line_patterns import LONGEST_PATTERN, LinePattern, can_be_checked
from flashdeck.loopback import ListenAt, listen_at
from flashdeck.patterns import MAX_PATTERN, Pattern, parse_pattern
from flashdeck.ssh_destination import LONGEST_DESTINATION, PATTERN, checked_destination
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.line_numbers import LineNumbers
from flashdeck.toml.spellings import (
    MAX_WORDS,
    Address,
    Argv,
    Image,
    Offset,
    OffsetOrEnd,
    SizeAbove0,
    Word16,
    duration,
    expanded,
    read_number,
    read_text,
)
from flashdeck.toml.tables import Mistake, Spelling, Table, WrongValueError, key, spelled
from flashdeck.verdict import Verdict

MAX_SERIAL = 126
"""Characters of a USB string: a descriptor's length is one byte, two of them are its header (USB 2.0, 9.6.7)."""
MAX_GROUP = 64
"""Characters of the name of a group of slots."""
MAX_MAP = 4096
"""Characters of a pinned memory map."""
MAX_PER_CONTROLLER = 127
"""Boards of one host controller at once: more devices than a bus can have are no limit."""
MAX_KEPT_BUILDS = 100
LONGEST_ACCOUNT = 32
"""Characters of the name of a group, as useradd(8) and groupadd(8) allow them."""
"""Images of one partition of one board that may be kept for a rollback."""
MAX_GUARDS = 16
MAX_FAILS = 16
"""Patterns for lines by which an application has crashed."""
DEFAULT_WITHIN: Final = 5.0
"""Seconds from the first sign of an application until it says that it runs."""
SLOWEST_BAUD = 50
FASTEST_BAUD = 12_000_000
"""Bits a second: those of a full-speed bus, faster than any UART behind it."""
LEAST_STAYS: Final = 2.0
"""Seconds for which an application has to stand where its board goes back by itself: what crashes a moment after its
line would count as what ran."""
APP_PORT: Final = "app"
"""The port of a console that is the application's own."""
DEFAULT_SETTLE = 0.05
_MAX_ALTERNATE = 255
"""bAlternateSetting has one byte (USB 2.0, table 9-12)."""
_LENGTH = 4
"""Bytes of the number that says how much a CRC covers."""
_USB_ID = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{1,4})", re.ASCII | re.IGNORECASE)
_HUB_PORTS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,6}"  # USB 2.0, 4.1.1: at most seven tiers
_PORT = re.compile(rf"[0-9]{{1,3}}-{_HUB_PORTS}|[A-Za-z0-9_.:-]{{1,200}}-usb-[0-9]+:{_HUB_PORTS}", re.ASCII)
_INTERFACE = re.compile(r":[0-9]+\.[0-9]+$", re.ASCII)


# How values are written


@dataclass(frozen=True, slots=True, order=True)
class UsbId:
    """A vendor and product id."""

    vendor: int
    product: int

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


def _usb_id(value: object, _folder: Path) -> UsbId:
    match = _USB_ID.fullmatch(read_text(value))
    if match is None:
        raise WrongValueError(
            f'"{clean(str(value), 40)}" is not a USB id', 'write vendor and product in hex, as "0483:df11"'
        )
    return UsbId(int(match[1], 16), int(match[2], 16))


def _port(value: object, _folder: Path) -> str:
    text = read_text(value)
    if _PORT.fullmatch(text):
        return text
    shorter = _INTERFACE.sub("", text)
    if _PORT.fullmatch(shorter):
        raise WrongValueError(f'"{text}" names an interface of a device', f'use port = "{shorter}"')
    raise WrongValueError(
        f'"{clean(text, 60)}" is not a USB port',
        'write bus and hub ports, as "1-4.2", or the ID_PATH of udev, as "pci-0000:00:14.0-usb-0:4.2"',
    )


def _alternate(value: object, _folder: Path) -> int | str:
    if isinstance(value, str):
        name = read_text(value).strip()
        if not name:
            raise WrongValueError("is blank", 'write the number or the name, as alt = 0 or alt = "app1"')
        return name
    number = read_number(value)
    if number > _MAX_ALTERNATE:
        raise WrongValueError(f"{number} is no number of an alternate setting", f"use 0 to {_MAX_ALTERNATE}")
    return number


def _version(value: object, _folder: Path) -> Pattern:
    try:
        return parse_pattern(read_text(value, MAX_PATTERN))
    except ValueError as error:
        raise WrongValueError(str(error), r"as version = 'fw (?P<version>\S+)'") from error


def _destination(value: object, _folder: Path) -> str:
    return checked_destination(read_text(value, LONGEST_DESTINATION))


def _console_port(value: object, folder: Path) -> str:
    text = read_text(value, MAX_PATH)
    if text == APP_PORT:
        return text
    if not text.startswith(("/", "~")):
        raise WrongValueError(
            f'"{clean(text, 60)}" is neither "{APP_PORT}" nor the whole path of a port',
            'write port = "app" for the serial port of the application, or a path, as "/dev/serial/by-id/usb-…"',
        )
    return str(expanded(text, folder))


def _console_pattern(value: object, _folder: Path) -> str:
    text = read_text(value, LONGEST_PATTERN)
    if not text:
        raise WrongValueError("is empty: it would be found in every line", r"as ready = 'app1 (?P<version>\S+)'")
    if can_be_checked():
        try:
            LinePattern(text)
        except FlashdeckError as error:
            raise WrongValueError(error.message, error.hint) from error
    return text


_LISTEN = {"type": "string", "minLength": 1, "maxLength": MAX_PATH}
_DESTINATION = {"type": "string", "maxLength": LONGEST_DESTINATION, "pattern": f"^({PATTERN})$"}
_ALTERNATE = [{"type": "integer", "minimum": 0, "maximum": _MAX_ALTERNATE}, {"type": "string", "minLength": 1}]
_CONSOLE_PATTERN = {"type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN}
_VERSION = {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN}
USB_ID = Spelling(_usb_id, {"type": "string", "pattern": "^[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}$"}, str)
UsbIdText = Annotated[UsbId, spelled(USB_ID)]
Port = Annotated[str, spelled(Spelling(_port, {"type": "string", "pattern": f"^({_PORT.pattern})$"}))]
Alternate = Annotated[int | str, spelled(Spelling(_alternate, {"anyOf": _ALTERNATE}))]
Version = Annotated[Pattern, spelled(Spelling(_version, _VERSION, attrgetter("text")))]
ConsolePort = Annotated[str, spelled(Spelling(_console_port, {"type": "string", "pattern": f"^({APP_PORT}$|[/~])"}))]
Settle = Annotated[float, spelled(duration(0.001, 600))]
ConsolePattern = Annotated[str, spelled(Spelling(_console_pattern, _CONSOLE_PATTERN))]
Within = Annotated[float, spelled(duration(0.001, 600))]
Stays = Annotated[float, spelled(duration(0, 600))]
Listen = Annotated[ListenAt, spelled(Spelling(listen_at, _LISTEN, str))]
Destination = Annotated[str, spelled(Spelling(_destination, _DESTINATION))]


# What values there are


class Enter(StrEnum):
    """The way of a board from its application into DFU mode."""

    DETACH = "detach"
    """A DFU_DETACH to the DFU run-time interface of the application."""
    TOUCH = "touch-1200"
    """Its serial port, opened at 1200 baud and closed, as cores for Arduino and TinyUSB expect."""
    MANUAL = "manual"


@dataclass(frozen=True)
class EnterCommand(Table):
    """A command of one's own that brings a board from its application into DFU mode."""

    hints: ClassVar[Mapping[str, str]] = {"command": 'name program and arguments, as { command = ["./enter-dfu"] }'}

    command: Annotated[
        Argv, key("Program and arguments, without a shell. Its environment has BOARD, PORT, SERIAL and TTY.")
    ]


AnyEnter = Enter | EnterCommand


class MapPolicy(StrEnum):
    """Use of the device's own memory map."""

    CHECK = "check"
    IGNORE = "ignore"


class ErasePolicy(StrEnum):
    """The sectors that a job erases."""

    NEEDED = "needed"
    PARTITION = "partition"


class VerifyPolicy(StrEnum):
    """The policy of reading back what was written."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class PollPolicy(StrEnum):
    """The policy of waiting for bwPollTimeout."""

    AUTO = "auto"
    SPEC = "spec"


class BankPolicy(StrEnum):
    """The trust in a bootloader to erase the bank that it was asked to."""

    CHECK = "check"
    TRUSTED = "trusted"


class PartitionKind(StrEnum):
    """The use of a partition."""

    PROGRAM = "program"
    DATA = "data"
    """Nothing boots from it: a change in one sector does not erase the first."""


class Outside(StrEnum):
    """The fate of a file's pieces that lie outside the partition."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"


class Guard(StrEnum):
    """A check that an image belongs where it is going, in the order in which they are made."""

    FITS = "fits"
    MCUBOOT = "mcuboot"
    """It has an MCUboot header, sizes that fit, and the hash that was made when it was signed."""
    RESET = "reset"
    STACK = "stack"


class Crc(StrEnum):
    """A kind of CRC, by the name that tools have for it."""

    CRC32 = "crc32"
    """CRC-32/ISO-HDLC: zlib, Ethernet, `srec_cat -crc32`."""
    CRC32_MPEG2 = "crc32-mpeg2"
    """CRC-32/MPEG-2: byte by byte, most significant bit first, without a final XOR."""
    CRC32_BZIP2 = "crc32-bzip2"
    CRC32_JAMCRC = "crc32-jamcrc"
    """CRC-32 without its final XOR."""
    STM32 = "stm32"
    """The CRC unit of STM32 with its defaults: CRC-32/MPEG-2 over little-endian words, `srec_cat -stm32`."""
    CRC16_CCITT = "crc16-ccitt"
    """CRC-16/IBM-3740, also called CCITT-FALSE: it begins with 0xffff."""
    CRC16_XMODEM = "crc16-xmodem"

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        return 2 if self in (Crc.CRC16_CCITT, Crc.CRC16_XMODEM) else 4


class ByteOrder(StrEnum):
    """The order in which a number's bytes are stored."""

    LITTLE = "little"
    BIG = "big"


class CrcField(StrEnum):
    """The value of a CRC's own bytes when it was made, where they lie in the range that it covers."""

    SKIPPED = "skipped"
    ZEROS = "zeros"
    ONES = "ones"
    """0xff, as in erased flash."""


@dataclass(frozen=True)
class CrcGuard(Table):
    """The check of a CRC that a post-build step put into the image. All offsets are from the partition's start.

    Places that the image leaves open count as 0xff, as in erased flash.
    """

    hints: ClassVar[Mapping[str, str]] = {"crc": 'name the kind, as { crc = "crc32", at = "end" }'}

    crc: Annotated[Crc, key("The kind of CRC.")]
    at: Annotated[OffsetOrEnd, key('Offset of the CRC; "end": it is the last thing in the image.')] = None
    """None: at the end."""
    start: Annotated[Offset, key("Start of the bytes that it covers.", name="from")] = 0
    end: Annotated[
        OffsetOrEnd,
        key("End of them. Default: at the CRC where that lies behind `from`, else at the image's end.", name="to"),
    ] = None
    """None: the CRC where that lies behind `start`, else the image's end."""
    length: Annotated[
        Offset | None, key("Offset of a 32-bit number with the count of bytes that it covers, in place of `to`.")
    ] = None
    order: Annotated[ByteOrder, key("The order of its bytes, and of those of `length`.")] = ByteOrder.LITTLE
    field: Annotated[
        CrcField | None,
        key("Value of the CRC itself when made, if it lies among the bytes that it covers."),
    ] = None

    def meaningless(self) -> Iterator[Mistake]:
        """Yield what says again how much is covered."""
        if self.at is None and "at" not in self.place.wrong:
            for name in ("to", "length", "field"):
                yield self.place.mistake(name, 'with at = "end", what is covered ends at the CRC', f"take {name} out")
        elif self.length is not None:
            yield self.place.mistake("to", "how much is covered is already given by length", "keep one of the two")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong with the place of the CRC in what it covers."""
        if self.at is None or self.length is not None or self.place.wrong:
            return  # with a length, where the CRC lies is seen in each image
        if self.end is not None and self.end <= self.start:
            yield self.place.mistake(
                "to", f"+0x{self.end:x} is not behind from (+0x{self.start:x})", "nothing is covered"
            )
            return
        itself = Range.sized(self.at, self.crc.size)
        covered = Range(self.start, max(itself.end, self.start) if self.end is None else self.end)
        # Without `to` and `field`, what is covered ends at the CRC if that is behind.
        ends_there = self.field is None and "to" not in self.place.given and itself.start > covered.start
        if self.field is None and itself.overlaps(covered) and not ends_there:
            yield self.place.mistake(
                "at",
                f"the CRC (+0x{itself.start:x}) lies in what it covers",
                'say how its bytes counted when it was made, as field = "zeros", "ones" or "skipped"; or change from',
            )
        if self.field is not None and not covered.covers(itself):
            yield self.place.mistake(
                "field", "is for a CRC that lies in what it covers, and this one does not", "take it out"
            )

    def outside(self, size: int) -> Iterator[Mistake]:
        """Yield each key that names a place outside a partition of `size` bytes."""
        ends = {
            "at": 0 if self.at is None or self.place.wrong & {"at", "crc"} else self.at + self.crc.size,
            "from": self.start + 1,
            "to": self.end or 0,
            "length": 0 if self.length is None else self.length + _LENGTH,
        }
        for name, end in ends.items():
            if end > size:
                yield self.place.mistake(
                    name,
                    f"is not inside the partition, which has 0x{size:x} bytes",
                    "all places are distances from the partition's start",
                )


AnyGuard = Guard | CrcGuard
DEFAULT_GUARDS: frozenset[AnyGuard] = frozenset((Guard.FITS, Guard.RESET, Guard.STACK))
"""The guards of a partition that holds a program."""


class OnCrash(StrEnum):
    """The thing that flashdeck does by itself where a build has crashed."""

    NOTHING = "nothing"
    ROLLBACK = "rollback"
    """The board goes back to the images with which it last ran."""


class RollbackCause(StrEnum):
    """A verdict after which a board may go back by itself, in the words in which people read it."""

    CRASHED = "crashed"
    SILENT = "silent"
    ANOTHER_BUILD = "another build"
    NOT_SEEN = "not seen"

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        return _VERDICTS[self]


_VERDICTS: Final = {
    RollbackCause.CRASHED: Verdict.CRASHED,
    RollbackCause.SILENT: Verdict.SILENT,
    RollbackCause.ANOTHER_BUILD: Verdict.ANOTHER_BUILD,
    RollbackCause.NOT_SEEN: Verdict.NOT_SEEN,
}


@dataclass(frozen=True)
class RollbackAfter(Table):
    """The verdicts after which a board goes back by itself, where a crash is not all of them."""

    hints: ClassVar[Mapping[str, str]] = {
        "rollback_after": 'list verdicts, as { rollback_after = ["crashed", "silent"] }'
    }

    rollback_after: Annotated[
        frozenset[RollbackCause],
        key("The verdicts after which the board goes back to what last ran on it; no others count."),
    ]

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that there is no verdict after which it goes back."""
        if "rollback_after" in self.place.given and not self.rollback_after:
            yield self.place.mistake("rollback_after", "is empty", 'list verdicts, or write on_crash = "nothing"')


AnyOnCrash = OnCrash | RollbackAfter


@dataclass(frozen=True)
class Console(Table):
    """The serial port on which a board says something: it is recorded all the time."""

    hints: ClassVar[Mapping[str, str]] = {"port": 'name it, as port = "app", or by its path'}

    port: Annotated[
        ConsolePort,
        key(
            'The port: "app" is that of the application itself, found by where the board is plugged in; or the path of '
            "another one, as that of a debug probe below /dev/serial/by-id."
        ),
    ]
    baud: Annotated[int, Meta(ge=SLOWEST_BAUD, le=FASTEST_BAUD), key("Speed of the port.")] = 115200
    dtr: Annotated[bool, key("Raise DTR while the port is open. Some boards say nothing without it, others reset.")] = (
        True
    )
    rts: Annotated[bool, key("Raise RTS likewise.")] = True
    ready: Annotated[
        ConsolePattern,
        key(
            "Regular expression (RE2) for the line by which the application runs. A group called version is compared "
            "with the image's version. Without it nothing is judged."
        ),
    ] = ""
    """"" where nothing is judged."""
    fail: Annotated[
        tuple[ConsolePattern, ...],
        Meta(max_length=MAX_FAILS),
        key("Regular expressions for lines by which the application has crashed."),
    ] = ()
    within: Annotated[Within, key("Time in which `ready` has to come, from the first sign of the application on.")] = (
        DEFAULT_WITHIN
    )
    """Seconds."""
    stays: Annotated[
        Stays, key("Time for which the application has to go on after `ready` without a crash or a restart.")
    ] = 0.0
    """Seconds."""
    partition: Annotated[
        str, key("The partition whose version the application says, where a profile has several programs.")
    ] = ""
    """"" where there is only one."""
    on_crash: Annotated[
        AnyOnCrash,
        key(
            "The thing to do by itself where a build has crashed: nothing, or the board goes back to the images that "
            "last ran on it. Needs `ready`, and `stays` of 2 s or more."
        ),
    ] = OnCrash.NOTHING

    def meaningless(self) -> Iterator[Mistake]:
        """Yield the keys that mean nothing where nothing is judged."""
        if not self.place.mentions("ready"):
            for name in ("fail", "within", "stays", "partition", "on_crash"):
                yield self.place.mistake(name, "means nothing without ready", "say by which line the application runs")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that an application need not stand for long enough before its board would go back to it."""
        is_judged = "ready" in self.place.given and "stays" not in self.place.wrong
        if self.goes_back_after and is_judged and self.stays < LEAST_STAYS:
            yield self.place.mistake(
                "on_crash",
                f"goes back to what ran, and what crashes {self.stays:g} s (stays) after its line would count as that",
                f'write stays = "{LEAST_STAYS:g}s", or longer',
            )

    @property
    def goes_back_after(self) -> frozenset[Verdict]:
        """Return the verdicts on a build after which the board goes back by itself; empty where it never does."""
        match self.on_crash:
            case RollbackAfter(rollback_after=faults):
                return frozenset(each.verdict for each in faults or ())  # None: it is wrong, and that is told
            case OnCrash.ROLLBACK:
                return frozenset({Verdict.CRASHED})
            case OnCrash.NOTHING:
                return frozenset()

    @property
    def is_of_app(self) -> bool:
        """Return whether it is the serial port of the application."""
        return self.port == APP_PORT


# What the program sees


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionKeys:
    """The keys of a partition's table that the program takes as they are."""

    @property
    def is_open_program(self) -> bool:
        """Return whether it holds a program that may be flashed."""
        return not self.protected and self.holds is PartitionKind.PROGRAM

    protected: Annotated[bool, key("Never written, whoever asks.")] = False
    image: Annotated[Image, key("The build: a file of any name, or a glob of which the newest match counts.")] = ""
    """Absolute path or glob of the image file; "" where none is watched."""
    auto: Annotated[bool, key("false: a build is offered, and waits for `flashdeck flash`.")] = True
    guards: Annotated[
        frozenset[AnyGuard],
        Meta(max_length=MAX_GUARDS),
        key("Guards that an image must pass. Default: every guard that can be applied here, MCUboot and CRCs aside."),
    ] = DEFAULT_GUARDS
    vectors: Annotated[
        Offset | None,
        key("Place of the vector table behind a header of your own: the distance from the partition's start."),
    ] = None
    """None: the partition's start, or behind an MCUboot header."""
    version: Annotated[
        Version | None,
        key("Finds the version in an image: a regular expression, of which the group `version` is shown."),
    ] = None
    holds: Annotated[PartitionKind, key("Use of the partition; from data nothing boots.")] = PartitionKind.PROGRAM
    outside: Annotated[
        Outside,
        key("Handling of bytes in the file that are for other places: the file is refused, or they are left out."),
    ] = Outside.REFUSE
    base: Annotated[
        Address | None,
        key("The address of the first byte of a raw binary that holds more than this partition, as a merged one."),
    ] = None
    """None: the partition's own."""
    settle: Annotated[
        Settle, key("Time without a change after which an image file counts as built. Default: that of [daemon].")
    ] = DEFAULT_SETTLE
    """Seconds, once no writer has it open."""


@dataclass(frozen=True, slots=True)
class Partition(PartitionKeys):
    """A named address range of a board's flash, or an alternate setting of a plain DFU 1.1 device."""

    name: str
    span: Range
    """Its addresses. An alternate setting has none: its span counts from 0, and only says how much fits."""
    alternate: int | str | None = None
    """The alternate setting, by number or name, of a plain DFU 1.1 device; None for a range of addresses."""


def may_be_same(one: int | str, other: int | str) -> bool:
    """Return whether two alternate settings can be one: of a number and a name only the device knows."""
    return type(one) is not type(other) or one == other


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileKeys:
    """The keys of a profile's table that the program takes as they are."""

    dfu: Annotated[UsbIdText, key("USB ids of the board in DFU mode, as lsusb shows them.")]
    app: Annotated[UsbIdText | None, key("USB ids of the board while its application is running.")] = None
    enter: Annotated[
        AnyEnter,
        key(
            "The way from the application into DFU mode: a DFU_DETACH to its run-time interface, a touch of its serial "
            "port at 1200 baud, a command of yours, or by hand."
        ),
    ] = Enter.MANUAL
    enter_hint: Annotated[str, key("Words of a waiting job for the person who is to do it by hand.")] = ""
    leave: Annotated[bool, key("Start the application once the image is on the board.")] = True
    map: Annotated[
        MapPolicy,
        key("Handling of a device whose own memory map differs: the job is blocked, or the map is ignored."),
    ] = MapPolicy.CHECK
    erase: Annotated[ErasePolicy, key("Sectors that a job erases: those that differ, or all of the partition.")] = (
        ErasePolicy.NEEDED
    )
    verify: Annotated[
        VerifyPolicy, key("Reading back what was written: where that is proved to work, always, or never.")
    ] = VerifyPolicy.AUTO
    poll: Annotated[
        PollPolicy,
        key("Time to wait for an erase or a write: as short as the board allows, or as long as it asks for."),
    ] = PollPolicy.AUTO
    banks: Annotated[BankPolicy, key("A bootloader first has to show that it erases the bank that it is asked to.")] = (
        BankPolicy.CHECK
    )
    trust_cache: Annotated[
        bool, key("true: a board that cannot be read is taken to have what this daemon last flashed there.")
    ] = False
    console: Annotated[Console | None, key("The serial port on which its boards say something.")] = None


@dataclass(frozen=True, slots=True)
class Profile(ProfileKeys):
    """The facts that boards of one product share."""

    name: str
    geometry: Geometry
    """Empty for a plain DFU 1.1 device."""
    chip: str = ""
    """Name in the chip table; "" where `sectors` was given."""
    option_bytes: tuple[Range, ...] = ()
    """The addresses of the chip's option bytes; empty also where nobody knows."""
    otp: tuple[Range, ...] = ()
    """The addresses that can be written once and never again; empty also where nobody knows."""
    secure_alias: bool = False
    """True where TrustZone shows the flash at 0x0C000000 too."""
    partitions: Mapping[str, Partition] = field(default_factory=dict[str, Partition])
    kept: tuple[Range, ...] = ()
    """Addresses that stay protected, though its file does not say so any more: nobody has confirmed that yet."""
    file: Path = field(default=Path(), compare=False)
    """The file that it is from."""
    lines: LineNumbers = field(default=LineNumbers(), compare=False, repr=False)
    """The lines of that file."""

    @property
    def is_plain(self) -> bool:
        """True if its boards speak plain DFU 1.1: their partitions are alternate settings, without addresses."""
        return any(p.alternate is not None for p in self.partitions.values())

    @property
    def protected(self) -> tuple[Range, ...]:
        """The addresses that are never written."""
        spans = tuple(p.span for p in self.partitions.values() if p.protected and p.alternate is None)
        return (*spans, *self.kept)

    def protects(self, partition: Partition) -> bool:
        """Return whether nothing may be written, or nobody can say so, where a partition lies; it may be another's."""
        if partition.alternate is None:
            return any(partition.span.overlaps(span) for span in self.protected)
        protected = (p.alternate for p in self.partitions.values() if p.protected)
        return any(may_be_same(partition.alternate, each) for each in protected if each is not None)


@dataclass(frozen=True, kw_only=True)
class Pins(Table):
    """The identity that `adopt` saw of a board; if it changes, the board is put on hold (safety rule 3)."""

    map: Annotated[
        str, Meta(max_length=MAX_MAP), key("The memory map string as the device sent it; absent where it has none.")
    ] = ""
    """Cleaned of control characters."""
    bcd_device: Annotated[Word16, key("The device's bcdDevice.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardKeys:
    """The keys of a board's table that the program takes as they are."""

    serial: Annotated[
        str, Meta(max_length=MAX_SERIAL), key("The serial that the board shows, as `flashdeck boards` lists it.")
    ] = ""
    port: Annotated[
        Port,
        key('The USB port that it is plugged into: "1-4.2", or the ID_PATH of udev, as "pci-0000:00:14.0-usb-0:4.2".'),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotKeys:
    """The keys of a slot's table that the program takes as they are."""

    port: Annotated[
        Port,
        key('The USB port that units are plugged into: "1-4.2", or the ID_PATH of udev. No board has the same one.'),
    ]
    group: Annotated[
        str, Meta(max_length=MAX_GROUP), key("Slots of one group are shown together, under this name.")
    ] = ""


@dataclass(frozen=True, slots=True)
class Board(BoardKeys):
    """One configured physical device. With neither serial nor port it is never recognised, and its jobs are blocked."""

    name: str
    profile: Profile
    pins: Pins | None = None
    """Set for an adopted board, which boards.toml describes."""
    file: Path = field(default=Path(), compare=False)
    """The file that names it first."""
    slot: SlotKeys | None = None
    """Set for a slot: a port that takes one unit after the other, of which each is a board of its own."""


@dataclass(frozen=True, kw_only=True)
class Hooks(Table):
    """Commands of one's own that run when a job has ended. They hold up nothing."""

    done: Annotated[
        Argv | None,
        key(
            "Program and arguments, run without a shell once a job is done. Its environment has BOARD, PARTITION, "
            "PORT, SERIAL, VERSION, SHA256, JOB, KIND, RESULT, VERDICT and LINE; KIND is what the job did, as flash or "
            "erase, and LINE the line of the console that decided the verdict."
        ),
    ] = None
    failed: Annotated[Argv | None, key("The same once a job has failed.")] = None
    verdict: Annotated[
        Argv | None, key("The same, beside the others, once it is judged by its console how a board has started.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Metrics(Table):
    """The numbers of the daemon, for Prometheus; only in the main file."""

    listen: Annotated[
        Listen | None,
        key(
            'The place where Prometheus asks: a port of this machine, as "127.0.0.1:9820", which is answered with the '
            "token of the state directory alone; or the path of a Unix socket, for your own user alone."
        ),
    ] = None
    """None: nowhere."""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that the table says nothing."""
        if self.place.path and not self.place.mentions("listen"):
            yield self.place.mistake("listen", "is missing", 'name a place, as listen = "127.0.0.1:9820"')


@dataclass(frozen=True, kw_only=True)
class Host(Table):
    """Another machine whose boards `flashdeck --host NAME` reaches, over ssh; or several of them under one name."""

    ssh: Annotated[
        Destination, key("The goal of ssh: user@box, or a host of ~/.ssh/config. Default: the name of this table.")
    ] = ""
    command: Annotated[
        tuple[Annotated[str, Meta(max_length=MAX_PATH)], ...],
        Meta(max_length=MAX_WORDS),
        key("flashdeck on that machine, with its path where ssh does not find it: program and arguments."),
    ] = ("flashdeck",)
    hosts: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_PATH)], ...],
        Meta(max_length=MAX_WORDS),
        key(
            "Instead of both: this name means several machines at once. Names from [hosts] and of ssh, and globs of "
            "names from [hosts]."
        ),
    ] = ()

    def meaningless(self) -> Iterator[Mistake]:
        """Yield what only one machine has."""
        if self.hosts:
            for name in ("ssh", "command"):
                yield self.place.mistake(name, "means nothing beside hosts", "each of those machines has its own")

    def mistakes(self) -> Iterator[Mistake]:
        """Yield that the command names no program, or that there are no machines."""
        if "hosts" in self.place.given and not self.hosts:
            yield self.place.mistake("hosts", "is empty", 'name the machines, as ["bench", "rack-*"]')
        if "command" not in self.place.given:
            return
        if not self.command:
            yield self.place.mistake("command", "is empty", 'name the program, as ["~/.local/bin/flashdeck"]')
        elif self.command[0].startswith("-"):
            yield self.place.mistake("command", f"{self.command[0]} is no program", "name the program first")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonKeys:
    """The keys of the daemon's table that the program takes as they are."""

    settle: Annotated[
        Settle, key("Time without a change after which an image file counts as built, once no writer has it open.")
    ] = DEFAULT_SETTLE
    keep_builds: Annotated[
        int,
        Meta(ge=0, le=MAX_KEPT_BUILDS),
        key("Images that stay for a rollback: the last ones that were flashed well, of each partition of each board."),
    ] = 10
    spool_limit: Annotated[
        SizeAbove0,
        key("Size of all images that are kept on the disk. What boards and jobs need stays, whatever its size."),
    ] = 1024 * 1024 * 1024
    max_per_controller: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_PER_CONTROLLER)] | None,
        key(
            "Boards of one USB host controller that are talked to at once; the others wait for their turn, the longest "
            "first. Absent: as many as there is work for."
        ),
    ] = None
    group: Annotated[
        str,
        Meta(max_length=LONGEST_ACCOUNT),
        key(
            "A group of the system whose members may use the bench, too, each by an account of their own; the daemon's "
            "own user has to be one. It counts from the next start on. Absent: nobody but that user, and root."
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, checked configuration."""

    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])
    boards: Mapping[str, Board] = field(default_factory=dict[str, Board])
    """The boards and the slots."""
    files: tuple[Path, ...] = ()
    """Every file that was read, the main one first."""
    disarmed: frozenset[str] = frozenset()
    """Names of boards to which builds are offered, not flashed (boards.toml)."""
    once: frozenset[str] = frozenset()
    """Names of boards that are armed for one job (boards.toml)."""
    hooks: Hooks = Hooks()
    """Commands that run when a job has ended, those of all files."""
    included_hooks: Mapping[str, Hooks] = field(default_factory=dict[str, Hooks])
    """By its path: those that an included file has."""
    daemon: DaemonKeys = DaemonKeys()
    metrics: Metrics = Metrics()
    """The numbers for Prometheus."""
    labgrid: LabgridTable | None = None
    """The lab that the boards are part of; None where there is none."""
    hosts: Mapping[str, Host] = field(default_factory=dict[str, Host])
    """Other machines, by their names; nothing of them matters to the daemon."""
    screen: ScreenTable = field(default=ScreenTable())
    """The screen; nothing of it matters to the daemon."""

    @property
    def slots(self) -> dict[str, Board]:
        """Return the slots alone."""
        return {name: board for name, board in self.boards.items() if board.slot is not None}
