"""Answers of commands with `--json` and `--jsonl` where it is not what the daemon answered.

Each is a type, so that `config/schema/cli.schema.json` is made from what is really printed.
"""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from flashdeck.api import BoardOutcome, ConfigReloaded, UnconfirmedFile
from flashdeck.job_state import Failure
from flashdeck.model import ArtifactState, ConsoleEntry, ConsoleState, DeviceState, JobState, LogLine, Snapshot
from flashdeck.problems import Problem, ProblemKind
from flashdeck.slot_state import UnitRecord
from flashdeck.value import Value
from flashdeck_tui.installer.steps import StepResult


class Refusal(Value, frozen=True, kw_only=True):
    """The answer of any command that cannot do what it was asked for."""

    error: Failure


class HostFailure(Value, frozen=True, kw_only=True):
    """A machine of those that `--host` names, and why it did not do what it was asked for."""

    host: str
    error: Failure
    code: int
    """The exit code that this alone would have."""


class HostsFailed(Value, frozen=True, kw_only=True):
    """The last line with `--jsonl`, and a part of every object with `--json`, where machines of several failed."""

    failed_hosts: tuple[HostFailure, ...]


class OtherDaemon(Value, frozen=True, kw_only=True):
    """Another daemon of the same user."""

    socket: str
    virtual: bool
    """True if it runs a bench of emulated boards: `flashdeck --virtual` talks to it."""


class Status(Snapshot, frozen=True, kw_only=True):
    """The answer of `status`: the daemon's snapshot, and what there is to say of it."""

    counts: Mapping[ProblemKind, int]
    """The number of boards in each condition; each counts once, by its worst."""
    problems: tuple[Problem, ...]
    """Everything that needs a person, worst first."""
    socket: str
    """The socket of the daemon that answered."""
    others: tuple[OtherDaemon, ...] = ()
    """The daemons that a command could talk to instead."""


class StatusOfHosts(Value, frozen=True, kw_only=True):
    """The answer of `status` where `--host` names several machines."""

    hosts: Mapping[str, Status]
    """That of each machine that answered, by its name."""


class ReloadsOfHosts(Value, frozen=True, kw_only=True):
    """The answer of `config reload` where `--host` names several machines."""

    hosts: Mapping[str, ConfigReloaded]
    """That of each machine that answered, by its name."""


class Served(Value, frozen=True, kw_only=True):
    """The answer of `serve`, which goes on until it is ended."""

    url: str
    """The address of the page, with the secret in it."""
    port: int
    read_only: bool
    """True if pages can change nothing."""
    ssh: str
    """The command that carries the port to another machine."""


class History(Value, frozen=True, kw_only=True):
    """The answer of `history`."""

    jobs: tuple[JobState, ...]
    """The newest first."""
    since: float | None
    """The time from which on the journal has every job; None while it has none."""
    kept: int
    """The number of newest jobs that the journal keeps, if there were older ones; 0: it has forgotten none."""


class UnitList(Value, frozen=True, kw_only=True):
    """The answer of `units`."""

    units: tuple[UnitRecord, ...]
    """The newest first."""
    kept: int
    """The number of newest units that the journal keeps, if there were older ones; 0: it has forgotten none."""


class WaitReport(Value, frozen=True, kw_only=True):
    """The answer of `wait`: a row a board."""

    boards: tuple[BoardOutcome, ...]
    error: Failure | UnsetType = UNSET
    """The error of all boards together; not there where nothing did."""


class FlashReport(Value, frozen=True, kw_only=True):
    """The answer of `flash`, `retry`, `verify`, `erase` and `reset`: a row a board."""

    jobs: tuple[JobState, ...]
    notes: tuple[str, ...] = ()
    """The warnings of the guards."""
    error: Failure | UnsetType = UNSET
    """The error of all boards together; not there where nothing did."""


class ReadReport(FlashReport, frozen=True, kw_only=True):
    """The answer of `read`: that of `flash`, and the file that it wrote."""

    file: str = ""
    """"" where nothing was read."""
    size: int = 0
    sha256: str = ""


class JobLine(Value, frozen=True, kw_only=True):
    """A line of those commands, and of `read`, with `--jsonl`: a new state of one job."""

    job: JobState


class FollowedLine(Value, frozen=True, kw_only=True):
    """A line of `follow` with `--jsonl`: what became of a build, or a new state of a job that it was queued for."""

    build: ArtifactState | None = None
    job: JobState | None = None
    host: str = ""
    """The machine, where `--host` names several."""


class LogLineOfMany(Value, frozen=True, kw_only=True):
    """A line of `logs` with `--jsonl`."""

    log: LogLine


class ConsoleReport(Value, frozen=True, kw_only=True):
    """The answer of `console`."""

    board: str
    console: ConsoleState | None
    """The console as it is now; None where the configuration gives the board none any more."""
    entries: tuple[ConsoleEntry, ...] = ()
    """In ascending order; none with --release and --resume."""
    next: int = 0
    """The number of the newest entry that was looked at."""


class ConsoleLine(Value, frozen=True, kw_only=True):
    """A line of `console` with `--jsonl`."""

    entry: ConsoleEntry


