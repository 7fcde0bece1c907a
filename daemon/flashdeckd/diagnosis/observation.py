"""Everything that a look at a board has seen: values only, nothing is judged here."""

from dataclasses import dataclass, field
from enum import StrEnum

from flashdeck.config import Profile
from flashdeck.geometry import Range
from flashdeck.memory_map import MemoryMap
from flashdeck.model import Presence
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.wire import StatusReport
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.host.open_files import Holder
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPort


@dataclass(frozen=True, slots=True)
class Alternate:
    """An alternate setting with its name."""

    number: int
    protocol: int
    """1 run-time, 2 DFU mode."""
    text: str
    """The name, cleaned; on DfuSe devices the memory map."""
    memory_map: MemoryMap | None = None
    map_error: str = ""
    """The reason why the name is no memory map; "" where it is one."""


class ReadOutcome(StrEnum):
    """The ways in which a test read can end."""

    DATA = "data"
    REFUSED = "refused"
    """With a STALL."""
    SHORT = "short"
    FAILED = "failed"
    """With another error; the device answered again afterwards."""
    LOST = "lost"
    """The device did not answer any more afterwards, or left the bus."""


@dataclass(frozen=True, slots=True)
class TestRead:
    """One read, never longer than one transfer, inside one partition."""

    __test__ = False
    """Not a test, whatever pytest thinks of the name."""

    partition: str
    span: Range
    outcome: ReadOutcome
    data: bytes = field(default=b"", repr=False)
    state: int | None = None
    """The answer to GETSTATE right after a read that failed; None where it was not asked or did not answer."""
    message: str = ""
    """The error of a read that failed."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one open device in DFU mode showed."""

    raw_functional: bytes
    functional: FunctionalDescriptor
    first_state: int | None
    """The answer to GETSTATE before anything else; None: it was not answered."""
    first_status: StatusReport | None = None
    """The answer to GETSTATUS where that state was dfuERROR."""
    alternates: tuple[Alternate, ...] = ()
    claims: tuple[int, ...] = ()
    """Milliseconds claimed for each Set Address that was answered with dfuDNBUSY."""
    reads: tuple[TestRead, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    """Partitions that were not read, each with the reason."""
    names: str = ""
    """The names of all alternate settings, joined, as `adopt` pins them."""
    quirk: str = ""
    """The reason why something that the device says is not believed; "" where it is not known for that."""
    trouble: str = ""
    """The error that ended the look early; "" where nothing did."""
    requests: int = 0

    def map_for(self, span: Range) -> MemoryMap | None:
        """The map that reaches `span`, else the first there is."""
        maps = [each.memory_map for each in self.alternates if each.memory_map is not None]
        return next((each for each in maps if any(each.overlapping(span))), maps[0] if maps else None)


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """The parts of this machine that the way into DFU mode needs; those that it does not need are empty."""

    ports: tuple[SerialPort, ...] = ()
    """The serial ports of the running application; the first is the one that is touched."""
    is_hidden: bool = False
    """True if the node of the first port is not there, as in a container that does not see it."""
    is_closed: bool = False
    """True if this user may not open the first port."""
    holders: tuple[Holder, ...] = ()
    """Other processes that have the first port open."""
    program: str = ""
    """The path of the command's program; "" where there is none that can be run."""


@dataclass(frozen=True, slots=True)
class Case:
    """One board with all that is known of it, ready to be judged."""

    board: str
    profile: Profile
    presence: Presence
    device: UsbDevice | None = None
    seen: Observation | None = None
    """None where the device was not opened."""
    entry: EntryFacts = EntryFacts()
    """The way into DFU mode, for a board that is running."""
    speed: str = ""
    """The speed of the link in Mbit/s, as the kernel says it; "" where it does not."""
    history: BootloaderHistory = UNKNOWN
    pinned_map: str | None = None
    """The maps that `adopt` saw; None for a board that was not adopted."""
    rivals: tuple[str, ...] = ()
    """The ports of other devices with the same serial."""
    was_shared: bool = False
    """True if two devices have shown the serial at once, and nobody has released the board since."""
    known: tuple[tuple[str, bytes], ...] = ()
    """By partition: the first bytes of the image that it holds as far as this daemon knows."""
    unaccepted: frozenset[str] = frozenset()
    """Partitions whose image was flashed and then not seen to start."""
