"""The builds that were found below a directory, and one line of `flashdeckd scan`."""

from flashdeck.model import DeviceState
from flashdeck.open_enum import OpenEnum
from flashdeck.value import Value

HEADER_SIZES = range(0x20, 0x1000 + 1, 0x20)
"""Sizes of the header that imgtool puts into the room that a linker script leaves for it."""
MAX_PARTS = 16
"""Runs of bytes that are listed of one image."""


class BuildLayout(OpenEnum):
    """The tool whose directories a build lies in."""

    CARGO = "cargo"
    CMAKE = "cmake"
    IAR = "iar"
    KEIL = "keil"
    MAKE = "make"
    PLATFORMIO = "platformio"
    STM32CUBEIDE = "stm32cubeide"
    ZEPHYR = "zephyr"
    PLAIN = "plain"
    """None of them is to be seen."""
    OTHER = "other"


class FoundImage(Value, frozen=True, kw_only=True):
    """An image file that could be flashed, as its contents say."""

    path: str
    """Absolute, links in it as they are."""
    format: str
    """The title of its format: "ELF", "raw binary"."""
    size: int
    """Bytes of the file."""
    sha256: str = ""
    """Of the file."""
    modified_at: float = 0.0
    start: int | None = None
    """The lowest address that it is linked for; None where nothing says it."""
    end: int | None = None
    """The first address behind all of it."""
    parts: tuple[tuple[int, int], ...] = ()
    """Start and end of each run of bytes in it, in ascending order; where there are more than `MAX_PARTS`, the last one
    reaches to the end."""
    start_is_guess: bool = False
    """True if only its vector table says where it belongs, as in a raw binary."""
    is_program: bool = False
    """True if it begins with what looks like a vector table; otherwise it is a patch, or data."""
    initial_stack: int | None = None
    """The first word of its vector table; None where it has none."""
    header_room: int = 0
    """Bytes at its start that are kept free for an MCUboot header, which is not there: it is not signed yet. 0 where it
    does not look so."""
    has_header: bool = False
    """True if it begins with an MCUboot header."""


class FoundBuild(Value, frozen=True, kw_only=True):
    """The files that one build wrote side by side, such as .elf, .hex and .bin."""

    name: str
    """The target or the project: "APP1"."""
    layout: BuildLayout
    variant: str = ""
    """The configuration of the build where its directories name one: "Debug", "nucleo_h563zi"; "" for none."""
    best: FoundImage
    """The file to watch."""
    reason: str = ""
    """The reason why that one, where there are others."""
    others: tuple[FoundImage, ...] = ()
    """The other files of the same build."""

    @property
    def modified_at(self) -> float:
        """The time at which the file to watch was written."""
        return self.best.modified_at


class ScanLine(Value, frozen=True, kw_only=True):
    """One line of `flashdeckd scan`. A field that is None is not what the line is about."""

    devices: tuple[DeviceState, ...] | None = None
    """All devices now, those in DFU mode first. With --follow there is another such line whenever that changes."""
    unread: tuple[str, ...] = ()
    """Devices that hang, each in a sentence; beside `devices`."""
    trouble: str = ""
    """The reason why devices are not seen as they should be, and what to do; beside `devices`."""
    builds: tuple[FoundBuild, ...] | None = None
    """All builds below the directory, the newest first."""
    notes: tuple[str, ...] = ()
    """Places that were not looked at, each in a sentence; beside `builds`."""
