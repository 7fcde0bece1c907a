"""The narrow way to a device, as this package needs it; `flashdeckd.usb.transport` is the real one."""

from dataclasses import dataclass
from typing import Protocol

from flashdeckd.dfu.quirks import Quirk


@dataclass(frozen=True, slots=True)
class AlternateSetting:
    """One alternate setting of a DFU interface."""

    number: int
    text_index: int
    """iInterface: its name, on DfuSe devices the memory map; 0 for none."""
    protocol: int
    """1 run-time, 2 DFU mode."""


class ControlPipe(Protocol):
    """Control transfers to the DFU interface of one opened device; timeouts in seconds.

    Every method raises StallError, TransferTimeoutError, DeviceGoneError or another DeviceError.
    """

    @property
    def alternates(self) -> tuple[AlternateSetting, ...]:
        """The alternate settings of the interface, at least one."""
        ...

    @property
    def functional(self) -> bytes:
        """The DFU functional descriptor as the quirk has it, b"" if there is none."""
        ...

    @property
    def quirk(self) -> Quirk:
        """The corrections of what this device says."""
        ...

    @property
    def transfers(self) -> int:
        """Control transfers so far, failed ones included."""
        ...

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        """A class request that carries `data`, or nothing, to the device."""
        ...

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        """A class request that asks for at most `length` bytes."""
        ...

    def select(self, alternate: int) -> None:
        """Selects an alternate setting. To be used only where there are several."""
        ...

    def text(self, index: int) -> str:
        """A string descriptor as the device sends it (not cleaned); "" where it has none, or refuses it for good."""
        ...

    def reset(self) -> None:
        """Resets the device's port. The device may enumerate anew and then is gone for this pipe."""
        ...
