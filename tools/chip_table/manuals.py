"""Facts from the makers' manuals: those that no source has, and those that decide where sources differ or are wrong.

Document numbers are those of st.com: RM reference manuals, PM programming manuals, DS data sheets. Chapters go by their
titles, because their numbers change from revision to revision: what is said of flash is in "Embedded flash memory", of
RAM in "Memory organization", of sizes by part number in "Ordering information".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chip_table import claims
from flashdeck.geometry import Range, Region, parse_ranges, parse_sectors

_LETTERS = dict(
    zip("468BZCDEYFGHIKJ", (16, 32, 64, 128, 192, 256, 384, 512, 640, 768, 1024, 1536, 2048, 3072, 4096), strict=True)
)
_LETTERS_OF_ARTERY = {"D": 448, "M": 4032}


def size_by_name(part: str) -> int | None:
    """KiB of flash by the last letter of a name, as data sheets explain it; None for a letter that means nothing."""
    other = _LETTERS_OF_ARTERY.get(part[-1]) if part.startswith("AT32") else None
    return other or _LETTERS.get(part[-1])


def _sizes(letters: str) -> Iterator[tuple[str, int]]:
    """Each letter, and the KiB that it means to GigaDevice, and mostly to all."""
    return ((letter, _LETTERS[letter]) for letter in letters)


@dataclass(frozen=True, slots=True)
class Family:
    """The facts that all parts that `parts` matches have in common. The first match counts."""

    parts: str
    """A regular expression for names up to the size of the flash."""
    manual: str
    """The document."""
    program_unit: int
    """Bytes that are programmed at once, as at 2.7 V and more without an external programming voltage."""
    option_bytes: str = ""
    """Their addresses; "" where only registers show them."""
    otp: str = ""
    secure_alias: bool = False
    """True where TrustZone shows the flash at 0x0C000000 too."""


FAMILIES = (
    Family("STM32C0.{4}", "RM0490", 8, "0x1fff7800+128", "0x1fff7000+1K"),
    Family("STM32F070.{2}", "RM0360", 2, "0x1ffff800+16"),
    Family("STM32F0.{4}", "RM0091", 2, "0x1ffff800+16"),
    Family("STM32F103.[FG]", "PM0068", 2, "0x1ffff800+16"),
    Family("STM32F1.{4}", "PM0075", 2, "0x1ffff800+16"),
    Family("STM32F2.{4}", "RM0033", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F302.{2}", "RM0365", 2, "0x1ffff800+16"),
    Family("STM32F303.{2}", "RM0316", 2, "0x1ffff800+16"),
    Family("STM32F373.{2}", "RM0313", 2, "0x1ffff800+16"),
    Family("STM32F401.{2}", "RM0368", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F4[01][57].{2}", "RM0090", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F411.{2}", "RM0383", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F412.{2}", "RM0402", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F4[12]3.{2}", "RM0430", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F4[23][79].{2}", "RM0090", 4, "0x1ffec000+16, 0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F446.{2}", "RM0390", 4, "0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F4[67]9.{2}", "RM0386", 4, "0x1ffec000+16, 0x1fffc000+16", "0x1fff7800+528"),
    Family("STM32F7[23][0123].[8CE]", "RM0431", 4, "0x1fff0000+32", "0x1ff07800+528"),
    Family("STM32F7[45][056].{2}", "RM0385", 4, "0x1fff0000+32", "0x1ff0f000+1040"),
    Family("STM32F7[67][5789].{2}", "RM0410", 4, "0x1fff0000+32", "0x1ff0f000+1040"),
    Family("STM32G0B0.{2}", "RM0454", 8, "0x1fff7800+128", "0x1fff7000+1K"),
    Family("STM32G0.{4}", "RM0444", 8, "0x1fff7800+128", "0x1fff7000+1K"),
    Family("STM32G4[78].{3}", "RM0440", 8, "0x1fff7800+48, 0x1ffff800+48", "0x1fff7000+1K"),
    Family("STM32G4[349A]1.{2}", "RM0440", 8, "0x1fff7800+48", "0x1fff7000+1K"),
    Family("STM32H503.{2}", "RM0492", 16, otp="0x08fff000+2K"),
    Family("STM32H5.{4}", "RM0481", 16, otp="0x08fff000+2K", secure_alias=True),
    Family("STM32H7[23].{3}", "RM0468", 32),
    Family("STM32H7[45].{3}", "RM0433, RM0399", 32),
    Family("STM32H7[AB].{3}", "RM0455", 16, otp="0x08fff000+1K"),
    Family("STM32H7[RS].{3}", "RM0477", 16, otp="0x08fff000+1K"),
    Family("STM32L0[5678]2.{2}", "RM0376", 4, "0x1ff80000+32"),
    Family("STM32L0[5678]3.{2}", "RM0367", 4, "0x1ff80000+32"),
    Family("STM32L1.{3}[68BC]", "RM0038", 4, "0x1ff80000+32"),
    Family("STM32L1.{3}[DE]", "RM0038", 4, "0x1ff80000+32, 0x1ff80080+32"),
    Family("STM32L4[PQRS].{3}", "RM0432", 8, "0x1ff00000+40, 0x1ff01000+40", "0x1fff7000+1K"),
    Family("STM32L4[1-6][23].{2}", "RM0394", 8, "0x1fff7800+40", "0x1fff7000+1K"),
    Family("STM32L4[789A][56].{2}", "RM0351", 8, "0x1fff7800+40, 0x1ffff800+40", "0x1fff7000+1K"),
    Family("STM32L5.{4}", "RM0438", 8, "0x1ff00000+48", "0x0bfa0000+512", secure_alias=True),
    Family("STM32U0.{4}", "RM0503", 8, "0x1fff7800+128", "0x1fff6800+1K"),
    Family("STM32U3.{4}", "RM0487", 8, otp="0x0bfa0000+512", secure_alias=True),
    Family("STM32U5.{4}", "RM0456", 16, otp="0x0bfa0000+512", secure_alias=True),
    Family("STM32WB[35].{3}", "RM0434", 8, "0x1fff8000+128", "0x1fff7000+1K"),
    Family("STM32WBA6.{3}", "RM0515", 16, otp="0x0bfa0000+512", secure_alias=True),
    Family("GD32F10[357].{2}", "GD32F10x User Manual", 4, "0x1ffff800+16"),
    Family("GD32F150.{2}", "GD32F1x0 User Manual", 4, "0x1ffff800+16"),
    Family("GD32F30[357].{2}", "GD32F30x User Manual", 4, "0x1ffff800+16"),
    Family("GD32F350.{2}", "GD32F3x0 User Manual", 4, "0x1ffff800+16"),
    Family("GD32F403.{2}", "GD32F403 User Manual", 4, "0x1ffff800+16"),
    Family("GD32F4[0257][057].{2}", "GD32F4xx User Manual", 4, "0x1ffec000+16, 0x1fffc000+16", "0x1fff7800+528"),
    Family("AT32[AF]403A.{2}|AT32F407A?.{2}", "RM_AT32F403A_407", 4, "0x1ffff800+48"),
    Family("AT32F413.{2}", "RM_AT32F413", 4, "0x1ffff800+48"),
    Family("AT32F415.{2}", "RM_AT32F415", 4, "0x1ffff800+1K"),
    Family("AT32F423.{2}", "RM_AT32F423", 4, "0x1ffff800+512"),
    Family("AT32F425.{2}", "RM_AT32F425", 4, "0x1ffff800+512"),
    Family("AT32F43[57].[CG]", "RM_AT32F435_437", 4, "0x1fffc000+512"),
    Family("AT32F43[57].[DM]", "RM_AT32F435_437", 4, "0x1fffc000+4K"),
)


@dataclass(frozen=True, slots=True)
class Mode:
    """The banks of parts that have more than one, or could have. The first match counts; all others have one bank."""

    parts: str
    banks: int
    words: str
    """The mode, for people, where option bytes choose one: what is said of it is true as the chip is delivered."""
    halved: str = ""
    """The document, where the banks are equal halves and no source says so."""


MODES = (
    Mode("STM32F103.[FG]", 2, ""),
    Mode("STM32F4([23][79]|[67]9).I", 2, "2 MB parts always have two banks"),
    Mode("STM32F4([23][79]|[67]9).G", 1, "single bank (option bit DB1M clear, as delivered)"),
    Mode("STM32F7[67].{3}", 1, "single bank (option bit nDBANK set, as delivered)"),
    Mode("STM32G0B0.E|STM32G0[BC]1.[CE]", 2, "two banks (option bit DUAL_BANK set, as delivered)"),
    Mode(
        "STM32G4[78].{3}",
        2,
        "two banks of 2 KB pages (option bit DBANK set, as delivered; without it, one bank of 4 KB pages)",
    ),
    Mode("STM32H5.{4}", 2, "", halved="RM0481, RM0492"),
    Mode("STM32H7[45].{2}[GI]|STM32H7[AB]3.{2}", 2, ""),
    Mode("STM32L0[78].{2}[BZ]", 2, "", halved="RM0376, RM0367"),
    Mode("STM32L1.{3}[DE]", 2, ""),
    Mode("STM32L4[789A].{2}G", 2, "1 MB parts always have two banks"),
    Mode("STM32L4[789A].{2}[CE]", 2, "two banks (option bit DUALBANK set, as delivered)"),
    Mode(
        "STM32L4[PQRS].{3}",
        2,
        "two banks of 4 KB pages (option bit DBANK, DB1M or DB512 set, as delivered; without it, one of 8 KB pages)",
    ),
    Mode(
        "STM32L5.{4}",
        2,
        "two banks of 2 KB pages (option bit DBANK set, as delivered; without it, one bank of 4 KB pages)",
    ),
    Mode("STM32U3.{3}[G]", 2, ""),
    Mode("STM32U3.{3}[CE]", 2, "two banks (option bit DUALBANK set, as delivered)"),
    Mode("STM32U5[34].{2}E|STM32U5[78].{2}I|STM32U5.{3}J", 2, "the largest flash of a line always has two banks"),
    Mode("STM32U5.{4}", 2, "two banks (option bit DUALBANK set, as delivered)"),
    Mode("STM32WBA6.{3}", 2, ""),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The sectors of parts of which no source has the banks. Algorithms must erase by these sectors all the same."""

    parts: str
    sectors: str
    """As in a configuration, with `|` between banks; the whole flash, which must be as large as their name says."""
    manual: str


