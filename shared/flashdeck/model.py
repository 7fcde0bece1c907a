"""The state of things as daemon and clients see it. An event carries all of one thing, never a difference.

Times are seconds since the epoch (UTC); sizes and addresses are bytes. Text that came from a device, a file or
a client has been through `flashdeck.text.clean` before it gets in here.
"""

from msgspec import field
from msgspec.structs import force_setattr

from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.disposition import Disposition
from flashdeck.flash_map import FlashMap
from flashdeck.job_state import (
    Failed,
    Failure,
    FlashWork,
    HookRun,
    JobKind,
    JobResult,
    JobStatus,
    Origin,
    PhaseTimes,
    Unknown,
    Verified,
    is_settled,
    needs_person,
    result_of,
)
from flashdeck.open_enum import OpenEnum
from flashdeck.slot_state import LotState, SlotState
from flashdeck.value import Value
from flashdeck.verdict import Judgement
from flashdeck.words.builds import disposition_text
from flashdeck.words.consoles import console_text
from flashdeck.words.jobs import status_text


class Presence(OpenEnum):
    """The place of a board right now."""

    ABSENT = "absent"
    DFU = "dfu"
    APP = "app"
    AMBIGUOUS = "ambiguous"
    OTHER = "other"


class LogLevel(OpenEnum):
    """The weight of a log line."""

    DEBUG = "debug"  # what a lane decided, and why
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    OTHER = "other"


class Layer(Value, frozen=True, kw_only=True):
    """One image that was written into a partition, over what was there before."""

    sha256: str
    """The image; "" where a flash was cut short, and nothing is known of what it had erased."""
    erased: tuple[tuple[int, int], ...] = ()
    """Start and end, counted from the partition's start, of what was erased for it: what the image does not define
    there is 0xFF."""
    blank: bool = False
    """True if nothing but an erase was done there, to its end: it is 0xFF, although there is no image."""


class Patch(Value, frozen=True, kw_only=True):
    """An image that was laid over a program: it does not define the partition's first word."""

    sha256: str
    size: int
    version: str = ""
    flashed_at: float
    job: int


class Ran(Value, frozen=True, kw_only=True):
    """The contents of a partition when the application of its board last said that it runs."""

    images: tuple[str, ...]
    """The program, and the patches over it, the oldest first; for data the newest image."""
    version: str = ""
    """The version of the first of them."""
    at: float
    """The time of that; the same in all partitions of a board."""
    serial: str = ""
    """Serial of the device that it was flashed into."""
    bcd_device: int = 0
    memory_map: str = ""


class Contents(Value, frozen=True, kw_only=True):
    """The contents of a partition of a board, as far as this daemon knows: a program, and patches over it."""

    sha256: str
    """The program, or the newest image of a partition for data; "" where only patches are known."""
    size: int
    version: str = ""
    flashed_at: float
    verified: Verified
    job: int
    complete: bool = True
    """False from the first erase of a flash until its boot unit is written."""
    started: bool | None = None
    """True if the application was seen to start afterwards; None where that cannot be seen."""
    serial: str = ""
    """Serial of the device that it was flashed into; "" where that has none."""
    bcd_device: int = 0
    """Its bcdDevice then."""
    memory_map: str = ""
    """A short name of its memory map then; "" where it showed none, or an older release recorded it."""
    uncertain: bool = False
    """True if its flash may have been changed since: the board has shown another serial or bcdDevice in DFU mode, or a
    job that did not come to its end has tried a canary there."""
    patches: tuple[Patch, ...] = ()
    """The patches over the program, the newest first."""
    layers: tuple[Layer, ...] = ()
    """All that its bytes are known from, the newest first. Empty where an older release recorded it: then `sha256`
    alone."""
    went_back: tuple[str, ...] = ()
    """Images that the board went back from: builds of them, or with their bytes, are offered until a person asks."""
    erased: bool = False
    """True from an erase that a person asked for until the next flash: builds are offered meanwhile, not
    flashed."""
    verdict: Judgement | None = None
    """The verdict on its start, and what came to light since; None where nothing was judged."""
    ran: Ran | None = None
    """The images that it had when the board last ran by its own word; None: it never did, or nobody knows."""


