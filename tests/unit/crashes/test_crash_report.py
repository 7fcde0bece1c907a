"""A crash as the lines of a console."""

from flashdeckd.crashes.crash import AddressRole, Crash, CrashAddress, CrashKind
from flashdeckd.crashes.crash_report import MOST_REPORTED, frame_text, report
from flashdeckd.crashes.crash_resolving import Resolution
from flashdeckd.crashes.fault_registers import FaultRegisters
from flashdeckd.crashes.looked_up import Frame

PC = CrashAddress(AddressRole.PC, 0x08021A3C)
LR = CrashAddress(AddressRole.LR, 0x08021B01)
BY = CrashAddress(AddressRole.BACKTRACE, 0x08021C05)
FAULT = Crash(
    kind=CrashKind.FAULT,
    name="HardFault",
    registers=FaultRegisters(cfsr=0x8200, bfar=0x20030000),
    addresses=(PC, LR, BY),
)


def test_each_address_has_its_function_and_line() -> None:
    frames = {
        PC: [
            Frame(function="scale", file="control.c", line=4),
            Frame(function="control_step", file="control.c", line=118),
        ],
        LR: [Frame(function="control_task", file="control.c", line=201)],
    }
    assert report(FAULT, Resolution(frames)) == (
        "HardFault: a bus error at 0x20030000, precise",
        "  pc 0x08021a3c  scale (control.c:4)",
        "                 in control_step (control.c:118)",
        "  lr 0x08021b01  control_task (control.c:201)",
        "  by 0x08021c05",
    )


def test_notes_come_last() -> None:
    assert report(FAULT, Resolution(notes=("APP1.elf is of another build",)))[-2:] == (
        "  by 0x08021c05",
        "  APP1.elf is of another build",
    )


def test_a_caller_that_is_pc_or_lr_is_told_once() -> None:
    again = (PC, LR, *(CrashAddress(AddressRole.BACKTRACE, each.address & ~1) for each in (PC, LR, BY)))
    crash = Crash(kind=CrashKind.FAULT, name="HardFault", addresses=again)
    assert report(crash, Resolution()) == (
        "HardFault",
        "  pc 0x08021a3c",
        "  lr 0x08021b01",
        "  by 0x08021c04",
    )


def test_a_frame_in_words() -> None:
    assert frame_text(Frame(function="step", offset=4, file="a.c", line=2)) == "step (a.c:2)"
    assert frame_text(Frame(function="step", offset=4)) == "step +0x4"
    assert frame_text(Frame(function="step")) == "step"
    assert frame_text(Frame(file="a.c", line=2)) == "? (a.c:2)"


def test_so_many_lines_are_told() -> None:
    callers = tuple(CrashAddress(AddressRole.BACKTRACE, 0x08000000 + 4 * number) for number in range(2 * MOST_REPORTED))
    crash = Crash(kind=CrashKind.FAULT, name="HardFault", addresses=callers)
    assert len(report(crash, Resolution())) == MOST_REPORTED


def test_foreign_text_is_made_harmless() -> None:
    frames = {PC: [Frame(function="a\x1b[31m", file="b\n.c", line=1)]}
    assert all(line.isprintable() for line in report(FAULT, Resolution(frames)))


def test_a_sentence_says_a_thing_once() -> None:
    crash = Crash(
        kind=CrashKind.FAULT, name="fault", registers=FaultRegisters(cfsr=0x02000000), message="Division by zero"
    )
    assert crash.sentence == "fault: a division by zero"
    assert Crash(kind=CrashKind.PANIC, name="panic", file="core").sentence == "panic (core)"


def test_the_address_that_is_looked_up_is_that_of_the_call() -> None:
    assert PC.looked_up == 0x08021A3C
    assert CrashAddress(AddressRole.PC, 0x08021A3D).looked_up == 0x08021A3C
    assert LR.looked_up == 0x08021AFF
    assert BY.looked_up == 0x08021C03
