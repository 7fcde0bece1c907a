"""A crash as a value: its kind, its cause, and the addresses that the board has named. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flashdeckd.crashes.fault_registers import NOTHING_SAID, FaultRegisters, causes_text

LONGEST_MESSAGE: Final = 200
"""Characters kept of a message that a board adds to its crash."""


class CrashKind(StrEnum):
    """The kind of a crash."""

    FAULT = "fault"
    """The processor refused to go on: HardFault, BusFault and their like, and the exceptions of other processors."""
    ASSERTION = "assertion"
    PANIC = "panic"
    """The program gave up by itself: a panic of Rust, an abort, a fatal error of an RTOS."""
    STACK_OVERFLOW = "stack overflow"
    OUT_OF_MEMORY = "out of memory"


class AddressRole(StrEnum):
    """The part that an address has in a crash, by the name that it is shown with."""

    PC = "pc"
    """The instruction that was carried out, or would have been."""
    LR = "lr"
    """The address that the function would have returned to: the call is just before it."""
    BACKTRACE = "by"
    """A caller further up; as LR."""

    @property
    def is_return(self) -> bool:
        """Return whether it is the address behind a call."""
        return self is not AddressRole.PC


@dataclass(frozen=True, slots=True)
class CrashAddress:
    """An address of code in a crash."""

    role: AddressRole
    address: int

    @property
    def looked_up(self) -> int:
        """Return the address whose line tells where it was: the Thumb bit off, and inside of the call."""
        return (self.address & ~1) - (1 if self.role.is_return else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One crash, as far as the board has told of it."""

    kind: CrashKind
    name: str
    """Its name in few words, as "HardFault", "assertion failed", "panic"."""
    message: str = ""
    """The words of the board about it: a condition that does not hold, a message; "" for nothing."""
    file: str = ""
    line: int = 0
    """The place in the source that the text itself names; 0 where it names none."""
    task: str = ""
    """The task or thread that was running; "" where nothing says it."""
    registers: FaultRegisters = NOTHING_SAID
    addresses: tuple[CrashAddress, ...] = ()
    """In the order in which they are shown: pc, lr, then the callers."""

    @property
    def place(self) -> str:
        """Return the place in the source, as "control.c:118"; "" where the text names none."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    @property
    def sentence(self) -> str:
        """Return all of it but the addresses, in plain words."""
        causes = causes_text(self.registers)
        told = ", ".join(filter(None, (causes, "" if self.message.lower() in causes.lower() else self.message)))
        where = f" ({self.place})" if self.place else ""
        whose = f", in task {self.task}" if self.task else ""
        return (f"{self.name}: {told}" if told else self.name) + where + whose
