"""The chip table: flash geometry and RAM of the microcontrollers that `flash = "…"` can name.

To add a chip, add an entry here with its source; tests hold every entry to the same sanity checks.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from flashdeck.errors import ConfigError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.text import clean

_KIB = 1024
_FLASH = 0x08000000  # where the flash of every STM32 starts


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller, named up to the size of its flash, without what its part number says after that."""

    name: str
    geometry: Geometry
    source: str
    """The documents that the numbers are from, and the mode of the flash where option bytes choose one."""


def _banks(*runs: tuple[int, int], count: int = 1) -> tuple[Region, ...]:
    """`count` equal banks one behind the other, each of runs of (number of sectors, KiB of each)."""
    regions: list[Region] = []
    address = _FLASH
    for bank in range(count):
        for sectors, kib in runs:
            regions.append(Region(address, sectors, kib * _KIB, bank))
            address = regions[-1].span.end
    return tuple(regions)


def _ram(*areas: tuple[int, int]) -> tuple[Range, ...]:
    """Areas as (address, KiB). Neighbours without a gap are one area, because a stack may lie across them."""
    return tuple(Range.sized(address, kib * _KIB) for address, kib in areas)


def _parts(lines: str, packages: str, size: str, geometry: Geometry, source: str) -> dict[str, Chip]:
    """The parts of product lines that differ in their package (one letter) only; `size` is the letter of the size."""
    names = [line + package + size for line in lines.split() for package in packages]
    return {name: Chip(name, geometry, source) for name in names}


# Sizes by part number are in the data sheets (DS…); sectors, program unit and RAM addresses in the reference manuals
# (RM…), chapters on memory organization and on the embedded flash memory. The program unit of F4 and F7 is a word, as
# at 2.7 V and more without an external programming voltage.

