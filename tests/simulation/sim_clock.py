"""The clocks of the simulated machine: one goes on with the baton, the other one can be set."""

from simulation.baton import Baton

EPOCH = 1_767_225_600.0
"""The wall clock at the start of each seed: 2026-01-01."""


class SimClock:
    """See `flashdeckd.host.clock.Clock`."""

    def __init__(self, baton: Baton) -> None:
        self.offset = 0.0
        """Seconds by which somebody has set the clock."""
        self._baton = baton

    def time(self) -> float:
        """Return the seconds since 1970-01-01 UTC; they jump when somebody sets the clock."""
        return EPOCH + self.offset + self._baton.now

    def monotonic(self) -> float:
        """Return the virtual time."""
        return self._baton.now

    def sleep(self, seconds: float, /) -> None:
        """Let others run for `seconds`."""
        self._baton.wait(self._baton.now + seconds)
