"""The boot checks of well-known sample code, which bootloaders are copied from. Pure.

They take a partition for an application where its first word, the initial stack pointer, masked, is the start of RAM.
Each was written for a part with less RAM than many have, and linker scripts put the stack at the end of RAM by default.
"""

from dataclasses import dataclass

RAM_START = 0x20000000


@dataclass(frozen=True, slots=True)
class SampleCheck:
    """One such check: first word & mask == RAM_START."""

    source: str
    """The vendor or project whose code has it."""
    mask: int
    chips: str
    """Start of the names of the chips that it is for."""

    def accepts(self, stack: int) -> bool:
        """Return whether it starts an application with this initial stack pointer."""
        return stack & self.mask == RAM_START

    @property
    def end(self) -> int:
        """The first address behind those that it accepts."""
        return RAM_START + (-self.mask & (1 << 28) - 1)


_CHECKS = (
    SampleCheck("ST's sample bootloader for the STM32H563", 0x2FFC0000, "STM32H5"),
    SampleCheck("ST's older DFU and IAP samples", 0x2FFE0000, ""),
)
"""The first one that is for a chip counts."""


def sample_check(chip: str) -> SampleCheck:
    """The one that a bootloader for `chip`, a name of the chip table or "", was most likely copied with."""
    return next(each for each in _CHECKS if chip.startswith(each.chips))
