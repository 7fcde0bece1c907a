"""The USB of this machine: libusb and hotplug, also where libusb cannot be had, or not yet."""

import usb.backend

from flashdeck.errors import FlashdeckError
from flashdeckd.state.health import Health
from flashdeckd.usb.device import HotplugSource
from flashdeckd.usb.hotplug import PyudevHotplug
from flashdeckd.usb.libusb import opened_backend


async def real_usb(health: Health) -> tuple[usb.backend.IBackend | None, HotplugSource]:
    """Return libusb and the hotplug source; None where libusb cannot be loaded, which `health` is told."""
    try:
        return await opened_backend(lambda trouble, hint: health.report("libusb", trouble, hint=hint)), PyudevHotplug()
    except FlashdeckError as error:
        health.report("libusb", error.message, hint=error.hint)
        return None, PyudevHotplug()
