"""What each system says when it crashes: known with its first line, and read to the end."""

from collections.abc import Sequence

import pytest

from flashdeckd.crashes.crash import AddressRole, Crash, CrashKind
from flashdeckd.crashes.crash_reader import CrashReader

PC, LR, BY = AddressRole.PC, AddressRole.LR, AddressRole.BACKTRACE


def read(*lines: str) -> tuple[int, Crash]:
    """Return which line was the first of the only crash, and all that is known of it at the end."""
    reader = CrashReader()
    begun = [number for number, line in enumerate(lines) if reader.read(line) is not None]
    reader.end()
    crash = reader.take_whole()
    assert crash is not None, lines
    assert reader.take_whole() is None
    assert len(begun) == 1
    return begun[0], crash


def addresses(crash: Crash) -> list[tuple[AddressRole, int]]:
    return [(each.role, each.address) for each in crash.addresses]


DUMPS: dict[str, tuple[Sequence[str], str, Sequence[tuple[AddressRole, int]]]] = {
    "zephyr 3, with logging": (
        (
            "[00:00:07.250,000] <err> os: ***** MPU FAULT *****",
            "[00:00:07.250,000] <err> os:   Data Access Violation",
            "[00:00:07.250,000] <err> os:   MMFAR Address: 0x0",
            "[00:00:07.250,000] <err> os: r0/a1:  0x00000000  r1/a2:  0x20001f00  r2/a3:  0x00000003",
            "[00:00:07.250,000] <err> os: r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  0x08004ae1",
            "[00:00:07.250,000] <err> os:  xpsr:  0x61000000",
            "[00:00:07.250,000] <err> os: Faulting instruction address (r15/pc): 0x08004b02",
            "[00:00:07.250,000] <err> os: >>> ZEPHYR FATAL ERROR 19: Unknown error on CPU 0",
            "[00:00:07.250,000] <err> os: Current thread: 0x20000a48 (sampler)",
            "[00:00:07.310,000] <err> os: Halting system",
        ),
        "MemManage fault: an access that the MPU forbids at 0x00000000, in task sampler",
        [(PC, 0x08004B02), (LR, 0x08004AE1)],
    ),
    "zephyr 4, with the names of functions": (
        (
            "[00:00:00.101,000] <err> os: usage_fault: ***** USAGE FAULT *****",
            "[00:00:00.101,000] <err> os: usage_fault:   Division by zero",
            "[00:00:00.101,000] <err> os: esf_dump: r0/a1:  0x00000001  r1/a2:  0x00000000  r2/a3:  0x00000003",
            "[00:00:00.101,000] <err> os: esf_dump: r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  0x08000f11",
            "[00:00:00.101,000] <err> os: esf_dump: Faulting instruction address (r15/pc): 0x08000e50",
            "[00:00:00.101,000] <err> os: z_fatal_error: >>> ZEPHYR FATAL ERROR 30: Unknown error on CPU 0",
            "[00:00:00.101,000] <err> os: z_fatal_error: Current thread: 0x20000198 (unknown)",
        ),
        "UsageFault: a division by zero",
        [(PC, 0x08000E50), (LR, 0x08000F11)],
    ),
    "zephyr, escalated": (
        (
            "E: ***** HARD FAULT *****",
            "E:   Fault escalation (see below)",
            "E: ***** BUS FAULT *****",
            "E:   Imprecise data bus error",
            "E: Faulting instruction address (r15/pc): 0x08001000",
            "E: >>> ZEPHYR FATAL ERROR 26: Unknown error on CPU 0",
        ),
        "HardFault: a bus error, imprecise (pc is a little behind it)",
        [(PC, 0x08001000)],
    ),
    "zephyr 2, without logging": (
        (
            "FATAL: >>> ZEPHYR FATAL ERROR 2: Stack overflow",
            "FATAL: Current thread: 0x20000a48 (main)",
        ),
        "stack overflow, in task main",
        [],
    ),
    "zephyr, kernel panic": (
        ("[00:00:00.012,000] <err> os: >>> ZEPHYR FATAL ERROR 4: Kernel panic on CPU 0",),
        "kernel panic",
        [],
    ),
    "zephyr, an interrupt that nobody handles": (
        ("[00:00:00.012,000] <err> os: >>> ZEPHYR FATAL ERROR 1: Unhandled interrupt on CPU 0",),
        "fatal error of Zephyr: Unhandled interrupt",
        [],
    ),
    "zephyr, short dump": (
        ("<err> os: Fault! EXC #3", "<err> os: MMFSR: 0x0, BFSR: 0x82, UFSR: 0x0", "<err> os: BFAR: 0xff001234"),
        "fault: a bus error at 0xff001234, precise",
        [],
    ),
    "zephyr, an assertion and what it leads to": (
        (
            "ASSERTION FAIL [mutex->owner == _current] @ WEST_TOPDIR/zephyr/kernel/mutex.c:223",
            "\tmutex is not ours",
            "[00:00:00.012,000] <err> os: r0/a1:  0x00000004  r1/a2:  0x000000df  r2/a3:  0x00000000",
            "[00:00:00.012,000] <err> os: Faulting instruction address (r15/pc): 0x08005000",
            "[00:00:00.012,000] <err> os: >>> ZEPHYR FATAL ERROR 4: Kernel panic on CPU 0",
        ),
        "assertion failed: mutex->owner == _current (WEST_TOPDIR/zephyr/kernel/mutex.c:223)",
        [(PC, 0x08005000)],
    ),
    "zephyr on RISC-V": (
        (
            "[00:00:00.020,000] <err> os:      mcause: 5, Load access fault",
            "[00:00:00.020,000] <err> os: >>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0",
            "[00:00:00.020,000] <err> os: call trace:",
            "[00:00:00.020,000] <err> os:       0: sp: 80010f40 ra: 0x80000acc",
            "[00:00:00.020,000] <err> os:       1: sp: 80010f60 ra: 0x80000b00",
        ),
        "exception",
        [(BY, 0x80000ACC), (BY, 0x80000B00)],
    ),
    "Rust 1.73 and later": (
        ("panicked at src/main.rs:12:5:", "index out of bounds: the len is 3 but the index is 7"),
        "panic: index out of bounds: the len is 3 but the index is 7 (src/main.rs:12)",
        [],
    ),
    "Rust before 1.73": (
        ("panicked at 'called `Option::unwrap()` on a `None` value', src/drivers/adc.rs:48:17",),
        "panic: called `Option::unwrap()` on a `None` value (src/drivers/adc.rs:48)",
        [],
    ),
    "Rust before 1.73, with a message of several lines": (
        (
            "panicked at 'assertion failed: `(left == right)`",
            "  left: `1`,",
            " right: `2`', src/main.rs:30:5",
        ),
        "panic: assertion failed: `(left == right)`",
        [],
    ),
    "Rust with threads": (
        ("thread 'main' (8123) panicked at src/bin/app.rs:7:9:", "explicit panic"),
        "panic: explicit panic (src/bin/app.rs:7), in task main",
        [],
    ),
    "Rust by a logger, and seen with times": (
        ("12:34:56.789 -> ERROR panicked at src/main.rs:12:5:", "12:34:56.801 -> ERROR overrun"),
        "panic: overrun (src/main.rs:12)",
        [],
    ),
    "cortex-m-rt's frame": (
        (
            "HardFault: ExceptionFrame {",
            "    r0: 0x00000000,",
            "    lr: 0x080001f3,",
            "    pc: 0x08000400,",
            "    xpsr: Xpsr { ... }",
            "}",
        ),
        "HardFault",
        [(PC, 0x08000400), (LR, 0x080001F3)],
    ),
    "esp-backtrace": (
        (
            "====================== PANIC ======================",
            "panicked at src/main.rs:12:5:",
            "no more buffers",
            "",
            "Backtrace:",
            "",
            "0x42000abc",
            "0x42000def - main at src/main.rs:12",
        ),
        "panic: no more buffers (src/main.rs:12)",
        [(BY, 0x42000ABC), (BY, 0x42000DEF)],
    ),
    "esp-backtrace, older": (
        ("!! A panic occured in 'src/main.rs', at line 12, column 5:", "no more buffers"),
        "panic: no more buffers (src/main.rs:12)",
        [],
    ),
    "esp-backtrace, an exception": (
        ("Exception 'Load access fault' mepc=0x42000abc, mtval=0x00000004",),
        "exception: at 0x00000004, Load access fault",
        [(PC, 0x42000ABC)],
    ),
    "Mbed OS": (
        (
            "++ MbedOS Fault Handler ++",
            "",
            "FaultType: HardFault",
            "",
            "Context:",
            "R   0: 00000000",
            "SP   : 20001F40",
            "LR   : 08002F2D",
            "PC   : 08002EE8",
            "HFSR : 40000000",
            "MMFSR: 00000000",
            "BFSR : 00000082",
            "UFSR : 00000000",
            "BFAR : 40051700",
            "-- MbedOS Fault Handler --",
            "++ MbedOS Error Info ++",
            "Error Status: 0x80FF013D Code: 317 Module: 255",
            "Error Message: Fault exception",
            "Location: 0x8002EE8",
            "Current Thread: main Id: 0x20001A48 Entry: 0x8001F8D StackSize: 0x1000 StackMem: 0x20000A00 SP: 0x0 ",
        ),
        "HardFault: a bus error at 0x40051700, precise, in task main",
        [(PC, 0x08002EE8), (LR, 0x08002F2D)],
    ),
    "Mbed OS, an assertion": (
        (
            "++ MbedOS Error Info ++",
            "Error Status: 0x80FF0144 Code: 324 Module: 255",
            "Error Message: Assertion failed: _id != 0",
            "Location: 0x8003A51",
            "File: ./rtos/source/Thread.cpp+128",
            "Current Thread: rtx_idle Id: 0x20002A48 Entry: 0x8001F8D StackSize: 0x300 StackMem: 0x0 SP: 0x0",
        ),
        "assertion failed: _id != 0 (./rtos/source/Thread.cpp:128), in task rtx_idle",
        [(PC, 0x08003A51)],
    ),
    "Mbed OS 2": (
        ("mbed assertation failed: pin != NC, file: gpio_api.c, line 42 ",),
        "assertion failed: pin != NC (gpio_api.c:42)",
        [],
    ),
    "a handler that prints registers": (
        ("*** HardFault ***", "PC  = 0x08021A3C", "LR  = 0xFFFFFFF9", "CFSR: 0x00008200", "BFAR: 0x20030000"),
        "HardFault: a bus error at 0x20030000, precise",
        [(PC, 0x08021A3C)],
    ),
    "a handler that says one line": (("HardFault at 0x08021a3c",), "HardFault", []),
    "a handler that says one line of registers": (
        ("HardFault: PC=0x08021a3c LR=0x08021b01 CFSR=0x02000000",),
        "HardFault: a division by zero",
        [(PC, 0x08021A3C), (LR, 0x08021B01)],
    ),
    "the handler of a book": (
        (
            "[Hard fault handler - all numbers in hex]",
            "R0 = 0",
            "LR [R14] = 8001235  subroutine call return address",
            "PC [R15] = 800123c  program counter",
            "BFAR = 20030000",
            "CFSR = 8200",
        ),
        "HardFault: a bus error at 0x20030000, precise",
        [(PC, 0x0800123C), (LR, 0x08001235)],
    ),
    "registers without a title": (
        ("SCB->HFSR = 0x40000000", "stacked_pc = 0x0800123c", "SCB->CFSR = 0x00010000"),
        "fault: an undefined instruction",
        [(PC, 0x0800123C)],
    ),
    "Tock": (
        (
            "panicked at 'Process app had a fault', kernel/src/process.rs:323:17",
            "\tKernel version 1.6",
            "---| Cortex-M Fault Status |---",
            "Data Access Violation:              true",
            "Fault Status Register (CFSR):       0x00000082",
            "Hard Fault Status Register (HFSR):  0x40000000",
        ),
        "panic: an access that the MPU forbids, Process app had a fault (kernel/src/process.rs:323)",
        [],
    ),
    "newlib and picolibc": (
        ('assertion "queue != NULL" failed: file "../Core/Src/control.c", line 118, function: control_step',),
        "assertion failed: queue != NULL (../Core/Src/control.c:118)",
        [],
    ),
    "armclang": (
        ("*** assertion failed: x > 0, file control.c, line 118",),
        "assertion failed: x > 0 (control.c:118)",
        [],
    ),
    "IAR": (("control.c:118 x > 0 -- assertion failed",), "assertion failed: x > 0 (control.c:118)", []),
    "TI": (("Assertion failed, (x > 0), file control.c, line 118",), "assertion failed: x > 0 (control.c:118)", []),
    "musl": (
        ("Assertion failed: x > 0 (control.c: control_step: 118)",),
        "assertion failed: x > 0 (control.c:118)",
        [],
    ),
    "glibc": (
        ("app: control.c:118: control_step: Assertion `x > 0' failed.",),
        "assertion failed: x > 0 (control.c:118)",
        [],
    ),
    "ST's HAL": (
        ("Wrong parameters value: file ../Drivers/stm32h5xx_hal_gpio.c on line 181",),
        "wrong parameters of the HAL (../Drivers/stm32h5xx_hal_gpio.c:181)",
        [],
    ),
    "FreeRTOS, its example": (("ASSERT! Line 118, file control.c",), "assertion failed (control.c:118)", []),
    "FreeRTOS, as many write it": (("Assert failed in control.c:118",), "assertion failed (control.c:118)", []),
    "FreeRTOS, the call": (("vAssertCalled( control.c, 118 )",), "assertion failed (control.c:118)", []),
    "an assertion of somebody": (
        ("[E] assertion failed: x > 0 at src/control.cpp, line 118",),
        "assertion failed: x > 0 (src/control.cpp:118)",
        [],
    ),
    "FreeRTOS, stack": (("Stack overflow in task: comms",), "stack overflow, in task comms", []),
    "FreeRTOS, stack of an example": (
        ("Application Stack Overflow!! on Task: comms",),
        "stack overflow, in task comms",
        [],
    ),
    "FreeRTOS, hook": (("vApplicationStackOverflowHook: comms",), "stack overflow, in task comms", []),
    "FreeRTOS, title": (("***** STACK OVERFLOW DETECTED *****", "task: comms"), "stack overflow, in task comms", []),
    "FreeRTOS, no memory": (("vApplicationMallocFailedHook()",), "no memory left", []),
    "ESP-IDF": (
        (
            "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
            "",
            "Core  0 register dump:",
            "PC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d5678  A1      : 0x3ffb1e50",
            "EXCVADDR: 0x00000010  LBEG    : 0x00000000  LEND    : 0x00000000  LCOUNT  : 0x00000000",
            "",
            "Backtrace: 0x400d1231:0x3ffb1e50 0x400d5675:0x3ffb1e70 0x400d9abc:0x3ffb1e90",
        ),
        "exception: at 0x00000010, LoadProhibited",
        [(PC, 0x400D1234), (BY, 0x400D1231), (BY, 0x400D5675), (BY, 0x400D9ABC)],
    ),
    "ESP-IDF, an assertion": (
        ("assert failed: xQueueSemaphoreTake queue.c:1545 (( pxQueue ))",),
        "assertion failed: ( pxQueue ) (queue.c:1545)",
        [],
    ),
    "ESP-IDF, abort": (("abort() was called at PC 0x400d1234 on core 0",), "abort", [(PC, 0x400D1234)]),
    "ESP-IDF, stack": (
        ("***ERROR*** A stack overflow in task main has been detected.",),
        "stack overflow, in task main",
        [],
    ),
    "RIOT": (
        (
            "",
            "Context before hardfault:",
            "   r0: 0x00000000",
            "   lr: 0x08001235",
            "   pc: 0x0800123c",
            "FSR/FAR:",
            " CFSR: 0x00008200",
            " HFSR: 0x40000000",
            " BFAR: 0x20030000",
            "*** RIOT kernel panic:",
            "HARD FAULT HANDLER",
        ),
        "HardFault: a bus error at 0x20030000, precise",
        [(PC, 0x0800123C), (LR, 0x08001235)],
    ),
    "RIOT, a panic": (("*** RIOT kernel panic:", "NO FREE THREAD"), "kernel panic: NO FREE THREAD", []),
    "RT-Thread": (
        ("psr: 0x61000000", " lr: 0x08001235", "hard fault on thread: main", " pc: 0x0800123c"),
        "HardFault, in task main",
        [(PC, 0x0800123C)],
    ),
    "RT-Thread, an assertion": (
        ("(obj != RT_NULL) assertion failed at function:rt_object_detach, line number:423 ",),
        "assertion failed: obj != RT_NULL (rt_object_detach:423)",
        [],
    ),
    "CmBacktrace": (
        (
            "Fault on thread control",
            "  R12: 00000000  LR : 08001235  PC : 0800123c  PSR: 21000000",
            "Bus fault is caused by precise data access violation",
            "The bus fault occurred address is 20030000",
            "Show more call stack info by run: addr2line -e app.elf -afpiC 0800123c 08001235 08004567",
        ),
        "fault: a bus error at 0x20030000, precise, in task control",
        [(PC, 0x0800123C), (LR, 0x08001235), (BY, 0x0800123C), (BY, 0x08001235), (BY, 0x08004567)],
    ),
    "the Pico SDK": (("*** PANIC ***", "", "Out of memory"), "panic: Out of memory", []),
    "NuttX": (
        (
            "[    1.230000] arm_hardfault: PANIC!!! Hard Fault!:",
            "[    1.230000] _assert: Current Version: NuttX  12.4.0",
            "[    1.230000] _assert: Assertion failed panic: at file: armv7-m/arm_hf.c:175 task: nsh process: nsh 0x8",
            "[    1.230000] up_dump_register: R8: 00000000 SB: 00000000 SL: 00000000 FP: 00000000",
            "[    1.230000] up_dump_register: IP: 00000000 SP: 20001f40 LR: 08001235 PC: 0800123c",
            "[    1.230000] sched_dumpstack: backtrace| 3: 0x0800123c 0x08004567",
        ),
        "assertion failed: Hard Fault!: (armv7-m/arm_hf.c:175), in task nsh",
        [(PC, 0x0800123C), (LR, 0x08001235), (BY, 0x0800123C), (BY, 0x08004567)],
    ),
    "NuttX before 11": (
        ("up_assert: Assertion failed at file:chip/stm32_serial.c line: 184 task: init",),
        "assertion failed (chip/stm32_serial.c:184), in task init",
        [],
    ),
    "ChibiOS, by a hook": (("SYSTEM HALTED: SV#4",), "system halted: SV#4", []),
    "Nordic's SDK": (
        ("<error> hardfault: HARD FAULT at 0x0002A3C4", "<error> hardfault:   R12: 0x00000000  LR:  0x0002A3B1"),
        "HardFault",
        [(LR, 0x0002A3B1)],
    ),
}


