"""The lines with which crashes begin, as a table: of RTOSes, C libraries, Rust and common fault handlers. Pure.

Only what nobody says who merely talks of a crash. Each pattern is anchored, and every repetition in it is bounded or
runs over a class that its end is no part of: a line costs time in proportion to its length.
"""

import re
from dataclasses import dataclass
from typing import Final

from flashdeckd.crashes.crash import CrashKind
from flashdeckd.crashes.log_prefixes import NO_WORDS, PrefixKind, Words, stripped

_NEEDLES: Final = (
    *("fault", "panic", "assert", "overflow", "fatal error", "exc #", "exception", "smash", "abort()", "meditation"),
    *("mbedos", "parameters value", "hook", "over flow", "chsyshalt", "halted"),
)
"""One of these is in every header, in lower case: what has none of them costs next to nothing."""
_FILE: Final = r"(?P<file>[^\s\"'][^\"']{0,254})"
_LINE: Final = r"(?P<line>[0-9]{1,7})"
_THREAD: Final = r"(?:thread '(?P<task>[^']{1,64})' (?:\([0-9]{1,20}\) )?)?"
_TASK: Final = r"['\"\[(]?(?P<task>Tmr Svc|[\w.\-/]{1,32})['\"\])]?"
_FAULT_NAMES: Final = {
    "hard": "HardFault",
    "bus": "BusFault",
    "usage": "UsageFault",
    "mpu": "MemManage fault",
    "memmanage": "MemManage fault",
    "memorymanagement": "MemManage fault",
    "memory": "MemManage fault",
    "secure": "SecureFault",
}


@dataclass(frozen=True, slots=True)
class CrashHeader:
    """The first line of a crash, and what it says by itself."""

    form: str
    """The pattern that it was: the lines of one crash have each form once."""
    kind: CrashKind
    name: str
    message: str = ""
    file: str = ""
    line: int = 0
    task: str = ""
    message_follows: bool = False
    """True where the next line is its message."""
    is_vague: bool = False
    """True for what another header of the same crash says better."""
    words: Words = NO_WORDS
    """The words of the line."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One pattern, and what it means."""

    pattern: re.Pattern[str]
    kind: CrashKind
    name: str = ""
    """In place of the group `name`."""
    message_follows: bool = False
    is_vague: bool = False
    is_title: bool = False
    """True for a pattern that is a bare title: before it may be nothing but a time, or the level of an error."""


def _form(
    pattern: str,
    kind: CrashKind,
    name: str = "",
    *,
    flags: int = 0,
    follows: bool = False,
    vague: bool = False,
    title: bool = False,
) -> _Form:
    return _Form(re.compile(pattern, flags), kind, name, follows, vague, title)


_FAULT, _ASSERTION, _PANIC = CrashKind.FAULT, CrashKind.ASSERTION, CrashKind.PANIC
_OVERFLOW = CrashKind.STACK_OVERFLOW
_FAILED: Final = "assertion failed"
_FAULTS: Final = (
    r"(?P<fault>Hard|HARD|Bus|BUS|Usage|USAGE|MPU|Mem ?Manage|MEM ?MANAGE|Memory ?Management|MEMORY|Secure|SECURE)"
)
_REGISTER: Final = r"(?:\w{1,10}->)?(?:CFSR|HFSR|PC|pc|cfsr|hfsr|LR|lr)[ ]{0,4}[:=][ ]{0,4}(?:0x)?[0-9a-fA-F]{1,8}\b"

