"""Who talks of crashes has not crashed; and nothing that a board may say is too much for the reader."""

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flashdeckd.crashes.crash import LONGEST_MESSAGE, Crash
from flashdeckd.crashes.crash_details import MOST_CALLERS
from flashdeckd.crashes.crash_headers import header_in
from flashdeckd.crashes.crash_reader import MOST_LINES, MOST_OTHER_LINES, MOST_WHOLE, REGISTER_LINES, CrashReader
from flashdeckd.crashes.log_prefixes import LONGEST_BRACKET, MOST_PREFIXES, stripped

TALK = """
no HardFault since boot
HardFault: none
HardFault count = 0
HardFaults: 0
HardFault handler installed
HardFault_Handler: enabled
hard fault handler ready
last reset: HardFault at 0x08001234
Last fault: CFSR=0x00008200 PC=0x08001234
previous crash: PC = 0x08001234 CFSR = 0x00008200
- HardFault
> HardFault
3) HardFault
uart:~$ hardfault
menu: HardFault
<inf> tests: HardFault
[I] HardFault
hardfault
bus fault
BusFault enabled in SHCSR
MPU fault test passed
usage fault: not seen
assert self-test passed
assert(x) is enabled
assert: all checks passed
asserts: 12 ok
assertion failed count: 0
Assertion failed 0 times
assert failed tests: 0 (assert.c:12) ok
assertion "x" failed is what it would say
ASSERT_EQ(a, b) at main.c:12
reset line asserted at 12:34:56
the IRQ line asserts in 12 ms
stack overflow check in task main: ok
stack overflow in task main not seen
Stack overflow protection enabled
no stack overflow in task main!
stack overflow
Application without stack overflow
PANIC button pressed
panic mode off
panic: no
kernel panic handler registered
testing panicked at handler
panicked at the disco
panicked at handler
info: last panic: panicked at src/main.rs:12:5:
it panicked at src/main.rs:12:5:
panicked at src/main.rs
ZEPHYR FATAL ERROR handler ready
*** Booting Zephyr OS build v3.7.0 ***
*** Booting nRF Connect SDK v2.9.0 ***
*** ALARM ***
***** SELF TEST *****
fatal error handler: k_sys_fatal_error_handler
Fault tolerance: 3
Fault on line A
Fault in thread pitch
motor fault at 0x12
Motor Fault!
GROUND FAULT
*** OVERCURRENT FAULT ***
Fault! EXC is short for exception
++ MbedOS is starting ++
Wrong parameters value: 12
wrong parameters value of file main.c
exception handler ready
Exception 'none'
Error: abort() would be called
Guru Meditation is no error here
System halted: low battery
SYSTEM HALTED by the user
CFSR: 0x00000000
CFSR = 0
HFSR: 0x00000000 PC = 0x08001234
pc = 0x08001234
PC: 0x08001234 LR: 0x08001235
pc 12 connected
backtrace: off
call stack: 12 bytes free
PANIC!!!
a mutex asserted at file: kernel.c:12 task: x
x > 0 -- assertion succeeded
vApplicationStackOverflowHook installed
vApplicationMallocFailedHook is set
malloc failed, trying again
""".strip().split("\n")


@pytest.mark.parametrize("line", TALK)
def test_a_line_that_merely_talks_of_a_crash_is_none(line: str) -> None:
    assert CrashReader().read(line) is None


def test_neither_are_all_of_them_one_after_the_other() -> None:
    reader = CrashReader()
    assert [line for line in TALK if reader.read(line) is not None] == []
    assert reader.take_whole() is None


PREFIXES = ("[00:00:01.000,000] <inf> app: ", "12:34:56.789 -> ", "I (123) app: ", "[INFO] ", "1.234 ")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_nor_with_what_a_logger_puts_before_them(prefix: str) -> None:
    assert [line for line in TALK if header_in(prefix + line) is not None] == []


words = st.sampled_from(
    [
        *(
            "HardFault",
            "hard fault",
            "assert",
            "assertion failed",
            "panicked at",
            "stack overflow",
            "in task",
            "PC =",
            "CFSR:",
        ),
        *(
            "no",
            "never",
            "test",
            "ok",
            "since",
            "boot",
            "0x08001234",
            "main.c",
            ":12",
            "(",
            ")",
            "'",
            '"',
            "***",
            "++",
            "[1]",
        ),
        *("src/main.rs:12:5:", "Backtrace:", "Assertion", "file", "line 12", "\t", " ", "->", "<err>", "os:", ">>>"),
        *(
            "ZEPHYR FATAL ERROR 1:",
            "MbedOS",
            "Error Message:",
            "Wrong parameters value: file",
            "File: x+1",
            "task: main",
        ),
    ]
)
lines = st.one_of(
    st.text(max_size=1000), st.lists(words, max_size=40).map(" ".join), st.lists(words, max_size=40).map("".join)
)


@settings(deadline=None, max_examples=400)
@given(st.lists(lines, max_size=30))
@example(["HardFault", "pc: 0x" + "f" * 16, "CFSR: " + "f" * 16, "File: +1"])
@example(["panicked at src/main.rs:12:5:", "", ""])
def test_nothing_is_too_much_for_it(said: list[str]) -> None:
    reader = CrashReader()
    crashes = [crash for line in said if (crash := reader.read(line)) is not None]
    reader.end()
    whole: list[Crash] = []
    while (crash := reader.take_whole()) is not None:
        whole.append(crash)
    assert len(whole) == min(len(crashes), MOST_WHOLE)
    for crash in (*crashes, *whole):
        assert crash.sentence
        assert len(crash.message) <= LONGEST_MESSAGE
        assert len(crash.addresses) <= MOST_CALLERS + 2


