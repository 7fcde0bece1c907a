"""Reads a checkout of modm-io/modm-devices: the size of the flash, the RAM, and whether there is USB.

Names and peripherals are made from ST's CubeMX database. The memories are from a table that its authors wrote by hand,
with data sheets and reference manuals, and know nothing of the one of embassy.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

from chip_table.claims import Claim, SourceError, joined
from flashdeck.geometry import Range

NAME = "modm-io/modm-devices"
_NO_STACK = ("flash", "eeprom", "backup", "bkpsram", "itcm")
_FIELDS = ("platform", "family", "name", "pin", "size", "package", "temperature", "variant")
_PART = re.compile(r"(stm32)(wba|..)(..)(.)(.)(.)(.)([^@]*)")
_CONDITION = "device-"


def read(checkout: Path) -> Iterator[Claim]:
    """Its claims about each part, once for each of its packages where they differ."""
    files = sorted(checkout.glob("devices/stm32/*.xml"))
    if not files:
        raise SourceError(f"{checkout} has no devices/stm32/*.xml, as a checkout of {NAME} has")
    for file in files:
        root = ET.parse(file).getroot()  # noqa: S314 -- a file that the developer chose
        device = root.find("device")
        if device is None:
            raise SourceError(f"{file} has no device")
        seen: set[Claim] = set()
        for fields in _parts(device):
            claim = _claim(device, fields)
            if claim not in seen:
                seen.add(claim)
                yield claim


def _parts(device: ET.Element) -> Iterator[Mapping[str, str]]:
    """Each part of a file: those that it lists, or all combinations but those that it excludes."""
    listed = [each.text or "" for each in device.findall("valid-device")]
    excluded = {each.text for each in device.findall("invalid-device")}
    names = listed or [
        "".join(combination)
        for combination in product(*(device.get(field, "").split("|") for field in _FIELDS))
        if "".join(combination) not in excluded
    ]
    for name in names:
        match = _PART.match(name)
        if match is None:
            raise SourceError(f'"{name}" is not a part number')
        yield dict(zip(_FIELDS, match.groups(), strict=True))


def _claim(device: ET.Element, fields: Mapping[str, str]) -> Claim:
    memories = [
        (each.get("name", ""), Range.sized(int(each.get("start", ""), 0), int(each.get("size", ""), 0)))
        for driver in device.findall("driver")
        if driver.get("name") == "core"
        for each in driver.findall("memory")
        if _holds(each, fields)
    ]
    return Claim(
        NAME,
        "".join(fields[field] for field in _FIELDS[:5]).upper(),
        flash_size=sum(span.size for name, span in memories if name == "flash"),
        ram=joined(span for name, span in memories if name not in _NO_STACK),
        usb=any(
            driver.get("name", "").startswith("usb") and driver.get("name") != "usbpd" and _holds(driver, fields)
            for driver in device.findall("driver")
        ),
    )


def _holds(element: ET.Element, fields: Mapping[str, str]) -> bool:
    """True where what is said here is said of this part."""
    return all(
        fields[key.removeprefix(_CONDITION)] in value.split("|")
        for key, value in element.attrib.items()
        if key.startswith(_CONDITION) and key.removeprefix(_CONDITION) in fields
    )