_FORMS: Final[dict[str, _Form]] = {
    # Zephyr: kernel/fatal.c, arch/*/core/fault.c, include/sys/__assert.h; since 1.14
    "zephyr": _form(
        r">>> ZEPHYR FATAL ERROR [0-9]{1,10}: (?P<message>.{1,80}?)(?: on CPU [0-9]{1,3})?$",
        *(_PANIC, "fatal error of Zephyr"),
        vague=True,
    ),
    "zephyr fault": _form(r"Fault! EXC #[0-9]{1,3}$", _FAULT, "fault"),
    "zephyr assert": _form(rf"ASSERTION FAIL \[(?P<message>.{{0,600}})\] @ {_FILE}:{_LINE}\b", _ASSERTION, _FAILED),
    # Fault handlers of all kinds: decorated, with a register beside, or as a title alone
    "decorated fault": _form(
        rf"(?:[*!#=]{{2,40}} ?|[*#=!+>-]{{3,40}} ?|\[)(?:In |Entered )?{_FAULTS}[ _-]?(?:Fault|FAULT)"
        r"(?:[ _](?:Handler|HANDLER|Exception|EXCEPTION))?(?: ?[*#=!+<-]{1,40}|\]|)[.:!]{0,3}$",
        _FAULT,
    ),
    "fault with registers": _form(
        rf"(?:In |Entered )?{_FAULTS}[ _-]?(?:Fault|FAULT|fault)(?:[ _](?:Handler|Exception))?"
        rf"(?:!{{0,3}}[:, -]{{1,4}}{_REGISTER}"
        r"|!{0,3} (?:at|@) (?:(?:PC|pc|address)[ :=]{1,3})?0x[0-9a-fA-F]{1,8}\b"
        r"|!{1,3}(?: |$)|:? ExceptionFrame \{|[:,]? (?:at )?ExceptionFrame \{)",
        _FAULT,
    ),
    "fault": _form(
        rf"(?:In |Entered |Entering |in )?{_FAULTS}[ _-]?(?:Fault|FAULT|fault)"
        r"(?:[ _]?(?:Handler|handler|HANDLER|Exception|exception))?(?:\(\))?[.:]{0,3}$",
        _FAULT,
        title=True,
    ),
    "hard fault handler": _form(  # the one of Joseph Yiu's books, which many have copied
        r"\[Hard fault handler - all numbers in hex\]$", _FAULT, "HardFault"
    ),
    # Rust: the message before the place until 1.72, in a line of its own since 1.73
    "panicked": _form(
        rf"{_THREAD}panicked at (?P<file>[^\s'][^']{{0,254}}\.rs):{_LINE}(?::[0-9]{{1,7}})?(?P<follows>:?)$",
        *(_PANIC, "panic"),
        follows=True,
    ),
    "panicked old": _form(
        rf"{_THREAD}panicked at '(?P<message>.{{0,800}})', (?P<file>\S[^']{{0,254}}\.rs):{_LINE}(?::[0-9]{{1,7}})?$",
        *(_PANIC, "panic"),
    ),
    "panicked long": _form(  # the same, with a message of several lines
        rf"{_THREAD}panicked at '(?P<message>(?:assertion failed: |called `)[^']{{1,800}})$",
        *(_PANIC, "panic"),
    ),
    "esp-backtrace": _form(
        rf"!! A panic occur{{1,2}}ed in '{_FILE}', at line {_LINE}, column [0-9]{{1,7}}:?$",
        *(_PANIC, "panic"),
        follows=True,
    ),
    "esp panic": _form(r"={10,40} PANIC ={10,40}$", _PANIC, "panic", vague=True),
    "esp exception": _form(r"Exception '(?P<message>[^']{1,60})' mepc=0x[0-9a-f]{1,8}\b", *(_FAULT, "exception")),
    "esp exception on Xtensa": _form(
        r"Exception occur{1,2}ed (?:on \w{1,10} )?'(?P<message>[^']{1,60})'$", *(_FAULT, "exception")
    ),
    # Mbed OS, and with it ArduinoCore-mbed
    "mbed fault": _form(r"\+\+ MbedOS Fault Handler \+\+$", _FAULT, "fault", vague=True),
    "mbed error": _form(r"\+\+ MbedOS Error Info \+\+$", _PANIC, "fatal error of Mbed OS", vague=True),
    "mbed assert": _form(
        rf"mbed assert(?:at)?ion failed: (?P<message>.{{0,400}}), file: {_FILE}, line {_LINE}\b", _ASSERTION, _FAILED
    ),
    # C libraries: newlib and picolibc; armclang; IAR; glibc; musl and BSD; TI
    "newlib assert": _form(
        rf"assertion \"(?P<message>.{{0,600}})\" failed: file \"{_FILE}\", line {_LINE}\b", _ASSERTION, _FAILED
    ),
    "arm assert": _form(
        rf"\*{{3}} ?assertion failed: (?P<message>.{{0,600}}), file {_FILE}, line {_LINE}\b", _ASSERTION, _FAILED
    ),
    "iar assert": _form(
        rf"(?P<file>\S[^:]{{0,250}}):{_LINE} (?P<message>.{{1,600}}) -- assertion failed$", _ASSERTION, _FAILED
    ),
    "glibc assert": _form(
        rf"(?:[\w.\-/]{{1,64}}: )?(?P<file>[^\s:]{{1,255}}):{_LINE}: .{{1,200}}: "
        r"Assertion [`'](?P<message>.{0,600})' failed\.$",
        *(_ASSERTION, _FAILED),
    ),
    "bsd assert": _form(
        r"Assertion failed[:,] \(?(?P<message>.{1,600}?)\)?, (?:function:? [^,]{1,100}, )?"
        rf"file:? {_FILE}, line:? {_LINE}\b",
        *(_ASSERTION, _FAILED),
    ),
    "musl assert": _form(
        rf"Assertion failed: (?P<message>.{{1,600}}) \((?P<file>[^\s()]{{1,200}}): [^:()]{{1,100}}: {_LINE}\)$",
        *(_ASSERTION, _FAILED),
    ),
    # ST's HAL, as CubeMX writes `assert_failed` as a comment, and most let it be
    "hal": _form(rf"Wrong parameters value: file {_FILE} on line {_LINE}\b", _ASSERTION, "wrong parameters of the HAL"),
    # ESP-IDF
    "guru": _form(
        r"Guru Meditation Error: Core +[0-9] panic'ed \((?P<message>[^)]{1,80})\)", _FAULT, "exception", vague=True
    ),
    "esp abort": _form(r"abort\(\) was called at PC 0x[0-9a-f]{8} on core [0-9]", _PANIC, "abort"),
    "esp assert": _form(
        r"assert failed: (?:\S{1,100} )?(?P<file>[^\s:]{1,200}):(?P<line>[0-9]{1,7}) \((?P<message>.{1,400})\)$",
        *(_ASSERTION, _FAILED),
    ),
    "esp overflow": _form(
        r"\*\*\*ERROR\*\*\* A stack overflow in task (?P<task>.{1,32}) has been detected", _OVERFLOW, "stack overflow"
    ),
    "smashed": _form(
        r"(?:Stack smashing protect failure!|\*{3} stack smashing detected \*{3})", _OVERFLOW, "stack smashed"
    ),
    # RIOT, RT-Thread, CmBacktrace, the Pico SDK, NuttX
    "riot": _form(r"\*{3} RIOT kernel panic:?$", _PANIC, "kernel panic", follows=True, vague=True),
    "riot fault": _form(r"Context before hardfault:$", _FAULT, "HardFault"),
    "riot assert": _form(rf"{_FILE}:{_LINE} => FAILED ASSERTION\.?$", _ASSERTION, _FAILED),
    "rt-thread": _form(r"hard fault on (?:handler$|thread:? (?P<task>\S.{0,31})$)", _FAULT, "HardFault"),
    "rt-thread assert": _form(
        rf"\((?P<message>.{{1,400}})\) assertion failed at function:(?P<file>[^,]{{1,100}}), line number:{_LINE}",
        *(_ASSERTION, _FAILED),
    ),
    "cmbacktrace": _form(
        r"Fault on (?:interrupt or bare metal\(no OS\) environment|thread (?P<task>\S.{0,31}))$",
        _FAULT,
        "fault",
        vague=True,
    ),
    "pico": _form(r"\*{3} PANIC \*{3}$", _PANIC, "panic", follows=True),
    "nuttx": _form(r"PANIC!!! (?P<message>\S.{0,100})$", _PANIC, "panic", vague=True),
    "nuttx assert": _form(
        rf"Assertion failed(?: (?P<message>[^:]{{1,200}}):?)? at file: ?(?P<file>[^:\s]{{1,200}})(?::| line: ){_LINE}"
        r" task(?:\(CPU[0-9]{1,2}\))?: (?P<task>\S{1,32})",
        *(_ASSERTION, _FAILED),
    ),
    # ChibiOS says nothing by itself; this is how halt hooks of its users name the reason
    "chibios": _form(
        r"(?:chSysHalt|System halted|SYSTEM HALTED)(?:\(\))?[:!,]? ?(?:reason:? )?"
        r"(?P<message>SV#[0-9]{1,2}|ch[A-Z]\w{2,40})",
        *(_PANIC, "system halted"),
    ),
    # FreeRTOS says nothing by itself either: what its hooks print is copied from its examples
    "overflow": _form(
        r"(?:\*{1,10} ?)?(?:application |freertos )?stack ?over ?flow(?: detected| occurred)?[!.]{0,3}"
        rf"(?: (?:in|on|by|for|from))?(?: the)?[ :,(-]{{0,4}}task[ :=]{{1,3}}{_TASK}[!.)]{{0,3}}(?: ?\*{{1,10}})?$",
        *(_OVERFLOW, "stack overflow"),
        flags=re.IGNORECASE,
    ),
    "overflow of": _form(
        rf"(?:(?:application|task) {_TASK} stack ?over ?flow[!.]{{0,3}}$"
        r"|task ?\[(?P<task2>[^\]]{1,32})\] prio ?\[[0-9]{1,3}\] ?stack ?over ?flow$)",
        *(_OVERFLOW, "stack overflow"),
        flags=re.IGNORECASE,
    ),
    "overflow title": _form(
        r"(?:[*#=!>-]{3,60} ?(?:FREERTOS )?STACK ?OVERFLOW(?: DETECTED)? ?[*#=!<-]{0,60}$"
        r"|(?:FREERTOS )?STACK ?OVERFLOW(?: DETECTED)?!{1,3}$)",
        *(_OVERFLOW, "stack overflow"),
    ),
    "overflow hook": _form(
        rf"vApplicationStackOverflowHook(?:\(\))?(?:$|[:!(,-]{{1,2}} ?(?:task)?[ :=]{{0,3}}(?:{_TASK})?[)!.]{{0,3}}$)",
        *(_OVERFLOW, "stack overflow"),
    ),
    "malloc hook": _form(
        r"vApplicationMallocFailedHook(?:\(\))?[:!.]{0,3}(?: (?:called|malloc failed)!{0,3})?$",
        *(CrashKind.OUT_OF_MEMORY, "no memory left"),
    ),
}
_ASSERTED: Final = re.compile(
    r"(?:\*{1,5} ?)?(?:configASSERT|vAssertCalled|assert_failed|assert(?:ion)?)(?:\(\))?"
    r"(?:[ _]?(?:failed|fail|failure)\b[!:,]{0,3}|!{1,3}"
    r"|(?-i:(?<=ASSERT)|(?<=Assert))(?: in| at|:)(?= )|(?<=Called)[:( ])",
    re.IGNORECASE,
)
"""The beginning of an assertion printed in a way of somebody's own: where a place in the source follows, it counts."""
_PLACES: Final = (
    re.compile(
        r"(?P<file>[^\s\"'()\[\]<>,;:=]{1,120}\.(?:cpp|cxx|cc|c|hpp|hh|h|ino|rs))[\"')]?"
        r"(?::|\+|[ ,(]{1,3}(?:at |on |in )?(?:line|Line|LINE|l\.)?[ :#=]{0,3})(?P<line>[0-9]{1,7})\b",
    ),
    re.compile(
        r"\b(?:line|Line|LINE)[ :#=]{0,3}(?P<line>[0-9]{1,7})[ ,:;)]{1,4}(?:of |in |at )?"
        r"(?:file|File|FILE)?[ :='\"]{0,3}(?P<file>[^\s\"'()\[\]<>,;:=]{1,120}\.(?:cpp|cxx|cc|c|hpp|hh|h|ino|rs))\b",
    ),
)
_BETWEEN: Final = re.compile(r"(?:^|(?<=[ ,;:)]))(?:in|at|on|file|File)?[ :,]{0,3}(?:file|File)?[ :='\"(]{0,4}$")
"""The words between the condition and its place in the source."""
_TALK: Final = re.compile(
    r"\b(?:pass(?:ed|es)?|ok|okay|test(?:ed|ing|s)?|self-?test|expected|enabled|disabled|installed|never|last|previous"
    r"|since|example|simulated?|would|if|when|may|no|not|without|count(?:er)?s?|recovered|handled|cleared)\b",
    re.IGNORECASE,
)
"""Words of somebody who talks of a crash."""


