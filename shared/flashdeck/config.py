"""The configuration as the rest of the program sees it: checked, resolved, immutable.

`flashdeck.config_file` reads it from TOML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from flashdeck.geometry import Geometry, Range


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


class Guard(StrEnum):
    """A check that an image belongs where it is going."""

    FITS = "fits"
    STACK = "stack"
    RESET = "reset"


ALL_GUARDS = frozenset(Guard)


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
    guards: frozenset[Guard] = ALL_GUARDS
    settle: float = 0.05
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
