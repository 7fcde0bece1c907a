"""The pulse of one board: when it last answered, and until when what runs for it has to have come further."""

from typing import Final

from flashdeckd.dfu.polling import LONGEST_NAP
from flashdeckd.host import clock

GRACE_SECONDS: Final = 5.0
"""Seconds that a transfer may take beyond its timeout, until it counts as one that the kernel does not give back."""
BETWEEN_SECONDS: Final = LONGEST_NAP + 30.0
"""Longest time between two transfers: the longest wait that a board may claim, and what is planned or recorded then."""


class Pulse:
    """Written by the thread that asks the board, read by any other: each field is one value, replaced as a whole."""

    def __init__(self) -> None:
        self.answered_at = clock.now()
        """The time of the board's last answer to a transfer, in epoch seconds."""
        self._deadline: float | None = None
        """The end of the running transfer; None where none runs."""
        self._due: float | None = None
        """The time at which the work that runs has to have come further; None where none runs."""

    def begin(self) -> None:
        """Note that work for the board begins."""
        self._due = clock.monotonic() + BETWEEN_SECONDS

    def end(self) -> None:
        """Note that the work has ended."""
        self._deadline = self._due = None

    def ask(self, timeout: float) -> None:
        """Note that a transfer begins, which ends within `timeout` seconds in any case."""
        self._deadline = clock.monotonic() + timeout
        self._due = self._deadline + GRACE_SECONDS

    def answer(self, *, answered: bool) -> None:
        """Note that the transfer is over, and if the board `answered` it."""
        self._deadline = None
        self._due = clock.monotonic() + BETWEEN_SECONDS
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

    @property
    def due_in(self) -> float:
        """Seconds after which the work that runs is past its deadline; negative where it is, infinite where none runs.

        Each step of the work sets another deadline: a board that goes on, however slowly, is never past it.
        """
        due = self._due
        return float("inf") if due is None else due - clock.monotonic()