def may_be_header(lowered: str) -> bool:
    """Return whether a line, in lower case, can be a header at all."""
    return any(needle in lowered for needle in _NEEDLES)


def header_in(line: str) -> CrashHeader | None:
    """Return what a line says if it is the first line of a crash, or another one of such."""
    if not may_be_header(line.lower()):
        return None
    return next(filter(None, map(_header, stripped(line))), None)


def _header(words: Words) -> CrashHeader | None:
    for name, form in _FORMS.items():
        if (match := form.pattern.match(words.text)) is None:
            continue
        if form.is_title and words.kinds & {PrefixKind.HARMLESS, PrefixKind.NAME}:
            continue
        header = _made(name, form, match, words)
        if form.kind is _OVERFLOW and _TALK.fullmatch(header.task):
            continue
        return header
    return _asserted(words)


def _made(name: str, form: _Form, match: re.Match[str], words: Words) -> CrashHeader:
    found = {key: each.strip() for key, each in match.groupdict().items() if each}
    message = found.get("message", "")
    shown, kind = form.name, form.kind
    if not shown:
        shown = _FAULT_NAMES[found["fault"].lower().replace(" ", "").replace("_", "")]
    if name == "zephyr":
        shown, kind, message = _zephyr(message)
    follows = form.message_follows and ("follows" not in match.groupdict() or bool(found.get("follows")))
    return CrashHeader(
        form=f"{name} {shown}" if "fault" in found else name,
        kind=kind,
        name=shown,
        message=message,
        file=found.get("file", ""),
        line=int(found.get("line", "0")),
        task=found.get("task", "") or found.get("task2", ""),
        message_follows=follows,
        is_vague=form.is_vague,
        words=words,
    )


def _zephyr(reason: str) -> tuple[str, CrashKind, str]:
    """Return name, kind and message of a fatal error, by its reason in words."""
    known: dict[str, tuple[str, CrashKind, str]] = {
        "stack overflow": ("stack overflow", _OVERFLOW, ""),
        "kernel oops": ("kernel oops", _PANIC, ""),
        "kernel panic": ("kernel panic", _PANIC, ""),
        "cpu exception": ("exception", _FAULT, ""),
        "unknown error": ("fatal error of Zephyr", _PANIC, ""),
    }
    return known.get(reason.lower(), ("fatal error of Zephyr", _PANIC, reason))


def _asserted(words: Words) -> CrashHeader | None:
    """Return an assertion that somebody prints in a way of their own, with its place in the source."""
    text = words.text
    head = _ASSERTED.match(text)
    if head is None:
        return None
    place = next(filter(None, (each.search(text, head.end()) for each in _PLACES)), None)
    if place is None or _TALK.search(text, place.end()):
        return None
    message = _BETWEEN.sub("", text[head.end() : place.start()]).strip(" :,;-()[]\"'@")
    return CrashHeader("assertion", _ASSERTION, _FAILED, message, place["file"], int(place["line"]), words=words)
