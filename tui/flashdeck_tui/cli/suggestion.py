"""Suggests configuration for devices that are plugged in and not configured. Pure."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from msgspec.structs import replace

from flashdeck.chips import chip_names
from flashdeck.config import Profile
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.model import BoardState, DeviceState
from flashdeck.text import clean
from flashdeck.toml.values import header, quoted

NEW_PROFILE = "product"
_EXAMPLE_CHIP = "STM32H563RG"
MOST_CHIPS = 4
_CHIP = re.compile(r"[A-Z]{2,4}32[A-Z0-9]{4,9}", re.ASCII)
"""Words that look like the name of a chip, at least up to its product line."""
_TITLE = """\
# DFU devices that are plugged in and are no configured board. Add this to the configuration of flashdeckd, which is
# ~/.config/flashdeck/flashdeck.toml where it was started without --config, and start flashdeckd again.
"""
_NOTHING = "# Nothing to suggest: no DFU device is plugged in that is not configured.\n"
_PARTITIONS = """\
# What lies where in its flash, in whole sectors. These are examples: take the # from what fits, and change it.
#[{bootloader}]
#address = 0x08000000
#size = "128K"
#protected = true # never written, whoever asks
#[{app}]
#address = 0x08020000
#size = "384K"
#image = "~/fw/app/Debug/APP.bin" # what its build writes: {formats}
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A configuration for one device."""

    device: DeviceState
    name: str
    """A name for the board that nothing has yet."""
    profile: str
    profiles: tuple[str, ...]
    """All profiles of the configuration that are for its USB id; where there are none, `profile` is to be written."""
    serial: str
    """The serial to know it by; "" where the device has none, or not for itself."""
    port: str
    """The same; set where `serial` is not."""

    @property
    def adopt(self) -> tuple[str, ...]:
        """The command that makes the daemon keep the board, as words."""
        return ("flashdeck", "adopt", self.device.port, "--profile", self.profile, "--name", self.name)


def suggestions(
    devices: Sequence[DeviceState], boards: Iterable[BoardState], profiles: Mapping[str, Profile], taken: Iterable[str]
) -> list[Suggestion]:
    """One for each of `devices`. `boards` are the daemon's, `profiles` the configuration's, `taken` the names in it."""
    boards = tuple(boards)
    devices = [_cleaned(device) for device in devices]
    names = {*taken, *(board.name for board in boards)}
    new_profiles = _new_profiles(devices, profiles, {board.profile for board in boards})
    serials = Counter(each.serial for each in (*devices, *boards))
    found: list[Suggestion] = []
    for device in devices:
        fitting = tuple(name for name, profile in profiles.items() if str(profile.dfu) == device.usb_id)
        profile = fitting[0] if fitting else new_profiles[device.usb_id]
        name = _free(profile, names)
        names.add(name)
        serial = device.serial if serials[device.serial] == 1 and not device.serial_shared else ""
        found.append(Suggestion(device, name, profile, fitting, serial, "" if serial else device.port))
    return found


def _cleaned(device: DeviceState) -> DeviceState:
    """Whatever the daemon says, it is to be pasted."""
    return replace(
        device,
        usb_id=clean(device.usb_id),
        port=clean(device.port),
        serial=clean(device.serial),
        product=clean(device.product),
        note=clean(device.note),
    )


def to_toml(found: Sequence[Suggestion]) -> str:
    """The suggestions as lines for the configuration file, with everything that has to be known beside them."""
    if not found:
        return _NOTHING
    missing: dict[str, list[DeviceState]] = {}
    for each in found:
        if not each.profiles:
            missing.setdefault(each.profile, []).append(each.device)
    return "\n".join([_TITLE, *(_profile(*each) for each in missing.items()), *map(_board, found)])


def _new_profiles(
    devices: Iterable[DeviceState], profiles: Mapping[str, Profile], used: Iterable[str]
) -> dict[str, str]:
    """A name for the profile of each USB id."""
    taken = {*profiles, *used}
    free = (name for number in count(1) if (name := NEW_PROFILE + (f"{number}" if number > 1 else "")) not in taken)
    return {usb_id: next(free) for usb_id in dict.fromkeys(device.usb_id for device in devices)}


def _free(profile: str, names: set[str]) -> str:
    """A name as the daemon makes one: the profile's with a number, within the 32 characters that a name may have."""
    return next(name for number in count(1) if (name := f"{profile[:27]}-{number}") not in names)


def _profile(name: str, devices: Sequence[DeviceState]) -> str:
    """A profile for devices that share their USB id."""
    usb_id = devices[0].usb_id
    table = ("profiles", name)
    partitions = {part: header(*table, "partitions", part)[1:-1] for part in ("bootloader", "app")}
    lines = [
        f"# A profile for the product that shows up as {usb_id}. Its name is yours.",
        header(*table),
        f"dfu = {quoted(usb_id)}",
        "# Its flash: the chip by its name, up to the letter for the size of its flash or longer, as on the chip,",
        *(f"#flash = {quoted(chip)}" for chip in chips_of(devices)),
        "# or, for a chip that flashdeck does not know, runs of sectors as COUNT*SIZE@ADDRESS, and its RAM.",
        '#sectors = "128*8K@0x08000000"',
        '#ram = "0x20000000+640K"',
        "# A device that speaks plain DFU 1.1 (bcdDFUVersion is not 0x011a) has none of these, and its partitions have",
        "# alt = 0, the number or name of an alternate setting, in place of address.",
        "# Optional: its USB id while the application runs, so that flashdeck can see it start. With it, flashdeck can",
        '# bring the board into DFU mode: "detach" by its DFU run-time interface, "touch-1200" by its serial port,',
        '# { command = ["./enter-dfu"] } by a program of yours.',
        '#app = "0483:5740"',
        '#enter = "detach"',
        _PARTITIONS.format(formats=SUFFIXES_IN_WORDS, **partitions),
    ]
    return "\n".join(lines)


def chips_of(devices: Iterable[DeviceState]) -> tuple[str, ...]:
    """Chips that these devices may be, by what their products are called; an example where that says nothing."""
    words = {word for device in devices for word in _CHIP.findall(device.product.upper())}
    fitting = (
        [name for name in chip_names() if any(name.startswith(word) or word.startswith(name) for word in words)]
        if words
        else []
    )
    return tuple(sorted(fitting)[:MOST_CHIPS]) or (_EXAMPLE_CHIP,)


def _board(suggestion: Suggestion) -> str:
    device = suggestion.device
    product = quoted(device.product) if device.product else "A device"
    others = [quoted(name) for name in suggestion.profiles if name != suggestion.profile]
    choice = (
        f" # or {', '.join(others)}, which {'have' if len(others) > 1 else 'has'} the same USB id" if others else ""
    )
    key, value = ("serial", suggestion.serial) if suggestion.serial else ("port", suggestion.port)
    shared = "# Two devices have shown this serial at once: only its port tells which one it is."
    lines = [
        f"# {product}, {device.usb_id} at {device.port}, serial {device.serial or 'none'}",
        *([shared] if device.serial_shared else []),
        *([] if device.note.startswith("not configured") else [f"# The daemon says: {device.note}"]),
        header("boards", suggestion.name),
        f"profile = {quoted(suggestion.profile)}{choice}",
        f"{key} = {quoted(value)}",
        "# Or, in its place and once the profile is there, this; it also pins the memory map of the device:",
        f"#   {shlex.join(suggestion.adopt)}",
        "",
    ]
    return "\n".join(lines)