def seconds_for(line: str) -> float:
    """Return how long a line takes at the best of several times."""
    best = 1.0
    for _ in range(20):
        reader = CrashReader()
        begun = time.perf_counter()
        reader.read(line)
        best = min(best, time.perf_counter() - begun)
    return best


LONG: dict[str, Callable[[int], str]] = {
    "of one letter": lambda n: "x" * n,
    "of needles": lambda n: "fault " * (n // 6),
    "of places": lambda n: ("assert failed: " + "a.c b" * n)[:n],
    "of brackets": lambda n: ("Assertion failed: " + " (a: " * n)[:n],
    "of files": lambda n: ("Assertion failed: " + "file a, " * n)[:n],
    "of colons": lambda n: ("a.c:12: " + ": " * n)[:n],
    "of registers": lambda n: ("HardFault " + "pc: " * n)[:n],
    "of times": lambda n: ("[1] " * n)[: n - 5] + "fault",
    "of names": lambda n: ("a: " * n)[: n - 5] + "fault",
    "of an open bracket": lambda n: ("[" + "1" * n)[: n - 6] + " fault",
    "of overflows": lambda n: ("stack overflow" + " task" * n)[:n],
    "of blanks": lambda n: ("HardFault" + " " * n)[: n - 1] + "x",
    "of quotes": lambda n: ('assertion "' + '" failed: file "' * n)[:n],
    "of panics": lambda n: ("panicked at '" + "', a.rs:" * n)[:n],
}


@pytest.mark.parametrize("kind", LONG)
def test_a_line_costs_in_proportion_to_its_length(kind: str) -> None:
    """A line of four times the length costs some four times as much: were it the square, it would be sixteen."""
    short, long = seconds_for(LONG[kind](256)), seconds_for(LONG[kind](1024))
    assert long < 12 * max(short, 20e-6)


def test_so_many_lines_are_looked_at_after_the_first_one() -> None:
    reader = CrashReader()
    reader.read("HardFault")
    for number in range(MOST_LINES - 1):
        reader.read(f"LR = 0x0800{number:04x}")
        assert reader.is_open
    reader.read("LR = 0x08000000")
    assert not reader.is_open
    reader.read("PC = 0x08001234")
    crash = reader.take_whole()
    assert crash is not None
    assert [each.role.value for each in crash.addresses] == ["lr"]


def test_so_many_lines_in_a_row_that_add_nothing_end_it() -> None:
    reader = CrashReader()
    reader.read("HardFault")
    for _ in range(MOST_OTHER_LINES - 1):
        reader.read("adc 512")
    reader.read("PC = 0x08001234")
    for _ in range(MOST_OTHER_LINES - 1):
        reader.read("adc 512")
    assert reader.is_open
    reader.read("adc 512")
    assert not reader.is_open
    crash = reader.take_whole()
    assert crash is not None
    assert crash.addresses


def test_so_many_crashes_wait_for_whoever_takes_them() -> None:
    reader = CrashReader()
    for number in range(MOST_WHOLE + 2):
        reader.read(f"assert failed: main.c:{number + 1}")
    reader.end()
    lines: list[int] = []
    while (crash := reader.take_whole()) is not None:
        lines.append(crash.line)
    assert lines == list(range(3, MOST_WHOLE + 3))


@pytest.mark.parametrize("between", [REGISTER_LINES - 2, REGISTER_LINES - 1])
def test_registers_without_a_title_belong_together_for_so_many_lines(between: int) -> None:
    reader = CrashReader()
    assert reader.read("stacked pc = 0x08001234") is None
    for _ in range(between):
        assert reader.read("R0 = 0x00000000") is None
    assert (reader.read("CFSR = 0x00008200") is not None) is (between < REGISTER_LINES - 1)


@pytest.mark.parametrize("between", [REGISTER_LINES - 2, REGISTER_LINES - 1])
def test_so_does_a_title_that_alone_is_no_crash(between: int) -> None:
    reader = CrashReader()
    assert reader.read("hard fault detected, saving all") is None
    for _ in range(between):
        assert reader.read("R0 = 0x00000000") is None
    assert (reader.read("CFSR = 0x00008200") is not None) is (between < REGISTER_LINES - 1)


def test_so_many_callers_are_kept() -> None:
    reader = CrashReader()
    reader.read("HardFault")
    reader.read("Backtrace: " + " ".join(f"0x0800{number:04x}" for number in range(16, 16 + 2 * MOST_CALLERS)))
    reader.end()
    crash = reader.take_whole()
    assert crash is not None
    assert [each.address for each in crash.addresses] == [0x08000010 + number for number in range(MOST_CALLERS)]


def test_a_long_message_is_cut() -> None:
    crash = CrashReader().read(f'assertion "{"x" * 600}" failed: file "a.c", line 1')
    assert crash is not None
    assert crash.message == "x" * LONGEST_MESSAGE
    reader = CrashReader()
    reader.read("panicked at src/main.rs:1:1:")
    reader.read("y" * 900)
    reader.end()
    whole = reader.take_whole()
    assert whole is not None
    assert whole.message == "y" * LONGEST_MESSAGE


def test_so_many_pieces_are_taken_off_a_line() -> None:
    assert header_in("[1] " * MOST_PREFIXES + "HardFault") is not None
    assert header_in("[1] " * (MOST_PREFIXES + 1) + "HardFault") is None


def test_a_piece_in_brackets_is_so_long() -> None:
    assert [each.text for each in stripped(f"[{'x' * LONGEST_BRACKET}1] fault")][1:] == ["fault"]
    assert [each.text for each in stripped(f"[{'x' * (LONGEST_BRACKET + 1)}1] fault")][1:] == []
