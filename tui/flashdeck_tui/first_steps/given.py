"""The answers of a first configuration so far, whether they were typed or came as options of the command line. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flashdeck.chips import Chip
from flashdeck.config import AnyEnter, UsbId
from flashdeck.geometry import Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The answers; None for one that was not given."""

    device: str | None = None
    """The port of a device, or the name of a configured board."""
    flash: Chip | Geometry | None = None
    """The chip, or the sectors of one that the table does not have."""
    images: tuple[str, ...] | None = None
    """Paths of the builds to flash."""
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The name of the partition for the image at each path, where somebody named it."""
    settings: tuple[int | str, ...] | None = None
    """The alternate setting of each image, on a plain DFU device."""
    map_is_right: bool = False
    trusts_banks: bool = False
    """True: a person knows that this bootloader erases the bank that it is asked to."""
    wants_editor: bool = False
    edited: str | None = None
    """The file as a person has edited it, and as the loader takes it."""
    app: UsbId | None = None
    """The USB id of the running application, where somebody said it."""
    enter: AnyEnter | None = None
    enter_hint: str = ""
    name: str = ""
    """The name of the profile; "" for a free one."""
