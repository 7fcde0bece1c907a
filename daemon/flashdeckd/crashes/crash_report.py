"""A crash as the lines that a console shows of it. Pure."""

from collections.abc import Iterator
from typing import Final

from flashdeck.text import clean
from flashdeckd.crashes.crash import AddressRole, Crash, CrashAddress
from flashdeckd.crashes.crash_resolving import Resolution
from flashdeckd.crashes.looked_up import Frame

MOST_REPORTED: Final = 40
"""Lines of one crash."""
_INDENT: Final = "  "


def report(crash: Crash, resolution: Resolution) -> tuple[str, ...]:
    """Return the lines that tell of a crash: its sentence, a line for each address, and why some have no names."""
    lines = (crash.sentence, *_address_lines(crash, resolution), *(f"{_INDENT}{each}" for each in resolution.notes))
    return tuple(clean(line) for line in lines[:MOST_REPORTED])


def _address_lines(crash: Crash, resolution: Resolution) -> Iterator[str]:
    shown: set[int] = set()
    for each in crash.addresses:
        place = each.address & ~1
        if each.role is AddressRole.BACKTRACE and place in shown:  # a list of callers often begins with pc
            continue
        shown.add(place)
        yield from _lines_of(each, list(resolution.frames.get(each, ())))


def _lines_of(address: CrashAddress, frames: list[Frame]) -> Iterator[str]:
    head = f"{_INDENT}{address.role.value} 0x{address.address:08x}"
    if not frames:
        yield head
        return
    yield f"{head}  {frame_text(frames[0])}"
    for outer in frames[1:]:
        yield f"{_INDENT}{'':{len(head) - len(_INDENT)}}  in {frame_text(outer)}"


def frame_text(frame: Frame) -> str:
    """Return a function and its line, as "control_step (control.c:118)"."""
    name = frame.function or "?"
    if frame.file and frame.line:
        return f"{name} ({frame.file}:{frame.line})"
    return f"{name} +0x{frame.offset:x}" if frame.offset else name
