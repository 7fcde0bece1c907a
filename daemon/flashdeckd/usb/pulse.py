"""The pulse of one board: when it last answered, and how long the transfer that runs may still take."""

from flashdeckd.host import clock


class Pulse:
    """Written by the thread that asks the board, read by any other: each field is one value, replaced as a whole."""

    def __init__(self) -> None:
        self.answered_at = clock.now()
        """The time of the board's last answer to a transfer, in epoch seconds."""
        self._deadline: float | None = None

    def ask(self, timeout: float) -> None:
        """Note that a transfer begins, which ends within `timeout` seconds in any case."""
        self._deadline = clock.monotonic() + timeout

    def answer(self, *, answered: bool) -> None:
        """Note that the transfer is over, and if the board `answered` it."""
        self._deadline = None
        if answered:
            self.answered_at = clock.now()

    @property
    def silent_for(self) -> float:
        """Seconds since the board last answered."""
        return max(0.0, clock.now() - self.answered_at)

    @property
    def busy_for(self) -> float:
        """Seconds that the running transfer may still take; 0 where none runs."""
        deadline = self._deadline
        return 0.0 if deadline is None else max(0.0, deadline - clock.monotonic())