# GigaDevice's pages behind the first 512 KB have 4 KB by the manual and 2 KB by its own algorithm: such parts are out.
LAYOUTS = (
    *(Layout(f"GD32F103.{size}", f"{kib}*1K", "GD32F10x User Manual") for size, kib in _sizes("468B")),
    *(Layout(f"GD32F103.{size}", f"{kib // 2}*2K", "GD32F10x User Manual") for size, kib in _sizes("CDE")),
    *(Layout(f"GD32F10[57].{size}", f"{kib // 2}*2K", "GD32F10x User Manual") for size, kib in _sizes("8BCDE")),
    *(Layout(f"GD32F150.{size}", f"{kib}*1K", "GD32F1x0 User Manual") for size, kib in _sizes("468")),
    *(Layout(f"GD32F30[357].{size}", f"{kib // 2}*2K", "GD32F30x User Manual") for size, kib in _sizes("BCE")),
    *(Layout(f"GD32F350.{size}", f"{kib}*1K", "GD32F3x0 User Manual") for size, kib in _sizes("468B")),
    *(Layout(f"GD32F403.{size}", f"{kib // 2}*2K", "GD32F403 User Manual") for size, kib in _sizes("CE")),
    Layout("GD32F4[0257][057].E", "4*16K, 1*64K, 3*128K", "GD32F4xx User Manual"),
    Layout("GD32F4[0257][057].G", "4*16K, 1*64K, 7*128K", "GD32F4xx User Manual"),
    Layout("GD32F4[0257][057].I", "4*16K, 1*64K, 7*128K | 4*16K, 1*64K, 7*128K", "GD32F4xx User Manual"),
    Layout("GD32F4[0257][057].K", "4*16K, 1*64K, 7*128K | 4*16K, 1*64K, 7*128K, 4*256K", "GD32F4xx User Manual"),
    Layout("AT32[AF]403A.G|AT32F407A?.G", "256*2K | 256*2K", "RM_AT32F403A_407"),
    *(Layout(f"AT32A403A.{size}", f"{kib // 2}*2K", "RM_AT32F403A_407") for size, kib in _sizes("CE")),
    Layout("AT32F43[57].G", "256*2K | 256*2K", "RM_AT32F435_437"),
    Layout("AT32F43[57].M", "512*4K | 496*4K", "RM_AT32F435_437"),
)