class PartitionState(Value, frozen=True, kw_only=True):
    """One partition of one board."""

    name: str
    address: int
    """0 where `alternate` says what it is instead."""
    size: int
    alternate: str = ""
    """The alternate setting, by number or name, of a plain DFU 1.1 device; "" for a range of addresses."""
    protected: bool = False
    auto: bool = True
    image: str = ""
    being_written: bool = False
    """True while a build writes the image file, and a moment longer."""
    contents: Contents | None = None
    offered: str = ""
    """SHA-256 of the newest build where this board neither has it nor a job for it: it waits for a person."""
    current: bool = False
    """True if the partition has every byte of the newest build."""
    trouble: str = ""
    """The reason why the file at the image's path cannot be taken, and what to do; "" for none."""
    kept_open: str = ""
    """The program that has had the image file open for writing for long, in a sentence; "" for none. It is taken once
    it is closed."""


class HoldBy(OpenEnum):
    """The one who put a board on hold."""

    PERSON = "person"
    FLASHDECK = "flashdeck"  # whatever comes next would start something that must not be started
    OTHER = "other"


class BoardHold(Value, frozen=True, kw_only=True):
    """The hold of a board: nothing starts on it until a person releases it."""

    reason: str
    by: HoldBy = HoldBy.PERSON
    user: str = ""
    """The person, by name, where several people use the bench; "" elsewhere, and where flashdeck did it."""


class BoardLease(Value, frozen=True, kw_only=True):
    """The lease of a board: only its holder's jobs start. It ends with the holder's connection, and with the daemon."""

    by: str
    """The holder, in that client's own words."""
    reason: str = ""
    """Its purpose, in the holder's words; "" where nothing was said."""
    user: str = ""
    """The holder by name, as the system knows the connection, where several people use the bench; "" elsewhere."""
    place: str = ""
    """The place in labgrid that the holder has acquired: it ends with that, and nothing else ends it. "" for a lease of
    a client."""
    since: float


class ConsoleState(Value, frozen=True, kw_only=True):
    """The console of a board: the serial port on which it says something."""

    port: str
    """As the configuration has it: "app", or a path."""
    condition: ConsoleCondition
    node: str = ""
    """The node of the port that is followed, or would be; "" where nobody knows it now."""
    reason: str = ""
    """The reason for the condition: who holds the port, or why it cannot be had; "" for none."""
    hint: str = ""
    """The thing to do about it; "" for nothing."""
    dropped: int = 0
    """Bytes that were not recorded since the daemon's start, because the board said too much at once."""
    text: str = ""
    """All of it in a sentence; it follows from the rest, but for a condition that only a newer daemon knows."""

    def __post_init__(self) -> None:
        """Put the condition into words, once for everybody."""
        if self.condition is not ConsoleCondition.OTHER:
            force_setattr(self, "text", console_text(self.condition, self.node, self.reason, self.dropped))


class ConsoleEntry(Value, frozen=True, kw_only=True):
    """One entry of what a board said. Those of a board are numbered without a gap, from 1 on at the daemon's start."""

    number: int
    at: float
    """The time of its first byte, to the millisecond."""
    kind: ConsoleKind
    text: str
    """Without control characters, and without an end of line."""
    is_leave: bool = False
    """True for a mark where the board leaves DFU mode: what comes behind it is said by what it has now."""
    job: int = 0
    """The job that a mark is about, as it begins and as the board leaves DFU mode behind it; 0 for none."""


class BoardState(Value, frozen=True, kw_only=True):
    """One configured board."""

    name: str
    profile: str
    presence: Presence
    serial: str = ""
    port: str = ""
    controller: str = ""
    """The host controller that it is plugged in at, as `pci-0000:00:14.0`; "" while it is not connected."""
    product: str = ""
    text: str = ""
    """Its place, and what keeps it from being flashed by itself, in a sentence."""
    hold: BoardHold | None = None
    """Its hold; None while it is free."""
    lease: BoardLease | None = None
    """Its lease; None while nobody has taken it."""
    armed: bool = True
    """True: builds are flashed by themselves; otherwise they are offered."""
    once: bool = False
    """True: it is armed for one job, the next build that is flashed by itself; then it is disarmed."""
    adopted: bool = False
    """True: its identity was pinned by `adopt` and is kept in boards.toml."""
    trouble: str = ""
    """The reason why this board cannot be used, and what to do; "" for none."""
    doubts: tuple[str, ...] = ()
    """Faults of its bootloader; what they touch is not tried any more until a person releases the board."""
    away: str = ""
    """The reason why it is off the bus, as a restart; "" where it is there, or absent without any."""
    console: ConsoleState | None = None
    """Its console; None where none is configured."""
    slot: bool = False
    """True for a slot: its units and their results are in the `SlotState` of the same name."""
    partitions: tuple[PartitionState, ...] = ()


class DeviceMode(OpenEnum):
    """The mode that a device shows by its descriptors."""

    DFU = "dfu"
    RUNNING = "running"  # its application, which has a way into DFU mode
    OTHER = "other"


