"""Crashes in what a board says, one line at a time. Pure.

The first line of a crash is known at once. For a bounded number of lines after it, what they add is taken in: registers
and callers come in several lines, and other lines may come between them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from flashdeckd.crashes.crash import LONGEST_MESSAGE, AddressRole, Crash, CrashAddress, CrashKind
from flashdeckd.crashes.crash_details import (
    MOST_CALLERS,
    caller_in,
    cause_in,
    fault_address_in,
    mbed_in,
    registers_in,
    task_in,
    trace_begins_in,
)
from flashdeckd.crashes.crash_headers import CrashHeader, header_in
from flashdeckd.crashes.fault_registers import FaultRegisters, with_part
from flashdeckd.crashes.log_prefixes import stripped

MOST_LINES: Final = 96
"""Lines after the first one that are looked at."""
MOST_OTHER_LINES: Final = 16
"""Lines in a row that add nothing: then no more is expected."""
MOST_WHOLE: Final = 16
"""Crashes that wait for `take_whole`: the oldest are forgotten."""
REGISTER_LINES: Final = 16
"""Lines in which fault status and pc of one dump without any title come."""
_TALK: Final = ("last", "previous", "prev", "saved", "stored", "since", "before", "history", "earlier", "no ", "reset")
"""Words with which firmware tells of a crash of its former life, or of none."""
_STATUS: Final = ("cfsr", "hfsr", "fault status")
_TITLES: Final = (
    "hardfault",
    "hard fault",
    "busfault",
    "bus fault",
    "usagefault",
    "usage fault",
    "memmanage",
    "exception",
)
_EXCEPTION_RETURN: Final = 0xFFFFFF80
"""Values of LR from here on are no addresses, but say how to return from an exception (EXC_RETURN)."""
_PARTS: Final = frozenset({"mmfsr", "mfsr", "bfsr", "ufsr"})
_CFSR_GIVEN_AS_PART: Final = 0xFFFF
_MBED_NAMES: Final = {"HardFault": "HardFault", "BusFault": "BusFault", "MemManageFault": "MemManage fault"}


class CrashReader:
    """The reader of one board's lines."""

    def __init__(self) -> None:
        self._crash: Crash | None = None
        """The crash whose lines still come."""
        self._forms: set[str] = set()
        """The forms of the headers that it had."""
        self._lines = self._others = 0
        """Lines since the first one, and since the last one that told something."""
        self._is_vague = False
        """True while a better header may give it its name."""
        self._message_follows = False
        self._pieces = 0
        """The pieces that stood before the words of the header whose message follows."""
        self._in_trace = False
        self._whole: deque[Crash] = deque(maxlen=MOST_WHOLE)
        self._status: deque[tuple[int, dict[str, int]]] = deque(maxlen=REGISTER_LINES)
        """Registers that were said without a title before them, by the number of the line."""
        self._titled = -REGISTER_LINES
        """The number of the line that last had a title in it which alone is no crash."""
        self._number = 0

    @property
    def is_open(self) -> bool:
        """Return whether there is a crash about which more may come."""
        return self._crash is not None

    def read(self, line: str) -> Crash | None:
        """Take the next line; return the crash that begins with it, as far as it is known now."""
        self._number += 1
        header = header_in(line)
        if self._crash is not None and (header is None or header.form not in self._forms):
            self._take(line, header)
            return None
        if header is None:
            return self._unannounced(line)
        self.end()
        return self._begin(header)

    def end(self) -> None:
        """No more comes about the crash that is open."""
        if self._crash is not None:
            self._whole.append(self._crash)
        self._crash = None

    def take_whole(self) -> Crash | None:
        """Return the oldest crash about which no more is expected; None where there is none. Each is returned once."""
        return self._whole.popleft() if self._whole else None

    def _begin(self, header: CrashHeader) -> Crash:
        self._crash = Crash(
            kind=header.kind,
            name=header.name,
            message=header.message[:LONGEST_MESSAGE],
            file=header.file,
            line=header.line,
            task=header.task,
        )
        self._forms = {header.form}
        self._lines = self._others = 0
        self._is_vague, self._message_follows, self._in_trace = header.is_vague, header.message_follows, False
        self._pieces = header.words.pieces
        self._status.clear()
        self._take_words(header.words.text)
        return self._crash

    def _unannounced(self, line: str) -> Crash | None:
        """Return the crash that a dump of registers shows by itself: a fault status, with a pc or a title beside it."""
        lowered = line.lower()
        has_title = any(title in lowered for title in _TITLES)
        if not (has_title or "pc" in lowered or any(status in lowered for status in _STATUS)):
            return None
        if any(word in lowered for word in _TALK):
            self._status.clear()
            self._titled = -REGISTER_LINES
            return None
        if has_title:
            self._titled = self._number
        if registers := dict(registers_in(line)):
            self._status.append((self._number, registers))
        recent = [each for number, each in self._status if self._number - number < REGISTER_LINES]
        all_of = {name: value for each in recent for name, value in each.items()}
        status = FaultRegisters(cfsr=all_of.get("cfsr"), hfsr=all_of.get("hfsr"))
        if not status.proves_fault or not ("pc" in all_of or self._number - self._titled < REGISTER_LINES):
            return None
        crash = self._begin(CrashHeader("registers", CrashKind.FAULT, "fault", is_vague=True))
        self._add_registers(all_of)
        return self._crash or crash

    def _take(self, line: str, header: CrashHeader | None) -> None:
        """Take a line of, or between those of, the crash that is open."""
        self._lines += 1
        if header is not None:
            self._improve(header)
            told = True
        else:
            told = self._add_message(line) or self._take_words(line)
        self._others = 0 if told else self._others + 1
        if self._lines >= MOST_LINES or self._others >= MOST_OTHER_LINES:
            self.end()

    def _improve(self, header: CrashHeader) -> None:
        """Take another header of the same crash, which may know better."""
        crash = self._now
        self._forms.add(header.form)
        self._in_trace = False
        if self._is_vague and not header.is_vague:
            crash, self._is_vague = replace(crash, kind=header.kind, name=header.name), False
        elif header.kind is CrashKind.STACK_OVERFLOW:
            crash = replace(crash, kind=header.kind, message=crash.message or header.name)
        self._crash = replace(
            crash,
            message=crash.message or header.message[:LONGEST_MESSAGE],
            file=crash.file or header.file,
            line=crash.line or header.line,
            task=crash.task or header.task,
        )
        if header.message_follows:
            self._message_follows, self._pieces = True, header.words.pieces
        self._take_words(header.words.text)

    def _add_message(self, line: str) -> bool:
        """Take the message that a panic has in a line of its own."""
        if not self._message_follows:
            return False
        text = list(stripped(line))[: self._pieces + 1][-1].text
        if not text:
            return True
        self._message_follows = False
        if self._now.message or trace_begins_in(text) is not None or dict(registers_in(text)):
            return False
        self._crash = replace(self._now, message=text[:LONGEST_MESSAGE])
        return True

    def _take_words(self, line: str) -> bool:
        """Take all that a line says; return whether it said anything."""
        shapes = [words.text for words in stripped(line)]
        if self._add_trace(line, shapes):
            return True
        told = self._add_registers(dict(registers_in(line)))
        told = self._add_cause(line) or told
        told = any(map(self._add_task, shapes)) or told
        return any(map(self._add_mbed, shapes)) or told

    def _add_registers(self, said: dict[str, int]) -> bool:
        registers = self._now.registers
        for name, value in said.items():
            if name in _PARTS:
                # some print all of CFSR under the name of a part
                whole = value if value > _CFSR_GIVEN_AS_PART else with_part(registers.cfsr, name, value)
                registers = replace(registers, cfsr=whole)
            elif name not in {"pc", "lr"} and getattr(registers, name) is None:
                registers = replace(registers, **{name: value})
        self._crash = replace(self._now, registers=registers)
        for role in (AddressRole.PC, AddressRole.LR):
            if role in said and not any(each.role is role for each in self._now.addresses):
                self._add_address(role, said[role])
        return bool(said)

    def _add_address(self, role: AddressRole, address: int) -> None:
        crash = self._now
        if not address or (address >= _EXCEPTION_RETURN and role is AddressRole.LR):
            return
        if sum(each.role is role for each in crash.addresses) >= MOST_CALLERS:
            return
        order = list(AddressRole)
        addresses = sorted((*crash.addresses, CrashAddress(role, address)), key=lambda each: order.index(each.role))
        self._crash = replace(crash, addresses=tuple(addresses))

    def _add_trace(self, line: str, shapes: Sequence[str]) -> bool:
        """Take callers; `shapes` are the words of the line without ever more of what stands before them."""
        begun = trace_begins_in(line)
        if begun is not None:
            self._in_trace = True
        elif self._in_trace:
            begun = tuple(islice((each for each in map(caller_in, shapes) if each is not None), 1))
        for address in begun or ():
            self._add_address(AddressRole.BACKTRACE, address)
        return bool(begun)

    def _add_cause(self, text: str) -> bool:
        registers = self._now.registers
        cause, address = cause_in(text), fault_address_in(text)
        if cause is not None and cause not in registers.causes:
            registers = replace(registers, said=(*registers.said, cause))
        if address is not None:
            registers = replace(registers, mmfar=registers.mmfar or address, bfar=registers.bfar or address)
        self._crash = replace(self._now, registers=registers)
        return cause is not None or address is not None

    def _add_task(self, text: str) -> bool:
        task = task_in(text)
        if task and not self._now.task:
            self._crash = replace(self._now, task=task)
        return bool(task)

    def _add_mbed(self, text: str) -> bool:
        crash = self._now
        name, value = mbed_in(text)
        match name:
            case "fault":
                self._crash = replace(crash, name=_MBED_NAMES.get(value, value))
            case "message" if not crash.message and not value.startswith("Fault exception"):
                asserted = "Assertion failed: "
                if value.startswith(asserted):
                    crash = replace(crash, kind=CrashKind.ASSERTION, name="assertion failed")
                self._crash = replace(crash, message=value.removeprefix(asserted)[:LONGEST_MESSAGE])
            case "location" if not crash.addresses:
                self._add_address(AddressRole.PC, int(value, 16))
            case "file" if not crash.file:
                file, _, line = value.rpartition("+")
                self._crash = replace(crash, file=file, line=int(line))
            case _:
                pass
        return bool(name)

    @property
    def _now(self) -> Crash:
        if self._crash is None:
            raise RuntimeError("there is no crash to be described")
        return self._crash
