"""The facts that a DfuSe device states: functional descriptor, alternate settings, and the memory map of one."""

from collections.abc import Callable
from dataclasses import dataclass

from flashdeck.errors import DescriptorError
from flashdeck.geometry import Range
from flashdeck.memory_map import MemoryMap, parse_memory_map
from flashdeck.text import clean
from flashdeckd.dfu.descriptor import VERSION_DFUSE, FunctionalDescriptor, parse_functional
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.host import clock

MAX_ALTERNATES = 16
"""Alternate settings whose names are looked at; a name costs two requests."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that a device states of itself."""

    functional: FunctionalDescriptor
    memory_map: MemoryMap | None
    """None where it has none that can be understood; `map_error` says why."""
    map_error: str = ""


def read_facts(pipe: ControlPipe, span: Range) -> tuple[Facts, AlternateSetting]:
    """Asks a device in dfuIDLE, and which alternate setting `span` is reached with.

    That is the one whose map reaches it, else the first that has a map, else the first.
    Raises DescriptorError where the device does not speak DfuSe.
    """
    functional = parse_functional(pipe.functional)
    alternate, memory_map, trouble = _alternate(pipe, span)
    _require_dfuse(functional, memory_map)
    return Facts(functional, memory_map, trouble), alternate


def identify(pipe: ControlPipe, sleep: Callable[[float], object] = clock.sleep) -> str:
    """The names of all alternate settings as the device sends them, joined: on DfuSe devices its memory maps."""
    to_idle(pipe, sleep)
    indices = dict.fromkeys(each.text_index for each in pipe.alternates[:MAX_ALTERNATES] if each.text_index)
    return " ".join(filter(None, (pipe.text(index) for index in indices)))


def _alternate(pipe: ControlPipe, span: Range) -> tuple[AlternateSetting, MemoryMap | None, str]:
    alternates = pipe.alternates[:MAX_ALTERNATES]
    readable: list[tuple[AlternateSetting, MemoryMap]] = []
    troubles: list[str] = []
    seen: set[int] = set()
    for alternate in alternates:
        if alternate.text_index in seen:
            continue
        seen.add(alternate.text_index)
        try:
            memory_map = pipe.quirk.mend_map(parse_memory_map(_text(pipe, alternate)))
        except DescriptorError as error:
            troubles.append(error.message)
            continue
        if any(memory_map.overlapping(span)):
            return alternate, memory_map, ""
        readable.append((alternate, memory_map))
    if readable:
        return *readable[0], ""
    return alternates[0], None, troubles[0] if troubles else "the device has no memory map"


def _text(pipe: ControlPipe, alternate: AlternateSetting) -> str:
    text = pipe.text(alternate.text_index) if alternate.text_index else ""
    if not text:
        raise DescriptorError(f"alternate setting {alternate.number} has no name that can be read, so no memory map")
    return text


def _require_dfuse(functional: FunctionalDescriptor, memory_map: MemoryMap | None) -> None:
    """A plain DFU device would take a DfuSe command for the first bytes of its firmware."""
    if functional.version == VERSION_DFUSE or (functional.version is None and memory_map is not None):
        return
    version = "no version" if functional.version is None else f"bcdDFUVersion 0x{functional.version:04x}"
    name = f" and the memory map {clean(memory_map.name)!r}" if memory_map else ""
    raise DescriptorError(
        f"the device reports {version}{name}: it speaks plain DFU, which has no addresses "
        f"(DfuSe reports 0x{VERSION_DFUSE:04x})",
        hint="give the profile's partitions alt in place of address; for your own bootloader with ST's class, set "
        "bcdDFUVersion to 0x011A",
    )
