"""The findings of earlier jobs about a board's bootloader: later ones need not find out again."""

from flashdeck.value import Value
from flashdeckd.dfu.pace import Pace


class BootloaderHistory(Value, frozen=True, kw_only=True):
    """Kept for one physical board with one bootloader: another serial or bcdDevice begins with nothing."""

    pace: Pace = Pace.UNPROVEN
    """The times at which the device may be asked whether it has finished."""
    reading_proved: bool = False
    """True if an erased sector read 0xFF and a written one read back new (safety rule 9), and block numbers were seen
    to be multiplied with wTransferSize."""
    unreadable: str = ""
    """The reason why reads of it were refused, or seen not to be true, when they were last tried; "" where they were
    not."""
    proved_banks: tuple[int, ...] = ()
    """Banks in which an erase was seen to hit what it was meant for, in ascending order."""
    released_banks: tuple[int, ...] = ()
    """Banks that a person let go on without that proof."""
    condemned_banks: tuple[int, ...] = ()
    """Banks in which an erase hit something else, or reads are stale: nothing is flashed there any more."""
    canaries: tuple[int, ...] = ()
    """Addresses of sectors in which a canary may still lie, because a job ended before it was seen to be gone."""
    reads_lost: int = 0
    """The number of times that the board was lost in a read before reading was proved; some bootloaders die of it."""


UNKNOWN = BootloaderHistory()
"""A board that nothing is known about."""
