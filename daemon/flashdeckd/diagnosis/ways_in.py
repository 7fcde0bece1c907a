"""Findings on the way from a running application into DFU mode: which one it is, and whether it can work. Pure."""

from collections.abc import Iterator
from pathlib import PurePath

from flashdeck.config import Enter, EnterCommand
from flashdeck.diagnosis import Finding, Severity
from flashdeck.model import Presence
from flashdeck.text import clean, counted
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case, EntryFacts
from flashdeckd.usb.device import PROTOCOL_RUNTIME, UsbDevice

CDC_CLASS = 0x02
"""bInterfaceClass of a serial port's control interface (USB CDC 1.2, 4.2)."""
_NOBODY = "each job waits until somebody brings the board into DFU mode"


def findings(case: Case) -> Iterator[Finding]:
    """Yield what is found of a board that is running."""
    device = case.device
    if device is None or case.presence is not Presence.APP:
        return
    match case.profile.enter:
        case Enter.DETACH:
            yield _detach(device)
        case Enter.TOUCH:
            yield from _touch(case.entry, device)
        case EnterCommand(command=argv):
            yield _command(case.entry, argv[0])
        case Enter.MANUAL:
            yield _by_hand(device)
    yield Finding(
        code="runs-application",
        severity=Severity.NOTE,
        seen="the board is running, so its bootloader was not looked at",
        means=f"bring it into DFU mode for the rest{': ' + hint if (hint := case.profile.enter_hint) else ''}",
    )


def _has_runtime(device: UsbDevice) -> bool:
    return any(each.is_dfu and each.protocol == PROTOCOL_RUNTIME for each in device.interfaces)


def _detach(device: UsbDevice) -> Finding:
    if _has_runtime(device):
        return Finding(
            code="runtime-there",
            severity=Severity.GOOD,
            seen="the running application has a DFU run-time interface",
            means="jobs can ask it to come back in DFU mode",
        )
    return Finding(
        code="runtime-missing",
        severity=Severity.ERROR,
        seen='the profile says enter = "detach", but the running application has no DFU run-time interface',
        means=f"there is nothing that a DETACH could be sent to: {_NOBODY}",
        mend="add an interface of class 0xFE, subclass 0x01, protocol 0x01 with a DFU functional descriptor to the "
        'application, and restart into the bootloader on DETACH; or say enter = "manual". '
        f"{st_sources.DETACH}",
    )


def _touch(entry: EntryFacts, device: UsbDevice) -> Iterator[Finding]:
    if not entry.ports:
        yield _port_missing(device)
        return
    port, others = entry.ports[0], entry.ports[1:]
    which = f", the first of its {counted(len(entry.ports), 'serial port')}" if others else ""
    if entry.is_hidden:
        yield Finding(
            code="port-hidden",
            severity=Severity.ERROR,
            seen=f"the running application has the serial port {port.node}, and there is no such node here",
            means=f"it cannot be touched: {_NOBODY}",
            mend="udev makes the node; let a container see the host's /dev",
        )
        return
    if entry.is_closed:
        yield Finding(
            code="port-closed",
            severity=Severity.ERROR,
            seen=f"this user may not open {port.node}, the serial port of the running application",
            means="jobs wait until it may be opened",
            mend=f"become a member of the group that `ls -l {port.node}` shows, often dialout, and log in again",
        )
        return
    if entry.holders:
        who = ", ".join(map(str, entry.holders))
        yield Finding(
            code="port-in-use",
            severity=Severity.NOTE,
            seen=f"{who} {'have' if entry.holders[1:] else 'has'} {port.node} open",
            means="the touch is made all the same, unless that program keeps the port for itself alone: then jobs wait "
            "until it is closed",
        )
    yield Finding(
        code="port-there",
        severity=Severity.GOOD,
        seen=f"the running application has the serial port {port.node}{which}",
        means="jobs touch it at 1200 baud; firmware that knows the touch comes back in DFU mode",
    )


def _port_missing(device: UsbDevice) -> Finding:
    mend = 'add a serial port (CDC-ACM) to the application, or say enter = "manual"'
    if any(each.class_code == CDC_CLASS for each in device.interfaces):
        mend = (
            "it has a CDC interface, which no driver has taken: load the driver (`sudo modprobe cdc_acm`), and look "
            "into `dmesg` for what it says of the device"
        )
    return Finding(
        code="port-missing",
        severity=Severity.ERROR,
        seen='the profile says enter = "touch-1200", but the running application has no serial port',
        means=f"there is nothing to touch: {_NOBODY}",
        mend=mend,
    )


def _command(entry: EntryFacts, program: str) -> Finding:
    if entry.program:
        return Finding(
            code="command-there",
            severity=Severity.GOOD,
            seen=f"{clean(entry.program)} is there",
            means="jobs run it to bring the board into DFU mode",
        )
    where = "" if "/" in program else " in the PATH of flashdeckd"
    return Finding(
        code="command-missing",
        severity=Severity.ERROR,
        seen=f"the profile says enter = {{ command = … }}, but there is no program {clean(program)}{where}",
        means=f"there is nothing to run: {_NOBODY}",
        mend=f"install {clean(PurePath(program).name)}, or give its path; a script has to be executable (chmod +x)",
    )


def _by_hand(device: UsbDevice) -> Finding:
    mend = ""
    if _has_runtime(device):
        mend = 'the application has a DFU run-time interface: with enter = "detach" it goes by itself'
    return Finding(
        code="by-hand",
        severity=Severity.NOTE,
        seen='the profile says enter = "manual"',
        means=_NOBODY,
        mend=mend,
    )
