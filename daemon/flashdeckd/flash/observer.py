"""Whom a flash reports to while it runs, and what it reports in the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flashdeck.job_state import Phase, Verified
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.plan import DeviceFacts, Plan

Sleep = Callable[[float], object]


class Observer(Protocol):
    """Who wants to know, and who may ask to stop. Called in the thread that flashes."""

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """So many bytes of the phase are done."""
        ...

    def planned(self, plan: Plan) -> None:
        """The plan is made; nothing was changed yet. Returns when what follows from that is recorded."""
        ...

    def began(self) -> None:
        """The first erase comes next: what is in `Plan.erased` goes. Returns when that is recorded.

        Heard once more where a boot unit that reads back wrong is done again.
        """
        ...

    def committed(self) -> None:
        """The boot unit is written: the partition holds the image, and 0xFF where `Plan.erased` has nothing of it.

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a flash did, counted."""

    bytes_written: int
    """Image bytes that were programmed: without filling, and without blocks that the erase has already made right."""
    erases: int
    blocks: int
    transfers: int
    """Control transfers from opening the session to the leave."""
    uploads: int
    slept: float
    """Seconds that the host slept because the device asked for it."""
    seconds: float
    verified: Verified
    protection: str
    left: bool
    """Whether the board took the leave. False also where the profile wants none."""
    unchanged: int = 0
    """Bytes of sectors that held the image already and were left alone."""
    erased_beside: int = 0
    """Bytes beside the image that were erased, because it covers only part of their sectors."""
    interrupted: bool = False
    """Lost after the boot unit was written: the partition holds the image, only the leave is missing."""
    notes: tuple[str, ...] = ()
    """All that the plan said, and `remarks`."""
    remarks: tuple[str, ...] = ()
    """All that a person should know of how it went."""
