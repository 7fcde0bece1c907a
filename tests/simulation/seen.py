"""All that the rules look at: what is true in the world, what the world did, and what the daemon shows of it.

The world fills it; a rule only reads it. Nothing in here is computed by the product: configurations, images and devices
are told in the words of DESIGN, section 2, by whoever made them. `step` is a number that the world counts up with every
step of the loop and every control transfer; `now` is the world's own time in seconds, which no client can set back (the
clock that the daemon reads may jump).
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from mmap import mmap

from flashdeck.model import ArtifactState, BoardState, DaemonState, Event, JobState

BLANK = 0xFF
"""The byte that erased flash has."""
LEAST_BOOT_UNIT = 16
"""Bytes at the start of a partition that are written last: so many, or a word of the flash where that is more."""
LAST_STORIES = 200
"""Lines of the story that a failure shows."""
Span = tuple[int, int]
"""Start and end of addresses, or of offsets from a partition's start; the end does not belong to it."""


# What the configuration says, as the world wrote it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A partition, as the world wrote it into the configuration."""

    name: str
    address: int
    size: int
    protected: bool = False
    image: str = ""
    """The path, or the glob, of its build."""
    auto: bool = True
    guards: frozenset[str] = frozenset({"fits", "stack", "reset"})
    is_data: bool = False
    """True: `holds = "data"`, nothing boots from it."""

    @property
    def span(self) -> Span:
        """Its addresses."""
        return self.address, self.address + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The signs by which a start is judged, as the world wrote them into the configuration."""

    within: float
    """Seconds from the first sight of the application in which it has to say that it is ready."""
    stays: float
    """Seconds for which that has to stand."""
    partition: str = "app1"
    """The partition whose version the application says."""
    goes_back: bool = False
    """True: `on_crash = "rollback"`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A profile, as the world wrote it."""

    name: str
    places: Mapping[str, Place]
    """In the order of the configuration, by name."""
    dfu_id: tuple[int, int]
    """Vendor and product in DFU mode."""
    app_id: tuple[int, int] | None
    """The same while it is running; None where the application has no USB."""
    ram: tuple[Span, ...] = ()
    """Where a stack may be, ends included; empty: anywhere (then the guard "stack" has nothing to say)."""
    erase_all: bool = False
    """True: `erase = "partition"`."""
    verify: str = "auto"
    """"auto", "always" or "never"."""
    leave: bool = True
    trust_cache: bool = False
    is_plain: bool = False
    """True: it speaks plain DFU 1.1, and rule 6 can only be kept by order of blocks that nobody chooses."""
    is_included: bool = False
    """True: it stands in a file of its project, which the main file includes."""
    signs: Signs | None = None
    """The signs on its console; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A configured board, as the world wrote it."""

    name: str
    product: Product
    serial: str = ""
    port: str = ""
    """As the daemon spells ports: bus and hub ports, "1-4"."""
    release: int | None = None
    """The bcdDevice that was pinned when it was adopted; None for one that a person has configured."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A whole configuration, as the world wrote it."""

    products: Mapping[str, Product]
    boards: Mapping[str, Named]
    spool_limit: int = 1 << 30
    keep_builds: int = 10
    claimed: Mapping[str, Product] = field(default_factory=dict[str, Product])
    """Of a configuration in force: the products of the included file as that has them, counting or not."""
    confirmed: tuple[Mapping[str, Product], ...] = ()
    """The same as a person may have confirmed them last: one of these."""


# What is true of a device.


@dataclass(slots=True, eq=False)
class Device:
    """An emulated board: the thing itself, whatever the configuration calls it."""

    name: str
    """Its name on the world's bench; no daemon knows it."""
    base: int
    """Address of the first byte of its flash."""
    content: bytes | bytearray | mmap
    """The bytes of its flash as they are now: the emulation's own, never a copy."""
    sectors: tuple[Span, ...]
    """Its sectors as they are, in ascending order."""
    word: int
    """Bytes that it programs at once."""
    dfu_id: tuple[int, int]
    app_id: tuple[int, int] | None
    serial: str
    app_serial: str
    port: str
    """The port that it is plugged into, as the daemon spells it."""
    release: int = 0
    """Its bcdDevice."""
    had_another_release: bool = False
    """True once that has changed: jobs that began before wait until a person says that it is the same board."""
    own_serial: str = ""
    """The serial that it had first."""
    reads_truly: bool = True
    """True if it answers reads with what is in its flash: by its model, before any fault."""
    is_stale: bool = False
    """True if it may answer what was there when it was read before; what it has not read yet, it reads truly."""
    stores: bool = True
    """False for a model that says yes to erases and writes, and does nothing."""
    erases_trailer: bool = False
    """True if its bootloader erases the last sector of a partition by itself, whatever the image: Zephyr's does."""
    erases_astray: bool = False
    """True for a model that erases in the wrong bank: what it erases is not what it was asked for."""
    is_plugged: bool = False
    mode: str = "unplugged"
    """"dfu", "app", "dark" (it runs something that is not on the bus) or "unplugged", as it is at this moment."""
    changed_at: float = 0.0
    """The world's time when `is_plugged`, `mode` or `port` changed last."""
    is_broken: bool = False
    """True if the world has broken it for good: bad sectors, a bootloader that hangs for ever."""
    disturbed_at: int = -1
    """The step at which a fault struck one of its requests last (a stall, a hang, an error): reads may be refused."""
    struck_at: int = -1
    """The step at which a fault struck one of its requests last; that it came or went is none."""
    wrong_requests: list[str] = field(default_factory=list[str])
    """Requests that no careful host sends, in words: Read Unprotect, mass erase, commands that are none."""
    _starts: list[int] = field(init=False, repr=False)
    """The first address of each sector."""

    def __post_init__(self) -> None:
        self._starts = [start for start, _ in self.sectors]

    def bytes_of(self, span: Span) -> bytes:
        """Return what is there, by addresses."""
        return bytes(self.content[span[0] - self.base : span[1] - self.base])

    def sector_of(self, address: int) -> Span:
        """Return the sector that an address is in; raises ValueError outside the flash."""
        found = self.sectors[bisect_right(self._starts, address) - 1]
        if found[0] <= address < found[1]:
            return found
        raise ValueError(f"0x{address:08x} is not in the flash of {self.name}")


