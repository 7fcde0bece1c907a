"""The fault status registers of Cortex-M processors, bit by bit in words. Pure.

Armv7-M and Armv8-M Architecture Reference Manuals: CFSR (D1.2.9), HFSR, SFSR, and the addresses MMFAR, BFAR, SFAR.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

_BUS_SHIFT: Final = 8
_USAGE_SHIFT: Final = 16


class FaultCause(Enum):
    """A reason of a fault, in words; `{at}` stands for the address, where that is known."""

    NO_EXECUTE = "an instruction fetch that the MPU forbids"
    NO_ACCESS = "an access that the MPU forbids{at}"
    NO_ACCESS_UNSTACKING = "an access that the MPU forbids, at the return from an exception"
    NO_ACCESS_STACKING = "an access that the MPU forbids, at the entry of an exception (stack overflow?)"
    NO_ACCESS_LAZY = "an access that the MPU forbids, as floating-point registers were stacked"
    BUS_FETCH = "a bus error at an instruction fetch"
    BUS_PRECISE = "a bus error{at}, precise"
    BUS_IMPRECISE = "a bus error, imprecise (pc is a little behind it)"
    BUS_UNSTACKING = "a bus error at the return from an exception"
    BUS_STACKING = "a bus error at the entry of an exception (stack overflow?)"
    BUS_LAZY = "a bus error, as floating-point registers were stacked"
    UNDEFINED = "an undefined instruction"
    STATE = "no Thumb code at the target of a jump (a function pointer that is not set?)"
    RETURN = "an invalid return from an exception"
    COPROCESSOR = "a coprocessor that is off (the FPU?)"
    STACK_LIMIT = "a stack overflow"
    UNALIGNED = "an unaligned access"
    DIVISION = "a division by zero"
    VECTOR = "a bus error as the vector table was read"
    SECURE_ENTRY = "an invalid entry into secure code"
    SECURE_ACCESS = "an access that the SAU forbids{at}"
    SECURE_TRANSITION = "an invalid transition between secure and non-secure code"


CFSR_CAUSES: Final = {
    0: FaultCause.NO_EXECUTE,
    1: FaultCause.NO_ACCESS,
    3: FaultCause.NO_ACCESS_UNSTACKING,
    4: FaultCause.NO_ACCESS_STACKING,
    5: FaultCause.NO_ACCESS_LAZY,
    8: FaultCause.BUS_FETCH,
    9: FaultCause.BUS_PRECISE,
    10: FaultCause.BUS_IMPRECISE,
    11: FaultCause.BUS_UNSTACKING,
    12: FaultCause.BUS_STACKING,
    13: FaultCause.BUS_LAZY,
    16: FaultCause.UNDEFINED,
    17: FaultCause.STATE,
    18: FaultCause.RETURN,
    19: FaultCause.COPROCESSOR,
    20: FaultCause.STACK_LIMIT,
    24: FaultCause.UNALIGNED,
    25: FaultCause.DIVISION,
}
"""Bits of CFSR, by their numbers."""
_MMFAR_VALID: Final = 1 << 7
_BFAR_VALID: Final = 1 << 15
_CFSR_BITS: Final = sum(1 << bit for bit in CFSR_CAUSES) | _MMFAR_VALID | _BFAR_VALID
_VECTTBL: Final = 1 << 1
_FORCED: Final = 1 << 30
_HFSR_BITS: Final = _VECTTBL | _FORCED | 1 << 31
_SFSR_CAUSES: Final = {
    0: FaultCause.SECURE_ENTRY,
    1: FaultCause.SECURE_TRANSITION,
    2: FaultCause.SECURE_TRANSITION,
    3: FaultCause.SECURE_ACCESS,
    4: FaultCause.SECURE_TRANSITION,
}
_MEMORY_CAUSES: Final = frozenset({FaultCause.NO_ACCESS})
_BUS_CAUSES: Final = frozenset({FaultCause.BUS_PRECISE})


@dataclass(frozen=True, slots=True)
class FaultRegisters:
    """The fault status registers, as a board has said them; None for what it has not."""

    cfsr: int | None = None
    hfsr: int | None = None
    sfsr: int | None = None
    mmfar: int | None = None
    bfar: int | None = None
    sfar: int | None = None
    fault_address: int | None = None
    """The address as other processors name it: EXCVADDR, MTVAL."""
    said: tuple[FaultCause, ...] = ()
    """Causes that it has put into words itself."""

    @property
    def causes(self) -> tuple[FaultCause, ...]:
        """Return all causes, without repetition."""
        return tuple(dict.fromkeys((*_by_bits(self), *self.said)))

    @property
    def proves_fault(self) -> bool:
        """Return whether the status alone shows that there was a fault: a bit is set, and none that has no sense."""
        return _is_set(self.cfsr, _CFSR_BITS) or _is_set(self.hfsr, _HFSR_BITS)


NOTHING_SAID: Final = FaultRegisters()
"""A board has said none of its registers."""


def with_part(cfsr: int | None, name: str, value: int) -> int:
    """Return CFSR with one of its three parts in place: `mmfsr`, `bfsr` or `ufsr`."""
    shift = {"mmfsr": 0, "mfsr": 0, "bfsr": _BUS_SHIFT, "ufsr": _USAGE_SHIFT}[name]
    width = 0xFFFF if name == "ufsr" else 0xFF
    return (cfsr or 0) & ~(width << shift) | (value & width) << shift


def causes_text(registers: FaultRegisters) -> str:
    """Return all causes in words, with the addresses that are valid; "" where none is known."""
    if not registers.causes and registers.fault_address is not None:
        return f"at 0x{registers.fault_address:08x}"
    return ", ".join(cause.value.format(at=_at(cause, registers)) for cause in registers.causes)


def _is_set(status: int | None, known: int) -> bool:
    return status is not None and status != 0 and not status & ~known


def _by_bits(registers: FaultRegisters) -> Iterator[FaultCause]:
    for status, causes in ((registers.cfsr, CFSR_CAUSES), (registers.sfsr, _SFSR_CAUSES)):
        if status is not None:
            yield from (cause for bit, cause in causes.items() if status >> bit & 1)
    if registers.hfsr is not None and registers.hfsr & _VECTTBL:
        yield FaultCause.VECTOR


def _at(cause: FaultCause, registers: FaultRegisters) -> str:
    """Return the address of a cause, as " at 0x20030000"; "" where the register with it is not valid, or not said."""
    cfsr = registers.cfsr
    if cause in _MEMORY_CAUSES and (cfsr is None or cfsr & _MMFAR_VALID):
        address = registers.mmfar
    elif cause in _BUS_CAUSES and (cfsr is None or cfsr & _BFAR_VALID):
        address = registers.bfar
    elif cause is FaultCause.SECURE_ACCESS:
        address = registers.sfar
    else:
        address = None
    return "" if address is None else f" at 0x{address:08x}"