CHIPS: Mapping[str, Chip] = {
    # H5: 8 KB sectors, 16-byte quad-words, always two banks.
    **_parts(
        "STM32H563",
        "AIRVZ",
        "G",
        Geometry(_banks((64, 8), count=2), 16, _ram((0x20000000, 640))),  # SRAM1 256, SRAM2 64, SRAM3 320
        "ST RM0481; DS14258",
    ),
    **_parts(
        "STM32H563",
        "AIMRVZ",
        "I",
        Geometry(_banks((128, 8), count=2), 16, _ram((0x20000000, 640))),
        "ST RM0481; DS14258",
    ),
    **_parts(
        "STM32H573",
        "AIMRVZ",
        "I",
        Geometry(_banks((128, 8), count=2), 16, _ram((0x20000000, 640))),
        "ST RM0481; STM32H573xx data sheet",
    ),
    **_parts(
        "STM32H503",
        "CEKR",
        "B",
        Geometry(_banks((8, 8), count=2), 16, _ram((0x20000000, 32))),  # SRAM1 16, SRAM2 16
        "ST RM0492; STM32H503xx data sheet",
    ),
    # F4: four sectors of 16 KB, one of 64 KB, the rest of 128 KB; from 2 MB on twice that.
    **_parts(
        "STM32F401",
        "CRV",
        "C",
        Geometry(_banks((4, 16), (1, 64), (1, 128)), 4, _ram((0x20000000, 64))),
        "ST RM0368; STM32F401xB/xC data sheet",
    ),
    **_parts(
        "STM32F401",
        "CRV",
        "E",
        Geometry(_banks((4, 16), (1, 64), (3, 128)), 4, _ram((0x20000000, 96))),
        "ST RM0368; STM32F401xD/xE data sheet",
    ),
    **_parts(
        "STM32F405 STM32F415",
        "ORVZ",
        "G",
        Geometry(
            _banks((4, 16), (1, 64), (7, 128)),
            4,
            _ram((0x10000000, 64), (0x20000000, 128)),  # core-coupled; SRAM1 112, SRAM2 16
        ),
        "ST RM0090; STM32F405xx/407xx and STM32F415xx/417xx data sheets",
    ),
    **_parts(
        "STM32F407 STM32F417",
        "IVZ",
        "G",
        Geometry(_banks((4, 16), (1, 64), (7, 128)), 4, _ram((0x10000000, 64), (0x20000000, 128))),
        "ST RM0090; STM32F405xx/407xx and STM32F415xx/417xx data sheets",
    ),
    **_parts(
        "STM32F407 STM32F417",
        "IVZ",
        "E",
        Geometry(_banks((4, 16), (1, 64), (3, 128)), 4, _ram((0x10000000, 64), (0x20000000, 128))),
        "ST RM0090; STM32F405xx/407xx and STM32F415xx/417xx data sheets",
    ),
    **_parts(
        "STM32F411",
        "CRV",
        "E",
        Geometry(_banks((4, 16), (1, 64), (3, 128)), 4, _ram((0x20000000, 128))),
        "ST RM0383; STM32F411xC/xE data sheet",
    ),
    **_parts(
        "STM32F429",
        "ABINVZ",
        "I",
        Geometry(
            _banks((4, 16), (1, 64), (7, 128), count=2),
            4,
            _ram((0x10000000, 64), (0x20000000, 192)),  # core-coupled; SRAM1 112, SRAM2 16, SRAM3 64
        ),
        "ST RM0090; STM32F427xx/429xx data sheet (2 MB parts always have two banks)",
    ),
    **_parts(
        "STM32F446",
        "MRVZ",
        "E",
        Geometry(_banks((4, 16), (1, 64), (3, 128)), 4, _ram((0x20000000, 128))),  # SRAM1 112, SRAM2 16
        "ST RM0390; STM32F446xC/xE data sheet",
    ),
    # F7: sectors like those of F4, twice as large but on F72x. RAM from the data TCM on, without a gap.
    **_parts(
        "STM32F722",
        "IRVZ",
        "E",
        Geometry(_banks((4, 16), (1, 64), (3, 128)), 4, _ram((0x20000000, 256))),  # DTCM 64, SRAM1 176, SRAM2 16
        "ST RM0431; STM32F722xx/723xx data sheet",
    ),
    **_parts(
        "STM32F746",
        "BINVZ",
        "G",
        Geometry(_banks((4, 32), (1, 128), (3, 256)), 4, _ram((0x20000000, 320))),  # DTCM 64, SRAM1 240, SRAM2 16
        "ST RM0385; STM32F745xx/746xx data sheet",
    ),
    **_parts(
        "STM32F767",
        "BINVZ",
        "I",
        Geometry(_banks((4, 32), (1, 128), (7, 256)), 4, _ram((0x20000000, 512))),  # DTCM 128, SRAM1 368, SRAM2 16
        "ST RM0410; STM32F765xx/767xx/768Ax/769xx data sheet; single bank (option bit nDBANK set, as delivered)",
    ),
    # G0: 2 KB pages, 8-byte double words.
    **_parts(
        "STM32G071",
        "CEGKR",
        "B",
        Geometry(_banks((64, 2)), 8, _ram((0x20000000, 36))),  # 32 with its parity check on
        "ST RM0444; STM32G071x8/xB data sheet",
    ),
    **_parts(
        "STM32G0B1",
        "CKMNRV",
        "E",
        Geometry(_banks((128, 2), count=2), 8, _ram((0x20000000, 144))),  # 128 with its parity check on
        "ST RM0444; STM32G0B1xB/xC/xE data sheet; two banks (option bit DUAL_BANK set, as delivered)",
    ),
    # G4: 8-byte double words. The core-coupled RAM is at 0x10000000 and again right behind SRAM2.
    **_parts(
        "STM32G431",
        "CKMRV",
        "B",
        Geometry(
            _banks((64, 2)),
            8,
            _ram((0x10000000, 10), (0x20000000, 32)),  # core-coupled; SRAM1 16, SRAM2 6, core-coupled 10
        ),
        "ST RM0440 (category 2); STM32G431x6/x8/xB data sheet",
    ),
    **_parts(
        "STM32G474",
        "CMPQRV",
        "E",
        Geometry(
            _banks((128, 2), count=2),
            8,
            _ram((0x10000000, 32), (0x20000000, 128)),  # core-coupled; SRAM1 80, SRAM2 16, core-coupled 32
        ),
        "ST RM0440 (category 3); STM32G474xB/xC/xE data sheet; two banks of 2 KB pages (option bit DBANK set, as "
        "delivered; without it, one bank of 4 KB pages)",
    ),
    # H7: 128 KB sectors, flash words of 32 bytes. RAM: data TCM, AXI SRAM, SRAM1 to SRAM3, SRAM4.
    **_parts(
        "STM32H723",
        "VZ",
        "G",
        Geometry(
            _banks((8, 128)),
            32,
            _ram((0x20000000, 128), (0x24000000, 320), (0x30000000, 32), (0x38000000, 16)),  # AXI: 192 shared with ITCM
        ),
        "ST RM0468; STM32H723xE/xG data sheet",
    ),
    **_parts(
        "STM32H743 STM32H753",
        "ABIVXZ",
        "I",
        Geometry(
            _banks((8, 128), count=2),
            32,
            _ram((0x20000000, 128), (0x24000000, 512), (0x30000000, 288), (0x38000000, 64)),
        ),
        "ST RM0433; STM32H742xI/G STM32H743xI/G and STM32H753xI data sheets",
    ),
    # L4: 2 KB pages, 8-byte double words. SRAM2 is at 0x10000000 and, but for L47x, again right behind SRAM1.
    **_parts(
        "STM32L432",
        "K",
        "C",
        Geometry(_banks((128, 2)), 8, _ram((0x10000000, 16), (0x20000000, 64))),  # SRAM2; SRAM1 48, SRAM2 16
        "ST RM0394; STM32L432KB/KC data sheet",
    ),
    **_parts(
        "STM32L433",
        "CRV",
        "C",
        Geometry(_banks((128, 2)), 8, _ram((0x10000000, 16), (0x20000000, 64))),
        "ST RM0394; STM32L433xx data sheet",
    ),
    **_parts(
        "STM32L476",
        "JMQRVZ",
        "G",
        Geometry(_banks((256, 2), count=2), 8, _ram((0x10000000, 32), (0x20000000, 96))),  # SRAM2; SRAM1
        "ST RM0351; STM32L476xx data sheet (1 MB parts always have two banks)",
    ),
    **_parts(
        "STM32L496",
        "AQRVZ",
        "G",
        Geometry(_banks((256, 2), count=2), 8, _ram((0x10000000, 64), (0x20000000, 320))),  # SRAM2; SRAM1 256, SRAM2 64
        "ST RM0351; STM32L496xx data sheet (1 MB parts always have two banks)",
    ),
    # U5: 8 KB pages, 16-byte quad-words; the largest flash of each line always has two banks.
    **_parts(
        "STM32U575 STM32U585",
        "ACOQRVZ",
        "I",
        Geometry(
            _banks((128, 8), count=2),
            16,
            _ram((0x20000000, 768), (0x28000000, 16)),  # SRAM1 192, SRAM2 64, SRAM3 512; SRAM4
        ),
        "ST RM0456; STM32U575xx and STM32U585xx data sheets",
    ),
}

_LINE = len("STM32H563")
_SUFFIX = re.compile(
    r"[A-Z][0-9X][A-Z0-9]{0,4}", re.ASCII
)  # package, temperature, options: T6, I6Q, T6TR; Tx as in tools


def find_chip(part: str) -> Chip:
    """The chip that `part` names: a name of the table or a longer part number, as STM32H563RGT6; case does not matter.

    Raises ConfigError where the table has no such chip.
    """
    wanted = part.upper()
    if wanted in CHIPS:
        return CHIPS[wanted]
    for name, chip in CHIPS.items():
        if wanted.startswith(name) and _SUFFIX.fullmatch(wanted.removeprefix(name)):
            return chip
    near = difflib.get_close_matches(wanted[:40], CHIPS, n=3)
    known = ", ".join(near or sorted({name[:_LINE] for name in CHIPS}))
    raise ConfigError(
        f'the chip table has no "{clean(part, 40)}"',
        hint=f"{'the nearest are' if near else 'it has parts of'} {known}; for any other chip give its sectors "
        'instead, as sectors = "128*8K@0x08000000"',
    )
