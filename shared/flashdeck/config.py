"""The configuration as the rest of the program sees it: checked, resolved, immutable.

`flashdeck.config_file` reads it from TOML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from flashdeck.geometry import Geometry, Range
from flashdeck.patterns import Pattern

DEFAULT_SETTLE = 0.05
"""Seconds that an image file must be unchanged where nothing else is configured."""


@dataclass(frozen=True, slots=True, order=True)
class UsbId:
    """A vendor and product id."""

    vendor: int
    product: int

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


class Enter(StrEnum):
    """How a board gets from its application into DFU mode."""

    DETACH = "detach"
    MANUAL = "manual"


class MapPolicy(StrEnum):
    """What to do with the device's own memory map."""

    CHECK = "check"
    IGNORE = "ignore"


class ErasePolicy(StrEnum):
    """Which sectors a job erases."""

    NEEDED = "needed"
    PARTITION = "partition"


class VerifyPolicy(StrEnum):
    """Whether to read back what was written."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class PollPolicy(StrEnum):
    """Whether to wait for bwPollTimeout."""

    AUTO = "auto"
    SPEC = "spec"


class BankPolicy(StrEnum):
    """Whether the bootloader is trusted to erase the bank that it was asked to."""

    CHECK = "check"
    TRUSTED = "trusted"


class Holds(StrEnum):
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
    """How the bytes of a CRC counted when it was made, where they lie in the range that it covers."""

    SKIPPED = "skipped"
    ZEROS = "zeros"
    ONES = "ones"
    """0xff, as in erased flash."""


@dataclass(frozen=True, slots=True)
class CrcGuard:
    """The check of a CRC that a post-build step put into the image. All offsets are from the partition's start.

    Places that the image leaves open count as 0xff, as in erased flash.
    """

    crc: Crc
    at: int | None = None
    """The offset of the CRC; None: it is the last thing in the image."""
    start: int = 0
    """The first offset that it covers."""
    end: int | None = None
    """The first one behind what it covers; None: the CRC where that lies behind `start`, else the image's end."""
    length: int | None = None
    """The offset of a number of 32 bits in the image, which says how many bytes it covers; None: `end` tells."""
    order: ByteOrder = ByteOrder.LITTLE
    """That of the CRC, and of `length`."""
    field: CrcField | None = None
    """Set if and only if the CRC lies in what it covers."""


AnyGuard = Guard | CrcGuard
DEFAULT_GUARDS: frozenset[AnyGuard] = frozenset((Guard.FITS, Guard.RESET, Guard.STACK))
"""The guards of a partition that holds a program."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A named address range of a board's flash, or an alternate setting of a plain DFU 1.1 device."""

    name: str
    span: Range
    """Its addresses. An alternate setting has none: its span counts from 0, and only says how much fits."""
    protected: bool = False
    image: str = ""
    """Absolute path or glob of the image file; "" where none is watched."""
    auto: bool = True
    guards: frozenset[AnyGuard] = DEFAULT_GUARDS
    vectors: int | None = None
    """The offset of the vector table, behind a header of the product's own; None: the partition's start, or behind an
    MCUboot header."""
    version: Pattern | None = None
    """Finds the version in an image; None where none is configured."""
    holds: Holds = Holds.PROGRAM
    outside: Outside = Outside.REFUSE
    base: int | None = None
    """The address of the first byte of a raw binary, where that is not the partition's own."""
    settle: float = DEFAULT_SETTLE
    """Seconds that an image file must be unchanged once no writer has it open."""
    alternate: int | str | None = None
    """The alternate setting, by number or name, of a plain DFU 1.1 device; None for a range of addresses."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What boards of one product share."""

    name: str
    dfu: UsbId
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
    app: UsbId | None = None
    enter: Enter = Enter.MANUAL
    enter_hint: str = ""
    leave: bool = True
    map: MapPolicy = MapPolicy.CHECK
    erase: ErasePolicy = ErasePolicy.NEEDED
    verify: VerifyPolicy = VerifyPolicy.AUTO
    poll: PollPolicy = PollPolicy.AUTO
    banks: BankPolicy = BankPolicy.CHECK
    trust_cache: bool = False
    """Whether a board that can not be read is taken to hold what this daemon last flashed there."""
    partitions: Mapping[str, Partition] = field(default_factory=dict[str, Partition])

    @property
    def is_plain(self) -> bool:
        """Whether its boards speak plain DFU 1.1: their partitions are alternate settings, without addresses."""
        return any(p.alternate is not None for p in self.partitions.values())

    @property
    def protected(self) -> tuple[Range, ...]:
        """The addresses of the protected partitions."""
        return tuple(p.span for p in self.partitions.values() if p.protected and p.alternate is None)


@dataclass(frozen=True, slots=True)
class Pins:
    """What `adopt` saw of a board; if it changes, the board is held (safety rule 3)."""

    map: str
    """The memory map string exactly as the device sent it, cleaned of control characters; "" where it has none."""
    bcd_device: int


@dataclass(frozen=True, slots=True)
class Board:
    """One configured physical device. With neither serial nor port it can never be recognised, and is shown as held."""

    name: str
    profile: Profile
    serial: str = ""
    port: str = ""
    """`1-4.2` (bus and hub ports) or the ID_PATH form `pci-0000:00:14.0-usb-0:4.2`."""
    pins: Pins | None = None
    """Set for an adopted board, which boards.toml describes."""


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, checked configuration."""

    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])
    boards: Mapping[str, Board] = field(default_factory=dict[str, Board])
    files: tuple[Path, ...] = ()
    """Every file that was read, the main one first."""
    disarmed: frozenset[str] = frozenset()
    """Names of boards to which new artifacts are only offered (boards.toml)."""
