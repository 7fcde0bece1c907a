"""All that is known before the first question, and the device that a first configuration is for. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from flashdeck.config import USB_ID, Config, UsbId
from flashdeck.errors import RequestError
from flashdeck.first_board.found import FoundBuild
from flashdeck.model import BoardState, DeviceMode, DeviceState, Presence, WayIntoDfu
from flashdeck.text import clean
from flashdeck.toml.tables import WrongValueError

Check = Callable[[str], Config]
"""The whole configuration as it would be with this text in the file; raises ConfigError with all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFacts:
    """The machine, the project and the configuration as they were found."""

    check: Check
    devices: tuple[DeviceState, ...] = ()
    """Devices that are no configured board, now."""
    boards: tuple[BoardState, ...] = ()
    """Configured boards, now."""
    builds: tuple[FoundBuild, ...] = ()
    """The builds that were found, the newest first."""
    config: Config = field(default=Config())
    """The configuration as it is; an empty one where there is none."""
    seen_running: tuple[DeviceState, ...] = ()
    """Devices that were seen running their application since the dialogue began."""
    root: Path = Path()
    """The directory that was searched."""
    here: Path = Path()
    """The working directory."""
    time: float = 0.0
    """Now, in seconds since the epoch."""

    def now(self, devices: Iterable[DeviceState], boards: Iterable[BoardState]) -> "KnownFacts":
        """Return the facts after another look at the bus."""
        devices = tuple(devices)
        running = (*self.seen_running, *(each for each in self.devices if each.mode is DeviceMode.RUNNING))
        seen = {(each.port, each.usb_id, each.serial): each for each in (*running, *_running(devices))}
        return replace(self, devices=devices, boards=tuple(boards), seen_running=tuple(seen.values()))

    @property
    def strangers(self) -> tuple[DeviceState, ...]:
        """Devices that a first configuration can be for: those in DFU mode, and those that say how to get there.

        A serial port alone says nothing: half of the devices on a desk have one.
        """
        return tuple(
            each for each in self.devices if each.mode is DeviceMode.DFU or WayIntoDfu.DETACH in each.ways_into_dfu
        )

    @property
    def present(self) -> tuple[BoardState, ...]:
        """Configured boards that are plugged in."""
        return tuple(each for each in self.boards if each.presence in (Presence.DFU, Presence.APP))

    def application_of(self, device: DeviceState) -> DeviceState | None:
        """Return the application of a device in DFU mode: what was seen in its place before, or shows its serial."""
        running = (*self.seen_running, *_running(self.devices))
        here = [each for each in running if each.port == device.port]
        same = [each for each in running if each.serial and each.serial == device.serial and not each.serial_shared]
        return next(reversed((*same, *here)), None)


def _running(devices: Iterable[DeviceState]) -> list[DeviceState]:
    return [each for each in devices if each.mode is DeviceMode.RUNNING]


def usb_id_of(device: DeviceState) -> UsbId:
    """Return vendor and product of a device. Raises RequestError where its daemon says something else."""
    try:
        found = USB_ID.read(device.usb_id, Path())
    except WrongValueError as error:
        raise RequestError(f"the device at {clean(device.port, 60)}: {error}") from error
    assert isinstance(found, UsbId)  # noqa: S101 - that is what the spelling is of
    return found


def device_line(device: DeviceState) -> str:
    """Return a device in one line."""
    serial = f", serial {clean(device.serial, 60)}" if device.serial else ""
    name = clean(device.product, 40) or "a device without a name"
    return f"{name} ({clean(device.usb_id, 20)}, port {clean(device.port, 60)}{serial})"
