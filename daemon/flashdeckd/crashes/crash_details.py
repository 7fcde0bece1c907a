"""The lines behind the first one of a crash, and what they add: registers, callers, causes in words, the task. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from flashdeckd.crashes.fault_registers import FaultCause

MOST_CALLERS: Final = 24
"""Callers of one crash that are kept, the innermost."""

_REGISTER: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:stacked[ _]|SCB->|SCB_|_|r1[45]/|\(r15/)?"
    r"(?P<name>PC|LR|RA|MEPC|EPC1|CFSR|HFSR|SFSR|MMFSR|MFSR|BFSR|UFSR|MMFAR|MMAR|BFAR|SFAR|EXCVADDR|MTVAL)"
    r"(?: ?\[R1[45]\]|\)| Address)?(?P<sign>[ ]{0,16}[:=]?[ ]{0,24})(?P<hex>0x)?(?P<value>[0-9a-f]{1,16})(?![0-9a-z_])",
    re.IGNORECASE,
)
_PLAIN_DIGITS: Final = 8
"""Digits of a register's value that is written without 0x, and without a sign before it."""
_NAMES: Final = {
    "ra": "lr",
    "mepc": "pc",
    "epc1": "pc",
    "mmar": "mmfar",
    "excvaddr": "fault_address",
    "mtval": "fault_address",
}
_CAUSES: Final = (
    ("imprecise data", FaultCause.BUS_IMPRECISE),
    ("precise data", FaultCause.BUS_PRECISE),
    ("instruction bus error", FaultCause.BUS_FETCH),
    ("instruction access violation", FaultCause.NO_EXECUTE),
    ("data access violation", FaultCause.NO_ACCESS),
    ("division by zero", FaultCause.DIVISION),
    ("divide by zero", FaultCause.DIVISION),
    ("unaligned memory access", FaultCause.UNALIGNED),
    ("unaligned access", FaultCause.UNALIGNED),
    ("no coprocessor", FaultCause.COPROCESSOR),
    ("illegal load of exc_return", FaultCause.RETURN),
    ("illegal use of the epsr", FaultCause.STATE),
    ("undefined instruction", FaultCause.UNDEFINED),
    ("bus error on vector table read", FaultCause.VECTOR),
    ("stack overflow (context area not valid)", FaultCause.STACK_LIMIT),
    ("stacking error (context area might be not valid)", FaultCause.NO_ACCESS_STACKING),
)
"""Causes as Zephyr, NuttX and CmBacktrace put them into words, in lower case; the first one that a line has counts."""
_ADDRESS: Final = re.compile(r"fault occurred address is (?:0x)?(?P<value>[0-9a-f]{1,8})\b", re.IGNORECASE)
"""CmBacktrace's words for MMFAR and BFAR."""
_TASKS: Final = (
    re.compile(r"\bCurrent thread: 0x[0-9a-f]{1,16} \((?P<task>[^()]{1,32})\)", re.IGNORECASE),
    re.compile(r"\bCurrent Thread: (?P<task>\S.{0,31}?)(?: <handler>)? +Id: 0x"),
    re.compile(r"\b(?:hard fault|Fault) on thread:? (?P<task>\S{1,32})"),
    re.compile(r"^(?:current )?(?:task|thread)(?: name)?[ ]?[:=][ ]?(?P<task>[\w.\-/]{1,32})$", re.IGNORECASE),
)
_NO_TASKS: Final = frozenset({"unknown", "<unnamed>", "null", "(null)"})
_MBED: Final = {
    "fault": re.compile(r"FaultType: (?P<value>\w{1,32})$"),
    "message": re.compile(r"Error Message: (?P<value>\S.{0,400})$"),
    "location": re.compile(r"Location: 0x(?P<value>[0-9A-F]{1,8})$"),
    "file": re.compile(r"File: (?P<value>\S.{0,254}\+[0-9]{1,7})$"),
}
_TRACE_BEGINS: Final = re.compile(
    r"\b(?:backtrace\b(?:[|]| ?:|$)|call (?:trace|stack)\b[^:]{0,40}:|addr2line -)", re.IGNORECASE
)
_TRACE_WORD: Final = re.compile(r"(?<![0-9A-Za-z:_])(?P<prefix>0x)?(?P<value>[0-9A-Fa-f]{6,16})(?![0-9A-Za-z_])")
_TRACE_LINE: Final = re.compile(
    r"[ ]{0,12}(?:[#\[]?[0-9]{1,3}[\]:)|.]{0,2}[ ]{1,8})?(?:[sf]p: (?:0x)?[0-9a-f]{1,16} )?"
    r"(?:(?:ra|lr|pc):? )?0x(?P<value>[0-9a-f]{6,16})\b",
    re.IGNORECASE,
)


def registers_in(text: str) -> Iterator[tuple[str, int]]:
    """Yield the registers of a line that matter, by their names in lower case: `pc`, `lr`, `cfsr`, and so on."""
    for match in _REGISTER.finditer(text):
        digits = match["value"]
        if match["hex"] or match["sign"].strip() or len(digits) == _PLAIN_DIGITS:
            name = match["name"].lower()
            yield _NAMES.get(name, name), int(digits, 16)


def cause_in(text: str) -> FaultCause | None:
    """Return the cause that a line puts into words."""
    lowered = text.lower()
    return next((cause for words, cause in _CAUSES if words in lowered), None)


def fault_address_in(text: str) -> int | None:
    """Return the address of a faulty access that a line puts into words."""
    match = _ADDRESS.search(text)
    return int(match["value"], 16) if match else None


def task_in(text: str) -> str:
    """Return the task that was running, as a line says it; "" where it does not."""
    found = next((match["task"].strip() for each in _TASKS if (match := each.search(text))), "")
    return "" if found.lower() in _NO_TASKS else found


def mbed_in(text: str) -> tuple[str, str]:
    """Return what a line of Mbed OS's report says, and its value; "" twice where it is none."""
    return next(((name, match["value"]) for name, each in _MBED.items() if (match := each.match(text))), ("", ""))


def trace_begins_in(text: str) -> tuple[int, ...] | None:
    """Return the callers on a line with which a list of them begins; None where none begins."""
    match = _TRACE_BEGINS.search(text)
    if match is None:
        return None
    rest = text[match.end() :]
    needs_prefix = "addr2line" not in text
    return tuple(int(each["value"], 16) for each in _TRACE_WORD.finditer(rest) if each["prefix"] or not needs_prefix)


def caller_in(text: str) -> int | None:
    """Return the caller on a line of a list that has begun; None where the line is none of it."""
    match = _TRACE_LINE.match(text)
    return int(match["value"], 16) if match else None
