"""What commands print with `--json` and `--jsonl` where it is not what the daemon answered.

Each is a type, so that `config/schema/cli.schema.json` is made from what is really printed.
"""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from flashdeck.api import BoardOutcome
from flashdeck.job_state import Failure
from flashdeck.model import DeviceState, JobState, LogLine, Snapshot
from flashdeck.problems import Problem, ProblemKind
from flashdeck.value import Value


class Refusal(Value, frozen=True, kw_only=True):
    """What any command prints that can not do what it was asked for."""

    error: Failure


class Status(Snapshot, frozen=True, kw_only=True):
    """What `status` prints: the daemon's snapshot, and what there is to say of it."""

    counts: Mapping[ProblemKind, int]
    """How many boards are in which condition, each counted once, by its worst."""
    problems: tuple[Problem, ...]
    """What needs a person, worst first."""


class WaitReport(Value, frozen=True, kw_only=True):
    """What `wait` prints: a row a board."""

    boards: tuple[BoardOutcome, ...]
    error: Failure | UnsetType = UNSET
    """What went wrong on all boards together; not there where nothing did."""


class FlashReport(Value, frozen=True, kw_only=True):
    """What `flash` and `retry` print: a row a board."""

    jobs: tuple[JobState, ...]
    notes: tuple[str, ...] = ()
    """What the guards warn of."""
    error: Failure | UnsetType = UNSET
    """What went wrong on all boards together; not there where nothing did."""


class JobLine(Value, frozen=True, kw_only=True):
    """A line of `flash` and `retry` with `--jsonl`: a new state of one job."""

    job: JobState


class LogLineOfMany(Value, frozen=True, kw_only=True):
    """A line of `logs` with `--jsonl`."""

    log: LogLine


class ConfigChecked(Value, frozen=True, kw_only=True):
    """What `config check` prints of a configuration that is valid."""

    ok: bool
    files: tuple[str, ...]
    profiles: tuple[str, ...]
    boards: tuple[str, ...]
    adopted: tuple[str, ...]
    """Boards whose identity was pinned by `adopt`."""


class SuggestedBoard(Value, frozen=True, kw_only=True):
    """How one device could be configured."""

    device: DeviceState
    name: str
    profile: str
    profiles: tuple[str, ...]
    """All profiles of the configuration that are for its USB id."""
    serial: str
    """What to know it by; "" where the device has none, or not for itself."""
    port: str
    """The same; set where `serial` is not."""
    adopt: tuple[str, ...]
    """The command that makes the daemon keep the board, as words."""


class Suggestions(Value, frozen=True, kw_only=True):
    """What `suggest` prints."""

    devices: tuple[SuggestedBoard, ...]
    toml: str
    """All of it, ready to be pasted."""


class ReportPart(Value, frozen=True, kw_only=True):
    """A file in a report."""

    name: str
    size: int


class MissingPart(Value, frozen=True, kw_only=True):
    """What could not be had for a report."""

    part: str
    reason: str


class ReportWritten(Value, frozen=True, kw_only=True):
    """What `report` prints."""

    file: str
    size: int
    redacted: bool
    parts: tuple[ReportPart, ...]
    missing: tuple[MissingPart, ...]


class CompletionScript(Value, frozen=True, kw_only=True):
    """What `completion` prints."""

    shell: str
    script: str


class FlashCopied(Value, frozen=True, kw_only=True):
    """What `virtual dump` prints of the file that it wrote."""

    board: str
    file: str
    address: int
    size: int
    sha256: str