@pytest.mark.parametrize("family", DUMPS)
def test_a_crash_is_read_to_its_end(family: str) -> None:
    lines, sentence, wanted = DUMPS[family]
    _, crash = read(*lines)
    assert crash.sentence == sentence
    assert addresses(crash) == list(wanted)


FIRST = {
    "zephyr on RISC-V": 1,
    "RIOT": 1,
    "RT-Thread": 2,
    "registers without a title": 1,
}
"""The numbers of the first lines that tell that it is a crash, where that is not the first of all."""


@pytest.mark.parametrize("family", DUMPS)
def test_it_is_known_with_its_first_line(family: str) -> None:
    begun, _ = read(*DUMPS[family][0])
    assert begun == FIRST.get(family, 0)


@pytest.mark.parametrize("family", DUMPS)
def test_other_lines_may_come_between(family: str) -> None:
    lines, sentence, wanted = DUMPS[family]
    first = FIRST.get(family, 0)
    follows = {"panicked at src", "thread 'main' (", "!! A panic", "12:34:56", "*** PANIC", "*** RIOT", "====="}
    if any(line.startswith(tuple(follows)) for line in lines):
        return  # their message is the next line, whatever that is
    mixed = [part for line in lines[first + 1 :] for part in (line, "[00:00:09.000,000] <inf> adc: 512 samples")]
    _, crash = read(*lines[: first + 1], *mixed)
    assert (crash.sentence, addresses(crash)) == (sentence, list(wanted))


def test_each_kind_is_told_apart() -> None:
    kinds = {family: read(*DUMPS[family][0])[1].kind for family in DUMPS}
    assert kinds["zephyr 3, with logging"] is CrashKind.FAULT
    assert kinds["zephyr 2, without logging"] is CrashKind.STACK_OVERFLOW
    assert kinds["ST's HAL"] is CrashKind.ASSERTION
    assert kinds["Rust before 1.73"] is CrashKind.PANIC
    assert kinds["FreeRTOS, no memory"] is CrashKind.OUT_OF_MEMORY
    assert kinds["Mbed OS, an assertion"] is CrashKind.ASSERTION
