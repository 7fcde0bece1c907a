"""Findings on who a device is, made without opening it: serial and port. Pure."""

from collections.abc import Iterator

from flashdeck.diagnosis import Finding, Severity
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case
from flashdeckd.usb.device import UsbDevice

DUMMY_SERIALS = frozenset({"FFFFFFFEFFFF", "STM32FxSTM32"})
"""Strings that whole series of chips give instead of a serial of their own."""


def findings(case: Case) -> Iterator[Finding]:
    """Findings on who the device is."""
    device = case.device
    if device is None:
        if case.was_shared:
            yield _was_shared(f"unplug the wrong one, and run `flashdeck release {case.board}`; better, {_OWN}")
        return
    yield from _serial(case, device)


def pins(case: Case, names: str) -> Iterator[Finding]:
    """Yield a finding where an adopted board shows other maps than it was adopted with."""
    if case.pinned_map is not None and case.pinned_map != names:
        yield Finding(
            code="map-changed",
            severity=Severity.ERROR,
            seen=f"the memory map is {names!r} and was {case.pinned_map!r} when the board was adopted",
            means="this may be another board, or another bootloader on it: its jobs are blocked",
            mend="if it is the same board with another bootloader, take it out of boards.toml and adopt it again",
        )


_OWN = (
    "make the serial string from the chip's unique id (96 bits at UID_BASE), the same in bootloader and "
    f"application; until then, tell the boards apart by `port`. {st_sources.SERIAL}"
)


def _was_shared(mend: str) -> Finding:
    return Finding(
        code="serial-shared",
        severity=Severity.WARNING,
        seen="two devices have shown the board's serial at once",
        means="the serial does not say which of them is the board, also where one is alone",
        mend=mend,
    )


def _serial(case: Case, device: UsbDevice) -> Iterator[Finding]:
    mend = _OWN
    if not device.serial:
        yield Finding(
            code="serial-missing",
            severity=Severity.WARNING,
            seen="the device has no serial number (iSerialNumber is 0, or it cannot be read)",
            means="it is known by where it is plugged in only: another board in that port would be taken for it",
            mend=mend,
        )
    elif case.rivals:
        yield Finding(
            code="serial-shared",
            severity=Severity.WARNING,
            seen=f"the serial {device.serial} is also that of what is plugged in at {', '.join(case.rivals)}",
            means="the serial alone does not tell these boards apart, so none of them is flashed by it",
            mend=mend,
        )
    elif case.was_shared:
        yield _was_shared(mend)
    elif device.serial in DUMMY_SERIALS:
        yield Finding(
            code="serial-dummy",
            severity=Severity.WARNING,
            seen=f"the serial is {device.serial}",
            means="many chips of a series say the same: a second board makes two candidates, and both are blocked",
            mend=mend,
        )
