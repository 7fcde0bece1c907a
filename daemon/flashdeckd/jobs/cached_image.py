"""The image that a partition is trusted to hold, where the profile says `trust_cache`."""

from flashdeck.config import Board, Profile
from flashdeck.model import Contents
from flashdeckd.flash.target import Target
from flashdeckd.host import threads
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.contents import known_bytes
from flashdeckd.usb.device import UsbDevice


async def cached_image(
    contents: Contents | None, device: UsbDevice, board: Board, target: Target, shelf: Shelf
) -> Image | None:
    """Return the bytes that this daemon's flashes left in this very device; None where that cannot be trusted.

    It cannot once the board has shown another serial or bcdDevice, or a job was cut short that tried a canary there,
    and never where it shows no serial: another board at its port would look the same. Nobody can notice here what else
    changes a flash: a debugger, a DFU tool or a daemon of another machine, the firmware itself.
    """
    if not board.profile.trust_cache or contents is None or not _is_undisturbed(contents, device):
        return None
    return await threads.run(known_bytes, contents, target, shelf.image)


def why_never_cached(profile: Profile, device: UsbDevice) -> str:
    """Return the reason why `trust_cache` is of no use for this device; "" where it is, or is not wanted."""
    if not profile.trust_cache or device.serial:
        return ""
    return "the board shows no serial, so that trust_cache cannot tell it from another one at its port: all is written"


def _is_undisturbed(contents: Contents, device: UsbDevice) -> bool:
    """Return whether this device still has the image that was last flashed, as far as anybody can tell.

    A bootloader that did not start the image may not have written it.
    """
    same = (contents.serial, contents.bcd_device) == (device.serial, device.bcd_device)
    return (
        same and device.serial != "" and contents.complete and not contents.uncertain and contents.started is not False
    )
