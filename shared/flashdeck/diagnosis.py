"""The doctor's findings, as they travel: what they mean, and how to mend them.

Text that came from a device has been through `flashdeck.text.clean` before it gets in here.
"""

from flashdeck.errors import EXIT_CODES, ErrorKind, ExitCode
from flashdeck.job_state import Failure
from flashdeck.model import DeviceState, Presence
from flashdeck.open_enum import OpenEnum
from flashdeck.value import Value


class Severity(OpenEnum):
    """The weight of a finding, the gravest first."""

    ERROR = "error"
    """Flashing cannot work, or not safely, until it is mended."""
    WARNING = "warning"
    """flashdeck can live with it; it costs something, or other tools cannot."""
    NOTE = "note"
    """Worth knowing."""
    GOOD = "good"
    """Looked at, and as it should be."""
    OTHER = "other"


class Finding(Value, frozen=True, kw_only=True):
    """One thing that was seen."""

    code: str
    """A stable name, as `read-refused`."""
    severity: Severity
    seen: str
    """The fact that was seen, with the numbers that matter."""
    means: str
    """Its meaning for the person who flashes the board."""
    mend: str = ""
    """The change to make, in the bootloader's source or on this machine; "" for none."""


class Fact(Value, frozen=True, kw_only=True):
    """Something a device says of itself, or that is known of it."""

    name: str
    value: str


class Explanation(Value, frozen=True, kw_only=True):
    """The meaning of another tool's message on this board."""

    message: str
    meaning: str


class BoardReport(Value, frozen=True, kw_only=True):
    """One configured board."""

    board: str
    profile: str
    presence: Presence
    facts: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()
    """The gravest first."""
    explanations: tuple[Explanation, ...] = ()
    requests: int = 0
    """Control transfers that the look has cost; 0 where the board was not opened."""
    failure: Failure | None = None
    """The error that ended the look at the board, or kept it from starting; None for none."""


class Diagnosis(Value, frozen=True, kw_only=True):
    """Answer to `doctor`."""

    installation: tuple[Finding, ...]
    """Troubles that keep flashdeck itself from working on this machine; empty for none."""
    boards: tuple[BoardReport, ...] = ()
    devices: tuple[DeviceState, ...] = ()
    """DFU devices that are no configured board: listed, never opened."""
    offline: bool = False
    """True: no daemon was asked, `flashdeckd doctor` looked by itself."""
    failure: Failure | None = None
    """The error that kept it from looking at any board, as an unusable configuration; None for none."""


def exit_code(diagnosis: Diagnosis, *, named: bool) -> ExitCode:
    """0 where everything could be looked at, whatever was found; else the code of what was in the way.

    A board that is not connected is in the way only where it was asked for by name (`named`). Where some of several
    boards could be looked at and others not: 10.
    """
    if diagnosis.failure is not None:
        return EXIT_CODES[diagnosis.failure.kind]
    failures = [each.failure for each in diagnosis.boards if each.failure is not None]
    failures = [each for each in failures if named or each.kind is not ErrorKind.ABSENT]
    if not failures:
        return ExitCode.OK
    return EXIT_CODES[failures[0].kind] if len(diagnosis.boards) == len(failures) else ExitCode.SOME_FAILED
