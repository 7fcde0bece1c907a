"""Findings on erasing the right bank. Pure: the proof itself needs a flash."""

from collections.abc import Iterator

from flashdeck.config import BankPolicy
from flashdeck.diagnosis import Finding, Severity
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case

_SEVERAL = 2
_MEND = (
    "take bank and sector number from the address: FLASH_EraseInitTypeDef needs Banks and a sector number that counts "
    f"from the start of that bank; {st_sources.ERASE}"
)


def findings(case: Case) -> Iterator[Finding]:
    """One finding for each bank in which a partition lies, where the flash has several."""
    geometry, known = case.profile.geometry, case.history
    if len({region.bank for region in geometry.regions}) < _SEVERAL:
        return
    home = {bank for span in case.profile.protected for bank in geometry.banks_of(span)}
    for bank in range(max(region.bank for region in geometry.regions) + 1):
        names = [
            partition.name
            for partition in case.profile.partitions.values()
            if not partition.protected and bank in geometry.banks_of(partition.span)
        ]
        if not names:
            continue
        where = f"bank {bank + 1} ({', '.join(names)})"
        if bank in known.condemned_banks:
            yield Finding(
                code="bank-wrong",
                severity=Severity.ERROR,
                seen=f"{where}: an earlier flash saw an erase hit something else, or reads that were stale",
                means="nothing is flashed there any more: an erase in the wrong bank can hit the bootloader",
                mend=f"{_MEND}. Then run `flashdeck release {case.board}` to try again",
            )
        elif bank in known.proved_banks:
            yield Finding(
                code="bank-proved",
                severity=Severity.GOOD,
                seen=f"{where}: an earlier flash saw a canary come and go there",
                means="this bootloader erases what it is asked to",
            )
        elif case.profile.banks is BankPolicy.TRUSTED or bank in known.released_banks:
            yield Finding(
                code="bank-trusted",
                severity=Severity.NOTE,
                seen=f"{where}: not proved, but somebody said that it may be flashed",
                means="whether an erase hits the right bank is taken on trust",
            )
        elif home and bank not in home:
            yield Finding(
                code="bank-unproved",
                severity=Severity.WARNING,
                seen=f"{where}: it is not the bootloader's own bank, and no erase there was proved yet",
                means="some bootloaders erase the sector of that number in bank 1, which here is the bootloader's. The "
                "first job writes a canary into a blank sector and erases it; where that cannot be done, it is "
                "blocked once, for a person to decide",
                mend=f"look at the erase callback: {_MEND}",
            )