class Did(Enum):
    """A thing that happens to a flash."""

    ERASED = "erased"
    PROGRAMMED = "programmed"
    TORN_ERASE = "erase cut short"
    TORN_WRITE = "write cut short"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashChange:
    """One change of the true bytes of a flash. The world tells of it right after it has happened."""

    step: int
    life: int
    """The number of the daemon's life, from 1 on; 0: no daemon asked for it."""
    device: str
    """The name of the device on the world's bench."""
    lane: str
    """The configured name of the board whose lane's thread asked for it; "": none of them."""
    job: int
    """The job that the daemon showed as running on that board when the operation began; 0: none."""
    did: Did
    address: int
    """The first byte that it concerned: the sector's start for an erase."""
    size: int
    before: bytes
    """What was there, all of it: an erase in the wrong place is judged by it."""
    after: bytes = b""
    """What is there now; left out for an erase, which leaves 0xFF."""
    is_astray: bool = False
    """True if the device did it elsewhere than it was asked to."""

    @property
    def span(self) -> Span:
        """The addresses that it concerned."""
        return self.address, self.address + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """An operation of a flash that went wrong, and was answered OK: skipped, or wrong bytes."""

    step: int
    address: int
    size: int
    is_erase: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A device was opened for the work of a lane."""

    step: int
    life: int
    device: str
    lane: str
    was_dfu: bool
    """True if it was in DFU mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A device has left its bootloader because it was told to, or started anew."""

    step: int
    device: str
    lane: str
    """The lane that told it to; "": a hand, the power, or itself."""
    job: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line that an application says, unless something ends it before."""

    at: float
    """The world's time when it is whole."""
    text: str
    is_whole: bool = True
    """False for half of one, behind which nothing comes for a while: it may be taken for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An application that has started, and what it will say."""

    device: str
    at: float
    """The world's time of its start."""
    visible_at: float
    """That from which on it is on the bus, unless something ends it before."""
    lines: tuple[Said, ...]


# What the world did.


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An image that the world has made: of a file that was written, or that a client has sent."""

    sha256: str
    """The name that the daemon has to give it: see `invariants.memory.name_of`."""
    pieces: tuple[tuple[int, bytes], ...]
    """Offsets from the partition's start, and bytes; ascending, none empty, no two that touch."""
    product: str
    place: str
    """The partition that it was made for; guards may refuse it all the same."""
    path: str = ""
    """The file; "" for one that a client has sent."""
    version: str = ""
    """The version that is written in it; "" for none."""
    settled_at: float = 0.0
    """The world's time when its file was whole, and no writer had it open any more."""
    is_newest: bool = True
    """False once another file of its place has taken its path, or a newer match of the glob."""

    @property
    def is_program(self) -> bool:
        """True if it defines the partition's first word."""
        return bool(self.pieces) and self.pieces[0][0] == 0


class Wish(Enum):
    """A thing that a client asks for and that the rules have to know of."""

    HOLD = "hold"
    RELEASE = "release"
    ARM = "arm"
    ARM_ONCE = "arm once"
    DISARM = "disarm"
    FLASH = "flash"
    ROLLBACK = "rollback"
    ERASE = "erase"
    CANCEL = "cancel"
    RETRY = "retry"
    VERIFY = "verify"
    READ = "read"
    RESET = "reset"
    TAKE = "take"
    USE = "use a lease"
    USE_ENDED = "use a lease that is over"
    GIVE_BACK = "give back"
    WAIT = "wait"
    RELOAD = "reload"
    TRUST = "trust"
    ADOPT = "adopt"
    LOOK = "look"
    """All that changes nothing: status, plan, history, logs."""


CHANGING_WISHES = frozenset(Wish) - {Wish.WAIT, Wish.LOOK, Wish.USE, Wish.USE_ENDED}
"""What a connection that may only look must be refused."""