@dataclass(frozen=True, slots=True)
class Ram:
    """The RAM that a stack may lie in. Takes the place of what the sources say."""

    parts: str
    ranges: str
    manual: str
    reason: str
    """The error of the sources; or that only one of them knows these parts."""


RAM = (
    Ram("STM32C071.{2}", "0x20000000+24K", "RM0490", "one source"),
    Ram(
        "STM32F4[12]3.{2}",
        "0x10000000+64K, 0x20000000+320K",
        "RM0430",
        "SRAM2 is at 0x10000000 and again behind SRAM1: one source has only the one, the other only the other",
    ),
    Ram("STM32F7[45][056].{2}", "0x20000000+320K", "RM0385", "one source counts the data TCM twice"),
    Ram("STM32G4[34]1.{2}", "0x10000000+10K, 0x20000000+32K", "RM0440", "one source misses CCM behind SRAM2"),
    Ram("STM32G4[78].{3}", "0x10000000+32K, 0x20000000+128K", "RM0440", "one source misses CCM behind SRAM2"),
    Ram("STM32G4[9A]1.{2}", "0x10000000+16K, 0x20000000+112K", "RM0440", "one source misses CCM behind SRAM2"),
    Ram("STM32H5[23]3.{2}", "0x20000000+272K", "RM0481", "one source"),
    Ram("STM32H5[67][23].{2}", "0x20000000+640K", "RM0481", "SRAM1 alone in older versions of a source"),
    Ram(
        "STM32H742.{2}",
        "0x20000000+128K, 0x24000000+384K, 0x30000000+32K, 0x30020000+16K, 0x38000000+64K",
        "RM0433",
        "one source has SRAM2 right behind SRAM1",
    ),
    Ram(
        "STM32H7[AB][03].{2}",
        "0x20000000+128K, 0x24000000+1M, 0x30000000+128K, 0x38000000+32K",
        "RM0455",
        "one source misses the SRAM of the SRD domain",
    ),
    Ram(
        "STM32H7[RS].{3}",
        "0x20000000+192K, 0x24000000+456K, 0x30000000+32K",
        "RM0477",
        "one source; the data TCM at its largest",
    ),
    Ram("STM32L1(00|51|52).6", "0x20000000+16K", "DS6876, DS10002", "4, 10 or 16 KB, by line and by an A at the end"),
    Ram("STM32L1(00|51|52).[8B]", "0x20000000+32K", "DS6876, DS10002", "8 to 32 KB, by line and by an A at the end"),
    Ram("STM32L1(51|52|62).D", "0x20000000+80K", "DS8576, DS10262", "48 KB, or 80 with an X at the end"),
    Ram("STM32L4[56]2.{2}", "0x10000000+32K, 0x20000000+160K", "RM0394", "one source has half of SRAM2"),
    Ram("STM32L4[78][56].{2}", "0x10000000+32K, 0x20000000+96K", "RM0351", "SRAM2 is not behind SRAM1 here"),
    Ram("STM32L4[PQ]5.{2}", "0x10000000+64K, 0x20000000+320K", "RM0432", "both miss SRAM2 at 0x10000000"),
    Ram("STM32L4[RS].{3}", "0x10000000+64K, 0x20000000+640K", "RM0432", "both miss SRAM2 at 0x10000000"),
    Ram("STM32U0[78]3.{2}", "0x20000000+40K", "RM0503", "one source"),
    Ram("STM32U3[78]5.{2}", "0x20000000+256K", "RM0487", "one source"),
    Ram("STM32U5[34]5.{2}", "0x20000000+256K, 0x28000000+16K", "RM0456", "one source misses SRAM4"),
    Ram("STM32U5[78]5.{2}", "0x20000000+768K, 0x28000000+16K", "RM0456", "one source misses SRAM4"),
    Ram("STM32U5[9A].{3}", "0x20000000+2496K, 0x28000000+16K", "RM0456", "one source, and it misses SRAM4"),
    Ram("STM32U5[FG].{3}", "0x20000000+3008K, 0x28000000+16K", "RM0456", "one source misses SRAM4"),
    Ram(
        "STM32WB35.{2}",
        "0x10000000+64K, 0x20000000+32K, 0x20030000+64K",
        "RM0434",
        "one source has SRAM2 right behind SRAM1, and not at 0x10000000",
    ),
    Ram(
        "STM32WB55.C",
        "0x10000000+64K, 0x20000000+64K, 0x20030000+64K",
        "RM0434",
        "one source has SRAM2 right behind SRAM1, and not at 0x10000000",
    ),
    Ram("STM32WB55.[EGY]", "0x10000000+64K, 0x20000000+256K", "RM0434", "one source misses SRAM2 at 0x10000000"),
    Ram("STM32WBA6.{2}I", "0x20000000+512K", "RM0515", "one source"),
    Ram("GD32F40[57].{2}", "0x10000000+64K, 0x20000000+128K", "GD32F4xx User Manual", "both miss the TCM"),
    Ram("GD32F42[57].{2}", "0x10000000+64K, 0x20000000+192K", "GD32F4xx User Manual", "both miss the TCM"),
    Ram("GD32F4[57]0.[EK]", "0x10000000+64K, 0x20000000+192K", "GD32F4xx User Manual", "both miss the TCM"),
    Ram("GD32F450.G", "0x10000000+64K, 0x20000000+192K", "GD32F4xx User Manual", "both miss the TCM"),
    Ram("GD32F450.I", "0x10000000+64K, 0x20000000+448K", "GD32F4xx User Manual", "both miss the TCM"),
    Ram("AT32F413.[BC]", "0x20000000+64K", "RM_AT32F413", "32 KB as delivered, 64 by an option byte"),
    Ram("AT32F43[57].{2}", "0x20000000+512K", "RM_AT32F435_437", "384 KB as delivered, 512 by an option byte"),
)


