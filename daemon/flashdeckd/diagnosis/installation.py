"""Findings on this machine, where it keeps flashdeck itself from reaching boards: libusb, udev, permissions."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flashdeck.config import Config, UsbId
from flashdeck.diagnosis import Finding, Severity
from flashdeck.model import ConfigurationState, Trouble
from flashdeck.words.configuration import configuration_text
from flashdeckd.diagnosis.machine.surroundings import ids_of, node_of
from flashdeckd.host import files, processes
from flashdeckd.usb.device import UsbDevice

NODES = Path("/dev/bus/usb")
RULES = tuple(
    map(Path, ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d"))
)
MAX_RULES = 1 << 20
"""Bytes that are looked at of one rules file."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of this machine that matter, as they were found."""

    troubles: tuple[Trouble, ...] = ()
    """Parts that do not work."""
    closed: tuple[UsbDevice, ...] = ()
    """Devices of interest whose nodes may not be opened."""
    unruled: tuple[UsbId, ...] = ()
    """Ids of interest that no udev rule names, where nothing shows that none is needed."""


def inspect(
    config: Config,
    devices: Iterable[UsbDevice],
    troubles: Iterable[Trouble],
    *,
    nodes: Path = NODES,
    rules: Iterable[Path] = RULES,
) -> Machine:
    """Looks at device nodes and udev rules; blocks. Opens no device."""
    wanted = ids_of(config)
    present = [device for device in devices if device.usb_id in wanted or device.has_dfu]
    closed = tuple(device for device in present if not files.is_open_to_us(node_of(nodes, device)))
    opened = {device.usb_id for device in present} - {device.usb_id for device in closed}
    doubtful = wanted - opened if processes.own_uid() else set[UsbId]()
    texts = list(_rules(rules)) if doubtful else []
    unruled = tuple(sorted(each for each in doubtful if not any(_names(text, each) for text in texts)))
    return Machine(tuple(troubles), closed, unruled)


def findings(machine: Machine) -> Iterator[Finding]:
    """Findings on this machine, each with what to do about it. Pure."""
    for trouble in machine.troubles:
        yield Finding(
            code="degraded",
            severity=Severity.ERROR,
            seen=f"{trouble.part}: {trouble.text}",
            means="a part of flashdeckd does not work; the others go on without it",
            mend=trouble.hint,
        )
    for device in machine.closed:
        yield Finding(
            code="node-closed",
            severity=Severity.ERROR,
            seen=f"/dev/bus/usb/{device.bus:03d}/{device.address:03d} ({device.usb_id} at {device.name}) may not be "
            "opened by this user",
            means="the device can be seen, and not be flashed",
            mend=_mend(device.usb_id),
        )
    closed = {device.usb_id for device in machine.closed}
    for usb_id in machine.unruled:
        if usb_id in closed:
            continue
        yield Finding(
            code="rule-missing",
            severity=Severity.NOTE,
            seen=f"no udev rule on this machine names {usb_id}",
            means="when such a device comes, only root may open it, unless another rule lets you",
            mend=_mend(usb_id),
        )


def configuration_findings(configuration: ConfigurationState | None, now: float) -> Iterator[Finding]:
    """Findings on the configuration that is in force; None where no daemon has one. Pure."""
    if configuration is None:
        return
    is_old = configuration.changed or bool(configuration.refused)
    yield Finding(
        code="configuration",
        severity=Severity.WARNING if is_old else Severity.GOOD,
        seen=f"configuration {configuration_text(configuration, now)}",
        means="what the files say now is not in force" if is_old else "what the files say is in force",
        mend="flashdeck config check; once it is right: flashdeck config reload" if is_old else "",
    )


def _mend(usb_id: UsbId) -> str:
    return (
        f"add a profile for {usb_id} to the configuration, and run `flashdeck install`, which writes the rule for its "
        "ids; membership in the rule's group counts from the next login"
    )


def _rules(directories: Iterable[Path]) -> Iterator[str]:
    for directory in directories:
        names: list[str] = []
        with suppress(OSError):  # not every system has all of them
            names = files.names(directory)
        for name in names:
            with suppress(OSError):
                if name.endswith(".rules"):
                    yield files.contents(directory / name, MAX_RULES).decode(errors="replace").lower()


def _names(text: str, usb_id: UsbId) -> bool:
    """Tell whether one line names vendor and product, in the spelling that udev matches: lower-case hexadecimal."""
    vendor, product = f'"{usb_id.vendor:04x}"', f'"{usb_id.product:04x}"'
    lines = (line.lstrip() for line in text.splitlines())
    return any(vendor in line and product in line for line in lines if not line.startswith("#"))
