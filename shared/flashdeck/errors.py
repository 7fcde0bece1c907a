"""The one error tree: each error has a stable kind, says what was seen, and hints at what to do next.

The same kind travels over the socket (`rpc`) and decides the exit code of the command line.
"""

import os
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from flashdeck.open_enum import OpenEnum
from flashdeck.text import MAX_PATH, clean

if TYPE_CHECKING:  # it is made of this module's kinds
    from flashdeck.outcome import Outcome


class ExitCode(IntEnum):
    """Exit codes of the `flashdeck` command; a promise to scripts."""

    OK = 0
    OTHER = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    FAILED = 5
    TIMEOUT = 6
    AMBIGUOUS = 7
    PROTOCOL_MISMATCH = 8
    REFUSED = 9
    SOME_FAILED = 10
    CONFIG_INVALID = 11
    NO_PERMISSION = 12
    BLOCKED = 13
    NOT_RUNNING = 14
    INTERRUPTED = 130


class ErrorKind(OpenEnum):
    """Stable names of what can go wrong; the wire and `--json` carry them."""

    OTHER = "other"
    BAD_REQUEST = "bad-request"
    UNREACHABLE = "unreachable"
    ALREADY_RUNNING = "already-running"
    PROTOCOL_MISMATCH = "protocol-mismatch"
    NO_SUCH_BOARD = "no-such-board"
    NO_SUCH_PARTITION = "no-such-partition"
    NO_SUCH_JOB = "no-such-job"
    NO_SUCH_ARTIFACT = "no-such-artifact"
    NO_SUCH_LOT = "no-such-lot"
    NO_TARGET = "no-target"
    ABSENT = "absent"
    AMBIGUOUS = "ambiguous"
    CONFIG_INVALID = "config-invalid"
    NO_PERMISSION = "no-permission"
    # A safety rule or an image guard said no.
    PROTECTED = "protected"
    OUTSIDE_PARTITION = "outside-partition"
    GUARD = "guard"
    # Nothing is wrong with the request; it is not going to run now.
    BLOCKED = "held"
    DISARMED = "disarmed"
    OFFERED = "offered"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    # The board or the way to it.
    DEVICE_GONE = "device-gone"
    DEVICE_BUSY = "device-busy"
    PULLED = "pulled"  # a unit was taken out of its slot
    STALL = "stall"
    TRANSFER_TIMEOUT = "transfer-timeout"
    DFU_STATUS = "dfu-status"
    DFU_STATE = "dfu-state"
    DESCRIPTOR = "descriptor"
    VERIFY = "verify"
    UNREADABLE = "unreadable"
    NOT_ACCEPTED = "not-accepted"
    # The image is on the board, which says that it does not run.
    CRASHED = "crashed"
    SILENT = "silent"
    ANOTHER_BUILD = "another-build"
    WRONG_BANK = "wrong-bank"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    # The machine that flashdeckd runs on.
    HOST = "host"