@dataclass(frozen=True, slots=True)
class FlashSize:
    """A source that is wrong about how large the flash is: the letter in the part number says it."""

    parts: str
    source: str
    manual: str


FLASH_SIZES = (
    FlashSize("STM32L4P5.[EG]", "modm-io/modm-devices", "DS12902"),
    FlashSize("GD32F450.K", "CommunityGD32Cores/platform-gd32", "GD32F450xx Datasheet"),
)

SECTORS = {
    "STM32G47[134].C": "RM0440: the algorithm is for one bank of 4 KB pages, and delivered are two of 2 KB pages"
}
"""Parts whose sectors differ, where a manual proves what is delivered: the document, and what differs."""

USB = {
    "STM32G0B0.E": "RM0454: one source has no USB for it",
    "GD32F(10[357]|150|30[357]|350|403|4[0257][057]).{2}": "data sheets: no source says it",
    "AT32([AF]403A|F407A?|F413|F415|F423|F425|F43[57]).{2}": "data sheets: no source says it",
}
"""Parts that have USB, though not in every source."""

KEPT = {"STM32G071.B": "the first tables had it: it has no USB, and a configuration that names it must stay readable"}
"""Parts that are in the table without USB, and why."""


def family_of(part: str) -> Family | None:
    """The family of a part; None where nobody looked its manual up."""
    return next((each for each in FAMILIES if re.fullmatch(each.parts, part)), None)


