"""The time that a full-speed device takes, kept by deadline so that a late wake-up of ours is made good by the next."""

TRANSFER = 0.00015
"""Seconds for the setup and status stages of a control transfer."""
PACKET_SIZE = 64
PACKET = 0.00006
"""Seconds for one data packet."""
MAX_CREDIT = 0.005
"""Seconds of our own lateness that are made good at the most."""


def bus_time(size: int) -> float:
    """Seconds that a control transfer with `size` bytes of data takes on a full-speed bus."""
    return TRANSFER + PACKET * -(-size // PACKET_SIZE)


class BusClock:
    """The clock of one board's endpoint 0."""

    GRAIN = 0.00005
    """Seconds that are not worth a sleep; they are added to the next."""

    def __init__(self) -> None:
        self.deadline = 0.0
        """End of the transfer under way, on the monotonic clock."""
        self._returned = 0.0

    def begin(self, now: float) -> float:
        """A transfer begins. What the host did since the last one has passed on the device's clock too."""
        own = now - self._returned
        self.deadline = min(max(self.deadline + own, now - MAX_CREDIT), now + MAX_CREDIT)
        return self.deadline

    def spend(self, seconds: float) -> float:
        """The bus time of a transfer passes; the new deadline."""
        self.deadline += seconds
        return self.deadline

    def block(self, seconds: float) -> float:
        """The device is busy for `seconds` more; the new deadline."""
        self.deadline += seconds
        return self.deadline

    def returned(self, now: float) -> None:
        """The transfer has been handed back to the host."""
        self._returned = now
