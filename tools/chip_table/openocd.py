"""Reads a checkout of OpenOCD: sizes and pages of Artery's parts with one bank, and where their option bytes are.

They are a table in the driver for Artery's flash, which its author wrote by hand with the reference manuals.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from chip_table.claims import FLASH, Claim, SourceError, part_of
from flashdeck.geometry import Range, Region

NAME = "openocd-org/openocd"
_KIB = 1024
_FILE = "src/flash/nor/artery.c"
_SERIES = re.compile(r"\[(ARTERY_SERIES_\w+)\] = \{.*?\.usd_base = (0x[0-9A-Fa-f]+)", re.DOTALL)
_PART = re.compile(
    r'\.name = "(\w+)[^"]*",\s*\.series = (ARTERY_SERIES_\w+),\s*\.flash_size = (\d+),\s*\.page_size = (\d+),'
    r"\s*\.usd_size = (\d+),"
)


def read(checkout: Path) -> Iterator[Claim]:
    """Its claims about each part."""
    file = checkout / _FILE
    if not file.exists():
        raise SourceError(f"{checkout} has no {_FILE}, as a checkout of {NAME} has")
    text = file.read_text()
    options = {series: int(address, 0) for series, address in _SERIES.findall(text)}
    for name, series, size, page, option_size in _PART.findall(text):
        if series not in options:
            raise SourceError(f"{file}: {series} has no option bytes")
        yield Claim(
            NAME,
            part_of(name),
            layouts=((Region(FLASH, int(size) * _KIB // int(page), int(page)),),),
            flash_size=int(size) * _KIB,
            option_bytes=(Range.sized(options[series], int(option_size)),),
        )
