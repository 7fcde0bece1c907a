"""The result of a flash, counted."""

from dataclasses import dataclass

from flashdeck.job_state import Verified


@dataclass(frozen=True, slots=True)
class FlashResult:
    """All that one flash did."""

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
    """True if the board took the leave. False also where the profile wants none."""
    unchanged: int = 0
    """Bytes of sectors that had the image already and were left alone."""
    erased_beside: int = 0
    """Bytes beside the image that were erased, because it covers only part of their sectors."""
    interrupted: bool = False
    """Lost after the boot unit was written: the partition holds the image, only the leave is missing."""
    notes: tuple[str, ...] = ()
    """All that the plan said, and `remarks`."""
    remarks: tuple[str, ...] = ()
    """All that a person should know of how it went."""