EXIT_CODES: dict[ErrorKind, ExitCode] = {
    ErrorKind.OTHER: ExitCode.OTHER,
    ErrorKind.BAD_REQUEST: ExitCode.USAGE,
    ErrorKind.UNREACHABLE: ExitCode.UNREACHABLE,
    ErrorKind.ALREADY_RUNNING: ExitCode.OTHER,
    ErrorKind.PROTOCOL_MISMATCH: ExitCode.PROTOCOL_MISMATCH,
    ErrorKind.NO_SUCH_BOARD: ExitCode.NOT_FOUND,
    ErrorKind.NO_SUCH_PARTITION: ExitCode.NOT_FOUND,
    ErrorKind.NO_SUCH_JOB: ExitCode.NOT_FOUND,
    ErrorKind.NO_SUCH_ARTIFACT: ExitCode.NOT_FOUND,
    ErrorKind.NO_SUCH_LOT: ExitCode.NOT_FOUND,
    ErrorKind.NO_TARGET: ExitCode.NOT_FOUND,
    ErrorKind.ABSENT: ExitCode.NOT_FOUND,
    ErrorKind.AMBIGUOUS: ExitCode.AMBIGUOUS,
    ErrorKind.CONFIG_INVALID: ExitCode.CONFIG_INVALID,
    ErrorKind.NO_PERMISSION: ExitCode.NO_PERMISSION,
    ErrorKind.PROTECTED: ExitCode.REFUSED,
    ErrorKind.OUTSIDE_PARTITION: ExitCode.REFUSED,
    ErrorKind.GUARD: ExitCode.REFUSED,
    ErrorKind.BLOCKED: ExitCode.BLOCKED,
    ErrorKind.DISARMED: ExitCode.BLOCKED,
    ErrorKind.OFFERED: ExitCode.BLOCKED,
    ErrorKind.SUPERSEDED: ExitCode.BLOCKED,
    ErrorKind.CANCELLED: ExitCode.FAILED,
    ErrorKind.DEVICE_GONE: ExitCode.FAILED,
    ErrorKind.DEVICE_BUSY: ExitCode.FAILED,
    ErrorKind.PULLED: ExitCode.FAILED,
    ErrorKind.STALL: ExitCode.FAILED,
    ErrorKind.TRANSFER_TIMEOUT: ExitCode.FAILED,
    ErrorKind.DFU_STATUS: ExitCode.FAILED,
    ErrorKind.DFU_STATE: ExitCode.FAILED,
    ErrorKind.DESCRIPTOR: ExitCode.FAILED,
    ErrorKind.VERIFY: ExitCode.FAILED,
    ErrorKind.UNREADABLE: ExitCode.BLOCKED,
    ErrorKind.NOT_ACCEPTED: ExitCode.FAILED,
    ErrorKind.CRASHED: ExitCode.NOT_RUNNING,
    ErrorKind.SILENT: ExitCode.NOT_RUNNING,
    ErrorKind.ANOTHER_BUILD: ExitCode.NOT_RUNNING,
    ErrorKind.WRONG_BANK: ExitCode.FAILED,
    ErrorKind.INTERRUPTED: ExitCode.FAILED,
    ErrorKind.TIMEOUT: ExitCode.TIMEOUT,
    ErrorKind.HOST: ExitCode.OTHER,
}