class RunRow(Value, frozen=True, kw_only=True):
    """The result of a `run` on one board."""

    board: str
    partition: str
    passed: bool
    """True if it said a line of --until."""
    seconds: float
    """The time from the request for the flash on."""
    line: str = ""
    """The line that decided it; "" where none did."""
    pattern: str = ""
    """The pattern of that line."""
    job: JobState | None = None
    """The job that flashed it; None where there is none."""
    failure: Failure | None = None
    entries: tuple[ConsoleEntry, ...] = ()
    """The newest that it said since its start; none with --jsonl, where each had a line of its own."""


class RunReport(Value, frozen=True, kw_only=True):
    """The answer of `run`: a row a board."""

    boards: tuple[RunRow, ...]
    notes: tuple[str, ...] = ()
    """The warnings of the guards."""
    error: Failure | UnsetType = UNSET
    """The error of all boards together; not there where nothing did."""


class RunLine(Value, frozen=True, kw_only=True):
    """A line of `run` with `--jsonl`: what a board said, a new state of its job, or its result, which comes last."""

    board: str
    entry: ConsoleEntry | None = None
    job: JobState | None = None
    result: RunRow | None = None


class Taken(Value, frozen=True, kw_only=True):
    """The answer of `take`, once its command has ended."""

    boards: tuple[str, ...]
    code: int
    """The exit code of the command."""
    seconds: float
    """The time for which it ran."""


class ConfigChecked(Value, frozen=True, kw_only=True):
    """The answer of `config check` of a configuration that is valid."""

    ok: bool
    files: tuple[str, ...]
    profiles: tuple[str, ...]
    boards: tuple[str, ...]
    adopted: tuple[str, ...]
    """Boards whose identity was pinned by `adopt`."""
    unconfirmed: tuple[UnconfirmedFile, ...] = ()
    """Included files of which something does not count before `config trust`."""
    notes: tuple[str, ...] = ()
    """The wishes of the configuration that this installation cannot fulfil."""


class SuggestedChip(Value, frozen=True, kw_only=True):
    """Chips that a device may have, which are alike in everything that flashing needs."""

    name: str
    """As `flash` takes it, with an x for the package."""
    alike: tuple[str, ...] = ()
    """Other product lines with the same flash and RAM."""
    reason: str = ""


class SuggestedPartition(Value, frozen=True, kw_only=True):
    """A partition for a build that was found, or for the bootloader below all builds."""

    name: str
    address: int
    size: int
    protected: bool = False
    image: str = ""
    """The file to watch; "" where it is protected."""


class SuggestedBoard(Value, frozen=True, kw_only=True):
    """One device as it could be configured."""

    device: DeviceState
    name: str
    profile: str
    profiles: tuple[str, ...]
    """All profiles of the configuration that are for its USB id."""
    serial: str
    """The serial to know it by; "" where the device has none, or not for itself."""
    port: str
    """The same; set where `serial` is not."""
    adopt: tuple[str, ...]
    """The command that makes the daemon keep the board, as words."""
    chips: tuple[SuggestedChip, ...] = ()
    """The likeliest chips, best first, where a profile is to be written."""
    chip_note: str = ""
    """The reason why there are none, or a remark on them."""
    partitions: tuple[SuggestedPartition, ...] = ()
    """The partitions for the builds in the directory that was named."""


class Suggestions(Value, frozen=True, kw_only=True):
    """The answer of `suggest`."""

    devices: tuple[SuggestedBoard, ...]
    running: tuple[DeviceState, ...] = ()
    """Devices whose application shows a way into DFU mode, and that are no boards."""
    toml: str
    """All of it, ready to be pasted."""


class ReportPart(Value, frozen=True, kw_only=True):
    """A file in a report."""

    name: str
    size: int


class MissingPart(Value, frozen=True, kw_only=True):
    """A part that could not be had for a report."""

    part: str
    reason: str


class ReportWritten(Value, frozen=True, kw_only=True):
    """The answer of `report`."""

    file: str
    size: int
    redacted: bool
    parts: tuple[ReportPart, ...]
    missing: tuple[MissingPart, ...]


class InstallationReport(Value, frozen=True, kw_only=True):
    """The answer of `install` and `uninstall`."""

    steps: tuple[StepResult, ...]
    remarks: tuple[str, ...]
    """Notes on what is left as it is, each with what a person can do."""


class PartitionImage(Value, frozen=True, kw_only=True):
    """An image file, and the partition that it goes into."""

    partition: str
    file: str


class FirstBoard(FlashReport, frozen=True, kw_only=True):
    """The answer of `init`: that of `flash`, and what was set up before."""

    jobs: tuple[JobState, ...] = ()
    board: str
    profile: str
    file: str
    """The configuration file that was written; "" where the board was configured already."""
    toml: str
    """Its text."""
    include: str = ""
    """The line that a person has to put into the configuration that was there; "" where nothing has to be."""
    images: tuple[PartitionImage, ...] = ()
    install: tuple[StepResult, ...] = ()
    """The steps of the installation that were missing."""
    dry_run: bool = False
    """True: nothing of it was done."""


class CompletionScript(Value, frozen=True, kw_only=True):
    """The answer of `completion`."""

    shell: str
    script: str


class FlashCopied(Value, frozen=True, kw_only=True):
    """The answer of `virtual dump` of the file that it wrote."""

    board: str
    file: str
    address: int
    size: int
    sha256: str
