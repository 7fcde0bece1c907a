"""Making a listed DFU device a configured board: which device, of which profile, by what it is recognised. Pure."""

from collections.abc import Callable, Collection, Iterable
from itertools import count

from flashdeck.config import Board, Config, Pins, Profile
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.first_board.profile_fit import of_its_kind, with_its_sectors
from flashdeck.model import Presence
from flashdeck.names import did_you_mean, few
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import mode_of


def find_device(
    wanted: str,
    devices: Collection[UsbDevice],
    configured: Collection[UsbDevice],
    is_shared: Callable[[UsbDevice], bool] = lambda _: False,
) -> UsbDevice:
    """The device that a port or a serial names.

    Raises RequestError (`no-such-board`) where there is none or it is a configured board already, FlashdeckError
    (`ambiguous`) where several have that serial, or had it at once.
    """
    found = [device for device in devices if device.is_at(wanted)] or [d for d in devices if d.serial == wanted]
    if not wanted or not found:
        strangers = [device for device in devices if device not in configured]
        places = few([f"{each.name} ({each.serial})" if each.serial else each.name for each in strangers])
        raise RequestError(
            f"there is no DFU device {wanted!r}",
            kind=ErrorKind.NO_SUCH_BOARD,
            hint=f"name one by port or serial: {places}" if places else "nothing unconfigured is plugged in",
        )
    if len(found) > 1:
        raise FlashdeckError(
            f"{len(found)} devices have the serial {wanted}",
            kind=ErrorKind.AMBIGUOUS,
            hint=f"name it by its port: {', '.join(device.name for device in found)}",
        )
    (device,) = found
    if not device.is_at(wanted) and is_shared(device):
        raise FlashdeckError(
            f"two devices have shown the serial {wanted} at once, so it does not say which one is meant",
            kind=ErrorKind.AMBIGUOUS,
            hint=f"name it by its port: {device.name}",
        )
    if device in configured:
        raise RequestError(f"the device at {device.name} is a configured board already")
    return device


def find_profile(name: str, device: UsbDevice, config: Config) -> Profile:
    """The named profile, or the only one with the device's USB id in DFU mode; raises RequestError.

    Of several with that id, the one whose flash has the sectors of the memory map that the device shows.
    """
    named = [profile for profile in config.profiles.values() if name in ("", profile.name)]
    fitting = [profile for profile in named if mode_of(profile, device) is Presence.DFU]
    if not fitting and any(mode_of(profile, device) is Presence.APP for profile in named):
        raise RequestError(
            f"the device at {device.name} is running, and a board is adopted by what its bootloader shows",
            hint="bring it into DFU mode first",
        )
    same_id, fitting = fitting, of_its_kind(fitting, device.setting_names, str(device.usb_id), device.dfu_version)
    if same_id and not fitting:
        says, have = "speaks plain DFU, without addresses", "addresses"
        if same_id[0].is_plain:
            says, have = "has addresses", "alternate settings"
        names = few([each.name for each in same_id])
        raise RequestError(
            f"the device at {device.name} {says}, and the partitions of {names} have {have}",
            hint="`flashdeck suggest` prints a profile to begin with",
        )
    if len(fitting) > 1:
        fitting = with_its_sectors(fitting, device.setting_names, str(device.usb_id)) or fitting
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        listed = f"profiles in the configuration: {few(sorted(config.profiles)) or 'none'}"
        meant = did_you_mean(name, config.profiles) if name not in config.profiles else ""
        raise RequestError(
            f"no profile {name!r} has dfu = {str(device.usb_id)!r}" if name else f"no profile is for {device.usb_id}",
            hint=meant or f"{listed}; `flashdeck suggest` prints one to begin with",
        )
    raise RequestError(
        f"several profiles are for {device.usb_id}", hint=f"say --profile, one of: {few([p.name for p in fitting])}"
    )


def find_name(wanted: str, profile: Profile, config: Config) -> str:
    """The board's name: the wanted one, or the first free one made from the profile's.

    Raises RequestError where it is taken by a board that has an identity of its own.
    """
    if not wanted:
        return next(name for name in (f"{profile.name}-{n}" for n in count(1)) if name not in config.boards)
    taken = config.boards.get(wanted)
    if taken is not None and (taken.serial or taken.port or taken.profile.name != profile.name):
        raise RequestError(f"there is a board {wanted!r} already", hint="choose another --name")
    return wanted


def require_other_identity(board: Board, config: Config) -> None:
    """Raise RequestError where another board is known by the same: with both no configuration could be read again."""
    ids = {board.profile.dfu, board.profile.app} - {None}
    for other in config.boards.values():
        is_same = (other.serial, other.port) == (board.serial, board.port) and bool(board.serial or board.port)
        if is_same and other.name != board.name and not ids.isdisjoint({other.profile.dfu, other.profile.app}):
            raise RequestError(
                f"board {other.name} is known by the same {'serial' if board.serial else 'port'} already",
                hint=f"`flashdeck boards` says what is wrong with {other.name}; take it out of the configuration first",
            )


def adopted(
    name: str,
    profile: Profile,
    device: UsbDevice,
    devices: Iterable[UsbDevice],
    memory_map: str,
    *,
    was_shared: bool = False,
) -> Board:
    """The board that the device becomes: known by its serial, or by its port as well where others share the serial.

    `was_shared` where two devices had that serial at once before.
    """
    is_shared = was_shared or sum(other.serial == device.serial for other in devices) > 1
    by_port = not device.serial or is_shared
    return Board(
        name=name,
        profile=profile,
        serial=device.serial,
        port=device.port if by_port else "",
        pins=Pins(map=memory_map, bcd_device=device.bcd_device),
    )