class FlashdeckError(Exception):
    """Root of the tree.

    `message` says what was seen, with the board, partition, address, state and status that matter;
    `hint` says what to do next ("" where there is nothing to add).
    """

    kind: ErrorKind = ErrorKind.OTHER

    def __init__(self, message: str, *, hint: str = "", kind: ErrorKind | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(self._hint_note)  # a program that does not catch it ends with both
        if kind is not None:
            self.kind = kind

    @property
    def _hint_note(self) -> str:
        return f"hint: {self.hint}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes that were added to it since, as the end of a log: without its hint."""
        return tuple(note for note in getattr(self, "__notes__", ()) if note != self._hint_note)

    @property
    def advice(self) -> str:
        """Message and hint as one sentence, for where there is one line for both."""
        return f"{self.message}: {self.hint}" if self.hint else self.message

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command line when this error ends it."""
        return EXIT_CODES[self.kind]


def in_words(error: OSError) -> FlashdeckError:
    """Return what the system says, in words, as the end of a command: without Python's numbers."""
    said = error.strerror or str(error) or type(error).__name__
    named = [
        clean(os.fsdecode(each), MAX_PATH)
        for each in (error.filename, error.filename2)
        if isinstance(each, str | bytes)
    ]
    kind = ErrorKind.NO_PERMISSION if isinstance(error, PermissionError) else ErrorKind.OTHER
    return FlashdeckError(": ".join((" and ".join(named), said)) if named else said, kind=kind)


MAX_PARTS = 20
"""Mistakes of one file that are told; more of them are only counted."""


class ConfigError(FlashdeckError):
    """The configuration cannot be used; the message names file, table and key.

    `parts` are the mistakes, where there are several: the message then has a line for each.
    """

    kind = ErrorKind.CONFIG_INVALID

    def __init__(self, message: str, *, hint: str = "", parts: Sequence["ConfigError"] = ()) -> None:
        super().__init__(message, hint=hint)
        self.parts = tuple(parts) or (self,)

    @classmethod
    def of(cls, parts: Sequence["ConfigError"]) -> "ConfigError":
        """Return one error for all of `parts`, of which there is at least one."""
        if len(parts) == 1:
            return parts[0]
        lines = [f"{len(parts)} mistakes", *(each.advice for each in parts[:MAX_PARTS])]
        more = [f"and {len(parts) - MAX_PARTS} more"] if len(parts) > MAX_PARTS else []
        return cls("\n".join(lines + more), parts=parts[:MAX_PARTS])


class RequestError(FlashdeckError):
    """A client asked for something that does not exist or makes no sense."""

    kind = ErrorKind.BAD_REQUEST


class ConnectionFailedError(FlashdeckError):
    """The daemon cannot be reached, or does not speak our protocol."""

    kind = ErrorKind.UNREACHABLE


class RemoteError(FlashdeckError):
    """An error that the daemon reported, rebuilt on the client's side with its kind."""


class NotDoneError(FlashdeckError):
    """Something that was asked of boards is not done on all of them.

    The message names each of these boards, the worst first, and kind and hint are those of the worst. `outcome` has a
    row for every board.
    """

    def __init__(self, message: str, *, hint: str, kind: ErrorKind, outcome: "Outcome") -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.outcome = outcome

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command line: that of all boards together."""
        return self.outcome.exit_code


class RefusedError(FlashdeckError):
    """A safety rule or an image guard said no; nothing was erased or written."""

    kind = ErrorKind.GUARD


class BlockedError(FlashdeckError):
    """The job must not start now; nothing was erased or written.

    `bank` is the bank, counted from 0, that a person may release where nothing else keeps the job from starting.
    """

    kind = ErrorKind.BLOCKED

    def __init__(self, message: str, *, hint: str = "", kind: ErrorKind | None = None, bank: int | None = None) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.bank = bank


class DeviceError(FlashdeckError):
    """The board, or the way to it, failed."""

    kind = ErrorKind.DFU_STATE


class StallError(DeviceError):
    """The device refused a control request with a STALL."""

    kind = ErrorKind.STALL


class TransferTimeoutError(DeviceError):
    """A control transfer got no answer in its time."""

    kind = ErrorKind.TRANSFER_TIMEOUT


class DeviceGoneError(DeviceError):
    """The device left the bus. `during_read` tells whether an UPLOAD was its last request: some die of one."""

    kind = ErrorKind.DEVICE_GONE

    def __init__(self, message: str, *, hint: str = "", during_read: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.during_read = during_read


class NoAccessError(DeviceError):
    """The device is there and cannot be opened now; nothing was sent to it."""


class DevicePermissionError(NoAccessError):
    """The system does not let us open the device."""

    kind = ErrorKind.NO_PERMISSION


class DeviceBusyError(NoAccessError):
    """Another program, or a driver, has claimed the device."""

    kind = ErrorKind.DEVICE_BUSY


class DescriptorError(DeviceError):
    """The device's descriptors are not those of a device that can be flashed."""

    kind = ErrorKind.DESCRIPTOR


class VerifyError(DeviceError):
    """The bytes that were read back are not those that were written.

    `may_boot` tells whether what makes the image start is there all the same and could not be erased: then nothing may
    start the board.
    """

    kind = ErrorKind.VERIFY

    def __init__(self, message: str, *, hint: str = "", may_boot: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_boot = may_boot


class UnreadableError(DeviceError):
    """The board refuses to be read, or its reads were seen not to be true: a person has to want it all the same."""

    kind = ErrorKind.UNREADABLE


class WrongBankError(DeviceError):
    """An erase or a write hit something else than it was meant for, or reads are stale.

    `harmed` tells whether a protected partition is not as it was: then nothing may reset the board.
    """

    kind = ErrorKind.WRONG_BANK

    def __init__(self, message: str, *, hint: str = "", harmed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.harmed = harmed


class HostError(FlashdeckError):
    """The disk or another part of this host fails: nothing is wrong with the job or its board."""

    kind = ErrorKind.HOST


class DiskFullError(HostError):
    """The disk, or a quota on it, has no room left."""


class OtherDeviceError(DeviceError):
    """Another device is in the place of the board that a job was begun on; nothing was changed on it."""

    kind = ErrorKind.AMBIGUOUS


class ParkedError(FlashdeckError):
    """The daemon asked the running job to stop at the next safe point."""

    kind = ErrorKind.INTERRUPTED