class WayIntoDfu(OpenEnum):
    """A way into DFU mode that a running device shows. The values are those of `enter` in a profile."""

    DETACH = "detach"  # its DFU run-time interface
    TOUCH = "touch-1200"  # its serial port (CDC-ACM); nothing tells whether its application heeds the touch
    OTHER = "other"


class DeviceState(Value, frozen=True, kw_only=True):
    """A device on the bus that is no configured board: listed, never touched."""

    port: str
    usb_id: str
    """VID:PID in hexadecimal, as `0483:df11`."""
    serial: str = ""
    product: str = ""
    bcd_device: int = 0
    note: str = ""
    serial_shared: bool = False
    """True if two devices have shown its serial at once: only its port tells which one it is."""
    mode: DeviceMode = DeviceMode.DFU
    manufacturer: str = ""
    dfu_version: int | None = None
    """bcdDFUVersion; 0x011a is DfuSe, whose devices have addresses. None where nothing says it."""
    setting_names: tuple[str, ...] = ()
    """The names of alternate settings of its DFU interface that are known without opening it: a DfuSe device has its
    memory map there. The kernel keeps that of the setting that is chosen."""
    ways_into_dfu: tuple[WayIntoDfu, ...] = ()
    """The ways that a running device shows; empty in DFU mode."""
    alternates: tuple[int, ...] = ()
    """The numbers of the alternate settings that it has in DFU mode, ascending; empty where nothing says them."""


class JobState(Value, frozen=True, kw_only=True):
    """One image for one partition of one board, or what else a person wants of a board."""

    id: int
    kind: JobKind = JobKind.FLASH
    board: str
    partition: str
    """"" for a job that is for the whole board: to leave DFU mode."""
    sha256: str
    """The image that it brings, compares with, or has read; "" where there is none."""
    size: int
    version: str = ""
    origin: Origin
    user: str = ""
    """The person who asked for it, or sent its build, where several people use the bench; "" elsewhere."""
    lab_user: str = ""
    """The user of a lab, host/user, for whom it was asked for last; "" for none."""
    patch: bool = False
    """True if the image is laid over the program that is there: it does not define the partition's first word."""
    force: bool = False
    """True if a person wants it done also where it is refused otherwise: reads that are not to be believed, a leave
    that starts nothing complete."""
    was_running: bool = False
    """True for a job that only reads if the board was running before it: it leaves DFU mode again afterwards."""
    status: JobStatus
    text: str = ""
    """The status in a sentence; it follows from it, but for one that only a newer daemon knows."""
    is_settled: bool = field(default_factory=bool)  # not a default, which would not be written where it is False
    """True if nothing will change the status any more; it follows from it likewise."""
    needs_person: bool = field(default_factory=bool)  # likewise
    """True if the job goes on only once a person has acted; it follows from the status likewise."""
    attempts: int = 0
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    once: bool = False
    """True if it is the one job that its board was armed for."""
    rank: int = 0
    """Its place, from 1 on, among the jobs of its board that a person has put into another order; 0: behind these, in
    the order of the configuration."""
    times: PhaseTimes = PhaseTimes()
    """The time that each phase has taken."""
    work: FlashWork = FlashWork()
    """All that its attempts have erased, written and read."""
    hook: HookRun | None = None
    """The command that ran once the job had ended; None where none has, or it has not ended yet."""
    note: str = ""
    """The reason for which flashdeck asks for it by itself, in a sentence; "" where a build or a person does."""
    undecided: bool = False
    """True from a verdict after which the board may go back by itself until that is decided."""

    def __post_init__(self) -> None:
        """Put the status into words, once for everybody."""
        if not isinstance(self.status, Unknown):
            force_setattr(self, "text", status_text(self.status, self.kind))
            force_setattr(self, "is_settled", is_settled(self.status))
            force_setattr(self, "needs_person", needs_person(self.status))

    @property
    def at(self) -> float:
        """The time of the last that happened to it: its end, else its start, else when it was asked for."""
        return self.finished_at or self.started_at or self.created_at

    @property
    def result(self) -> JobResult | None:
        """The work of the job, where it is known by now."""
        return result_of(self.status)

    @property
    def failure(self) -> Failure | None:
        """The error for which the job was given up; None where it was not."""
        return self.status.failure if isinstance(self.status, Failed) else None