@dataclass(slots=True, kw_only=True)
class Told:
    """The answer to `history`."""

    jobs: tuple[JobState, ...] = ()
    """Those of the answer, in its order."""
    next: int = 0
    """The number below which the answer says nothing; 0: it goes to the end."""
    over: Mapping[int, JobState] = field(default_factory=dict[int, JobState])
    """The jobs that were shown as ended when it was asked for."""


@dataclass(slots=True, kw_only=True)
class Ask:
    """A call of a client, and its answer once there is one."""

    step: int
    life: int
    at: float
    client: str
    wish: Wish
    boards: tuple[str, ...] = ()
    place: str = ""
    sha256: str = ""
    """The image that is asked for; "": the newest."""
    job: int = 0
    timeout: float | None = None
    """Seconds, of a `wait`."""
    is_read_only: bool = False
    answered_at: float | None = None
    refused: str = ""
    """The kind of the error that it was answered with; "": it was answered well, or not yet."""
    jobs: tuple[int, ...] = ()
    """The jobs that the answer names."""
    ends: tuple[tuple[str, str], ...] = ()
    """Of a `wait`: each board in the answer, with the kind of its failure; "" where it has the image and runs."""
    left_open: Mapping[str, JobState | None] = field(default_factory=dict[str, JobState | None])
    """Of a `wait`: each board in the answer that has neither the image nor a failure, with its job."""
    told: Told | None = None
    """The answer of `history`; None where something else is asked for."""
    is_abandoned: bool = False
    """True if its connection or its daemon has ended before the answer."""


# What the daemon shows.


@dataclass(slots=True)
class Shown:
    """What a client that has subscribed sees now; it starts anew with each life of the daemon.

    The world feeds `events` as the hub publishes them, so that nothing is between the daemon's own state and this.
    """

    daemon: DaemonState | None = None
    boards: dict[str, BoardState] = field(default_factory=dict[str, BoardState])
    jobs: dict[int, JobState] = field(default_factory=dict[int, JobState])
    artifacts: dict[tuple[str, str], ArtifactState] = field(default_factory=dict[tuple[str, str], ArtifactState])

    def take(self, event: Event) -> None:
        """Take over what one event says."""
        if event.daemon is not None:
            self.daemon = event.daemon
        if event.board is not None:
            self.boards[event.board.name] = event.board
        if event.job is not None:
            self.jobs[event.job.id] = event.job
        if event.artifact is not None:
            self.artifacts[event.artifact.profile, event.artifact.partition] = event.artifact


@dataclass(frozen=True, slots=True)
class Disk:
    """The state directory at one instant at which nothing is being written: seldom, at points that the seed chooses.

    At such a point the journal's writer, the spool and all asynchronous tasks of the daemon are idle.
    """

    jobs: Mapping[int, JobState]
    """The table of jobs."""
    contents: Mapping[tuple[str, str], object]
    """The table of contents, by board and partition: `flashdeck.model.Contents`."""
    artifacts: Mapping[tuple[str, str], ArtifactState]
    holds: frozenset[str]
    spool: Mapping[str, bytes]
    """The spool's files, by name."""
    left_over: tuple[str, ...] = ()
    """Files of a half-done write."""
    is_whole: bool = True
    """False if the world has kept the daemon from writing (a full disk) since it last had nothing to catch up on."""


@dataclass(slots=True)
class Seen:
    """Everything. One for a seed; it outlives every daemon in it."""

    seed: int = 0
    step: int = 0
    now: float = 0.0
    life: int = 0
    """The number of the daemon's life; 0: there is none yet."""
    is_alive: bool = False
    """True from when its socket listens until it is killed or has ended."""
    ready_at: float = 0.0
    """The world's time when the socket of this life began to listen."""
    setup: Setup = field(default_factory=lambda: Setup({}, {}))
    """The configuration in force: what this life has taken over last (`took`)."""
    devices: dict[str, Device] = field(default_factory=dict[str, Device])
    builds: dict[str, Build] = field(default_factory=dict[str, Build])
    """Every image that the world ever made, by its name."""
    newest: dict[tuple[str, str], Build] = field(default_factory=dict[tuple[str, str], Build])
    """By product and place: what lies at the path now, whole and settled."""
    asks: list[Ask] = field(default_factory=list[Ask])
    shown: Shown = field(default_factory=Shown)
    changes: Counter[str] = field(default_factory=Counter[str])
    """How many flash changes each device has seen."""
    last: deque[str] = field(default_factory=lambda: deque[str](maxlen=LAST_STORIES))
    """The last things that happened, in words: the story of a failure."""
    allowed_paths: tuple[str, ...] = ()
    """Prefixes of all paths that it has any business with."""
    kinds: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of thing was done by the world."""
    disk_failed_at: float = float("-inf")
    """The world's time when a write of the daemon's was refused last, or lost."""
    pool_late_at: float = float("-inf")
    """The world's time when a thread that reads files for the event loop was late last."""
    is_calm: bool = False
    """True at the end: the world does nothing more but what it is asked for."""

    def tell(self, text: str) -> None:
        """Add a line to the story."""
        self.last.append(f"{self.step:7} {self.now:10.3f}  {text}")
