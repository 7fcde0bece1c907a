"""Devices and the configured boards that they are: DESIGN's rule 3, from the facts of the world."""

from collections.abc import Iterable

from simulation.seen import Device, Named


def is_of_product(named: Named, device: Device) -> bool:
    """Tell whether a device shows, in the mode that it is in, an USB id of the board's product."""
    if device.mode == "dfu":
        return device.dfu_id == named.product.dfu_id
    return device.mode == "app" and device.app_id is not None and device.app_id == named.product.app_id


def is_exactly(named: Named, device: Device) -> bool:
    """Tell whether a device that is plugged in is the board, by all that the configuration says of it."""
    is_other_release = device.mode == "dfu" and named.release not in (None, device.release)
    return claims(named, device) and not is_other_release


def claims(named: Named, device: Device) -> bool:
    """Tell whether a device is the board by serial and port, whatever was pinned of it when it was adopted."""
    if not device.is_plugged or not is_of_product(named, device) or not (named.serial or named.port):
        return False
    serial = device.serial if device.mode == "dfu" else device.app_serial
    return (not named.serial or serial == named.serial) and (not named.port or device.port == named.port)


def may_run_as(named: Named, device: Device) -> bool:
    """Tell whether a device whose application is running may be the board, though it shows another serial."""
    if device.mode != "app" or not device.is_plugged or not is_of_product(named, device):
        return False
    return device.serial == named.serial or (bool(named.port) and device.port == named.port)


def candidates(named: Named, devices: Iterable[Device]) -> list[Device]:
    """Return the devices that are the board, exactly."""
    return [device for device in devices if is_exactly(named, device)]