class ArtifactState(Value, frozen=True, kw_only=True):
    """An image file that has settled, read once and spooled, at one of its targets."""

    sha256: str
    size: int
    source: str
    """The path it was read from, or the name that a client gave."""
    profile: str
    partition: str
    version: str = ""
    seen_at: float
    disposition: Disposition
    text: str = ""
    """The disposition in a sentence; it follows from it, but for what only a newer daemon knows."""
    reason: str = ""
    patch: bool = False
    """True if it is laid over a program: it does not define the partition's first word."""
    notes: tuple[str, ...] = ()
    """Notes on how the file was read."""
    flattened: bool = False
    """True if an older release named it, by the hash of its bytes with all gaps filled."""

    def __post_init__(self) -> None:
        """Put what became of it into words, once for everybody."""
        if self.disposition is not Disposition.OTHER:
            force_setattr(self, "text", disposition_text(self.disposition, self.reason))


class LogLine(Value, frozen=True, kw_only=True):
    """One line of the daemon's log."""

    id: int
    time: float
    level: LogLevel
    text: str
    board: str = ""
    job: int = 0


class Trouble(Value, frozen=True, kw_only=True):
    """A part of the daemon, or of its host, that does not work as it should. The daemon goes on without it."""

    part: str
    text: str
    """The fault as it was seen."""
    hint: str = ""
    """The thing to do about it."""
    since: float
    boards: tuple[str, ...] = ()
    """The boards that it costs; empty where it is none, or all of them."""

    @property
    def line(self) -> str:
        """Return all of it but the time in one line."""
        return f"{self.part}: {self.text}" + (f"; {self.hint}" if self.hint else "")


class ConfigurationState(Value, frozen=True, kw_only=True):
    """The configuration that is in force."""

    files: tuple[str, ...] = ()
    """The files that it was read from, the main one first; empty where there is none."""
    read_at: float
    changed: bool = False
    """True if a file is not any more as it was read."""
    refused: str = ""
    """All that is wrong with the files as they are now; "" where they were taken."""


class DaemonState(Value, frozen=True, kw_only=True):
    """The daemon itself."""

    version: str
    pid: int
    instance: str
    host: str
    started_at: float
    virtual: bool = False
    group: str = ""
    """The group whose members may connect, too; "": only the daemon's own user, and root."""
    degraded: tuple[str, ...] = ()
    """Parts that do not work, each with what to do; empty when all is well."""
    troubles: tuple[Trouble, ...] = ()
    """The same, part by part, and since when."""
    configuration: ConfigurationState | None = None
    """The configuration; None where the daemon is too old to say."""
    max_per_controller: int | None = None
    """The number of boards of one host controller that are talked to at once; None: no limit."""


class ControllerState(Value, frozen=True, kw_only=True):
    """A USB host controller with boards, and what it carries now."""

    name: str
    """The controller as in udev's ID_PATH: `pci-0000:00:14.0`. The USB 2 and USB 3 buses of one xHCI are one."""
    boards: tuple[str, ...]
    """The boards that are plugged in there."""
    busy: tuple[str, ...] = ()
    """Those of them that are talked to."""
    waiting: tuple[str, ...] = ()
    """Those that wait until it is their turn."""
    limit: int | None = None
    """The number of boards that are talked to at once (`max_per_controller`); None: no limit."""
    bytes_per_second: int = 0
    """Bytes that go from and to its boards, by what the running phases of their jobs have done so far."""


class Snapshot(Value, frozen=True, kw_only=True):
    """Everything at one instant; `seq` numbers the last event that is part of it."""

    seq: int
    daemon: DaemonState
    boards: tuple[BoardState, ...] = ()
    devices: tuple[DeviceState, ...] = ()
    jobs: tuple[JobState, ...] = ()
    artifacts: tuple[ArtifactState, ...] = ()
    maps: tuple[FlashMap, ...] = ()
    """The flash maps of the boards, for a client that asked for them; as many as fit into one message."""
    slots: tuple[SlotState, ...] = ()
    """In the order of the configuration. Slots that are gone leave a gap in the numbers, as boards do."""
    lots: tuple[LotState, ...] = ()
    """The lots that go on."""
    controllers: tuple[ControllerState, ...] = ()
    """The host controllers that have boards. No event has them: boards and jobs say all of it."""


class Event(Value, frozen=True, kw_only=True):
    """One change: exactly one of the fields after `seq` is set, and holds the whole new state of that thing."""

    seq: int
    daemon: DaemonState | None = None
    board: BoardState | None = None
    devices: tuple[DeviceState, ...] | None = None
    job: JobState | None = None
    artifact: ArtifactState | None = None
    log: LogLine | None = None
    map: FlashMap | None = None
    """For a client that asked for maps alone."""
    slot: SlotState | None = None
    lot: LotState | None = None
    """One with an `ended_at` is over, and in no later snapshot."""