def mode_of(part: str) -> Mode | None:
    """The mode of a part that has, or could have, more than one bank."""
    return next((each for each in MODES if re.fullmatch(each.parts, part)), None)


def layout_of(part: str) -> tuple[Region, ...]:
    """The sectors, with banks, of a part that no source has them of; () where nobody looked its manual up."""
    text = next((each.sectors for each in LAYOUTS if re.fullmatch(each.parts, part)), "")
    regions: list[Region] = []
    address = claims.FLASH
    for bank, runs in enumerate(text.split("|") if text else ()):
        first, _, others = runs.strip().partition(",")
        sectors = parse_sectors(f"{first}@{address:#x}" + (f",{others}" if others else ""))
        regions += (replace(region, bank=bank) for region in sectors.regions)
        address = regions[-1].span.end
    return tuple(regions)


def ram_of(part: str) -> Ram | None:
    """The RAM of a part for which the sources are not enough."""
    return next((each for each in RAM if re.fullmatch(each.parts, part)), None)


def sectors_by_manual(part: str) -> str | None:
    """The document that decides about sectors that differ; None where there is none."""
    return next((manual for parts, manual in SECTORS.items() if re.fullmatch(parts, part)), None)


def usb_by_manual(part: str) -> str | None:
    """The document that decides whether the part has USB, in favour of it; None where there is none."""
    return next((manual for parts, manual in USB.items() if re.fullmatch(parts, part)), None)


def is_kept(part: str) -> bool:
    """True where the part is in the table even without USB."""
    return any(re.fullmatch(parts, part) for parts in KEPT)


def is_corrected(part: str, source: str) -> bool:
    """True where `source` is known to be wrong about how large the flash of this part is."""
    return any(each.source == source and re.fullmatch(each.parts, part) for each in FLASH_SIZES)


def ranges(text: str) -> tuple[Range, ...]:
    """The ranges that `text` has; "" has none."""
    return parse_ranges(text) if text else ()
