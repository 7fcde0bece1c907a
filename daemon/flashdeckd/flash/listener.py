"""The listener of a flash: it is told of everything while the flash runs."""

from typing import Protocol

from flashdeck.job_state import Phase, TimeClaim
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.sector_events import SectorEvent


class FlashListener(Protocol):
    """Hears of a flash, and may ask it to stop. Called in the thread that flashes."""

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """So many bytes of the phase are done."""
        ...

    def happened(self, event: SectorEvent) -> None:
        """Something became of a sector, or of a part of one; never heard where the device knows no addresses."""
        ...

    def claimed(self, claim: TimeClaim) -> None:
        """The device claims to need some time, and is given it now."""
        ...

    def planned(self, plan: FlashPlan) -> None:
        """The plan is made; nothing was changed yet. Returns when what follows from that is recorded."""
        ...

    def began(self) -> None:
        """The first erase comes next: what is in `FlashPlan.erased` goes. Returns when that is recorded.

        Heard once more where a boot unit that reads back wrong is done again.
        """
        ...

    def committed(self) -> None:
        """The boot unit is written: the partition holds the image, and 0xFF where `FlashPlan.erased` has nothing of it.

        Returns when that is recorded. Heard once more where the boot unit had to be done again.
        """
        ...

    def check(self) -> None:
        """Raises ParkedError at a safe point when the flash is to stop."""
        ...

    def opened(self, facts: DeviceFacts) -> None:
        """The device said what it is; nothing was changed yet. Raises OtherDeviceError where it is another one."""
        ...

    def may_leave(self) -> bool:
        """Tell whether the board is to be started now; otherwise it stays in DFU mode for what comes next."""
        ...

    def learned(self, history: BootloaderHistory) -> None:
        """This is known of the board's bootloader from now on. Returns when that is recorded."""
        ...
